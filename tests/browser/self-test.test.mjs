// The self-test with the real engine: the first load on an adapter proves its ways of computing, later ones know.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveEngine } from './engine.mjs';
import { newPage, startBrowser } from './harness.mjs';

let browser, server, page;
let usual; // what the adapter's own way of computing says

before(async () => {
  browser = await startBrowser();
  server = await serveEngine();
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
  await page.evaluate(async () => {
    window.Cresset = (await import('/cresset.js')).Cresset;
    window.load = async (options) => {
      const statuses = new Set();
      const engine = await Cresset.load('stories', { onProgress: ({ status, text }) => statuses.add(status === 'self-test' ? text : status), ...options });
      const { choices } = await engine.completions.create({ prompt: 'Once upon a time, there was a little', max_tokens: 12, temperature: 0, logprobs: 1 });
      const { variants } = engine.info;
      await engine.unload();
      return { statuses: [...statuses], variants, text: choices[0].text, logprobs: choices[0].logprobs.token_logprobs };
    };
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** What is kept of verdicts, as text. */
const kept = () => page.evaluate(async () => (await (await caches.open('cresset self-test')).match('https://self-test.invalid/verdicts'))?.text());

const keep = (text) =>
  page.evaluate(async (text) => (await caches.open('cresset self-test')).put('https://self-test.invalid/verdicts', new Response(text)), text);

test('the first load proves the adapter, whatever was kept; the second knows it', async () => {
  // None of it reaches the engine, so that one load tells for all.
  for (const text of ['{ no JSON', '', '7', '{"key":"x"}', '[{"key":1},null,7]']) {
    await keep(text);
    assert.deepEqual(await page.evaluate(async () => (await import('/worker/verdicts.js')).readVerdicts()), [], text);
  }
  const first = await page.evaluate(() => load({ device: 'webgpu' }));
  assert.ok(
    first.statuses.some((status) => /proving its kernels/.test(status)),
    first.statuses.join(),
  );
  assert.equal(first.variants.proven, true);
  assert.deepEqual(first.variants.demoted, []);
  assert.match(`${first.variants.matvec}, ${first.variants.matmul}`, /^(alone|workgroup|subgroup) .*, f(16|32) ×[48]$/);
  const verdicts = await kept();
  assert.equal(JSON.parse(verdicts).length, 1);
  usual = await page.evaluate(() => load({ device: 'webgpu' }));
  assert.ok(!usual.statuses.some((status) => /proving its kernels/.test(status)), usual.statuses.join());
  assert.deepEqual(usual.variants, first.variants);
  assert.equal(await kept(), verdicts);
});

test('products of packed bytes are understood by this browser too, and say the same', async () => {
  const verdicts = await kept();
  const others = JSON.parse(verdicts);
  for (const { tuning } of others) {
    tuning.matvec.packed = true;
    tuning.matmul.numbers = 'packed';
  }
  await keep(JSON.stringify(others));
  const packed = await page.evaluate(() => load({ device: 'webgpu' }));
  await keep(verdicts);
  assert.match(`${packed.variants.matvec}, ${packed.variants.matmul}`, /^packed, .*, packed ×[48]$/);
  assert.equal(packed.text, usual.text);
  packed.logprobs.forEach((logprob, i) => assert.ok(Math.abs(logprob - usual.logprobs[i]) < 0.1, `${logprob}, not ${usual.logprobs[i]}, of token ${i}`));
  assert.notDeepEqual(packed.logprobs, usual.logprobs);
});

test('a verdict that nothing is right is believed: without being asked the processor, else an error that says why', async () => {
  const verdicts = JSON.parse(await kept());
  for (const verdict of verdicts)
    Object.assign(verdict, { tuning: null, demoted: [{ variant: 'matvec, alone ×4', reason: 'its logits are 70% off in row 0' }] });
  await keep(JSON.stringify(verdicts));
  const error = await page.evaluate(() => load({ device: 'webgpu' }).catch(({ code, message }) => ({ code, message })));
  assert.equal(error.code, 'WEBGPU_UNAVAILABLE');
  assert.match(error.message, /computes wrongly.*70% off/);
});
