// What needs no WebGPU, in Firefox: downloads, streams, the widget, the service worker on the mock engine; the engine itself
// on the processor; and the page, as a visitor walks through it. One Firefox does all of it (firefox/driver.mjs).
// FIREFOX names the browser; without one these tests say that they were skipped.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ISOLATED } from '../../tools/serve.mjs';
import { FIREFOX, startFirefox } from './firefox/driver.mjs';
import { FlakyFile, modelBytes } from './flaky.mjs';
import { SCREENSHOTS, gguf, mockWorker, script, startServer } from './harness.mjs';
import { sum } from './mock/cresset_engine.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const MIB = 1 << 20;
const BYTES = modelBytes(3 * MIB + 77);
const skip = FIREFOX ? false : 'there is no Firefox here';

let firefox, folder;
let results = {};

before(async () => {
  if (skip) return;
  firefox = await startFirefox();
  folder = mkdtempSync(join(tmpdir(), 'cresset-models-'));
  mkdirSync(SCREENSHOTS, { recursive: true });
  const [flaky, slow] = [Object.assign(new FlakyFile(BYTES), { cutAfter: 1.4 * MIB, cuts: 1 }), Object.assign(new FlakyFile(BYTES), { delayMs: 8 })];
  results = await play('mock', {
    mock: true,
    routes: { '/flaky.gguf': flaky.route, '/slow.gguf': slow.route, '/sw.js': script(await mockWorker()) },
  });
  results.flaky = flaky.reads.map(({ status, range }) => `${status} ${range}`);
  results.slow = slow.reads.map(({ from }) => from);
});

after(async () => {
  await firefox?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** Runs a set of scenes in a page of their own (firefox/scenes.js); gives what each of them found. */
async function play(set, { mock, globals = {}, headers = {}, routes = {} }) {
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Scenes</title><body><script type="module">
    Object.assign(window, ${JSON.stringify(globals)}, { results: {} });
    try {
      const { ${set}: scenes } = await import('/scenes.js');
      for (const [name, scene] of Object.entries(scenes)) results[name] = await scene().catch((error) => ({ failed: String(error), stack: error.stack }));
    } catch (error) { results.page = { failed: String(error) }; }
    results.end = true;
  </script></body></html>`;
  const server = await startServer({
    mock,
    headers,
    routes: {
      '/scenes.html': (request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(page),
      '/scenes.js': script(readFileSync(here('./firefox/scenes.js'))),
      ...routes,
    },
  });
  try {
    await firefox.goto(`${server.url}scenes.html`);
    await firefox.until(() => window.results?.end).catch(() => {});
    return await firefox.evaluate(() => window.results);
  } finally {
    await firefox.goto('about:blank');
    await server.close();
  }
}

/** What a scene found; fails with what failed in it. */
function found(name) {
  const result = results[name] ?? results.page;
  assert.ok(result && !result.failed, JSON.stringify(result));
  return result;
}

const checksum = () => Array.from({ length: Math.ceil(BYTES.length / MIB) }, (_, i) => BYTES.subarray(i * MIB, (i + 1) * MIB)).reduce(sum, 0);

test('Firefox: downloads go on after breaks, are kept, and mended', { skip }, () => {
  const { first, second, usage, deleted } = found('downloads go on after breaks, are kept, and mended');
  assert.deepEqual([first.checksum, second.checksum], [checksum(), checksum()]);
  assert.ok(first.statuses.includes('download') && !second.statuses.includes('download'));
  assert.deepEqual(first.warnings, ['DOWNLOAD']);
  assert.equal(usage.models, BYTES.length);
  assert.equal(deleted, true);
  assert.deepEqual(
    results.flaky.map((read) => read.split(' ')[0]),
    ['200', '206', '206'],
  );
  assert.match(results.flaky[2], new RegExp(`bytes=${MIB}-${2 * MIB - 1}`));
});

test('Firefox: a pause keeps what is here, and two loads share a download', { skip }, () => {
  const { code, partial, both } = found('a pause keeps what is here, and two loads share a download');
  assert.equal(code, 'ABORTED');
  assert.ok(partial.bytes >= MIB && !partial.complete);
  assert.deepEqual(
    both.map((each) => each.checksum),
    [checksum(), checksum()],
  );
  assert.equal(results.slow.length, 2);
  assert.ok(results.slow[1] >= MIB);
});

test('Firefox: streams, aborts and errors by code', { skip }, () => {
  assert.deepEqual(found('streams, aborts and errors by code'), { seen: 3, aborted: 'ABORTED', text: ' there was a', missing: 'MODEL_NOT_FOUND' });
});

test('Firefox: the widget asks, answers and closes', { skip }, () => {
  const scene = found('the widget asks, answers and closes');
  assert.match(scene.asked, /downloaded once: 4\.1 kB/);
  assert.equal(scene.answer, '**Bold** and `code`, <b>plain</b>\n\n- one');
  assert.match(scene.words, /Bold and code, <b>plain<\/b>\s*one/);
  assert.deepEqual(scene.tags, ['p', 'strong', 'code', 'ul', 'li']);
  assert.deepEqual([scene.shown, scene.closed], [true, true]);
});

test('Firefox: a service worker keeps the build', { skip }, () => {
  const { kept } = found('a service worker keeps the build');
  assert.ok(kept.includes('/cresset.js') && kept.includes('/widget/core.js'), kept.join(' '));
});

const threads = existsSync(here('../../dist/threads/cresset_engine_bg.wasm')) ? 2 : 1;
const built = existsSync(here('../../dist/cresset_engine_bg.wasm')) ? false : 'dist/ has no engine: run ./build.sh first';

test('Firefox: the engine writes the reference’s text on the processor', { skip: skip || built }, async (t) => {
  const [{ ids, greedy_ids: want }] = JSON.parse(readFileSync(here('../golden/bundled.json'), 'utf8'));
  const count = Math.min(want.length, 24);
  results = await play('engine', { mock: false, headers: ISOLATED, globals: { promptIds: ids, count } });
  const scene = found('the bundled model writes on the processor');
  t.diagnostic(`${scene.device}; auto takes ${scene.auto}`);
  assert.equal(scene.backend, 'cpu');
  assert.deepEqual(scene.threads, [1, threads]);
  assert.deepEqual(scene.ids, want.slice(0, count));
});

// --- the page -------------------------------------------------------------------------------------------------------

const VIEWS = ['chat', 'write', 'models', 'embed'];
const ready = () => firefox.until(() => document.documentElement.dataset.state === 'ready' && document.getElementById('progress').hidden);
const shown = (name) => firefox.screenshot(`${SCREENSHOTS}/firefox-${name}.png`);

async function view(name) {
  await firefox.click(`.views [data-view=${name}]`);
  await firefox.seen(`#view-${name} h1`);
}

/** Opens a file with the page's own field, as a visitor does. */
async function openFile(name, traits) {
  writeFileSync(join(folder, name), gguf(traits));
  await view('models');
  await firefox.type('#file', join(folder, name));
  await firefox.until((name) => document.getElementById('model-name').textContent === name, name);
  await ready();
}

/** Elements that reach past the window's sides, and by how much the page is too wide. */
function tooWide() {
  return firefox.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const past = [...document.querySelectorAll('body *')].filter(
      (node) =>
        node.checkVisibility() && node.getBoundingClientRect().right > clientWidth + 0.5 && !node.closest('.sr-only, #chat-scroll pre, .code-block, .scroller'),
    );
    return [scrollWidth - clientWidth, ...past.map((node) => `${node.localName}#${node.id}.${node.className}`)];
  });
}

test('Firefox: the page writes on the processor, says so, and goes on from an alternative', { skip: skip || built }, async (t) => {
  const server = await startServer();
  t.after(() => server.close());
  await firefox.resize(1280, 860);
  await firefox.goto(server.url);
  await ready();
  assert.match(await firefox.text('#notices'), /no WebGPU|processor/);
  assert.match(await firefox.text('#write-state'), /^Runs on your processor/);
  await shown('notice');
  await firefox.click('#notices .problem-actions button:last-child');
  await firefox.click('#starters .chip');
  await firefox.until(() => document.querySelectorAll('#ink .token').length > 20);
  await firefox.press('Escape');
  await ready();
  // Whichever came first, the stop or the end.
  assert.match(await firefox.text('#write-end'), /Stopped|ended the text|length you set/);
  const [x, y] = await firefox.evaluate(() => {
    const { left, width, top, height } = document.querySelectorAll('#ink .token')[5].getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  });
  await firefox.point(x, y);
  await firefox.seen('#token-card');
  assert.match(await firefox.text('#token-card .token-head strong'), /^(<?\d+(\.\d+)?%)$/);
  assert.equal(await firefox.evaluate(() => document.querySelectorAll('#token-card .alternative').length >= 5), true);
  await shown('write-1280');
  const before = await firefox.evaluate(() =>
    [...document.querySelectorAll('#ink > span')]
      .slice(0, 6)
      .map((node) => node.textContent)
      .join(''),
  );
  const other = (await firefox.text('#token-card .alternative-text')).replaceAll('·', ' ');
  await firefox.click('#token-card .alternative');
  await firefox.until(
    (start) => document.getElementById('text').value.startsWith(start) && document.querySelectorAll('#ink .token').length > 8,
    before + other,
  );
  await firefox.press('Escape');
  await ready();
  const text = await firefox.evaluate(() => document.getElementById('text').value);
  await firefox.reload();
  await ready();
  assert.equal(await firefox.evaluate(() => document.getElementById('text').value), text);
});

test('Firefox: a visitor walks through the page, in both languages, dark and light, wide and narrow, and without a network', { skip }, async (t) => {
  const server = await startServer({ mock: true, bundled: '', routes: { '/sw.js': script(await mockWorker()) } });
  t.after(() => server.close().catch(() => {}));
  await firefox.resize(1280, 860);
  await firefox.goto(server.url);
  await ready();

  await t.test('Models: verdicts, and a file that is opened', async () => {
    await view('models');
    await firefox.until(() => /tokens\/s here/.test(document.querySelector('#catalogue .verdict')?.textContent ?? ''));
    assert.match(await firefox.text('#catalogue .verdict'), /^Fits.* on the device/);
    await openFile('tutor.gguf', 'chat markdown slow');
    assert.match(await firefox.text('#in-use'), /tutor\.gguf/);
    await shown('models-1280');
  });

  await t.test('Chat: an answer grows, stops, and is there after a reload', async () => {
    await view('chat');
    await firefox.type('#message', 'Why is the sky blue?');
    await firefox.press('Enter');
    const length = () => firefox.evaluate(() => document.querySelector('.turn.assistant .words')?.textContent.length ?? 0);
    await firefox.until(() => document.querySelector('.turn.assistant .words')?.textContent.length > 20);
    const first = await length();
    await firefox.until((first) => document.querySelector('.turn.assistant .words').textContent.length > first + 20, first);
    await shown('chat-writing');
    await firefox.press('Escape');
    await firefox.until(() => document.documentElement.dataset.state === 'ready' && !document.querySelector('.turn.writing'));
    const stopped = await firefox.text('.turn.assistant .words');
    assert.ok(stopped.length < 600, stopped);
    await openFile('tutor-2.gguf', 'chat markdown fast thinks');
    await view('chat');
    await firefox.click('.turn.assistant button[aria-label="Regenerate"]');
    await firefox.until(
      () =>
        document.documentElement.dataset.state === 'ready' &&
        document.querySelector('.turn.assistant .siblings')?.textContent === '2 / 2' &&
        document.querySelector('.turn.assistant table'),
    );
    const answer = await firefox.text('.turn.assistant .words');
    await shown('chat-1280');
    await firefox.reload();
    await firefox.until((answer) => document.querySelector('.turn.assistant .words')?.textContent === answer, answer);
    assert.equal((await firefox.text('.turn.user .words')).trim(), 'Why is the sky blue?');
    assert.match(await firefox.text('#conversations'), /Why is the sky blue\?/);
    await ready();
  });

  await t.test('Embed: the lines, and the widget itself beside them', async () => {
    await view('embed');
    await firefox.type('#embed-title', ' of the harbour');
    assert.match(await firefox.text('#snippet'), /<cresset-chat.*title="Assistant of the harbour"/s);
    const inside = (deed) => firefox.until(deed);
    await inside(() => document.getElementById('preview').contentDocument.querySelector('cresset-chat')?.getAttribute('title') === 'Assistant of the harbour');
    await inside(
      () =>
        document.getElementById('preview').contentDocument.querySelector('cresset-chat').shadowRoot?.querySelector('.launcher')?.getBoundingClientRect().width >
        30,
    );
    await shown('embed-1280');
  });

  await t.test('Chinese and dark are a click away, and stay', async () => {
    await firefox.click('#settings-button');
    await firefox.click('#setting-language label:last-child');
    await firefox.until(() => document.documentElement.lang === 'zh-Hans');
    await firefox.click('#setting-theme label:last-child');
    await shown('settings');
    await firefox.press('Escape');
    await firefox.until(() => !document.querySelector('#settings:popover-open'));
    await firefox.reload();
    await ready();
    const look = () =>
      firefox.evaluate(() => [
        document.documentElement.lang,
        getComputedStyle(document.body).backgroundColor,
        document.querySelector('.views [data-view=embed]').textContent,
      ]);
    assert.deepEqual(await look(), ['zh-Hans', 'rgb(20, 17, 16)', '嵌入']);
    await shown('embed-dark-zh');
  });

  await t.test('no view is wider than a phone', async () => {
    await view('write');
    await firefox.click('#starters .chip');
    await firefox.until(() => document.querySelector('#ink .token'));
    await ready();
    for (const width of [390, 320]) {
      await firefox.resize(width, 844);
      for (const name of VIEWS) {
        await view(name);
        if (name === 'models') await firefox.seen('#catalogue .verdict');
        assert.deepEqual(await tooWide(), [0], `${name} at ${width}`);
        if (width === 390) await shown(`${name}-390`);
      }
    }
    await firefox.resize(390, 844);
    await view('chat');
    await firefox.click('#list-button');
    await firefox.seen('#chat-list');
    await shown('chat-list-390');
    await firefox.press('Escape');
    await firefox.until(() => !document.querySelector('#chat-list:popover-open'));
  });

  await t.test('without a network the page and its model are there', async () => {
    await firefox.until(() => navigator.serviceWorker.controller !== null);
    await server.close();
    await firefox.reload();
    await ready();
    await view('write');
    await firefox.click('#write-clear');
    await firefox.click('#starters .chip');
    await firefox.until(() => document.querySelectorAll('#ink .token').length > 20);
    await ready();
    await shown('offline-390');
  });
});
