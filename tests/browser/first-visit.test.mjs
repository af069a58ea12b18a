// A first visit to a site that has a chat model beside the small one, on the mock engine: where the page opens, what Chat offers,
// how the model comes, and what is typed meanwhile.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { isKept } from '../../www/chat/kept.js';
import { sha256 } from './flaky.mjs';
import { gguf, json, ranged, startBrowser, startServer } from './harness.mjs';
import { answered, leave, ready, turns, visit } from './visitor.mjs';

const HERE = gguf('chat echo', 12_000_000);
const SMALL = gguf('', 2_097_152);
const CATALOGUE = [
  {
    id: 'default',
    name: 'Lantern',
    tasks: ['chat'],
    file: 'lantern.gguf',
    bytes: HERE.length,
    sha256: sha256(HERE),
    hub: { model: 'hf:o/r/chat-q8_0.gguf', bytes: 14_000_000, sha256: sha256(gguf('chat', 14_000_000)) },
  },
  { id: 'stories', name: 'Ember', tasks: ['stories'], file: 'ember.gguf', bytes: SMALL.length, sha256: sha256(SMALL) },
];

let browser, server, page;
let site = ranged(HERE); // answers for the chat model's file

before(async () => {
  browser = await startBrowser();
  server = await startServer({
    mock: true,
    routes: { '/models/catalogue.json': json(CATALOGUE), '/models/lantern.gguf': (...call) => site(...call), '/models/ember.gguf': ranged(SMALL) },
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  const left = page;
  page = null;
  site = ranged(HERE);
  await leave(left);
});

/** The file in two halves: the second comes when the test says so. */
function halves() {
  let go;
  const more = new Promise((resolve) => {
    go = resolve;
  });
  site = async (request, response) => {
    const [, from = 0, to = HERE.length - 1] = (/^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? '') ?? []).map((text) => text && Number(text));
    response.writeHead(request.headers.range ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': to - from + 1,
      ETag: '"lantern"',
      ...(request.headers.range ? { 'Content-Range': `bytes ${from}-${to}/${HERE.length}` } : {}),
    });
    if (request.method === 'HEAD') return response.end();
    const half = HERE.length >> 1;
    if (from < half && to > half) {
      response.write(HERE.subarray(from, half));
      await more;
      return response.end(HERE.subarray(half, to + 1));
    }
    if (to > half) await more;
    return response.end(HERE.subarray(from, to + 1));
  };
  return go;
}

const card = (name) => page.locator('.suggestion', { hasText: name });

test('the page opens on Write until the chat model is here; Chat offers it first, shows how it comes, and sends what waits', async () => {
  page = await visit(browser, server);
  assert.equal(await page.getAttribute('html', 'data-view'), 'write');
  assert.equal(await page.textContent('#model-name'), 'Ember');
  assert.match(await page.textContent('#write-for'), /story model.*carries on.*one that answers questions is in Chat/);
  await page.click('#write-for a');
  await page.locator('.suggestion.quick').waitFor();
  const cards = await page.locator('.suggestion').allTextContents();
  assert.match(cards[0], /^To start withLantern.*Get · 12 MB, from this site$/);
  assert.match(cards[1], /^QuickSmolLM2 360M.*about 140 tokens\/s hereGet · 386 MB$/);
  assert.ok(!cards.some((text) => text.includes('SmolLM2 135M')) || cards.length > 3, cards.join('\n'));

  const go = halves();
  await card('Lantern').click();
  const line = page.locator('#chat-coming .transfer .hint');
  await line.filter({ hasText: '6 MB of 12 MB' }).waitFor();
  await page.fill('#message', 'What is a lantern?');
  await page.press('#message', 'Enter');
  assert.match(await page.textContent('#chat-queue'), /What is a lantern\?/);
  await page.click('#chat-coming button:has-text("Pause")');
  await line.filter({ hasText: 'Paused · 6 MB of 12 MB' }).waitFor();
  go();
  await page.click('#chat-coming button:has-text("Resume")');
  await answered(page);
  assert.deepEqual(await turns(page), ['What is a lantern?', 'What is a lantern?']);
  assert.equal(await page.isVisible('#chat-coming'), false);
  assert.equal(await page.isVisible('#chat-queue'), false);

  // The next visit begins with it, whatever it was that the page opened on at first.
  await page.evaluate(() => localStorage.clear());
  await page.goto('about:blank');
  await page.goto(server.url);
  await ready(page);
  assert.equal(await page.getAttribute('html', 'data-view'), 'chat');
  assert.equal(await page.textContent('#model-name'), 'Lantern');

  // Beside another model it is offered as what is here.
  await page.click('[data-view="models"]');
  await page.locator('#stored .model', { hasText: 'Ember' }).locator('button:has-text("Use")').click();
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'Ember');
  await page.click('[data-view="chat"]');
  await card('Lantern').filter({ hasText: /Use$/ }).waitFor();
});

test('where the site leaves it out, Chat says where it comes from, and how large that is', async () => {
  site = (request, response) => response.writeHead(404).end();
  page = await visit(browser, server, 'chat');
  await card('huggingface.co').waitFor();
  assert.match(await card('Lantern').textContent(), /no copy of it.*Get · 14 MB, from huggingface\.co$/);
  page.problems = page.problems.filter((problem) => !/404/.test(problem));
});

test('an older story model that was kept under the name of the chat model is not taken for it', () => {
  const taken = (hash) => isKept([{ model: 'default', files: [{ sha256: hash }] }], 'default', CATALOGUE);
  assert.deepEqual([sha256(SMALL), CATALOGUE[0].sha256, CATALOGUE[0].hub.sha256].map(taken), [false, true, true]);
});

test('files of the visitor’s own are kept if they say so, else named at the next visit, to be chosen again', async () => {
  page = await visit(browser, server, 'models');
  const choose = { name: 'mine.gguf', mimeType: 'application/octet-stream', buffer: gguf('chat', 50_000) };
  const named = () => page.waitForFunction(() => document.getElementById('model-name').textContent === 'mine.gguf');
  await page.setInputFiles('#file', choose);
  await named();
  assert.match(await page.textContent('#notices .question'), /Keep mine\.gguf in this browser \(50 kB\)/);
  await page.click('#notices .question button:has-text("Not now")');
  await page.reload();
  await ready(page);
  assert.match(await page.textContent('#notices .question'), /used mine\.gguf, a file of yours that was not kept/);
  const chooser = page.waitForEvent('filechooser');
  await page.click('#notices .question button:has-text("Choose it again")');
  await (await chooser).setFiles(choose);
  await named();
  await page.click('#notices .question button:has-text("Keep it")');
  await page.waitForSelector('.toast:has-text("mine.gguf is kept")');
  await page.reload();
  await ready(page);
  await named();
  assert.equal(await page.locator('#notices .question').count(), 0);
  const kept = page.locator('#stored .model', { hasText: 'mine.gguf' });
  await kept.locator('button[aria-label^="Remove"]').click();
  await kept.locator('button:has-text("Delete")').click();
  await kept.waitFor({ state: 'detached' });
});
