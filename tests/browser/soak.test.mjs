// The engine for long: loaded and unloaded, asked and stopped, its device ended in each phase of its life. Nothing grows, and no
// text is wrong. Shortened; CRESSET_SOAK=1 runs all of it: 200 loads and unloads on each device, 1,000 requests.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEVICES, serveEngine } from './engine.mjs';
import { injectFaults } from './faults.mjs';
import { PATIENCE, newPage, startBrowser } from './harness.mjs';

const FULL = Boolean(process.env.CRESSET_SOAK);
const LOADS = FULL ? { cpu: 200, webgpu: 200 } : { cpu: 20, webgpu: 2 };
const REQUESTS = FULL ? { cpu: 1000, webgpu: 1000 } : { cpu: 100, webgpu: 20 };
/** The whole of it takes an hour on two cores, where a GPU is emulated. */
const LIMIT = { timeout: 7_200_000 };

const MODEL = '/golden/llama-gqa/q8_0.gguf';
/** What a page may hold more of after it all, in bytes: the collector is in no hurry. */
const SLACK = 1 << 20;

/** The phases of a load in which the device is ended, by what is called then, and at which call of it. */
const LOADING = {
  'before it is opened': ['opened', 1],
  'while it is opened': ['opening', 1],
  'while weights are uploaded': ['writeBuffer', 3],
  'while pipelines are made': ['pipeline', 2],
  'at the first submit of loading': ['submit', 1],
};
/** The submits of a request at which it is ended; 0: before the request. */
const SUBMITS = [0, 1, 4, 10];

let browser, server, page, devtools;
let phase;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine();
  page = await newPage(browser);
  await injectFaults(page.context(), () => phase);
  await page.goto(`${server.url}blank.html`);
  devtools = await page.context().newCDPSession(page);
  await page.evaluate(async (model) => {
    window.Cresset = (await import('/cresset.js')).Cresset;
    const channel = new BroadcastChannel('faults');
    window.ended = 0;
    channel.addEventListener('message', ({ data }) => (window.ended += Number(data === 'ended')));
    // Ends the device at the nth submit from now.
    window.endAt = async (submit) => {
      const ready = new Promise((resolve) => {
        channel.addEventListener('message', function listen({ data }) {
          if (data !== 'ready') return;
          channel.removeEventListener('message', listen);
          resolve();
        });
      });
      channel.postMessage(['submit', submit]);
      await ready;
    };
    window.load = (device) => Cresset.load(model, { device, selfTest: false }); // it has tests of its own
    window.answer = async (engine) => {
      const request = { prompt: 'the hen and', max_tokens: 24, temperature: 0, ignore_eos: true, cache_prompt: false };
      return (await engine.completions.create(request)).choices[0].text;
    };
  }, MODEL);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** What the page holds: bytes of its heap, and listeners; when it has so many workers, whose end is told a moment later. */
async function held(workers) {
  await hasWorkers(workers);
  await devtools.send('HeapProfiler.collectGarbage');
  await devtools.send('Performance.enable');
  const metrics = Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  return { bytes: metrics.JSHeapUsedSize, listeners: metrics.JSEventListeners };
}

async function hasWorkers(count) {
  for (const end = Date.now() + PATIENCE; page.workers().length !== count;) {
    assert.ok(Date.now() < end, `${page.workers().length} workers, not ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function sameAs(before, now, what) {
  assert.equal(now.listeners, before.listeners, what);
  assert.ok(now.bytes < before.bytes + SLACK, `${what}: ${now.bytes - before.bytes} bytes more`);
}

for (const device of DEVICES) {
  test(`${device}: loaded and unloaded ${LOADS[device]} times, it says the same and leaves nothing`, LIMIT, async () => {
    const round = () =>
      page.evaluate(async (device) => {
        const engine = await load(device);
        const text = await answer(engine);
        const { memory } = engine.info;
        await engine.unload();
        return { text, memory };
      }, device);
    const first = await round();
    assert.ok(first.text.length > 10, first.text);
    const before = await held(0);
    for (let i = 1; i < LOADS[device]; i++) assert.deepEqual(await round(), first, `load ${i}`);
    sameAs(before, await held(0), 'after the loads');
  });

  test(`${device}: of ${REQUESTS[device]} requests a third is stopped at any time, the others say the same`, LIMIT, async () => {
    await page.evaluate(async (device) => {
      window.engine = await load(device);
      window.whole = await answer(engine);
    }, device);
    const requests = (from, to) =>
      page.evaluate(
        async ([from, to]) => {
          const wrong = [];
          for (let i = from; i < to; i++) {
            if (i % 3 !== 0) {
              const text = await answer(engine);
              if (text !== whole) wrong.push([i, text]);
              continue;
            }
            const stopped = new AbortController();
            const request = { prompt: 'the hen and', max_tokens: 24, temperature: 0, ignore_eos: true, stream: true };
            // Before anything is written, after some pieces, or a moment later.
            const pieces = i % 7;
            let text = '';
            try {
              if (pieces === 0) setTimeout(() => stopped.abort(), i % 5);
              for await (const { choices } of await engine.completions.create(request, { signal: stopped.signal })) {
                text += choices[0]?.text ?? '';
                if (text.length && pieces && text.length >= pieces) stopped.abort();
              }
            } catch (error) {
              if (error.name !== 'AbortError' && error.code !== 'ABORTED') wrong.push([i, `${error}`]);
            }
            if (!whole.startsWith(text)) wrong.push([i, text]);
          }
          return wrong;
        },
        [from, to],
      );
    const some = Math.ceil(REQUESTS[device] / 10);
    assert.deepEqual(await requests(0, some), []);
    const before = { ...(await held(1)), memory: (await page.evaluate(() => engine.stats())).memory };
    assert.deepEqual(await requests(some, REQUESTS[device]), []);
    sameAs(before, await held(1), 'after the requests');
    assert.deepEqual((await page.evaluate(() => engine.stats())).memory, before.memory);
    await page.evaluate(() => engine.unload());
  });
}

test('a device that ends while a model is loaded ends in an error or the right text, and the next load is right', LIMIT, async () => {
  const once = () =>
    page.evaluate(async () => {
      const engine = await load('webgpu').catch(({ code, message }) => ({ code, message }));
      if (engine.code) return engine;
      const text = await answer(engine);
      await engine.unload();
      return { text };
    });
  const texts = {};
  for (const [when, what] of Object.entries(LOADING)) {
    const ended = await page.evaluate(() => window.ended);
    phase = what;
    const lost = await once();
    phase = undefined;
    assert.equal(await page.evaluate(() => window.ended), ended + 1, `${when}: the device was ended once`);
    if (lost.code) assert.match(lost.code, /^(DEVICE_LOST|WEBGPU_UNAVAILABLE)$/, `${when}: ${lost.message}`);
    else texts[`where it ended ${when}`] = lost.text;
    if (FULL) texts[`after it ended ${when}`] = (await once()).text;
    await hasWorkers(0);
  }
  const { text } = await once();
  assert.ok(text?.length > 10, text);
  for (const [where, other] of Object.entries(texts)) assert.equal(other, text, where);
});

test('a device that ends between or within requests is replaced, and the answer is the same', LIMIT, async () => {
  const { texts, ended, rebuilds } = await page.evaluate(async (submits) => {
    const engine = await load('webgpu');
    const texts = [await answer(engine)];
    const before = window.ended;
    for (const submit of submits) {
      await endAt(submit);
      texts.push(await answer(engine));
    }
    const { rebuilds } = await engine.stats();
    await engine.unload();
    return { texts, ended: window.ended - before, rebuilds };
  }, SUBMITS);
  assert.deepEqual(new Set(texts), new Set([texts[0]]));
  assert.equal(ended, SUBMITS.length);
  assert.equal(rebuilds, SUBMITS.length);
});
