// The widget's attribute `images`, on the mock engine and on a site's own server: without it nothing of it is fetched; pictures are attached,
// pasted, dropped, removed, sent, remembered, and refused in words where nobody sees them.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { STRICT_CSP, startBrowser } from './harness.mjs';
import { png } from './photos.mjs';
import { startSites, widgetOn } from './sites.mjs';

let browser, site, page;
let server = (body, response) => response.writeHead(500).end();

before(async () => {
  browser = await startBrowser();
  site = await startSites({
    headers: { 'Content-Security-Policy': STRICT_CSP },
    routes: {
      '/v1/chat/completions': async (request, response) => {
        let text = '';
        for await (const piece of request) text += piece;
        server(JSON.parse(text), response);
      },
    },
  });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

afterEach(async () => {
  const problems = page?.problems ?? [];
  await page?.context().close();
  page = null;
  assert.deepEqual(problems, []);
});

const HARBOUR = { name: 'harbour.png', mimeType: 'image/png', buffer: png(64, 48) };
const BOAT = { name: 'boat.png', mimeType: 'image/png', buffer: png(48, 64, [30, 120, 200]) };

async function chatWith(attributes, { isReady = true, ...options } = {}) {
  page = await site.visit(browser, `<cresset-chat ${attributes}></cresset-chat>`, options);
  const widget = widgetOn(page);
  await widget.open();
  if (isReady) await widget.ready();
  return {
    ...widget,
    attach: widget.inside('.attach'),
    items: widget.inside('.attachment'),
    removes: widget.inside('.attachment-remove'),
    problem: widget.inside('.attachment-problem'),
    note: widget.inside('.attachment-note'),
    region: widget.inside('[role=status]'),
    async choose(files, count) {
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), widget.inside('.attach').click()]);
      await chooser.setFiles(files);
      await widget
        .inside('.attachment')
        .nth(count - 1)
        .waitFor();
    },
  };
}

/** Lets files fall onto an element of the widget, or pastes them there. */
const bring = (selector, type, files) =>
  page.evaluate(
    ({ selector, type, files }) => {
      const data = new DataTransfer();
      for (const { name, type: kind, bytes } of files) data.items.add(new File([Uint8Array.from(bytes)], name, { type: kind }));
      const how = { bubbles: true, composed: true, cancelable: true };
      const event = type === 'paste' ? new ClipboardEvent(type, { clipboardData: data, ...how }) : new DragEvent(type, { dataTransfer: data, ...how });
      document.querySelector('cresset-chat').shadowRoot.querySelector(selector).dispatchEvent(event);
    },
    { selector, type, files: files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, bytes: [...buffer] })) },
  );

test('without the attribute nothing of it is there or fetched; it may come and go', async () => {
  const widget = await chatWith('model="/files/sees.gguf"');
  await widget.say('Hi');
  await widget.answered();
  assert.equal(await widget.attach.count(), 0);
  assert.ok(!page.addresses.some((address) => /widget\/pictures|attachments|picture-(file|view)/.test(address)));
  await bring('textarea', 'paste', [HARBOUR]);
  await page.evaluate(() => document.querySelector('cresset-chat').toggleAttribute('images', true));
  await widget.attach.waitFor();
  // What shows them comes with the first.
  assert.ok(!page.addresses.some((address) => /attachments|picture-(file|view)/.test(address)));
  await widget.choose([HARBOUR], 1);
  await page.evaluate(() => document.querySelector('cresset-chat').toggleAttribute('images', false));
  await widget.attach.waitFor({ state: 'detached' });
  assert.equal(await widget.items.count(), 0);
  await page.evaluate(() => document.querySelector('cresset-chat').toggleAttribute('images', true));
  await widget.attach.waitFor();
  await bring('textarea', 'paste', [BOAT]);
  await widget.items.first().waitFor();
  assert.equal(await widget.items.count(), 1);
});

test('pictures are chosen, pasted, dropped, removed and sent, under a strict policy', async () => {
  const widget = await chatWith('model="/files/sees.gguf" images');
  assert.equal(await widget.sendButton.getAttribute('aria-disabled'), 'true');
  await widget.choose([HARBOUR], 1);
  assert.equal(await widget.sendButton.getAttribute('aria-disabled'), null);
  await bring('textarea', 'paste', [BOAT]);
  await widget.items.nth(1).waitFor();
  await bring('.messages', 'drop', [
    { ...BOAT, name: 'sail.png' },
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no') },
  ]);
  await widget.items.nth(2).waitFor();
  assert.deepEqual(await widget.inside('.attachment-name').allTextContents(), ['harbour.png', 'boat.png', 'sail.png']);
  await page.waitForFunction(() =>
    /sail\.png is attached\. Attached pictures: 3/.test(document.querySelector('cresset-chat').shadowRoot.querySelector('[role=status]').textContent),
  );
  await widget.removes.nth(1).press('Enter');
  assert.deepEqual(await widget.inside('.attachment-name').allTextContents(), ['harbour.png', 'sail.png']);
  await widget.say('What is this?');
  await widget.answered();
  assert.deepEqual(await widget.answers.allTextContents(), ['(pictures: 2) What is this?']);
  assert.equal(await widget.items.count(), 0);
  assert.deepEqual(await widget.inside('.turn.user canvas').evaluateAll((all) => all.map((canvas) => canvas.getAttribute('aria-label'))), [
    'Picture: harbour.png',
    'Picture: sail.png',
  ]);
  // Alone, by the button; the ones before go along.
  await widget.choose([BOAT], 1);
  await widget.sendButton.click();
  await widget.answered(2);
  assert.equal((await widget.answers.allTextContents())[1], '(pictures: 1)');
  assert.deepEqual(await page.evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).seen.length), 3);
  const messages = await page.evaluate(() => document.querySelector('cresset-chat').messages);
  assert.deepEqual(
    messages.map(({ role, content }) => [role, Array.isArray(content) ? content.map((part) => part.text ?? part.image_url.url.slice(0, 15)) : content]),
    [
      ['user', ['data:image/png;', 'data:image/png;', 'What is this?']],
      ['assistant', '(pictures: 2) What is this?'],
      ['user', ['data:image/png;']],
      ['assistant', '(pictures: 1)'],
    ],
  );
  // A picture opens over all, and the key that closes it closes nothing else.
  await widget.inside('.picture').first().click();
  await widget.inside('.picture-dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await widget.inside('.picture-dialog').waitFor({ state: 'detached' });
  assert.equal(await widget.inside('dialog.panel[open]').count(), 1);
});

test('what a site gives is shown, and a conversation is remembered with its pictures', async () => {
  const widget = await chatWith('model="/files/sees.gguf" images remember');
  await widget.choose([HARBOUR], 1);
  await widget.say('Look');
  await widget.answered();
  await page.reload();
  await widget.inside('.turn.user canvas').waitFor();
  await widget.say('Again');
  await widget.answered(2);
  assert.equal(await page.evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).seen.length), 1);
  const tracker = 'https://tracker.example/x.png';
  await page.evaluate((tracker) => {
    const chat = document.querySelector('cresset-chat');
    const [{ content }] = chat.messages;
    chat.messages = [
      { role: 'user', content },
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: tracker } },
          { type: 'text', text: 'Elsewhere' },
        ],
      },
    ];
  }, tracker);
  await widget.questions.filter({ hasText: 'Elsewhere' }).waitFor();
  assert.equal(await widget.inside('.turn.user canvas').count(), 1);
  assert.ok(!page.addresses.includes(tracker));
});

test('where the assistant sees none, the visitor is told, and nothing is lost', async () => {
  const widget = await chatWith('model="/files/echo.gguf" images');
  await widget.choose([HARBOUR], 1);
  assert.match(await widget.note.textContent(), /only reads: it sees no pictures/);
  await widget.say('What is this?');
  await page.waitForFunction(() => /sees no pictures/.test(document.querySelector('cresset-chat').shadowRoot.querySelector('[role=status]').textContent));
  assert.equal(await widget.input.inputValue(), 'What is this?');
  assert.equal(await widget.items.count(), 1);
  assert.equal(await widget.questions.count(), 0);
});

test('a question with pictures that was asked before the model was there is refused in words, and the conversation goes on without them', async () => {
  const widget = await chatWith('model="/files/quick.gguf" images consent', { isReady: false });
  await widget.state('asking');
  await widget.choose([HARBOUR], 1);
  assert.equal(await widget.note.isVisible(), false);
  await widget.say('What is this?');
  await widget.questions.first().waitFor();
  await widget.primary.click();
  await widget.inside('.problem').waitFor();
  assert.match(await widget.card.textContent(), /The assistant sees no pictures/);
  await widget.say('Then tell me a word');
  await widget.answers.filter({ hasText: 'Then tell me a word' }).waitFor();
  assert.match((await widget.notes.allTextContents()).join(), /knows their names alone/);
});

test('a site’s own server gets the pictures in OpenAI’s form, those of the turns before too', async () => {
  const bodies = [];
  server = (body, response) => {
    bodies.push(body);
    response
      .writeHead(200, { 'Content-Type': 'application/json' })
      .end(JSON.stringify({ choices: [{ message: { content: 'A harbour.' }, finish_reason: 'stop' }] }));
  };
  const widget = await chatWith(`model="/files/oom.gguf" images endpoint="${site.url}v1"`);
  await widget.choose([HARBOUR], 1);
  assert.equal(await widget.note.isVisible(), false);
  await widget.say('What is this?');
  await widget.answered();
  await widget.say('Sure?');
  await widget.answered(2);
  const [{ role, content }, answer, again] = bodies[1].messages;
  assert.deepEqual(
    [role, content[0].type, content[0].image_url.url.slice(0, 22), content[1]],
    ['user', 'image_url', 'data:image/png;base64,', { type: 'text', text: 'What is this?' }],
  );
  assert.deepEqual(
    [answer, again],
    [
      { role: 'assistant', content: 'A harbour.' },
      { role: 'user', content: 'Sure?' },
    ],
  );
});
