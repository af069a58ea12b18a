// The real engine in a tab behind another. There browsers draw no frames and let timers wait for a second or more, so that
// an answer must need neither.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DIST, serveEngine } from './engine.mjs';
import { newPage, startBrowser } from './harness.mjs';
import { behind, inFront } from './visitor.mjs';

// In page and worker: timers wait for so long, frames do not come, and both are counted.
const HELD = `
  globalThis.waited = { timers: 0, frames: 0 };
  {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (deed, ms, ...rest) => { waited.timers += 1; return setTimeout(deed, Math.max(ms ?? 0, 60_000), ...rest); };
    globalThis.requestAnimationFrame = () => { waited.frames += 1; return 0; };
    globalThis.setInterval = () => 0; // whoever waits for one would wait for ever
  }
`;

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine();
  page = await newPage(browser);
  const body = `${readFileSync(`${DIST}/worker/worker.js`, 'utf8')}
    new BroadcastChannel('held').addEventListener('message', ({ data }) => {
      if (data === 'hold') { ${HELD} } else if (data === 'count') new BroadcastChannel('counted').postMessage(waited);
    });`;
  await page.context().route('**/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body }));
  await page.goto(`${server.url}blank.html`);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

for (const device of ['cpu', 'webgpu']) {
  test(`an answer comes to its end behind another tab, on ${device}`, async () => {
    await page.evaluate(async (device) => {
      const { Cresset } = await import('/cresset.js');
      window.engine = await Cresset.load('stories', { device, contextLength: 128, selfTest: false }); // it has tests of its own
      new BroadcastChannel('held').postMessage('hold');
    }, device);
    await behind(page);
    const { text, pieces, waited } = await page.evaluate(async (held) => {
      const now = { setTimeout, setInterval, requestAnimationFrame };
      new Function(held)();
      let [text, pieces] = ['', 0];
      const request = { prompt: 'Once upon a time', max_tokens: 32, temperature: 0, ignore_eos: true, stream: true };
      for await (const { choices } of await window.engine.completions.create(request)) {
        text += choices[0]?.text ?? '';
        pieces += 1;
      }
      const counted = new BroadcastChannel('counted');
      const ofWorker = new Promise((resolve) => {
        counted.onmessage = ({ data }) => resolve(data);
      });
      new BroadcastChannel('held').postMessage('count');
      const waited = { page: globalThis.waited, worker: await ofWorker };
      Object.assign(globalThis, now);
      await window.engine.unload();
      return { text, pieces, waited };
    }, HELD);
    assert.ok(text.length > 40 && pieces >= 16, `${pieces} pieces: ${text}`);
    assert.deepEqual(waited, { page: { timers: 0, frames: 0 }, worker: { timers: 0, frames: 0 } });
    await inFront(page);
    assert.deepEqual(page.problems, []);
  });
}
