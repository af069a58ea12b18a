// The page, as a visitor uses it, on the mock engine: writing, stopping, changing models, errors, keyboard, memory.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { SCREENSHOTS, gguf, newPage, startBrowser, startServer } from './harness.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true });
  mkdirSync(SCREENSHOTS, { recursive: true });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  page = await newPage(browser);
  await visit();
});

afterEach(() => page.context().close());

const state = (name) => page.waitForFunction((name) => document.documentElement.dataset.state === name, name, { timeout: 15_000 });
const text = () => page.inputValue('#text');
const file = (name, bytes) => ({ name, mimeType: 'application/octet-stream', buffer: bytes });

async function visit() {
  await page.goto(server.url);
  await state('ready');
}

test('a first visit loads the bundled model by itself, and one click writes', async () => {
  assert.equal(await page.textContent('#model-name'), 'Ember');
  await page.click('.chip');
  await state('ready');
  assert.match(await text(), /^Once upon a time there was a small lamp/);
  assert.equal(await page.textContent('#count'), '118');
  assert.match(await page.textContent('#speed'), /^\d+$/);
  assert.match(await page.textContent('#first-token'), /^0\.\d+ s$/);
  assert.match(await page.textContent('#facts'), /Mock adapter.*parameters.*Memory/s);
  assert.deepEqual(page.problems, []);
});

test('everything comes from the page’s own origin', () => {
  const foreign = page.addresses.filter((address) => !address.startsWith(server.url) && !address.startsWith(`blob:${server.url}`));
  assert.deepEqual(foreign, []);
});

test('who wrote what is shown, and edits keep it', async () => {
  await page.fill('#text', 'A lamp:');
  await page.fill('#field-max_tokens', '3');
  await page.click('#write-go');
  await page.waitForSelector('.by-model');
  await state('ready');
  assert.equal(await page.textContent('.by-model'), ' there was a');
  await page.locator('#text').press('End');
  await page.keyboard.type('!');
  assert.deepEqual(await page.locator('#ink span:not(.end)').allTextContents(), ['A lamp:', ' there was a', '!']);
  assert.equal(await page.textContent('#state'), 'Done: the length you set is reached.');
});

test('take back and try another work on the model’s last turn', async () => {
  await page.fill('#text', 'Start');
  await page.fill('#field-max_tokens', '2');
  await page.click('#write-go');
  await page.waitForSelector('.by-model');
  await state('ready');
  await page.click('#write-again');
  await state('ready');
  assert.equal(await text(), 'Start there was');
  await page.click('#write-undo');
  assert.equal(await text(), 'Start');
  assert.ok(await page.isDisabled('#write-undo'));
});

test('the sheet’s two layers break lines alike', async () => {
  await page.fill('#text', `${'Words of several lengths, extraordinarily arranged; '.repeat(60)}\n\nunbreakable${'x'.repeat(300)}\n`);
  const heights = await page.evaluate(() => ['#text', '#ink'].map((id) => document.querySelector(id).scrollHeight));
  assert.ok(Math.abs(heights[0] - heights[1]) <= 2, `textarea ${heights[0]}, ink ${heights[1]}`);
});

test('Ctrl+Enter writes and Escape stops; the text so far stays', async () => {
  await page.setInputFiles('#file', file('slow.gguf', gguf('slow')));
  await page.waitForFunction(() => document.querySelector('#model-name').textContent === 'slow.gguf');
  await page.fill('#text', 'Keys');
  await page.press('#text', 'Control+Enter');
  await page.waitForFunction(() => document.querySelector('#text').value.split(' ').length > 3);
  assert.equal(await page.textContent('#write-go .label'), 'Stop');
  await page.keyboard.press('Escape');
  await state('ready');
  const stopped = await text();
  await page.waitForTimeout(300);
  assert.equal(await text(), stopped);
  assert.match(stopped, /^Keys there was/);
  assert.equal(await page.textContent('#state'), 'Stopped.');
  await page.click('#write-go');
  await page.waitForFunction((length) => document.querySelector('#text').value.length > length, stopped.length);
  await page.click('#write-go');
  await state('ready');
});

test('a broken file is refused in words with its code; model and text stay usable', async () => {
  await page.fill('#text', 'Still here');
  await page.setInputFiles('#file', file('broken.gguf', Buffer.from('nonsense')));
  await page.waitForSelector('.notice.error');
  const notice = await page.textContent('.notice.error');
  assert.match(notice, /broken\.gguf was not loaded; Ember is still here/);
  assert.match(notice, /MODEL_FORMAT/);
  assert.equal(await page.textContent('#model-name'), 'Ember');
  assert.equal(await text(), 'Still here');
  assert.equal(await page.textContent('#state'), 'Ready.');
  await page.click('#write-go');
  await page.waitForSelector('.by-model');
  await state('ready');
  assert.equal(await page.locator('.notice.error').count(), 0);
  assert.match(await text(), /^Still here there was/);
});

test('a dropped file is loaded', async () => {
  const transfer = await page.evaluateHandle((bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(bytes)], 'dropped.gguf'));
    return transfer;
  }, [...gguf('')]);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  assert.ok(await page.isVisible('#drop'));
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await page.waitForFunction(() => document.querySelector('#model-name').textContent === 'dropped.gguf');
  assert.ok(await page.isHidden('#drop'));
});

test('an address is looked at before it is loaded, and a wrong one says why', async () => {
  await page.click('#model-button');
  await page.fill('#address', `${server.url}files/page.gguf`);
  await page.press('#address', 'Enter');
  await page.waitForSelector('#fit .error');
  assert.match(await page.textContent('#fit'), /gives a web page, not a model file.*MODEL_FORMAT/s);
  await page.fill('#address', `${server.url}files/oom.gguf`);
  await page.press('#address', 'Enter');
  await page.waitForSelector('#fit .fit');
  assert.match(await page.textContent('#fit'), /does not fit.*90 GB/);
  await page.fill('#address', `${server.url}files/chat.gguf`);
  await page.press('#address', 'Enter');
  await page.click('#fit .primary');
  await page.waitForFunction(() => document.querySelector('#model-name').textContent === 'chat.gguf');
  await page.click('#model-button');
  await page.waitForSelector('#stored li:has-text("chat.gguf")');
  await page.click('#stored li:has-text("chat.gguf") button:has-text("Delete")');
  await page.waitForFunction(() => !document.querySelector('#stored').textContent.includes('chat.gguf'));
});

test('chat opens for a model with a template, answers, and keeps a question that failed', async () => {
  assert.ok(await page.isDisabled('input[value=chat]'));
  await page.setInputFiles('#file', file('chat.gguf', gguf('chat')));
  await page.waitForSelector('#chat:not([hidden])');
  await page.fill('#message', 'Hello <b>you</b>');
  await page.press('#message', 'Enter');
  await page.waitForSelector('.bubble.assistant:not(.writing)');
  assert.match(await page.textContent('.bubble.assistant .words'), /^there was a small lamp/);
  assert.equal(await page.textContent('.bubble.user .words'), 'Hello <b>you</b>');
  await page.setInputFiles('#file', file('broken-chat.gguf', gguf('chat lost')));
  await page.waitForFunction(() => document.querySelector('#model-name').textContent === 'broken-chat.gguf');
  await page.fill('#message', 'Again?');
  await page.press('#message', 'Enter');
  await page.waitForSelector('.notice.error');
  assert.match(await page.textContent('.notice.error'), /DEVICE_LOST/);
  assert.match(await page.locator('.bubble.user .words').last().textContent(), /Again\?/);
  await page.click('.notice button:has-text("Load it again")');
  await state('ready');
});

test('a panic is shown with a way on', async () => {
  await page.setInputFiles('#file', file('panic.gguf', gguf('panic')));
  await page.waitForFunction(() => document.querySelector('#model-name').textContent === 'panic.gguf');
  await page.fill('#text', 'Careful');
  await page.click('#write-go');
  await page.waitForSelector('.notice.error');
  assert.match(await page.textContent('.notice.error'), /INTERNAL/);
  assert.match(await text(), /^Careful there was a/);
  await page.click('.notice button:has-text("Load it again")');
  await state('ready');
});

test('another device can be asked for, and the page says which one computes', async () => {
  await page.selectOption('#device', 'cpu');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('Processor (WebAssembly)'));
  assert.match(await page.textContent('#facts'), /The adapter is made of paper|no WebGPU/);
  await visit();
  assert.equal(await page.inputValue('#device'), 'cpu');
});

test('a text longer than the context is continued from its end, and the page says so', async () => {
  await page.fill('#text', 'many words '.repeat(200)); // the mock has a token per byte and a context of 1024
  await page.fill('#field-max_tokens', '3');
  await page.click('#write-go');
  await page.waitForSelector('.by-model');
  await state('ready');
  assert.match(await page.textContent('#state'), /read the end of the text only: its context holds 1024 tokens/);
});

test('an empty text asks for a beginning instead of failing', async () => {
  await page.click('#write-go');
  assert.match(await page.textContent('#state'), /Write a few words first/);
  assert.equal(await page.locator('.notice.error').count(), 0);
});

test('text, settings and colours are remembered', async () => {
  await page.fill('#text', 'Remember me');
  await page.fill('#field-temperature', '1.3');
  await page.press('#field-temperature', 'Tab');
  await page.fill('#field-top_p', '7');
  await page.press('#field-top_p', 'Tab');
  assert.equal(await page.inputValue('#field-top_p'), '1');
  await page.click('#theme');
  await page.click('#theme');
  await visit();
  assert.equal(await text(), 'Remember me');
  assert.equal(await page.inputValue('#field-temperature'), '1.3');
  assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  await page.click('#sampling-reset');
  assert.equal(await page.inputValue('#field-temperature'), '0.8');
});

test('a model that is not there leaves the page alive', async () => {
  const empty = await startServer({ mock: true, routes: { '/models/ember.gguf': (request, response) => response.writeHead(404).end() } });
  await page.goto(empty.url);
  await page.waitForSelector('.notice.error');
  assert.match(await page.textContent('.notice.error'), /MODEL_NOT_FOUND/);
  await page.setInputFiles('#file', file('mine.gguf', gguf('')));
  await state('ready');
  assert.equal(await page.textContent('#model-name'), 'mine.gguf');
  await empty.close();
});

test('every control has a name, and no page is wider than its screen', async () => {
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, summary')]
    .filter((node) => !(node.labels?.length || node.getAttribute('aria-label') || node.textContent.trim())).map((node) => node.outerHTML));
  assert.deepEqual(nameless, []);
  for (const width of [320, 390, 768, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${width}px: ${overflow}px too wide`);
  }
});

for (const [name, options] of Object.entries({
  desktop: { viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'light' },
})) {
  test(`screenshots: ${name}`, async (t) => {
    page = await newPage(browser, options);
    await visit();
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-first.png` });
    await page.click('.chip');
    await page.waitForSelector('.by-model');
    await state('ready');
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-written.png`, fullPage: true });
    await page.click('#model-button');
    await page.waitForSelector('#stored li');
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-models.png` });
    await page.keyboard.press('Escape');
    await page.setInputFiles('#file', file('holiday.gguf', Buffer.from('not a model')));
    await page.waitForSelector('.notice.error');
    await page.screenshot({ path: `${SCREENSHOTS}/${name}-error.png` });
    assert.ok(await page.isVisible('.notice.error'));
    t.diagnostic(`in ${SCREENSHOTS}`);
  });
}
