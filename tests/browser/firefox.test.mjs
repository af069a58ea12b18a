// What needs no WebGPU, in Firefox: downloads, streams, the widget, the service worker on the mock engine; the engine itself
// on the processor. Firefox is started with a page that does all of it and reports (firefox/scenes.js): no driver is needed.
// FIREFOX names the browser; without one these tests say that they were skipped.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ISOLATED } from '../../tools/serve.mjs';
import { stampedWorker } from '../../tools/stamp.mjs';
import { FlakyFile, modelBytes } from './flaky.mjs';
import { startServer } from './harness.mjs';
import { sum } from './mock/cresset_engine.js';

const FIREFOX = [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => path && existsSync(path));
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PATIENCE_MS = 60_000;
const MIB = 1 << 20;
const BYTES = modelBytes(3 * MIB + 77);
const skip = FIREFOX ? false : 'there is no Firefox here';

/** Runs a set of scenes in a Firefox of its own; gives what each of them found. */
async function play(set, { mock, globals = {}, headers = {}, routes = {} }) {
  const results = {};
  let done;
  const finished = new Promise((resolve, reject) => {
    done = resolve;
    setTimeout(() => reject(new Error(`Firefox did not finish; so far: ${JSON.stringify(results)}`)), PATIENCE_MS).unref();
  });
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Scenes</title><body><script type="module">
    Object.assign(window, ${JSON.stringify(globals)});
    const report = (name, result) => fetch('/report', { method: 'POST', body: JSON.stringify({ name, result }) });
    try {
      const { ${set}: scenes } = await import('/scenes.js');
      for (const [name, scene] of Object.entries(scenes)) await report(name, await scene().catch((error) => ({ failed: String(error), stack: error.stack })));
    } catch (error) { await report('page', { failed: String(error) }); }
    await report('end', null);
  </script></body></html>`;
  const send = (type, text) => (request, response) => response.writeHead(200, { 'Content-Type': type }).end(text);
  const server = await startServer({
    mock,
    headers,
    routes: {
      '/scenes.html': send('text/html', page),
      '/scenes.js': send('text/javascript', readFileSync(here('./firefox/scenes.js'))),
      '/report': (request, response) => {
        let body = '';
        request.on('data', (piece) => { body += piece; }).on('end', () => {
          const { name, result } = JSON.parse(body);
          results[name] = result;
          response.writeHead(204).end();
          if (name === 'end') done();
        });
      },
      ...routes,
    },
  });
  const profile = mkdtempSync(join(tmpdir(), 'cresset-firefox-'));
  // Quiet: nothing of Firefox's own leaves the machine while it is tested.
  writeFileSync(join(profile, 'user.js'), ['"browser.shell.checkDefaultBrowser", false', '"datareporting.policy.dataSubmissionEnabled", false', '"toolkit.telemetry.reportingpolicy.firstRun", false', '"app.normandy.enabled", false', '"network.captive-portal-service.enabled", false', '"network.connectivity-service.enabled", false', '"browser.aboutwelcome.enabled", false', '"browser.safebrowsing.malware.enabled", false', '"browser.safebrowsing.phishing.enabled", false', '"app.update.enabled", false', '"services.settings.server", ""'].map((pref) => `user_pref(${pref});`).join('\n'));
  const firefox = spawn(FIREFOX, ['--headless', '--no-remote', '--profile', profile, `${server.url}scenes.html`], { stdio: 'ignore' });
  const exited = new Promise((resolve) => firefox.once('exit', resolve));
  try {
    await finished;
  } finally {
    firefox.kill();
    await exited;
    await server.close();
    rmSync(profile, { recursive: true, force: true });
  }
  return results;
}

let results = {};

before(async () => {
  if (skip) return;
  const [flaky, slow] = [Object.assign(new FlakyFile(BYTES), { cutAfter: 1.4 * MIB, cuts: 1 }), Object.assign(new FlakyFile(BYTES), { delayMs: 8 })];
  const worker = await stampedWorker([here('./mock'), here('../../www')]);
  results = await play('mock', { mock: true, routes: { '/flaky.gguf': flaky.route, '/slow.gguf': slow.route, '/sw.js': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(worker) } });
  results.flaky = flaky.reads.map(({ status, range }) => `${status} ${range}`);
  results.slow = slow.reads.map(({ from }) => from);
});

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
  assert.deepEqual(results.flaky.map((read) => read.split(' ')[0]), ['200', '206', '206']);
  assert.match(results.flaky[2], new RegExp(`bytes=${MIB}-${2 * MIB - 1}`));
});

test('Firefox: a pause keeps what is here, and two loads share a download', { skip }, () => {
  const { code, partial, both } = found('a pause keeps what is here, and two loads share a download');
  assert.equal(code, 'ABORTED');
  assert.ok(partial.bytes >= MIB && !partial.complete);
  assert.deepEqual(both.map((each) => each.checksum), [checksum(), checksum()]);
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
const built = existsSync(here('../../dist/cresset_engine_bg.wasm'));

test('Firefox: the engine writes the reference’s text on the processor', { skip: skip || (built ? false : 'dist/ has no engine: run ./build.sh first') }, async (t) => {
  const [{ ids, greedy_ids: want }] = JSON.parse(readFileSync(here('../golden/bundled.json'), 'utf8'));
  const count = Math.min(want.length, 24);
  results = await play('engine', { mock: false, headers: ISOLATED, globals: { promptIds: ids, count } });
  const scene = found('the bundled model writes on the processor');
  t.diagnostic(`${scene.device}; auto takes ${scene.auto}`);
  assert.equal(scene.backend, 'cpu');
  assert.deepEqual(scene.threads, [1, threads]);
  assert.deepEqual(scene.ids, want.slice(0, count));
});
