// The engine whose threads share memory, on a page that is cross-origin isolated: what it computes, when it is taken, and
// how its workers end. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { ISOLATED } from '../../tools/serve.mjs';
import { DIST, TESTS, WITHIN, filesOf, gap, readJson } from './engine.mjs';
import { STRICT_CSP, exposeLibrary, newPage, script, startBrowser, startServer } from './harness.mjs';

// The engine in a worker, as in the library, but with the logits, which the library does not give.
const BARE = script(`
  import { startEngine } from '/worker/start-engine.js';
  const filesAt = (paths) => Promise.all(paths.map(async (path) => {
    const blob = await (await fetch(path)).blob();
    return { name: path.split('/').pop(), size: blob.size, read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()) };
  }));
  const glue = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(startEngine(data)), { once: true }));
  addEventListener('message', async ({ data: { paths, sequences, prompt } }) => {
    if (!paths) return;
    const { Engine } = await glue;
    const engine = await Engine.load(await filesAt(paths), JSON.stringify({ device: 'cpu', kv: 'f32' }), () => {});
    const logits = [];
    for (const ids of sequences) logits.push(Array.from(await engine.logits(Uint32Array.from(ids), true)));
    const answer = JSON.parse(await engine.completion(JSON.stringify({ prompt, max_tokens: 16, temperature: 0, ignore_eos: true, return_token_ids: true }), () => {}));
    postMessage({ threads: JSON.parse(engine.info()).device.threads, logits, ids: answer.choices[0].token_ids });
    engine.free();
  });
`);

// thread.js, but that it traps in the middle of its first part: its module is the engine's, with every f32x4.mul unreachable.
const THREAD = readFileSync(new URL('../../www/worker/thread.js', import.meta.url), 'utf8');
const TRAPPING_TEXT = THREAD.replace(
  '({ data: { module, memory } }) => {',
  `async ({ data: { memory } }) => {
    const bytes = new Uint8Array(await (await fetch('../threads/cresset_engine_bg.wasm')).arrayBuffer());
    for (let at = bytes.indexOf(0xfd); at >= 0; at = bytes.indexOf(0xfd, at + 1)) {
      if (bytes[at + 1] === 0xe6 && bytes[at + 2] === 0x01) bytes.set([0x00, 0x01, 0x01], at);
    }
    const module = await WebAssembly.compile(bytes);
`,
);
const TRAPPING = script(TRAPPING_TEXT);
// The same as if the browser had ended it there: it says nothing, and what it was at stays undone.
const ENDED = (() => {
  const text = TRAPPING_TEXT.replace(/leave\(String\(error\)\);\s*throw error;/, '');
  assert.notEqual(text, TRAPPING_TEXT);
  return script(text);
})();

const skip = existsSync(`${DIST}/threads/cresset_engine_bg.wasm`) ? false : 'dist/ has no engine with threads: run ./build.sh first';

let browser, isolated, plain, page;

function serveWith(headers, routes) {
  return startServer({
    extraRoots: [TESTS],
    headers: { 'Content-Security-Policy': STRICT_CSP, ...headers },
    routes: { ...WITHIN, '/bare.js': BARE, ...routes },
  });
}

async function openAt(server) {
  const opened = await newPage(browser);
  await opened.goto(`${server.url}blank.html`);
  await exposeLibrary(opened);
  await opened.evaluate(() => {
    window.write = async (options) => {
      const engine = await Cresset.load('stories', options);
      const { choices } = await engine.completions.create({ prompt: 'Once upon a time', max_tokens: 40, temperature: 0, return_token_ids: true });
      const { backend, threads } = engine.info.device;
      await engine.unload();
      return { backend, threads, ids: choices[0].token_ids };
    };
  });
  return opened;
}

before(async () => {
  if (skip) return;
  browser = await startBrowser();
  [isolated, plain] = [await serveWith(ISOLATED), await serveWith({})];
  page = await openAt(isolated);
});

after(async () => {
  await browser?.close();
  await isolated?.close();
  await plain?.close();
});

/** What an engine with so many threads makes of a golden folder. */
function compute(folder, name, threads) {
  const { cases } = readJson(`${TESTS}golden/${folder}/expected.json`);
  const { sequences, greedy } = cases.find(({ files, context }) => files.includes(name) && !context);
  return page
    .evaluate(
      async ({ threads, job }) => {
        const worker = new Worker('/bare.js', { type: 'module' });
        worker.postMessage({ device: 'cpu', threads });
        worker.postMessage(job);
        const answer = await new Promise((resolve, reject) => {
          // On a busy machine signs of life come before it.
          worker.onmessage = ({ data }) => data.logits && resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
        });
        worker.terminate();
        return answer;
      },
      { threads, job: { paths: filesOf(folder, name), sequences: sequences.map(({ ids }) => ids), prompt: greedy.prompt } },
    )
    .then((got) => ({ ...got, sequences, greedy }));
}

/** The dedicated workers that the browser runs now. */
async function workers() {
  const session = await browser.newBrowserCDPSession();
  const { targetInfos } = await session.send('Target.getTargets', { filter: [{ type: 'worker' }] });
  await session.detach();
  return targetInfos.length;
}

async function noWorkers() {
  for (let tries = 0; (await workers()) > 0; tries += 1) {
    assert.ok(tries < 200, 'workers are left');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

for (const [folder, name] of [
  ['llama-gqa', 'q8_0.gguf'],
  ['llama-gqa', 'q4_0.gguf'],
  ['qwen3', 'model.safetensors'],
]) {
  test(`${folder}/${name}: any number of threads gives the same logits, the reference's`, { skip }, async () => {
    const one = await compute(folder, name, 1);
    assert.equal(one.threads, 1);
    for (const threads of [2, 3]) {
      const many = await compute(folder, name, threads);
      assert.equal(many.threads, threads);
      for (const [index, { ids, positions = ids.map((_, i) => i), logits }] of many.sequences.entries()) {
        const columns = logits[0].length;
        const rows = positions.flatMap((position) => many.logits[index].slice(position * columns, (position + 1) * columns));
        assert.ok(gap(logits.flat(), rows) <= 1e-3, `sequence ${index}`);
        assert.equal(gap(one.logits[index], many.logits[index]), 0, `sequence ${index}: not the single thread's`);
      }
      assert.deepEqual(many.ids, many.greedy.ids.slice(0, 16));
    }
  });
}

test('the library takes threads where the page is isolated, and its workers end with it', { skip }, async () => {
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  const three = await page.evaluate(() => write({ device: 'cpu', threads: 3 }));
  assert.deepEqual([three.backend, three.threads], ['cpu', 3]);
  await noWorkers();
  assert.ok(page.addresses.some((address) => address.endsWith('/threads/cresset_engine_bg.wasm')));
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  const usual = await page.evaluate(() => write({ device: 'auto' }));
  assert.deepEqual([usual.backend, usual.threads], ['cpu', Math.min(cores, 8)]);
  assert.deepEqual(usual.ids, three.ids);
  await noWorkers();
  await page.evaluate(async () => {
    window.kept = await Cresset.load('stories', { device: 'cpu', threads: 4 });
  });
  assert.equal(await workers(), 4);
  // In the middle of an answer, too.
  await page.evaluate(async () => {
    const stream = await kept.completions.create({ prompt: 'Once', max_tokens: 500, ignore_eos: true, stream: true });
    await stream[Symbol.asyncIterator]().next();
    await kept.unload();
  });
  await noWorkers();
  assert.deepEqual(page.problems, []);
});

test('one thread, and pages that are not isolated, get the engine without shared memory', { skip }, async () => {
  const one = await openAt(isolated);
  const alone = await one.evaluate(() => write({ device: 'cpu', threads: 1 }));
  assert.deepEqual([alone.backend, alone.threads], ['cpu', 1]);
  const open = await openAt(plain);
  const shut = await open.evaluate(() => write({ device: 'cpu', threads: 4 }));
  assert.deepEqual([shut.backend, shut.threads], ['cpu', 1]);
  assert.deepEqual(shut.ids, alone.ids);
  for (const { addresses, problems } of [one, open]) {
    assert.deepEqual(
      addresses.filter((address) => /thread/.test(address)),
      [],
    );
    assert.deepEqual(problems, []);
  }
});

test('WebGPU works on an isolated page, with the engine without shared memory', { skip }, async () => {
  const opened = await openAt(isolated);
  const { backend, threads } = await opened.evaluate(() => write({ device: 'webgpu', threads: 2 }));
  assert.deepEqual([backend, threads], ['webgpu', undefined]);
  assert.deepEqual(
    opened.addresses.filter((address) => /thread/.test(address)),
    [],
  );
});

test('probe and measure speak of the engine that loading would take', { skip }, async () => {
  const [{ device, estimatedTokensPerSecond }, { engineBytes }, alone] = await page.evaluate(async () => [
    await Cresset.probe('stories', { device: 'cpu', threads: 2 }),
    await Cresset.measure('stories', { device: 'cpu', threads: 2 }),
    await Cresset.measure('stories', { device: 'cpu', threads: 1 }),
  ]);
  assert.equal(device.threads, 2);
  assert.ok(estimatedTokensPerSecond > 0);
  assert.notEqual(engineBytes, alone.engineBytes);
});

test('threads that are no number of threads are refused', { skip }, async () => {
  for (const threads of [0, -1, 1.5, 65, Number.NaN, '2', null]) {
    const { code, message } = await page.evaluate((threads) => outcome(Cresset.load('stories', { threads })), threads);
    assert.equal(code, 'INVALID_REQUEST', String(threads));
    assert.match(message, /^threads: expected a whole number from 1 to 64/);
  }
});

test('where shared memory is refused, or its files are missing, one thread does', { skip }, async (t) => {
  const missing = await serveWith(ISOLATED, { '/threads/cresset_engine_bg.wasm': (request, response) => response.writeHead(404).end() });
  const refusal = 'WebAssembly.Memory = class { constructor() { throw new RangeError("could not allocate memory"); } };';
  const worker = await (await fetch(`${isolated.url}worker/worker.js`)).text();
  const refusing = await serveWith(ISOLATED, { '/refuse.js': script(refusal), '/worker/worker.js': script(`import '/refuse.js';\n${worker}`) });
  // Helpers that cannot be started leave the engine alone with its memory.
  const shut = await serveWith(ISOLATED, { '/worker/thread.js': (request, response) => response.writeHead(404).end() });
  for (const server of [missing, refusing, shut]) t.after(() => server.close());
  for (const server of [missing, refusing, shut]) {
    const opened = await openAt(server);
    const { backend, threads, ids } = await opened.evaluate(() => write({ device: 'cpu', threads: 2 }));
    assert.deepEqual([backend, threads, ids.length], ['cpu', 1, 40]);
  }
});

test('a helper that traps ends the engine with an error, and nobody waits for it', { skip }, async (t) => {
  const server = await serveWith(ISOLATED, { '/worker/thread.js': TRAPPING });
  t.after(() => server.close());
  const opened = await openAt(server);
  const { code, message } = await opened.evaluate(() => outcome(write({ device: 'cpu', threads: 2 })));
  assert.equal(code, 'INTERNAL');
  assert.match(message, /a thread has stopped: RuntimeError: unreachable|the engine stopped: .*unreachable/);
  await noWorkers();
});

test('a thread that was ended is noticed, though the others wait for it', { skip }, async (t) => {
  const server = await serveWith(ISOLATED, { '/worker/thread.js': ENDED });
  t.after(() => server.close());
  const opened = await newPage(browser);
  t.after(() => opened.context().close());
  await opened.clock.install();
  await opened.goto(`${server.url}blank.html`);
  await opened.evaluate(async () => {
    const { Cresset } = await import('/cresset.js');
    window.loaded = Cresset.load('stories', { device: 'cpu', threads: 2 })
      .then((engine) => engine.completions.create({ prompt: 'Once upon a time', max_tokens: 40 }))
      .catch(({ code, message, details }) => ({ code, message, details }));
    window.loaded.then((value) => {
      window.value = value;
    });
  });
  for (let turn = 0; turn < 60 && !(await opened.evaluate(() => window.value)); turn += 1) {
    await opened.clock.runFor(5000);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const { code, message, details } = await opened.evaluate(() => window.value);
  assert.deepEqual([code, details.reload], ['INTERNAL', true]);
  assert.match(message, /no sign of life/);
});

test('the library served by another origin has threads too', { skip }, async (t) => {
  const library = await serveWith({ ...ISOLATED, 'Access-Control-Allow-Origin': '*' });
  const site = await serveWith({
    ...ISOLATED,
    'Content-Security-Policy': `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' ${library.url}; worker-src blob:; connect-src ${library.url}`,
  });
  for (const server of [library, site]) t.after(() => server.close());
  const opened = await newPage(browser);
  await opened.goto(`${site.url}blank.html`);
  const { threads, length } = await opened.evaluate(async (address) => {
    const { Cresset } = await import(`${address}cresset.js`);
    const engine = await Cresset.load('stories', { device: 'cpu', threads: 2, cache: false });
    const { choices } = await engine.completions.create({ prompt: 'Once', max_tokens: 8, ignore_eos: true, return_token_ids: true });
    const { threads } = engine.info.device;
    await engine.unload();
    return { threads, length: choices[0].token_ids.length };
  }, library.url);
  assert.deepEqual([threads, length], [2, 8]);
  await noWorkers();
});
