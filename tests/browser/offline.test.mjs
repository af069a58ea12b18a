// The service worker: a second visit without a network, new builds, and what happens to pages of the old one.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stampedWorker } from '../../tools/stamp.mjs';
import { VENDORED, pathOf } from '../../tools/vendor.mjs';
import { newPage, script, startBrowser, startServer } from './harness.mjs';
import { widgetOn } from './sites.mjs';
import { ready, visit } from './visitor.mjs';

const WWW = fileURLToPath(new URL('../../www', import.meta.url));
const MOCK = fileURLToPath(new URL('./mock', import.meta.url));
const INDEX = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Offline</title><link rel="icon" href="data:,">
  <script type="module">
    import { registerOffline } from './page/service-worker.js';
    window.updates = 0;
    window.registered = registerOffline({ onUpdate: (apply) => { updates += 1; window.apply = apply; } });
  </script>
  <script type="module" src="cresset-chat.js"></script><cresset-chat model="default"></cresset-chat></html>`;

const PORTAL = '<!doctype html><title>Sign in to this network</title>';
const RARE = 'export default "rare";';

let browser, server, page;
let build; // what the server has: { stamp, more, rare, lazy }
let down = false;

const hashOf = (text) => createHash('sha256').update(text).digest('base64');
const lazy = (stamp) => `export default ${JSON.stringify(stamp)};`;
/** What the tests' server has beside the folders: the libraries that a build would have, and a list of models. */
const OTHERS = Object.fromEntries(
  Object.keys(VENDORED)
    .filter((name) => name.endsWith('.js'))
    .map((name) => [`vendor/${name}`, hashOf(readFileSync(pathOf(name)))]),
);

before(async () => {
  browser = await startBrowser();
  // The build's list is right, but for a page and a file that are the tests' own.
  const { files } = await listOf([MOCK, WWW]);
  const worker = readFileSync(`${WWW}/sw.js`, 'utf8');
  const send = (type, text) => (request, response) => (down ? response.destroy() : response.writeHead(200, { 'Content-Type': type }).end(text()));
  server = await startServer({
    mock: true,
    routes: {
      '/': send('text/html', () => build.page ?? INDEX),
      '/index.html': send('text/html', () => build.page ?? INDEX),
      '/sw.js': send('text/javascript', () =>
        worker.replace(
          /^const BUILD = .*$/m,
          () =>
            `const BUILD = ${JSON.stringify({ stamp: build.stamp, files: { ...files, ...OTHERS, 'index.html': hashOf(INDEX), 'lazy.js': hashOf(lazy(build.stamp)), ...build.more }, onUse: { 'threads/rare.js': hashOf(RARE) } })};`,
        ),
      ),
      '/threads/rare.js': send('text/javascript', () => build.rare ?? RARE),
      '/lazy.js': (request, response) => {
        if (!down && build.lazy) return build.lazy(request, response);
        return send('text/javascript', () => lazy(build.stamp))(request, response);
      },
      '/portal': send('text/html', () => PORTAL),
      '/elsewhere.js': send('text/javascript', () => lazy(build.stamp)),
    },
  });
  const answer = await fetch(`${server.url}models/catalogue.json`);
  OTHERS['models/catalogue.json'] = hashOf(Buffer.from(await answer.arrayBuffer()));
});

after(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  build = { stamp: 'one' };
  down = false;
  page = await newPage(browser);
  await page.goto(server.url);
  await controlled();
});

afterEach(() => page.context().close());

const controlled = (on = page) => until(on, async () => (await registered)?.active?.state === 'activated' && navigator.serviceWorker.controller !== null);
const version = (on = page) => on.evaluate(async () => /"(.*)"/.exec(await (await fetch('/lazy.js')).text())[1]);
const inCaches = () =>
  page.evaluate(async () =>
    (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat(),
  );
const update = () =>
  page.evaluate(async () => {
    await (await registered).update().catch(() => {});
  });
const waiting = () => until(page, async () => (await registered).waiting !== null && updates > 0);

/** Waits for what a page must look up; pages that are just being reloaded are asked again. */
async function until(on, holds) {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await on.evaluate(holds).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`it never became true: ${holds}`);
}

async function listOf(folders) {
  const text = await stampedWorker(folders);
  return JSON.parse(/^const BUILD = (.*);$/m.exec(text)[1]);
}

/** The page as it is, its worker stamped as for a build, in which the libraries are too, and the model list that the tests have. */
async function startPage(t) {
  const { files, ...rest } = await listOf([MOCK, WWW]);
  const whole = { ...rest, files: { ...files, ...OTHERS } };
  const worker = (await stampedWorker([MOCK, WWW])).replace(/^const BUILD = .*$/m, () => `const BUILD = ${JSON.stringify(whole)};`);
  const started = await startServer({ mock: true, bundled: '', routes: { '/sw.js': script(worker) } });
  t.after(() => started.close());
  return started;
}

test('the second visit needs no network: page, library, widget and model', async () => {
  await page.evaluate(async () => {
    const { Cresset } = await import('/cresset.js');
    await (await Cresset.load('default')).unload();
  });
  await page.context().setOffline(true);
  await page.goto(`${server.url}?model=anything#here`);
  const widget = widgetOn(page);
  await widget.open();
  await widget.ready();
  await widget.say('Once');
  await widget.answered();
  assert.match(await widget.answers.first().textContent(), /there was a small lamp/);
  const kept = await inCaches();
  assert.ok(kept.includes('/cresset_engine.js') && kept.includes('/widget/core.js'));
  assert.deepEqual(
    kept.filter((path) => /\.gguf$/.test(path)),
    [],
    'models are the library’s to keep',
  );
  assert.deepEqual(page.problems, []);
});

test('the second visit to the page itself needs no network: its four views open, and Write writes', async (t) => {
  const whole = await startPage(t);
  const visitor = await visit(browser, whole, 'write');
  t.after(() => visitor.context().close());
  await until(
    visitor,
    async () => (await navigator.serviceWorker.getRegistration())?.active?.state === 'activated' && navigator.serviceWorker.controller !== null,
  );
  await visitor.context().setOffline(true);
  await whole.close();
  await visitor.reload();
  await ready(visitor);
  for (const [view, part] of Object.entries({ chat: '#message', models: '#catalogue .model', embed: '#snippet', write: '#text' })) {
    await visitor.click(`.views [data-view=${view}]`);
    await visitor.waitForSelector(`#view-${view} h1`, { state: 'attached' });
    await visitor.locator(part).first().waitFor();
  }
  await visitor.click('#starters .chip');
  await visitor.waitForSelector('#ink .by-model');
  await ready(visitor);
  assert.match(await visitor.inputValue('#text'), /^Once upon a time there was a small lamp.*only a coat/);
  assert.deepEqual(visitor.problems, []);
});

test('a new build waits while pages of the old one are open, which get nothing of it', async () => {
  const other = await page.context().newPage();
  await other.goto(server.url);
  await controlled(other);
  build = { stamp: 'two' };
  await update();
  await waiting();
  assert.equal(await version(), 'one');
  assert.equal(await page.evaluate(() => apply()), false, 'another tab is open');
  await other.reload();
  assert.equal(await version(other), 'one', 'a reload beside another tab keeps to the old build');
  await other.close();
  await Promise.all([page.waitForEvent('load'), page.evaluate(() => apply())]);
  await controlled();
  assert.equal(await version(), 'two');
  assert.equal((await page.evaluate(() => caches.keys())).length, 1, 'the old build is gone');
});

test('a reload of the only page brings the new build', async () => {
  build = { stamp: 'two' };
  await update();
  await waiting();
  await page.reload();
  await until(page, async () => window.registered && (await caches.keys()).every((name) => name.endsWith('two')));
  await controlled();
  assert.equal(await version(), 'two');
});

test('a build that cannot be fetched whole leaves the old one in place', async () => {
  build = { stamp: 'broken', more: { 'not-there.js': hashOf('') } };
  await update();
  await until(page, async () => (await registered).installing === null);
  assert.equal(await page.evaluate(async () => (await registered).waiting), null);
  assert.equal(await page.evaluate(() => updates), 0);
  await page.context().setOffline(true);
  await page.reload();
  assert.equal(await version(), 'one');
});

/** What may stand in the place of a file of the build: each is refused, and with it all of that build. */
const IN_PLACE = {
  'a page of the network, as if it were the script': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(PORTAL),
  'a page of the network': (request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(PORTAL),
  'a way to a page of the network': (request, response) => response.writeHead(302, { Location: '/portal' }).end(),
  'the file of another build': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(lazy('one')),
  'half of the file': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(lazy(build.stamp).slice(0, -9)),
  'the file, as no script': (request, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end(lazy(build.stamp)),
  'nothing, with a part’s status': (request, response) => response.writeHead(206, { 'Content-Type': 'text/javascript' }).end(lazy(build.stamp)),
};

test('a build of which something else comes in a file’s place is not kept, and the old one stays', async () => {
  for (const [what, answer] of Object.entries(IN_PLACE)) {
    build = { stamp: `two ${Object.keys(IN_PLACE).indexOf(what)}`, lazy: answer };
    await update();
    await until(page, async () => (await registered).installing === null);
    assert.deepEqual(await page.evaluate(async () => [(await registered).waiting, updates, (await caches.keys()).length]), [null, 0, 1], what);
    assert.equal(await version(), 'one', what);
  }
  // A way to the very file is none of these.
  build = { stamp: 'three', lazy: (request, response) => response.writeHead(302, { Location: '/elsewhere.js' }).end() };
  await update();
  await waiting();
});

test('what the browser has dropped of a build comes from the server only as that build has it', async () => {
  const drop = (path) =>
    page.evaluate(async (path) => {
      for (const name of await caches.keys()) await (await caches.open(name)).delete(path);
    }, path);
  const fetchLazy = () =>
    page.evaluate(() =>
      fetch('/lazy.js').then(
        (response) => response.text(),
        () => 'refused',
      ),
    );
  await drop('/lazy.js');
  build = { stamp: 'two' };
  assert.equal(await fetchLazy(), 'refused');
  build = { stamp: 'one' };
  assert.equal(await fetchLazy(), lazy('one'));
  assert.ok((await inCaches()).includes('/lazy.js'));
  // Without its page the build is of no use where the server has another page: then the server answers.
  await drop('/');
  build = { stamp: 'two', page: INDEX.replace('Offline', 'Another') };
  await page.reload();
  await until(page, () => document.title === 'Another');
});

test('an address that cannot be read keeps neither the page from opening nor the worker from keeping it', async (t) => {
  const whole = await startPage(t);
  const visitor = await visit(browser, whole, 'chat/%ZZ');
  t.after(() => visitor.context().close());
  await until(visitor, async () => (await navigator.serviceWorker.getRegistration())?.active?.state === 'activated');
  await visitor.waitForSelector('#message');
  for (const address of ['#/chat/%', '#/chat/%E0%A4%A', '#/write/%ZZ', '#/models/%%%', '#/%ZZ', '#%']) {
    await visitor.evaluate((address) => {
      location.hash = address;
    }, address);
    await visitor.waitForTimeout(50);
  }
  await visitor.click('.views [data-view=chat]');
  await visitor.locator('#message').waitFor();
  assert.deepEqual(visitor.problems, []);
});

test('what few pages use is kept once it is used, and only as this build has it', async () => {
  assert.ok(!(await inCaches()).includes('/threads/rare.js'));
  build.rare = 'export default "another build";';
  const rare = (query = '') =>
    page.evaluate(
      (query) =>
        import(`/threads/rare.js${query}`).then(
          (module) => module.default,
          () => 'refused',
        ),
      query,
    );
  assert.equal(await rare(), 'refused');
  assert.ok(!(await inCaches()).includes('/threads/rare.js'));
  build.rare = RARE;
  assert.equal(await rare('?again'), 'rare');
  assert.ok((await inCaches()).includes('/threads/rare.js'));
  await page.context().setOffline(true);
  await page.reload();
  assert.equal(await rare(), 'rare');
});

test('without a service worker the page works, and says nothing', async (t) => {
  const cdn = await startServer({ mock: true, headers: { 'Access-Control-Allow-Origin': '*' } });
  t.after(() => cdn.close());
  const plain = await newPage(browser);
  t.after(() => plain.context().close());
  await plain.goto(`${server.url}blank.html`);
  assert.equal(await plain.evaluate(async (url) => (await import(`${url}page/service-worker.js`)).registerOffline(), cdn.url), null);
  assert.deepEqual(plain.problems, []);
});

test('the stamp names what a build consists of, and changes with any of it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cresset-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(WWW, folder, { recursive: true });
  const first = await listOf([folder]);
  for (const name of ['index.html', 'cresset.js', 'worker/worker.js', 'cresset-chat.js', 'widget/locales/zh-CN.js', 'models/catalogue.json'])
    assert.equal(first.files[name], hashOf(readFileSync(join(folder, name))), name);
  assert.deepEqual(
    Object.keys(first.files).filter((name) => /\.(gguf|d\.ts)$|^sw\.js$/.test(name)),
    [],
  );
  assert.deepEqual(await listOf([folder]), first);
  mkdirSync(join(folder, 'threads'));
  writeFileSync(join(folder, 'threads', 'cresset_engine.js'), 'export default 1;');
  const second = await listOf([folder]);
  assert.deepEqual([second.files, second.onUse], [first.files, { 'threads/cresset_engine.js': hashOf('export default 1;') }]);
  assert.notEqual(second.stamp, first.stamp);
  writeFileSync(join(folder, 'lib', 'errors.js'), '// changed');
  const third = await listOf([folder]);
  assert.ok(![first.stamp, second.stamp].includes(third.stamp));
  writeFileSync(join(folder, 'sw.js'), `${readFileSync(join(folder, 'sw.js'), 'utf8')}// changed`);
  assert.notEqual((await listOf([folder])).stamp, third.stamp);
});
