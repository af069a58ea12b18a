// A slow device is not taken for a dead one: the real engine, twenty times slower than the page's clock goes. (How dead ones
// are noticed: client.test.mjs, threads.test.mjs.)

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEVICES, serveEngine } from './engine.mjs';
import { newPage, startBrowser } from './harness.mjs';

const TWENTYFOLD = { real: 250, clock: 5000 }; // milliseconds

let browser, server;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

for (const device of DEVICES) {
  test(`${device}: loading, compiling, the self-test, a full prompt and its answer`, async (t) => {
    const page = await newPage(browser);
    t.after(() => page.context().close());
    await page.clock.install();
    await page.goto(`${server.url}blank.html`);
    await page.evaluate(async (device) => {
      const { Cresset } = await import('/cresset.js');
      const run = async () => {
        const engine = await Cresset.load('stories', { device, cache: false, threads: 1 });
        const { usage } = await engine.completions.create({ prompt: 'once there was a '.repeat(40), max_tokens: 32, ignore_eos: true });
        return usage.completion_tokens;
      };
      run().then(
        (tokens) => {
          window.outcome = { tokens };
        },
        ({ message }) => {
          window.outcome = { message };
        },
      );
    }, device);
    let passed = 0;
    for (; !(await page.evaluate(() => window.outcome)); passed += TWENTYFOLD.clock) {
      await page.clock.runFor(TWENTYFOLD.clock);
      await new Promise((resolve) => setTimeout(resolve, TWENTYFOLD.real));
    }
    const { tokens, message } = await page.evaluate(() => window.outcome);
    assert.equal(message, undefined);
    assert.ok(tokens > 0);
    t.diagnostic(`${passed / 1000} seconds by the page's clock`);
  });
}
