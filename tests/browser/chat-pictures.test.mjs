// Pictures in the page's chat, on the mock engine: attached, pasted, dropped, sent, kept, and what is said where a model sees none.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startBrowser, startServer } from './harness.mjs';
import { bomb, gif, png } from './photos.mjs';
import { answered, drop, dropFiles, leave, ready, say, toasted, turns, visit } from './visitor.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, bundled: 'chat sees echo' });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  const left = page;
  page = null;
  await leave(left);
});

const HARBOUR = { name: 'harbour.png', mimeType: 'image/png', buffer: png(64, 48) };
const BOAT = { name: 'boat.png', mimeType: 'image/png', buffer: png(48, 64, [30, 120, 200]) };

const open = async (options) => {
  page = await visit(browser, server, 'chat', options);
};

/** Chooses files by the button beside the field, and waits until so many are attached. */
async function attach(files, count) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.click('#attach')]);
  await chooser.setFiles(files);
  await attached(count);
}

const attached = (count) => page.waitForFunction((count) => document.querySelectorAll('.attachment').length === count, count);
const names = () => page.locator('.attachment-name').allTextContents();
const problems = () => page.locator('.attachment-problem').allTextContents();
/** Colours at the middle of what is drawn, once it is. */
const drawn = async (selector) => {
  const handle = await page.waitForFunction((selector) => {
    const pixels = [...document.querySelectorAll(selector)].map((canvas) => [
      ...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data,
    ]);
    return pixels.length > 0 && pixels.every(([, , , opacity]) => opacity > 0) && pixels.map((pixel) => pixel.slice(0, 3).join());
  }, selector);
  return handle.jsonValue();
};
const seenBy = () => page.evaluate(async () => (await (await import('/page/session.js')).session.engine.stats()).seen);
const inStore = () =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open('cresset').onsuccess = ({ target: { result } }) => {
          const request = result.transaction('turns').objectStore('turns').getAll();
          request.onsuccess = () => {
            result.close();
            resolve(
              request.result.flatMap(({ pictures = [] }) => pictures.map(({ name, url, width, height }) => ({ name, bytes: url.length, width, height }))),
            );
          };
        };
      }),
  );

test('pictures are attached, named, removed, and sent with the words; the turn shows them', async () => {
  await open();
  await attach([HARBOUR, BOAT], 2);
  assert.deepEqual(await names(), ['harbour.png', 'boat.png']);
  assert.equal(await page.textContent('#announcer'), 'boat.png is attached. Attached pictures: 2.');
  assert.deepEqual(await drawn('.attachment canvas'), ['214,94,42', '30,120,200']);
  // By the keyboard: the focus goes on to the next one, and at last back to the field.
  await page.focus('button[aria-label="Remove harbour.png"]');
  await page.keyboard.press('Enter');
  assert.deepEqual(await names(), ['boat.png']);
  assert.equal(await page.textContent('#announcer'), 'harbour.png was removed.');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Remove boat.png');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'message');
  assert.ok(await page.isHidden('#chat-pictures'));
  await attach(HARBOUR, 1);
  await say(page, 'What is this?');
  assert.deepEqual(await turns(page), ['What is this?', '(pictures: 1) What is this?']);
  assert.ok(await page.isHidden('#chat-pictures'));
  assert.deepEqual(await seenBy(), [[64, 48]]);
  assert.equal(await page.locator('.turn.user canvas').getAttribute('aria-label'), 'Picture: harbour.png');
  assert.deepEqual(await drawn('.turn.user canvas'), ['214,94,42']);
  // A picture opens by a click, and closes by Escape without stopping anything else.
  await page.click('.turn.user .picture');
  await page.waitForSelector('.picture-dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.picture-dialog', { state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.className), 'picture');
});

test('a picture alone is a question; it goes along with what follows, by every way a conversation goes on', async () => {
  await open();
  await attach(HARBOUR, 1);
  await page.click('#chat-go');
  await answered(page);
  assert.deepEqual(await turns(page), ['', '(pictures: 1)']);
  assert.equal(await page.title(), 'harbour.png – Cresset');
  await say(page, 'And now?');
  assert.deepEqual(await seenBy(), [[64, 48]]);
  await attach(BOAT, 1);
  await say(page, 'And this?');
  assert.deepEqual(await seenBy(), [
    [64, 48],
    [48, 64],
  ]);
  await page.locator('.turn.assistant button[aria-label="Regenerate"]').last().click();
  await page.waitForFunction(() => document.querySelector('.siblings') && document.documentElement.dataset.state === 'ready');
  assert.equal((await seenBy()).length, 2);
  await page.locator('.turn.user button[aria-label^="Edit"]').last().click();
  await page.fill('.edit-area', 'Which boat?');
  await page.click('.edit .primary');
  await answered(page);
  assert.equal((await turns(page)).at(-1), '(pictures: 1) Which boat?');
  assert.equal((await seenBy()).length, 2);
  assert.equal(await page.locator('.turn.user').last().locator('canvas').count(), 1);
  // Back to the first version, and a reload: all of it is still there.
  await page.locator('.turn.user button[aria-label="Previous version"]').last().click();
  await page.waitForFunction(() => /And this/.test(document.querySelector('#turns').textContent));
  await page.reload();
  await ready(page);
  await page.waitForFunction(() => document.querySelectorAll('.turn.user canvas').length === 2);
  assert.deepEqual(await drawn('.turn.user canvas'), ['214,94,42', '30,120,200']);
  await say(page, 'Do you remember?');
  assert.equal((await seenBy()).length, 2);
});

test('pictures are pasted and dropped; a text that brings a picture of itself stays a text', async () => {
  await open();
  const paste = (files, text) =>
    page.evaluate(
      ({ files, text }) => {
        const data = new DataTransfer();
        for (const { name, type, bytes } of files) data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
        if (text) data.setData('text/plain', text);
        const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        document.getElementById('message').dispatchEvent(event);
        return event.defaultPrevented;
      },
      { files: files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, bytes: [...buffer] })), text },
    );
  assert.equal(await paste([HARBOUR]), true);
  await attached(1);
  assert.equal(await paste([HARBOUR], '1\t2'), false);
  assert.equal(await paste([], 'words'), false);
  await page.click('.views [data-view=models]');
  await page.waitForSelector('#view-models h1');
  await dropFiles(page, [{ name: BOAT.name, bytes: BOAT.buffer }]);
  await attached(2);
  assert.equal(await page.getAttribute('html', 'data-view'), 'chat');
  assert.deepEqual(await names(), ['harbour.png', 'boat.png']);
});

test('what cannot be attached is named, with the reason, and nothing else is lost', async () => {
  await open();
  await page.fill('#message', 'Look:');
  await attach(HARBOUR, 1);
  const broken = { name: 'broken.png', mimeType: 'image/png', buffer: HARBOUR.buffer.subarray(0, 40) };
  const words = { name: 'words.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') };
  const huge = { name: 'huge.png', mimeType: 'image/png', buffer: bomb() };
  await attach([broken, words, huge, { name: 'moves.gif', mimeType: 'image/gif', buffer: gif(3) }], 2);
  assert.deepEqual(await problems(), [
    'broken.png was not attached: it is damaged, or no picture that this browser opens.',
    'words.png was not attached: it is damaged, or no picture that this browser opens.',
    'huge.png was not attached: it is too large. A picture may have 50 MB and 100 million pixels.',
    'moves.gif moves: the model sees its first frame.',
  ]);
  assert.deepEqual(await names(), ['harbour.png', 'moves.gif']);
  assert.equal(await page.inputValue('#message'), 'Look:');
  await attach([{ name: 'still.gif', mimeType: 'image/gif', buffer: gif(1) }], 3);
  assert.deepEqual(await problems(), []);
  await attach(
    Array.from({ length: 6 }, (_, i) => ({ ...BOAT, name: `boat-${i}.png` })),
    8,
  );
  assert.deepEqual(await problems(), ['boat-5.png was not attached: a message takes 8 pictures.']);
});

test('what is kept of a large picture is a small copy, without what its file says beside', async () => {
  await open();
  const noise = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(2200, 1760);
    const context = canvas.getContext('2d');
    const data = context.createImageData(2200, 1760);
    for (let i = 0, x = 1; i < data.data.length; i += 1) data.data[i] = (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 24;
    context.putImageData(data, 0, 0);
    return new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 })).arrayBuffer()).toBase64();
  });
  // A comment where cameras write the place.
  const secret = Buffer.from('taken at 54.32 N');
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, secret.length + 2]), secret]);
  const bytes = Buffer.from(noise, 'base64');
  const buffer = Buffer.concat([bytes.subarray(0, 2), comment, bytes.subarray(2)]);
  assert.ok(buffer.length > 1_500_000);
  await attach({ name: 'noise.jpg', mimeType: 'image/jpeg', buffer }, 1);
  await say(page, 'What is it?');
  const [kept] = await inStore();
  assert.ok(kept.bytes < 1_340_000 && kept.width <= 2048 && Math.abs(kept.width / kept.height - 1.25) < 0.01, JSON.stringify(kept));
  assert.deepEqual(await seenBy(), [[kept.width, kept.height]]);
  const url = await page.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open('cresset').onsuccess = ({ target: { result } }) => {
          result.transaction('turns').objectStore('turns').getAll().onsuccess = (event) =>
            resolve(event.target.result.find(({ pictures }) => pictures).pictures[0].url);
        };
      }),
  );
  assert.ok(!Buffer.from(url.split(',')[1], 'base64').includes(secret));
});

test('a model that only reads: the visitor is told what would help, and nothing is lost', async () => {
  await open();
  await drop(page, 'reader.gguf', 'chat echo');
  await attach(HARBOUR, 1);
  const note = page.locator('.attachment-note');
  assert.match(
    await note.textContent(),
    /^reader\.gguf only reads: it sees no pictures\. A model that sees, such as SmolVLM, can answer about them\. Choose a model$/,
  );
  assert.equal(await note.locator('a').getAttribute('href'), '#/models');
  await page.fill('#message', 'What is this?');
  await page.press('#message', 'Enter');
  await page.waitForFunction(() => /only reads/.test(document.getElementById('announcer').textContent));
  assert.equal(await page.inputValue('#message'), 'What is this?');
  assert.deepEqual(await names(), ['harbour.png']);
  assert.equal(await page.locator('.turn').count(), 0);
  // With one that sees, what is typed and attached goes as it is; the other one then gets names for pictures.
  await drop(page, 'sees.gguf', 'chat sees echo');
  assert.ok(await note.isHidden());
  await page.press('#message', 'Enter');
  await answered(page);
  assert.equal((await turns(page)).at(-1), '(pictures: 1) What is this?');
  await drop(page, 'reader.gguf', 'chat echo');
  await say(page, 'And what else?');
  assert.equal((await turns(page)).at(-1), 'And what else?');
  await toasted(page, 'sees no pictures: of those in this conversation it knows the names alone');
  const asked = await page.evaluate(async () => (await (await import('/page/session.js')).session.engine.stats()).last_request.messages);
  assert.equal(asked[0].content, '[harbour.png]\nWhat is this?');
  // The question about the picture itself is not asked without it.
  await page.locator('.turn.assistant button[aria-label="Regenerate"]').first().click();
  await page.waitForSelector('#chat-end .problem');
  assert.match(await page.textContent('#chat-end .problem'), /This model sees no pictures\. Load one that does, such as SmolVLM/);
});

test('pictures wait with their message, come back to the field, and outlast a reload and other conversations', async () => {
  await open();
  await drop(page, 'slow.gguf', 'chat sees slow long');
  await page.fill('#message', 'First');
  await page.press('#message', 'Enter');
  await page.waitForFunction(() => document.documentElement.dataset.state === 'running');
  await attach(HARBOUR, 1);
  await page.fill('#message', 'Second');
  await page.press('#message', 'Enter');
  await page.waitForSelector('#chat-queue li');
  assert.equal((await page.textContent('#chat-queue li')).trim(), 'Waitsharbour.pngSecond');
  assert.deepEqual(await names(), []);
  await page.click('#chat-queue button');
  await attached(1);
  assert.equal(await page.inputValue('#message'), 'Second');
  await page.press('#message', 'Enter');
  await page.waitForSelector('#chat-queue li');
  await page.click('#chat-go');
  await page.waitForSelector('.turn.user canvas');
  await page.waitForFunction(() => document.querySelector('#turns > :last-child.assistant.writing .words')?.textContent);
  await page.click('#chat-go');
  await answered(page);
  assert.deepEqual(await seenBy(), [[64, 48]]);
  // A draft.
  await attach(BOAT, 1);
  await page.click('#new-chat');
  await attached(0);
  await page.goBack();
  await attached(1);
  await page.reload();
  await ready(page);
  await attached(1);
  assert.deepEqual(await names(), ['boat.png']);
});

test('conversations go to files and come back with their pictures, odd ones without', async () => {
  await open();
  await attach([HARBOUR, BOAT], 2);
  await say(page, 'Two pictures');
  for (const format of ['JSON', 'Markdown']) {
    await page.hover('#conversations li');
    await page.locator('#conversations li button').first().click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`.menu button:has-text("${format}")`)]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const name = download.suggestedFilename();
    await dropFiles(page, [{ name, bytes: Buffer.from(text) }]);
    await toasted(page, 'imported');
    await page.waitForFunction(() => document.querySelectorAll('.turn.user canvas').length === 2);
    assert.deepEqual(await drawn('.turn.user canvas'), ['214,94,42', '30,120,200'], format);
    assert.equal((await turns(page))[0], 'Two pictures');
    await say(page, 'And?');
    assert.deepEqual(await seenBy(), [
      [64, 48],
      [48, 64],
    ]);
    await page.evaluate(() => document.getElementById('toasts').replaceChildren()); // the same words are not said twice at once
    if (format === 'JSON') {
      const odd = JSON.parse(text);
      odd.conversations[0].turns.find(({ role }) => role === 'user').pictures = [
        { name: 'x', url: 'https://tracker.example/x.png' },
        { name: 7 },
        'no',
        { name: 'y', url: 'data:text/html;base64,AAAA' },
      ];
      await dropFiles(page, [{ name: 'odd.json', bytes: Buffer.from(JSON.stringify(odd)) }]);
      await toasted(page, 'left out');
      await page.waitForFunction(() => document.querySelectorAll('.turn.user').length === 1 && !document.querySelector('.turn.user canvas'));
      await page.evaluate(() => document.getElementById('toasts').replaceChildren());
    }
  }
  assert.ok(!page.addresses.some((address) => /tracker/.test(address)));
});

test('a conversation that outgrows the context loses its oldest turns by what their pictures take', async () => {
  await open();
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
    await attach({ ...HARBOUR, name: `${name}.png` }, 1);
    await say(page, name);
  }
  // Half of the mock's context, 512 bytes, is the question's: of turns that take 140 each, 100 of them for the picture, three.
  assert.equal((await seenBy()).length, 3);
  await toasted(page, 'longer than the model’s context');
});

test('it all speaks Chinese', async () => {
  await open({ locale: 'zh-CN' });
  await drop(page, 'reader.gguf', 'chat');
  await page.click('.views [data-view=chat]');
  await attach([HARBOUR, { name: 'words.png', mimeType: 'image/png', buffer: Buffer.from('no') }], 1);
  assert.equal(await page.getAttribute('#attach', 'aria-label'), '添加图片');
  assert.match(await page.textContent('#chat-pictures'), /^harbour\.png未能添加 words\.png：.*看不到图片。.*选择模型$/);
});
