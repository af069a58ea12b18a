// What `'default'` loads, against the mock engine: the chat model that the site has, and without one the file on the hub. It never
// is the model that only tells stories.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { sha256 } from './flaky.mjs';
import { exposeLibrary, gguf, json, newPage, ranged, startBrowser, startServer } from './harness.mjs';

const HUB = 'https://huggingface.co/o/r/resolve/main/chat-q8_0.gguf';
const HERE = gguf('chat here', 20_000);
const THERE = gguf('chat there', 30_000);
const CATALOGUE = [
  {
    id: 'default',
    name: 'Lantern',
    tasks: ['chat'],
    file: 'lantern.gguf',
    bytes: HERE.length,
    sha256: sha256(HERE),
    hub: { model: 'hf:o/r/chat-q8_0.gguf', bytes: THERE.length, sha256: sha256(THERE) },
  },
  { id: 'stories', name: 'Ember', tasks: ['stories'], file: 'ember.gguf', bytes: 2_097_156 },
];

let browser, server, page;
let site; // answers for the chat model's file

before(async () => {
  browser = await startBrowser();
  server = await startServer({
    mock: true,
    routes: { '/models/catalogue.json': json(CATALOGUE), '/models/lantern.gguf': (...call) => site(...call) },
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  await page?.context().close();
  page = null;
});

const absent = (request, response) => response.writeHead(404).end();
const webPage = (request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Home</title>');

/** A page with the library, and what it asked of the hub. */
async function open() {
  page = await newPage(browser);
  page.hub = [];
  await page.context().route('https://huggingface.co/**', (route) => {
    page.hub.push(`${route.request().method()} ${route.request().url()}`);
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': '*', 'Content-Length': String(THERE.length), ETag: '"a"' };
    return route.fulfill({ headers, body: route.request().method() === 'HEAD' ? '' : THERE });
  });
  await page.goto(`${server.url}blank.html`);
  await exposeLibrary(page);
}

/** Loads a model, and gives the traits of the file that came. */
const traits = (model) =>
  page.evaluate(async (model) => {
    const engine = await Cresset.load(model);
    const { name } = engine.info.model;
    await engine.unload();
    return name;
  }, model);

test('the site’s own file, if it has one', async () => {
  site = ranged(HERE);
  await open();
  assert.deepEqual(await page.evaluate(() => Cresset.models.map(({ id }) => id)), ['default', 'stories']);
  const measured = await page.evaluate(() => Cresset.measure('default'));
  assert.deepEqual([measured.bytes, measured.url], [HERE.length, `${server.url}models/lantern.gguf`]);
  assert.equal(await traits('default'), 'lantern');
  assert.equal(await traits('stories'), 'ember');
  assert.deepEqual(page.hub, []);
  assert.deepEqual(await page.evaluate(async () => (await Cresset.cache.list()).map(({ model }) => model).sort()), ['default', 'stories']);
  // Later the site may leave it out: what is here stays in use.
  site = absent;
  assert.equal(await traits('default'), 'lantern');
  assert.deepEqual(page.hub, []);
});

for (const [what, answer] of [
  ['has no such file', absent],
  ['gives its start page for whatever it has not', webPage],
]) {
  test(`the hub’s file where the site ${what}; once it is here, nobody is asked`, async () => {
    site = answer;
    await open();
    const measured = await page.evaluate(() => Cresset.measure('default'));
    assert.deepEqual([measured.bytes, measured.url], [THERE.length, HUB]);
    assert.equal(await traits('default'), 'chat-q8_0');
    page.hub.length = 0;
    site = ranged(HERE);
    assert.equal(await traits('default'), 'chat-q8_0');
    assert.equal((await page.evaluate(() => Cresset.measure('default'))).bytes, 0);
    assert.deepEqual(page.hub, []);
    assert.equal(await page.evaluate(() => Cresset.cache.delete('default')), true);
    assert.equal(await traits('default'), 'lantern');
  });
}

test('a site that is in trouble is not one without the file', async () => {
  site = (request, response) => response.writeHead(503, { 'Retry-After': '3600' }).end();
  await open();
  const { code } = await page.evaluate(() => outcome(Cresset.load('default')));
  assert.equal(code, 'DOWNLOAD');
  assert.deepEqual(page.hub, []);
});
