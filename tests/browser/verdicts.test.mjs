// What the page says of models before they are downloaded, against the real engine: verdicts by its measure of this device,
// and of files that it looks at. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DEVICES, DIST, readJson, serveEngine } from './engine.mjs';
import { llama } from './gguf.mjs';
import { newPage, ranged, startBrowser } from './harness.mjs';

const BUNDLED = readJson(`${DIST}/models/catalogue.json`).find(({ id }) => id === 'stories');
const BYTES = readFileSync(`${DIST}/models/${BUNDLED.file}`);

// Of 5 GB, which a page has not on the processor, and this device hardly.
const LARGE = llama({ nLayers: 40, dModel: 2048, nHeads: 16, nKvHeads: 8, headDim: 128, dFfn: 16384, vocabulary: 256, context: 256 });

let browser, server;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine([], { '/large.gguf': sparse, '/foreign.gguf': ranged(foreign(BYTES)) });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** The same file, but of an architecture that nobody knows. */
function foreign(bytes) {
  const copy = Buffer.from(bytes);
  const key = 'general.architecture';
  copy.write('nomad', copy.indexOf(key) + key.length + 4 + 8);
  return copy;
}

/** The route to a file that no machine here needs room for: only ranges of it are given. */
function sparse(request, response) {
  const { head, size } = LARGE; // the rest is zeros
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number);
  const last = Math.min(end, size - 1);
  response.writeHead(206, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': last - start + 1,
    'Content-Range': `bytes ${start}-${last}/${size}`,
  });
  response.write(head.subarray(start, last + 1));
  response.end(Buffer.alloc(last + 1 - Math.max(start, Math.min(head.length, last + 1))));
}

/** The models view of a visitor who chose this device, once it is measured. */
async function open(device) {
  const page = await newPage(browser);
  await page.addInitScript((device) => {
    localStorage.setItem('cresset.device', JSON.stringify(device));
    // What browsers say of larger machines than this may be.
    Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 8 });
  }, device);
  await page.goto(`${server.url}#/models`);
  await page.waitForFunction(
    () => document.documentElement.dataset.state === 'ready' && document.getElementById('catalogue-measure')?.textContent.includes('estimates'),
  );
  return page;
}

async function look(page, path) {
  await page.fill('#address', `${server.url}${path}`);
  await page.press('#address', 'Enter');
  await page.waitForSelector('#fit :is(.verdict, .problem)');
  const card = await page.innerText('#fit');
  await page.evaluate(() => document.getElementById('fit').replaceChildren());
  return card.replace(/\s+/g, ' ');
}

for (const device of DEVICES) {
  test(`${device}: what fits has its size and an estimate of its speed; what is too large, or of an unknown kind, says so`, async (t) => {
    const page = await open(device);
    t.after(() => page.context().close());
    const card = await look(page, `models/${BUNDLED.file}`);
    assert.match(card, /llama · 4M · Q8_0 · 256 tokens (Fits|Slow here).* ([\d.]+) MB on the device.*about [\d.,]+ tokens\/s here.*Get · 4\.4 MB/);
    const { fit, estimate, memory, report } = await page.evaluate(async (device) => {
      const [{ Cresset }, { session }] = await Promise.all(['/cresset.js', '/page/session.js'].map((path) => import(path)));
      const fit = await Cresset.probe('stories', { device });
      const { models } = await Cresset.estimate([fit], { device });
      return { fit, estimate: models[0], memory: session.engine.info.memory, report: await session.engine.bench({ prompt: 8, generate: 32, repeat: 2 }) };
    }, device);
    const tested = estimate.estimatedTokensPerSecond;
    assert.equal(fit.device.backend, device);
    for (const speed of [fit.estimatedTokensPerSecond, tested, report.decode_tokens_per_s]) assert.ok(Number.isFinite(speed) && speed > 0, `${speed} tokens/s`);
    assert.ok(Math.abs(fit.deviceBytes / memory.total - 1) < 0.1, `${fit.deviceBytes} bytes said, ${memory.total} taken`);
    assert.ok(Math.abs(estimate.deviceBytes / fit.deviceBytes - 1) < 0.1, `${estimate.deviceBytes} bytes estimated, ${fit.deviceBytes} said`);
    const ratio = (speed) => (report.decode_tokens_per_s / speed).toFixed(2);
    t.diagnostic(
      `${device}: ${report.decode_tokens_per_s.toFixed(1)} tokens/s; of the probe's estimate ${ratio(fit.estimatedTokensPerSecond)}, of the catalogue's ${ratio(tested)}`,
    );

    const asked = server.requests.length;
    const large = await look(page, 'large.gguf');
    assert.match(large, /4\.9 GB on the device/);
    if (device === 'cpu') {
      assert.match(large, /Does not fit On the processor a page has about 3\.2 GB for a model\./);
      assert.doesNotMatch(large, /Get ·|tokens\/s/);
    } else {
      assert.match(large, /May be tight It takes much of this device’s memory\..*Get · 4\.8 GB/);
    }
    assert.ok(server.requests.slice(asked).filter(({ path }) => path === '/large.gguf').length < 10, 'only its header was read');
    const foreign = await look(page, 'foreign.gguf');
    assert.match(foreign, /nomad.*Does not run here It is of a kind that does not run here yet\./);
    assert.doesNotMatch(foreign, /Get ·|tokens\/s/);
    assert.deepEqual(page.problems, []);
  });
}

test('the bundled model is what its row says', async (t) => {
  assert.equal(BYTES.length, BUNDLED.bytes);
  assert.equal(createHash('sha256').update(BYTES).digest('hex'), BUNDLED.sha256);
  const page = await newPage(browser);
  t.after(() => page.context().close());
  await page.goto(`${server.url}blank.html`);
  const fit = await page.evaluate(async () => (await import('/cresset.js')).Cresset.probe('stories', { device: 'cpu' }));
  assert.deepEqual([fit.architecture, fit.quantization, fit.downloadBytes], [BUNDLED.architecture, BUNDLED.quantization, BUNDLED.bytes]);
  assert.ok(Math.abs(fit.parameters / BUNDLED.parameters - 1) < 0.05, `${fit.parameters} parameters`);
});
