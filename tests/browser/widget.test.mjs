// The widget as a visitor meets it: bytes, consent, chat, keyboard, screen readers, scrolling, what goes wrong.

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { after, before, afterEach, test } from 'node:test';
import { builtText, gguf, startBrowser, watchRewriting } from './harness.mjs';
import { startSites, widgetOn } from './sites.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const BIG = 12_400_000;

let browser, site, page;
let common; // the context of visitors who need nothing of their own
let failing = {}; // routes that a test answers itself

before(async () => {
  browser = await startBrowser();
  common = await browser.newContext();
  const told = (path) => (request, response) => failing[path](request, response);
  site = await startSites({ routes: { '/files/told.gguf': told('told') } });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

afterEach(async () => {
  failing = {};
  await (page?.context() === common ? page.close() : page?.context().close());
  page = null;
});

async function visit(attributes, options = { context: common }) {
  page = await site.visit(browser, `<cresset-chat ${attributes}></cresset-chat>`, options);
  return widgetOn(page);
}

/** A widget that is open and can answer. */
async function chatWith(model = 'chat', attributes = '', options = { context: common }) {
  const widget = await visit(`model="/files/${model}.gguf" ${attributes}`, options);
  await widget.open();
  await widget.ready();
  return widget;
}

const answersOf = (widget) => widget.answers.allTextContents();

test('closed, it costs a page 6 kB gzipped, and nothing of engine or model', async (t) => {
  const paths = new Set();
  const context = await browser.newContext();
  context.on('response', (response) => paths.add(new URL(response.url()).pathname));
  page = await site.visit(browser, '<cresset-chat model="/files/chat.gguf"></cresset-chat>', { context });
  await widgetOn(page).launcher.waitFor();
  await page.waitForTimeout(300);
  const own = [...paths].filter((path) => path !== '/site.html' && path !== '/favicon.ico');
  const bytes = own.reduce((sum, path) => sum + gzipSync(builtText(path.slice(1))).length, 0);
  t.diagnostic(`${own.join(' ')}: ${bytes} bytes`);
  assert.ok(own.length > 0 && bytes <= 6500, `${bytes} bytes`);
  assert.ok(
    own.every((path) => /^\/(cresset-chat|widget\/\w[\w-]*|chat\/(dom|locale))\.js$/.test(path)),
    own.join(' '),
  );
});

test('with consent nothing is downloaded before the visitor agrees to the megabytes', async () => {
  const asked = [];
  failing.told = (request, response) => {
    asked.push(request.method);
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': BIG, ETag: '"a"' });
    if (request.method === 'HEAD') return response.end();
    response.end(Buffer.concat([gguf('chat'), Buffer.alloc(BIG - gguf('chat').length)]));
  };
  const widget = await visit('model="/files/told.gguf" consent');
  await widget.open();
  await widget.state('asking');
  assert.match(await widget.card.textContent(), /runs in this browser.*downloaded once: 12 MB/);
  assert.equal(await widget.primary.textContent(), 'Download 12 MB');
  assert.deepEqual(asked, ['HEAD'], 'only its size was asked for');
  assert.ok(!page.addresses.some((address) => /cresset_engine\.js|\.wasm/.test(address) && !address.endsWith('_bg.wasm')));
  await widget.input.fill('Already typed');
  await widget.inside('.card .quiet').click();
  assert.equal(await widget.panel.isVisible(), false);
  await widget.open();
  assert.equal(await widget.input.inputValue(), 'Already typed');
  await widget.input.press('Enter');
  assert.deepEqual(asked, ['HEAD']);
  await widget.primary.click();
  await widget.answered();
  assert.ok(asked.includes('GET'));
  assert.deepEqual(await widget.questions.allTextContents(), ['Already typed']);
  // The next visit has it already: there is nothing to ask.
  page = await site.visit(browser, '<cresset-chat model="/files/told.gguf" consent></cresset-chat>', { page });
  await widget.open();
  await widget.ready();
});

test('where the site names the megabytes, nobody is asked for them', async () => {
  const widget = await visit('model="/files/chat.gguf" consent megabytes="640"');
  await widget.open();
  await widget.state('asking');
  assert.match(await widget.card.textContent(), /640 MB/);
  assert.ok(!page.addresses.some((address) => address.endsWith('.gguf')));
});

test('a large download is asked for, and where data is saved a small one; unless the site wrote that nobody is', async () => {
  const asked = async (attributes, saveData = false) => {
    const context = await browser.newContext();
    if (saveData) await context.addInitScript(() => Object.defineProperty(navigator, 'connection', { value: { saveData: true } }));
    page = await site.visit(browser, `<cresset-chat model="/files/told.gguf" ${attributes}></cresset-chat>`, { context });
    const widget = widgetOn(page);
    await widget.open();
    await widget.inside('dialog:is([data-state^="asking"], [data-state^="ready"])').waitFor();
    const text = (await widget.card.count()) > 0 ? await widget.card.textContent() : null;
    await context.close();
    page = null;
    return text;
  };
  failing.told = (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': BIG, ETag: '"a"' });
    response.end(request.method === 'HEAD' ? undefined : Buffer.concat([gguf('chat'), Buffer.alloc(BIG - gguf('chat').length)]));
  };
  assert.match(await asked(''), /downloaded once: 12 MB/);
  assert.equal(await asked('consent="false"'), null);
  assert.equal(await asked('consent="false"', true), null);
  failing.told = whole('chat');
  assert.equal(await asked(''), null);
  assert.match(await asked('', true), /set to save data/);
  assert.match(await asked('megabytes="50"'), /50 MB/);
});

test('without consent, opening it starts the download, which shows how far it is, pauses and goes on', async () => {
  let opened;
  const more = new Promise((resolve) => {
    opened = resolve;
  });
  const bytes = Buffer.concat([gguf('chat'), Buffer.alloc(6_000_000)]);
  failing.told = async (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': bytes.length - from,
      ETag: '"a"',
      ...(from && { 'Content-Range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    });
    if (request.method === 'HEAD') return response.end();
    if (from === 0) {
      response.write(bytes.subarray(0, 3_000_000));
      await more;
    }
    response.end(bytes.subarray(Math.max(from, from === 0 ? 3_000_000 : 0)));
  };
  const widget = await visit('model="/files/told.gguf?pause"');
  await widget.open();
  await widget.inside('.amount', { hasText: '3.0 MB of 6.0 MB' }).filter({ hasText: '3.0 MB of 6.0 MB' }).waitFor();
  assert.ok(Number(await widget.inside('[role=progressbar]').getAttribute('aria-valuenow')) >= 45);
  await widget.say('While you wait');
  assert.match(await widget.card.textContent(), /answered as soon as it is ready/);
  await widget.inside('.card .quiet').click();
  await widget.state('paused');
  assert.match(await widget.card.textContent(), /3\.0 MB of 6\.0 MB are here and kept/);
  opened();
  await widget.primary.click();
  await widget.answered();
  assert.match((await answersOf(widget))[0], /there was a small lamp/);
});

test('an answer that goes round in circles was stopped, says the widget', async () => {
  const widget = await chatWith('loops');
  await widget.say('Hello');
  await widget.answered();
  assert.match(await widget.inside('.foot').textContent(), /It began to repeat itself and was stopped\./);
});

test('while a long prompt is read, the widget says how far it is; the library tells the same', async () => {
  const widget = await chatWith('reads');
  await widget.say('Hello');
  const line = widget.inside('.reading');
  await line.waitFor();
  assert.match(await line.textContent(), /^Reading: [\d,]+ of 4,000 tokens, about \d+ seconds left$/);
  await widget.answered();
  assert.equal(await line.count(), 0);
  const told = await page.evaluate(async () => {
    const { engine } = document.querySelector('cresset-chat');
    const told = [];
    const messages = [{ role: 'user', content: 'Hello' }];
    await engine.chat.completions.create({ messages, max_tokens: 1 }, { onProgress: (progress) => told.push(progress) });
    return told;
  });
  assert.deepEqual([told[0].status, told[0].loaded, told[0].total, told.at(-1).loaded], ['prompt', 0, 4000, 3600]);
});

test('a chat: streamed, stopped, asked again, begun anew; the site hears of it', async () => {
  const widget = await visit('model="/files/slow-chat.gguf"');
  await page.evaluate(() => {
    window.events = [];
    for (const type of ['ready', 'progress', 'message', 'error'])
      document.addEventListener(`cresset-${type}`, ({ detail }) =>
        events.push([type, detail.role ?? detail.where ?? detail.status ?? detail.error?.code, detail.content]),
      );
  });
  await widget.open();
  await widget.ready();
  await widget.say('Hello <b>you</b>');
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words')?.textContent.split(' ').length > 4);
  assert.equal(await widget.sendButton.getAttribute('aria-label'), 'Stop');
  await widget.sendButton.click();
  await widget.answered();
  const stopped = (await answersOf(widget))[0];
  assert.match(stopped, /^there was a/);
  assert.match(await widget.inside('.foot').textContent(), /Stopped\./);
  assert.equal(await widget.questions.textContent(), 'Hello <b>you</b>');
  const state = await page.evaluate(() => ({
    messages: document.querySelector('cresset-chat').messages,
    events: events.filter(([type]) => type !== 'progress'),
  }));
  assert.equal(state.messages[1].content.trim(), stopped);
  assert.deepEqual(
    state.events.map(([type, what]) => [type, what]),
    [
      ['ready', 'device'],
      ['message', 'user'],
      ['message', 'assistant'],
    ],
  );
  await widget.inside('.last .again').click();
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.writing'));
  await widget.sendButton.click();
  await widget.answered();
  assert.equal(await widget.answers.count(), 1);
  assert.equal(await widget.inside('.last .again').isVisible(), true);
  await widget.inside('[part=clear]').click();
  assert.equal(await widget.inside('.turn').count(), 0);
  assert.deepEqual(await page.evaluate(() => document.querySelector('cresset-chat').messages), []);
  assert.equal(await page.evaluate(() => document.querySelector('cresset-chat').shadowRoot.activeElement.localName), 'textarea');
});

test('the keyboard alone: open, write, close; focus comes back, and is not kept in', async () => {
  const widget = await visit('model="/files/chat.gguf"');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await widget.ready();
  await page.keyboard.type('A question');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('of two lines');
  assert.equal(await widget.input.inputValue(), 'A question\nof two lines');
  await page.keyboard.press('Enter');
  await widget.answered();
  const reached = new Set();
  for (let i = 0; i < 14; i += 1) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.localName));
  }
  assert.ok(reached.has('link'), `beside a small window the page stays in reach: ${[...reached]}`);
  await widget.input.focus();
  await page.keyboard.press('Escape');
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.className), 'launcher');
  assert.equal(await widget.launcher.getAttribute('aria-expanded'), 'false');
});

test('on a phone it fills the screen, keeps the focus, and gives it back', async () => {
  const widget = await visit('model="/files/chat.gguf"', PHONE);
  await widget.open();
  await widget.ready();
  const box = await widget.panel.boundingBox();
  assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 390, 844]);
  assert.equal(await widget.panel.evaluate((node) => node.matches(':modal')), true);
  assert.notEqual(
    await page.evaluate(() => document.querySelector('cresset-chat').shadowRoot.activeElement.localName),
    'textarea',
    'no keyboard over the text',
  );
  for (let i = 0; i < 10; i += 1) {
    await page.keyboard.press('Tab');
    assert.notEqual(await page.evaluate(() => document.activeElement.id), 'link');
  }
  await page.setViewportSize({ width: 1000, height: 800 });
  await page.waitForFunction(() => !document.querySelector('cresset-chat').shadowRoot.querySelector('dialog').matches(':modal'));
  assert.equal(await widget.panel.isVisible(), true);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('dialog').matches(':modal'));
  await widget.inside('[part=close]').click();
  assert.equal(await page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.className), 'launcher');
});

test('an Enter that ends a composition does not send', async () => {
  const widget = await chatWith();
  await widget.input.fill('にほん');
  await widget.input.evaluate((area) => {
    for (const init of [{ isComposing: true }, { keyCode: 229 }])
      area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init }));
  });
  assert.equal(await widget.questions.count(), 0);
  await widget.input.press('Enter');
  assert.deepEqual(await widget.questions.allTextContents(), ['にほん']);
});

test('closed in the middle of an answer it goes on, and counts what was not read', async () => {
  const widget = await chatWith('slow-chat');
  await page.evaluate(() => {
    document.querySelector('cresset-chat').setAttribute('max-tokens', '6');
  });
  await widget.say('Go on');
  await widget.launcher.click();
  await widget.inside('.badge:not([hidden])').waitFor();
  assert.equal(await widget.inside('.badge').textContent(), '1');
  assert.match(await widget.launcher.getAttribute('aria-label'), /new messages: 1/);
  await widget.open();
  assert.equal(await widget.inside('.badge').isVisible(), false);
});

test('screen readers hear whole sentences, each once, while they come', async () => {
  const widget = await chatWith('slow-chat');
  await page.evaluate(() => {
    const region = document.querySelector('cresset-chat').shadowRoot.querySelector('[role=status]');
    window.heard = [];
    new MutationObserver((records) => heard.push(...records.flatMap(({ addedNodes }) => [...addedNodes].map(({ textContent }) => textContent)))).observe(
      region,
      { childList: true, characterData: true, subtree: true },
    );
  });
  await widget.say('Tell me a story');
  await page.waitForFunction(() => heard.length > 0);
  assert.equal(await widget.inside('.turn.writing').count(), 1, 'it is read while it is written');
  await page.evaluate(() => document.querySelector('cresset-chat').stop());
  await widget.answered();
  const heard = await page.evaluate(() => heard);
  assert.equal(heard.join(' '), (await answersOf(widget))[0].trim());
  assert.ok(
    heard.slice(0, -1).every((text) => /[.!?”]$/.test(text)),
    JSON.stringify(heard),
  );
  assert.equal(await widget.inside('[role=log]').getAttribute('aria-live'), 'off');
});

test('headings go one level at a time, and a link may be explained below it', async () => {
  const widget = await chatWith('quick', 'max-tokens="5000"');
  await widget.say('### Deep\n\n# First\n\n#### Skipping\n\nRead [the guide][1].\n\n[1]: https://example.com/guide');
  await widget.answered();
  const outline = await widget
    .inside('.words')
    .evaluate((node) =>
      [...node.querySelectorAll('h3, h4, h5, h6')].map(({ localName, className, textContent }) => `${localName} ${className} ${textContent}`),
    );
  assert.deepEqual(outline, ['h3 depth-3 Deep', 'h3 depth-1 First', 'h4 depth-4 Skipping']);
  assert.equal(await widget.inside('.words a').getAttribute('href'), 'https://example.com/guide');
  assert.match(await widget.inside('.words p').textContent(), /^Read the guide \(example\.com\) \(opens example\.com in a new tab\)\.$/);
});

const LONG = Array.from(
  { length: 40 },
  (_, i) => `## Part ${i}\n\nSome **bold** words in part ${i}, with \`code\` and a [link](https://example.com/${i}).\n\n- one\n- two\n\n`,
).join('');

test('while an answer grows nothing jumps, and what is there is not written again', async (t) => {
  const widget = await chatWith('quick', 'max-tokens="5000"');
  const send = (text) => page.evaluate((text) => document.querySelector('cresset-chat').send(text), text);
  // Fonts are found when they are first used.
  await send(LONG.slice(0, 200));
  await page.evaluate(() => {
    window.shifts = [];
    new PerformanceObserver((list) =>
      shifts.push(
        ...list
          .getEntries()
          .map(({ value, sources }) => `${value} ${sources.map(({ previousRect, currentRect }) => JSON.stringify([previousRect, currentRect]))}`),
      ),
    ).observe({ type: 'layout-shift' });
  });
  const rewritten = await watchRewriting(await widget.inside('.turns').elementHandle());
  await send(LONG);
  await page.waitForTimeout(200);
  assert.deepEqual(await page.evaluate(() => shifts), []);
  const most = await rewritten();
  t.diagnostic(`${most} characters written again in one go at most`);
  // The last block may become another one with each token; the blocks before it are done.
  assert.ok(most < 300, `${most} characters`);
  assert.ok((await widget.inside('.words h3').count()) > 40);
});

test('the text follows its end until the reader scrolls away, and again when asked', async () => {
  const widget = await chatWith('echo', 'max-tokens="5000"');
  await widget.say(LONG.slice(0, 2600));
  const log = widget.inside('.messages');
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words')?.textContent.length > 500);
  await log.hover();
  await page.mouse.wheel(0, -300);
  await widget.inside('.latest:not([hidden])').waitFor();
  const before = await log.evaluate((node) => node.scrollTop);
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length > 900);
  assert.equal(await log.evaluate((node) => node.scrollTop), before, 'the reader was pulled away');
  await widget.inside('.latest').click();
  await widget.answered();
  assert.ok(await log.evaluate((node) => node.scrollTop + node.clientHeight >= node.scrollHeight - 2));
});

test('a text that is selected while it grows stays selected', async () => {
  const widget = await chatWith('echo', 'max-tokens="5000"');
  await widget.say(`A first paragraph that is long enough to be selected. ${'More of the same words. '.repeat(30)}`);
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words p')?.textContent.length > 60);
  await page.evaluate(() => {
    const text = document.querySelector('cresset-chat').shadowRoot.querySelector('.words p').firstChild;
    getSelection().setBaseAndExtent(text, 2, text, 17);
    window.node = text;
  });
  await widget.answered();
  assert.equal(await page.evaluate(() => node.isConnected && node.data.slice(2, 17)), 'first paragraph');
});

test('right to left reads right to left', async () => {
  const widget = await chatWith('quick');
  await widget.say('مرحبا، كيف حالك؟\n\n- واحد\n- اثنان');
  await widget.answered();
  const direction = (selector) =>
    widget
      .inside(selector)
      .first()
      .evaluate((node) => getComputedStyle(node).direction);
  assert.deepEqual([await direction('.bubble'), await direction('.words p'), await direction('.words li')], ['rtl', 'rtl', 'rtl']);
});

test('what a model thinks is folded away, and not sent back to it', async () => {
  const widget = await chatWith('quick');
  await widget.say('<think>\nLet me see.\n</think>\nThe answer is 4.');
  await widget.answered();
  assert.equal((await answersOf(widget))[0], 'The answer is 4.');
  assert.equal(await widget.inside('.thought').evaluate((node) => node.open), false);
  assert.match(await widget.inside('.thought').textContent(), /Thought about it.*Let me see\./s);
  const messages = await page.evaluate(() => document.querySelector('cresset-chat').messages);
  assert.equal(messages[1].content, 'The answer is 4.');
});

test('a model without a chat template carries the text on, and says so', async () => {
  const widget = await visit('model="default" system="Be kind."');
  await widget.open();
  await widget.ready();
  assert.match(await widget.inside('.welcome').textContent(), /Write how a story begins.*cannot answer questions/s);
  assert.equal(await widget.input.getAttribute('placeholder'), 'Once upon a time…');
  await page.evaluate(() => document.querySelector('cresset-chat').setAttribute('max-tokens', '4'));
  await widget.say('Once');
  await widget.answered();
  await widget.say('. Then');
  await widget.answered(2);
  const { prompt, messages } = await page.evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).last_request);
  assert.equal(messages, undefined);
  assert.equal(prompt, 'Once there was a small. Then');
  await widget.inside('.last .go-on').click();
  await page.waitForFunction(() => document.querySelector('cresset-chat').messages[3]?.content === ' there was a small there was a small');
  const { prompt: more } = await page.evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).last_request);
  assert.equal(more, 'Once there was a small. Then there was a small');
});

test('an answer that was cut goes on: with its own words, or when asked to', async () => {
  const widget = await chatWith('chat', 'max-tokens="3"');
  await widget.say('A story');
  await widget.answered();
  await widget.inside('.last .go-on').click();
  await page.waitForFunction(() => document.querySelector('cresset-chat').messages[1]?.content === ' there was a small lamp on');
  assert.equal(await widget.answers.count(), 1);
});

test('a conversation that outgrows the context loses its beginning, and says so once', async () => {
  const widget = await chatWith('quick', 'system="Short."');
  for (let i = 1; i <= 4; i += 1) {
    await widget.say(`Question ${i}: ${'words and words '.repeat(8)}`);
    await widget.answered(i);
  }
  const { messages } = await page.evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).last_request);
  assert.equal(messages[0].role, 'system');
  assert.match(messages[1].content, /^Question [34]/);
  assert.deepEqual(await widget.notes.allTextContents(), ['The conversation has grown long: its beginning is no longer taken into account.']);
});

test('a device that is lost in the middle of an answer is started again, and the answer goes on', async () => {
  const widget = await chatWith('drowsy');
  await widget.say('A story, please');
  await widget.answered();
  const [answer] = await answersOf(widget);
  assert.match(answer, /^there was a small lamp on a stone wall/);
  assert.match(await widget.notes.textContent(), /graphics device was reset.*goes on/);
  assert.equal(await widget.inside('.problem').count(), 0);
});

// What comes in place of the engine's files → whether that is this device's fault.
const UNSTARTED = {
  'is not there': [(route) => route.fulfill({ status: 404, body: 'not found' }), 'DOWNLOAD'],
  'does not come': [(route) => route.abort(), 'DOWNLOAD'],
  'is a page that says so': [(route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Sign in</title>' }), 'DOWNLOAD'],
  'has a wasm file that is not there': [
    (route) => route.fulfill({ contentType: 'text/javascript', body: "export default () => WebAssembly.compileStreaming(fetch('./nowhere.wasm'));" }),
    'DOWNLOAD',
  ],
  'has a page for a wasm file': [
    (route) =>
      route.fulfill({ contentType: 'text/javascript', body: "export default () => WebAssembly.compile(new TextEncoder().encode('<!doctype html>'));" }),
    'DOWNLOAD',
  ],
  'may not be compiled': [
    (route) =>
      route.fulfill({ contentType: 'text/javascript', body: "export default async () => { throw new WebAssembly.CompileError('refused by a policy'); };" }),
    null,
  ],
  'may not be fetched': [
    (route) => route.fulfill({ contentType: 'text/javascript', body: "export default () => WebAssembly.compileStreaming(fetch('./nowhere.wasm'));" }),
    null,
    "connect-src 'none'",
  ],
};

for (const [what, [answer, code, policy]] of Object.entries(UNSTARTED)) {
  test(`an engine that ${what}: the visitor's words go to the server only where the device is the reason`, async () => {
    let asked = 0;
    page = await (await browser.newContext()).newPage();
    await page.context().route('**/v1/chat/completions', (route) => {
      asked += 1;
      return route.fulfill({
        contentType: 'application/json',
        body: JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'From the server.' }, finish_reason: 'stop' }] }),
      });
    });
    await page.context().route('**/cresset_engine.js', answer);
    if (policy)
      await page.context().route('**/worker.js', async (route) => {
        const response = await route.fetch();
        return route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } });
      });
    const widget = await visit('model="/files/echo.gguf" endpoint="/v1"', { page });
    await widget.open();
    if (code) {
      await widget.state('failed');
      await widget.say('Only for this device');
      assert.equal(await widget.inside('.owner code').textContent(), code);
      assert.match(await widget.card.textContent(), /The download was interrupted.*Try again/s);
      await page.context().unroute('**/cresset_engine.js');
      await widget.primary.click();
    }
    if (!code) await widget.say('For the server');
    await widget.answered();
    assert.deepEqual(await answersOf(widget), [code ? 'Only for this device' : 'From the server.']);
    assert.equal(asked, code ? 0 : 1);
  });
}

for (const [what, model, title, code] of [
  ['a device that is lost again and again', 'lost-chat', /graphics device stopped/, 'DEVICE_LOST'],
  ['a bug in the engine', 'panic-chat', /Something went wrong/, 'INTERNAL'],
]) {
  test(`${what} is told in words, and the question stays`, async () => {
    failing.told = (request, response) => {
      const bytes = gguf(model === 'lost-chat' ? 'chat lost' : 'chat panic');
      response
        .writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length })
        .end(request.method === 'HEAD' ? undefined : bytes);
    };
    const widget = await visit(`model="/files/told.gguf?${model}"`);
    await widget.open();
    await widget.ready();
    await widget.say('Does it stay?');
    await widget.inside('.problem').waitFor();
    assert.match(await widget.card.textContent(), title);
    assert.equal(await widget.inside('.owner code').textContent(), code);
    assert.deepEqual(await widget.questions.allTextContents(), ['Does it stay?']);
    await widget.input.fill('and this too');
    await widget.primary.click();
    await widget.inside('.problem').waitFor();
    assert.equal(await widget.input.inputValue(), 'and this too');
  });
}

const whole = (traits) => (request, response) =>
  response.writeHead(200, { 'Content-Length': gguf(traits).length }).end(request.method === 'HEAD' ? undefined : gguf(traits));

test('whatever keeps it from loading is told in words that say what to do; nothing typed is lost, and trying again works', async () => {
  const widget = await visit('model="/files/told.gguf"');
  await page.evaluate(() => {
    window.errors = [];
    document.addEventListener('cresset-error', ({ detail }) => errors.push(detail.error.code));
  });
  for (const [i, [answer, words, code]] of [
    [(request, response) => response.writeHead(404).end(), /not found.*not where this site says.*tell the owner/s, 'MODEL_NOT_FOUND'],
    [(request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>'), /file is damaged/, 'MODEL_FORMAT'],
    [(request, response) => response.writeHead(403).end(), /refused.*not public/s, 'DOWNLOAD'],
    [(request, response) => response.writeHead(503).end(), /busy.*Wait a little/s, 'DOWNLOAD'],
    [(request, response) => response.destroy(), /interrupted.*Check your connection/s, 'DOWNLOAD'],
    [whole('chat'), /not the right one.*not used/s, 'INTEGRITY'],
    [whole('oom'), /too little memory.*Close other tabs/s, 'OUT_OF_MEMORY'],
  ].entries()) {
    failing.told = answer;
    await page.evaluate(
      ([i, wrong]) => {
        const chat = document.querySelector('cresset-chat');
        errors.length = 0;
        chat.clear();
        chat.setAttribute('integrity', wrong ? `sha256-${'0'.repeat(64)}` : '');
        chat.setAttribute('model', `/files/told.gguf?${i}`);
        chat.open();
      },
      [i, code === 'INTEGRITY'],
    );
    await widget.state('failed');
    assert.match(await widget.card.textContent(), words);
    assert.equal(await widget.inside('.owner code').textContent(), code);
    assert.deepEqual(await page.evaluate(() => errors), [code]);
    await widget.say(`Still here ${i}`);
    assert.equal(await widget.sendButton.getAttribute('aria-label'), 'Send', 'there is nothing to stop');
    failing.told = whole('chat');
    // What is too large here has been downloaded all the same.
    if (code === 'OUT_OF_MEMORY') await page.evaluate(async () => (await import('/cresset.js')).Cresset.cache.clear());
    if (code === 'INTEGRITY') await page.evaluate(() => document.querySelector('cresset-chat').removeAttribute('integrity'));
    else await widget.primary.click();
    await widget.answered();
    assert.deepEqual(await widget.questions.allTextContents(), [`Still here ${i}`]);
  }
});

test('offline it says so, before it is there and after', async () => {
  // A first visit: nothing of it is in any cache.
  failing.told = whole('chat');
  const widget = await visit('model="/files/told.gguf" consent', {});
  await page.context().setOffline(true);
  await widget.launcher.click();
  await widget.inside('.trouble:not([hidden])').waitFor();
  assert.match(await widget.inside('.trouble').textContent(), /could not be opened. Check your connection/);
  await page.context().setOffline(false);
  await widget.open();
  await widget.state('asking');
  await page.context().setOffline(true);
  await widget.primary.click();
  await widget.state('failed');
  assert.match(await widget.card.textContent(), /You are offline.*when you are connected/s);
  await widget.say('Typed meanwhile');
  await page.context().setOffline(false);
  // Who says more tries again with it; what was asked first is answered first.
  await widget.say('And this');
  await widget.answered();
  assert.deepEqual(await widget.questions.allTextContents(), ['Typed meanwhile']);
  assert.equal(await widget.input.inputValue(), 'And this');
});
