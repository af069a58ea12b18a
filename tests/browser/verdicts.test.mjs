// What the page says of models before they are downloaded, against the real engine: verdicts by its measure of this device,
// and of files that it looks at. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DEVICES, DIST, readJson, serveEngine } from './engine.mjs';
import { newPage, ranged, startBrowser } from './harness.mjs';

const [BUNDLED] = readJson(`${DIST}/models/catalogue.json`);
const BYTES = readFileSync(`${DIST}/models/${BUNDLED.file}`);
const ROWS = readJson(`${DIST}/models/hub.json`);

// Of 5 GB, which a page has not on the processor, and this device hardly.
const LARGE = { layers: 40, width: 2048, heads: 16, kvHeads: 8, headWidth: 128, hidden: 16384, vocabulary: 256 };

let browser, server;
let large = null; // the beginning of a file, and its size: the rest is zeros

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
  const { head, size } = large;
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
  test(`${device}: what fits has its size and an estimate of its speed`, async (t) => {
    const page = await open(device);
    t.after(() => page.context().close());
    const card = await look(page, `models/${BUNDLED.file}`);
    assert.match(card, /llama · 4M · Q8_0 · 256 tokens (Fits|Slow here).* ([\d.]+) MB on the device.*about [\d.,]+ tokens\/s here.*Get · 4\.4 MB/);
    const { fit, tested, memory, report } = await page.evaluate(async (device) => {
      const [{ Cresset }, { session }, { estimate, measureDevice }] = await Promise.all(
        ['/cresset.js', '/page/session.js', '/page/models/speed-test.js'].map((path) => import(path)),
      );
      const fit = await Cresset.probe('default', { device });
      const { nLayers: layers, dModel: width, nHeads: heads, nKvHeads: kvHeads, headDim: headWidth, dFfn: hidden, vocabulary } = fit.shape;
      const tested = estimate(await measureDevice(), { layers, width, heads, kvHeads, headWidth, hidden, vocabulary }, fit.quantization);
      return { fit, tested, memory: session.engine.info.memory, report: await session.engine.bench({ prompt: 8, generate: 32, repeat: 2 }) };
    }, device);
    assert.equal(fit.device.backend, device);
    for (const speed of [fit.estimatedTokensPerSecond, tested, report.decode_tokens_per_s]) assert.ok(Number.isFinite(speed) && speed > 0, `${speed} tokens/s`);
    assert.ok(Math.abs(fit.deviceBytes / memory.total - 1) < 0.1, `${fit.deviceBytes} bytes said, ${memory.total} taken`);
    const ratio = (speed) => (report.decode_tokens_per_s / speed).toFixed(2);
    t.diagnostic(
      `${device}: ${report.decode_tokens_per_s.toFixed(1)} tokens/s; of the probe's estimate ${ratio(fit.estimatedTokensPerSecond)}, of the speed test's ${ratio(tested)}`,
    );
    assert.deepEqual(page.problems, []);
  });

  test(`${device}: what is too large, or of a kind that is not known, says so`, async (t) => {
    const page = await open(device);
    t.after(() => page.context().close());
    const { head, size } = await page.evaluate(async (shape) => {
      const { bytes, dataBytes } = (await import('/page/models/speed-test.js')).header(shape, 'q8_0');
      return { head: [...new Uint8Array(await bytes.arrayBuffer())], size: bytes.size + dataBytes };
    }, LARGE);
    large = { head: Buffer.from(head), size };
    const asked = server.requests.length;
    const card = await look(page, 'large.gguf');
    assert.match(card, /4\.9 GB on the device/);
    if (device === 'cpu') {
      assert.match(card, /Does not fit On the processor a page has about 3\.2 GB for a model\./);
      assert.doesNotMatch(card, /Get ·|tokens\/s/);
    } else {
      assert.match(card, /May be tight It takes much of this device’s memory\..*Get · 4\.8 GB/);
    }
    assert.ok(server.requests.slice(asked).filter(({ path }) => path === '/large.gguf').length < 10, 'only its header was read');
    const foreign = await look(page, 'foreign.gguf');
    assert.match(foreign, /nomad.*Does not run here It is of a kind that does not run here yet\./);
    assert.doesNotMatch(foreign, /Get ·|tokens\/s/);
    assert.deepEqual(page.problems, []);
  });

  test(`${device}: a row of the catalogue is judged as the engine judges a file of its shape`, async (t) => {
    const page = await open(device);
    t.after(() => page.context().close());
    const verdicts = await page.evaluate(
      async (rows) => {
        const [{ Cresset }, { session }, { judge, judgeFile, thisDevice }, { measureDevice, speedTestFile }] = await Promise.all(
          ['/cresset.js', '/page/session.js', '/page/models/verdict.js', '/page/models/speed-test.js'].map((path) => import(path)),
        );
        const [measure, here] = [await measureDevice(), { ...thisDevice(), contextLength: 256 }];
        const verdicts = [];
        for (const row of rows) {
          const file = speedTestFile(row.shape, row.quantization);
          const fit = await Cresset.probe(file, { device: session.device });
          verdicts.push({ name: row.name, problem: fit.reason, row: judge({ ...row, downloadBytes: file.size }, measure, here), file: judgeFile(fit, here) });
        }
        return verdicts;
      },
      ROWS.filter(({ quantization, shape }) => (quantization === 'q8_0' || quantization === 'q4_k') && shape.width % 256 === 0 && shape.hidden % 256 === 0),
    );
    assert.ok(verdicts.length >= 10, `${verdicts.length} rows`);
    // Whether it is slow depends on what else the machine does.
    const calm = ({ kind, reason }) => (kind === 'slow' ? ['fits', null] : [kind, reason]);
    for (const { name, problem, row, file } of verdicts) {
      assert.deepEqual(calm(row), calm(file), `${name}: ${problem}`);
      assert.ok(Math.abs(row.deviceBytes / file.deviceBytes - 1) < 0.1, `${name}: ${row.deviceBytes} and ${file.deviceBytes} bytes`);
      assert.ok(row.speed > 0 && Number.isFinite(row.speed), name);
    }
  });
}

test('the bundled model is what its row says', async (t) => {
  assert.equal(BYTES.length, BUNDLED.bytes);
  assert.equal(createHash('sha256').update(BYTES).digest('hex'), BUNDLED.sha256);
  const page = await newPage(browser);
  t.after(() => page.context().close());
  await page.goto(`${server.url}blank.html`);
  const fit = await page.evaluate(async () => (await import('/cresset.js')).Cresset.probe('default', { device: 'cpu' }));
  assert.deepEqual([fit.architecture, fit.quantization, fit.downloadBytes], [BUNDLED.architecture, BUNDLED.quantization, BUNDLED.bytes]);
  assert.ok(Math.abs(fit.parameters / BUNDLED.parameters - 1) < 0.05, `${fit.parameters} parameters`);
});
