// The self-test with the real engine: the first load on an adapter proves its ways of computing, later ones know.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveEngine } from './engine.mjs';
import { newPage, startBrowser } from './harness.mjs';

let browser, server, page;

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
      const { variants, device } = engine.info;
      await engine.unload();
      return { statuses: [...statuses], variants, device };
    };
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('the first load proves the adapter, the second knows it, another number format is another matter', async () => {
  const first = await page.evaluate(() => load({ device: 'webgpu' }));
  assert.ok(
    first.statuses.some((status) => /proving its kernels/.test(status)),
    first.statuses.join(),
  );
  assert.equal(first.variants.proven, true);
  assert.deepEqual(first.variants.demoted, []);
  assert.match(`${first.variants.matvec}, ${first.variants.matmul}`, /^(alone|workgroup|subgroup) .*, f(16|32) ×[48]$/);
  const second = await page.evaluate(() => load({ device: 'webgpu' }));
  assert.ok(!second.statuses.some((status) => /proving its kernels/.test(status)), second.statuses.join());
  assert.deepEqual(second.variants, first.variants);
  const unproven = await page.evaluate(() => load({ device: 'webgpu', selfTest: false }));
  assert.equal(unproven.variants.proven, false);
});

test('products of packed bytes are understood by this browser too, and say the same', async () => {
  const { usual, packed } = await page.evaluate(async () => {
    const answer = async () => {
      const engine = await Cresset.load('stories', { device: 'webgpu' });
      const { choices } = await engine.completions.create({ prompt: 'Once upon a time, there was a little', max_tokens: 12, temperature: 0, logprobs: 1 });
      const { variants } = engine.info;
      await engine.unload();
      return { text: choices[0].text, logprobs: choices[0].logprobs.token_logprobs, variants };
    };
    const usual = await answer();
    const cache = await caches.open('cresset self-test');
    const [address] = await cache.keys();
    const kept = await (await cache.match(address)).json();
    const others = structuredClone(kept);
    for (const { tuning } of others) {
      tuning.matvec.packed = true;
      tuning.matmul.numbers = 'packed';
    }
    await cache.put(address, new Response(JSON.stringify(others)));
    const packed = await answer();
    await cache.put(address, new Response(JSON.stringify(kept)));
    return { usual, packed };
  });
  assert.match(`${packed.variants.matvec}, ${packed.variants.matmul}`, /^packed, .*, packed ×[48]$/);
  assert.equal(packed.text, usual.text);
  packed.logprobs.forEach((logprob, i) => assert.ok(Math.abs(logprob - usual.logprobs[i]) < 0.1, `${logprob}, not ${usual.logprobs[i]}, of token ${i}`));
  assert.notDeepEqual(packed.logprobs, usual.logprobs);
});

test('a verdict that nothing is right is believed: without being asked the processor, else an error that says why', async () => {
  const kept = await page.evaluate(async () => {
    const cache = await caches.open('cresset self-test');
    const [address] = await cache.keys();
    const verdicts = await (await cache.match(address)).json();
    for (const verdict of verdicts)
      Object.assign(verdict, { tuning: null, demoted: [{ variant: 'matvec, alone ×4', reason: 'its logits are 70% off in row 0' }] });
    await cache.put(address, new Response(JSON.stringify(verdicts)));
    return verdicts.length;
  });
  assert.ok(kept >= 1);
  const error = await page.evaluate(() => load({ device: 'webgpu' }).catch(({ code, message }) => ({ code, message })));
  assert.equal(error.code, 'WEBGPU_UNAVAILABLE');
  assert.match(error.message, /computes wrongly.*70% off/);
});

test('what is kept may be anything: it is found out anew', async () => {
  // None of it reaches the engine, so that one load tells for all.
  for (const text of ['{ no JSON', '', '7', '{"key":"x"}', '[{"key":1},null,7]']) {
    const verdicts = await page.evaluate(async (text) => {
      const cache = await caches.open('cresset self-test');
      await cache.put((await cache.keys())[0], new Response(text));
      return (await import('/worker/verdicts.js')).readVerdicts();
    }, text);
    assert.deepEqual(verdicts, [], text);
  }
  const { variants } = await page.evaluate(() => load({ device: 'webgpu' }));
  assert.equal(variants.proven, true);
  const verdicts = await page.evaluate(async () => (await (await caches.open('cresset self-test')).match('https://self-test.invalid/verdicts')).json());
  assert.equal(verdicts.length, 1);
});
