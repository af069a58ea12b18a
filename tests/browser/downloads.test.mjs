// Downloads in bad conditions, against a server that is told how to fail: breaks, closed tabs, changed and damaged files,
// several tabs, no room, no storage. Each ends with the right bytes in the engine, or in words that say what to do.

import assert from 'node:assert/strict';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { FlakyFile, modelBytes, sha256 } from './flaky.mjs';
import { newPage, startBrowser, startServer } from './harness.mjs';
import { sum } from './mock/cresset_engine.js';

const MIB = 1 << 20;
const SIZE = 3 * MIB + 12_345;
const BYTES = modelBytes(SIZE);

let browser, server, page, file;

before(async () => {
  browser = await startBrowser();
  const route = (request, response) => file.route(request, response);
  // The library itself stays in the browser's cache, as a service worker would keep it.
  const headers = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=600' };
  server = await startServer({ mock: true, headers, routes: { '/m.gguf': route, '/frame.html': frame } });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

beforeEach(async () => {
  file = new FlakyFile(BYTES);
  page = await visit();
});

afterEach(() => page.context().close());

/** A page of the context with the library and helpers. */
async function visit(context, address = `${server.url}blank.html`) {
  const page = context ? await context.newPage() : await newPage(browser);
  await page.goto(address);
  await prepare(page);
  return page;
}

function prepare(frame) {
  return frame.evaluate(async () => {
    window.Cresset = (await import('/cresset.js')).Cresset;
    /** Loads, and gives what happened as plain data. */
    window.load = async (model = '/m.gguf', options = {}) => {
      window.seen = [];
      const onProgress = (progress) => seen.push(progress);
      try {
        const engine = await Cresset.load(model, { onProgress, ...options });
        await engine.unload();
        return {
          checksum: engine.info.variants.checksum,
          bytes: engine.info.memory.weights,
          warnings: warnings(),
          statuses: [...new Set(seen.map(({ status }) => status))],
        };
      } catch ({ code, message, details }) {
        return { code, message, details, warnings: warnings() };
      }
    };
    window.warnings = () => [...new Set(seen.map(({ warning }) => warning && `${warning.code}: ${warning.message}`).filter(Boolean))];
    window.models = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('cresset-models', { create: true });
    /** Starts a load that the test goes on beside; `window.loading` is its outcome. */
    window.start = (options) => {
      window.loading = load('/m.gguf', options);
    };
    window.loaded = () => window.seen?.findLast(({ status }) => status === 'download')?.loaded ?? 0;
  });
}

/** What the mock engine makes of a file that it reads in pieces of 1 MiB. */
function checksum(bytes) {
  let all = 0;
  for (let at = 0; at < bytes.length; at += MIB) all = sum(all, bytes.subarray(at, at + MIB));
  return all;
}

// The first answer halts there and stays open, however long the rest of a test takes.
const IN_THE_MIDDLE = { stallAfter: 1.75 * MIB, stalls: 1 };

const load = (options, on = page, model = '/m.gguf') => on.evaluate(([model, options]) => load(model, options), [model, options]);
const arrived = (bytes, on = page) => on.waitForFunction((bytes) => loaded() >= bytes, bytes, { polling: 20 });

function assertLoaded(result, bytes = BYTES) {
  assert.equal(result.code, undefined, result.message);
  assert.equal(result.bytes, bytes.length);
  assert.equal(result.checksum, checksum(bytes), 'the engine read other bytes than the server has');
}

test('a broken connection is taken up where it stopped', async () => {
  Object.assign(file, { cutAfter: 900 * 1024, cuts: 2 });
  const result = await load();
  assertLoaded(result);
  assert.equal(file.reads.length, 3);
  assert.deepEqual(
    file.reads.map(({ status }) => status),
    [200, 206, 206],
  );
  assert.equal(file.reads[1].ifRange, '"one"');
  const [first, second, third] = file.reads.map(({ from }) => from);
  assert.ok(first === 0 && second > 0 && third > second, `${first}, ${second}, ${third}`);
  assert.match(result.warnings.join(), /DOWNLOAD: .*localhost.* broke off; trying again/);
});

test('a tab that is closed in the middle leaves what is whole, and the next visit goes on behind it', async () => {
  Object.assign(file, IN_THE_MIDDLE);
  await page.evaluate(() => start());
  await arrived(1.5 * MIB);
  const again = await visit(page.context());
  await page.close();
  page = again;
  const result = await load();
  assertLoaded(result);
  const { from } = file.reads.at(-1);
  assert.ok(from >= MIB && from % MIB === 0, `went on at ${from}`);
});

test('an aborted download is a pause: it is listed with what is here, and goes on when loaded again', async () => {
  Object.assign(file, IN_THE_MIDDLE);
  await page.evaluate(() => {
    window.pause = new AbortController();
    start({ signal: pause.signal });
  });
  await arrived(1.5 * MIB);
  const paused = await page.evaluate(async () => {
    pause.abort();
    const { code } = await loading;
    return {
      code,
      whole: await Cresset.cache.list(),
      all: await Cresset.cache.list({ partial: true }),
      usage: await Cresset.cache.usage(),
      left: await Cresset.measure('/m.gguf'),
    };
  });
  assert.equal(paused.code, 'ABORTED');
  assert.deepEqual(paused.whole, []);
  assert.equal(paused.all.length, 1);
  assert.deepEqual({ ...paused.all[0], files: 0, stored: 0 }, { model: `${server.url}m.gguf`, bytes: MIB, total: SIZE, complete: false, files: 0, stored: 0 });
  assert.deepEqual([paused.usage.models, paused.usage.partial], [0, MIB]);
  assert.deepEqual([paused.left.bytes, paused.left.kept], [SIZE - MIB, MIB]);
  const result = await load();
  assertLoaded(result);
  assert.ok(result.statuses.includes('cache') && result.statuses.includes('download'));
  const whole = await page.evaluate(async () => [await Cresset.cache.list(), await Cresset.measure('/m.gguf')]);
  assert.deepEqual([whole[0][0].bytes, whole[0][0].complete, whole[1].bytes], [SIZE, true, 0]);
});

test('a paused download can be removed, and then begins anew', async () => {
  Object.assign(file, IN_THE_MIDDLE);
  await page.evaluate(() => {
    window.pause = new AbortController();
    start({ signal: pause.signal });
  });
  await arrived(1.2 * MIB);
  const removed = await page.evaluate(async () => {
    pause.abort();
    await loading;
    // The worker that writes it is gone in a moment, not at once.
    for (let tries = 0; tries < 100 && (await Cresset.cache.usage()).partial > 0; tries += 1) {
      await Cresset.cache.delete(new URL('/m.gguf', location).href);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Cresset.cache.list({ partial: true });
  });
  assert.deepEqual(removed, []);
  assertLoaded(await load());
  assert.equal(file.reads.at(-1).range, undefined);
});

for (const [where, origin] of [
  ['its own', undefined],
  ['another', 'other'],
]) {
  test(`a file that changes on ${where} origin between two visits is downloaded anew`, async (t) => {
    let model = '/m.gguf';
    if (origin) {
      const cdn = await startServer({
        mock: true,
        headers: { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'ETag, Content-Range' },
        routes: { '/m.gguf': (request, response) => file.route(request, response) },
      });
      t.after(() => cdn.close());
      model = `${cdn.url}m.gguf`;
    }
    Object.assign(file, { cutAfter: 1.5 * MIB, statuses: [] });
    file.cuts = 100;
    file.ranges = true;
    const first = await page.evaluate(async (model) => {
      const pause = new AbortController();
      return load(model, { signal: pause.signal, onProgress: ({ loaded, warning }) => loaded > 1.2 * 2 ** 20 && warning && pause.abort() });
    }, model);
    assert.equal(first.code, 'ABORTED');
    const changed = modelBytes(SIZE, '', 7);
    file = Object.assign(new FlakyFile(changed), { etag: '"two"' });
    const result = await load({}, page, model);
    assertLoaded(result, changed);
    assert.deepEqual(
      file.reads.map(({ status }) => status),
      origin ? [206, 200] : [200],
    );
    // A header that makes browsers ask for permission first is not sent elsewhere.
    assert.equal(file.reads[0].ifRange, origin ? undefined : '"one"');
    assert.ok(file.asked.every(({ method }) => method !== 'OPTIONS'));
  });
}

test('without anything that tells versions apart it begins anew, unless a hash will tell', async () => {
  for (const integrity of [undefined, `sha256-${sha256(BYTES)}`]) {
    await page.evaluate(() => Cresset.cache.clear());
    file = Object.assign(new FlakyFile(BYTES), { etag: undefined, cutAfter: 1.5 * MIB, cuts: 1 });
    assertLoaded(await load({ integrity }));
    assert.deepEqual(
      file.reads.map(({ from }) => from > 0),
      integrity ? [false, true] : [false, false],
    );
  }
});

test('a server without ranges begins anew, but not for ever', async () => {
  Object.assign(file, { ranges: false, cutAfter: 2 * MIB, cuts: 1 });
  assertLoaded(await load());
  await page.evaluate(() => Cresset.cache.clear());
  Object.assign(file, { asked: [], cuts: 100 });
  const result = await load();
  assert.equal(result.code, 'DOWNLOAD');
  assert.match(result.message, /broke off again and again.*try again with a better connection/);
  assert.ok(file.reads.length <= 4, `${file.reads.length} whole downloads`);
});

test('integrity holds over breaks and visits; what does not match is not kept', async () => {
  const right = `sha256-${sha256(BYTES)}`;
  Object.assign(file, { cutAfter: 1.5 * MIB, cuts: 1 });
  assertLoaded(await load({ integrity: right }));
  const noted = await page.evaluate(async () => (await Cresset.cache.list())[0].files[0].sha256);
  assert.equal(noted, sha256(BYTES));
  await page.evaluate(() => Cresset.cache.clear());
  const wrong = await load({ integrity: `sha256-${'0'.repeat(64)}` });
  assert.equal(wrong.code, 'INTEGRITY');
  assert.match(wrong.message, new RegExp(sha256(BYTES)));
  assert.deepEqual(await page.evaluate(() => Cresset.cache.list({ partial: true })), []);
});

test('a demanded hash is that of the kept bytes, not of a note about them', async () => {
  const integrity = `sha256-${sha256(BYTES)}`;
  const forged = modelBytes(SIZE, '', 4);
  file = new FlakyFile(forged);
  assertLoaded(await load(), forged);
  // Another script of the origin leaves its own bytes with a note that they are the right ones.
  await page.evaluate(async (hash) => {
    for await (const [name, handle] of (await models()).entries()) {
      if (!name.endsWith('.json')) continue;
      const entry = { ...JSON.parse(await (await handle.getFile()).text()), sha256: hash };
      const writer = await handle.createWritable();
      await writer.write(JSON.stringify(entry));
      await writer.close();
    }
  }, sha256(BYTES));
  file = new FlakyFile(BYTES);
  assertLoaded(await load({ integrity }));
  assert.equal(file.reads.length, 1, 'it was downloaded again');
  file.asked = [];
  assertLoaded(await load({ integrity }));
  assert.deepEqual(file.reads, []);
});

test('bytes of two versions that a server gave the same name are told apart by the hash, and fetched anew', async () => {
  const old = modelBytes(SIZE, '', 9);
  file = Object.assign(new FlakyFile(old), IN_THE_MIDDLE);
  await page.evaluate(() => start());
  await arrived(1.5 * MIB);
  const again = await visit(page.context());
  await page.close();
  page = again;
  file = new FlakyFile(BYTES); // the same ETag: the server lies
  assertLoaded(await load({ integrity: `sha256-${sha256(BYTES)}` }));
  assert.equal(file.reads.length, 2);
  assert.ok(file.reads[0].from >= MIB && file.reads[1].from === 0);
});

/** Changes a byte of the stored file. */
const damage = (at) =>
  page.evaluate(async (at) => {
    for await (const [name, handle] of (await models()).entries()) {
      if (!name.endsWith('.bin')) continue;
      const writer = await handle.createWritable({ keepExistingData: true });
      await writer.write({ type: 'write', position: at, data: Uint8Array.of(0x5a, 0xa5) });
      await writer.close();
    }
  }, at);

test('a damaged copy is noticed, and only the damaged part is fetched again', async () => {
  assertLoaded(await load());
  await damage(MIB + 5);
  file.asked = [];
  assertLoaded(await load());
  assert.deepEqual(
    file.reads.map(({ range }) => range),
    [`bytes=${MIB}-${2 * MIB - 1}`],
  );
  file.asked = [];
  assertLoaded(await load());
  assert.deepEqual(file.reads, [], 'it was mended for good');
});

test('a damaged copy of a file that has changed since is replaced; without the network it says what to do', async () => {
  assertLoaded(await load());
  await damage(5);
  file.statuses = [503, 503, 503, 503];
  const offline = await load();
  assert.equal(offline.code, 'STORAGE');
  assert.match(offline.message, /m\.gguf on this device is damaged.*load the model again when the connection works/);
  const changed = modelBytes(SIZE, '', 5);
  file = Object.assign(new FlakyFile(changed), { etag: '"two"' });
  assertLoaded(await load(), changed);
});

test('a copy that is cut short or has no hashes is downloaded again', async () => {
  for (const spoil of ['bin', 'sums', 'json']) {
    assertLoaded(await load());
    await page.evaluate(async (spoil) => {
      for await (const [name, handle] of (await models()).entries()) {
        if (!name.endsWith(spoil)) continue;
        const writer = await handle.createWritable({ keepExistingData: true });
        await writer.truncate(40);
        await writer.close();
      }
    }, spoil);
    file.asked = [];
    assertLoaded(await load());
    assert.equal(file.reads.length, 1, spoil);
  }
});

test('two tabs share one download, and the one that waits shows it', async () => {
  file.delayMs = 40;
  const other = await visit(page.context());
  await page.evaluate(() => start());
  await arrived(MIB / 2);
  await other.evaluate(() => start());
  await arrived(MIB, other);
  assertLoaded(await page.evaluate(() => loading));
  assertLoaded(await other.evaluate(() => loading));
  assert.equal(file.reads.length, 1);
});

test('a lock that is held for ever, and messages of other scripts, keep nobody waiting', async () => {
  await page.evaluate(async (url) => {
    const { sha256Text } = await import('/files/sha256.js');
    await new Promise((held) => {
      navigator.locks.request(`cresset-model ${sha256Text(url)}`, () => {
        held();
        return new Promise(() => {});
      });
    });
    // Nothing of this is a sign that anybody downloads.
    const channel = new BroadcastChannel('cresset-downloads');
    const junk = [
      null,
      7,
      'x',
      {},
      { key: url },
      { key: url, loaded: 'x', total: 1 },
      { key: url, loaded: NaN, total: null },
      { key: url, loaded: 1, total: -1 },
    ];
    setInterval(() => junk.forEach((message) => channel.postMessage(message)), 100);
  }, `${server.url}m.gguf`);
  const result = await load();
  assertLoaded(result);
  assert.match(result.warnings.join(), /DOWNLOAD: another tab is at this model; waiting for it/);
  assert.match(result.warnings.join(), /STORAGE: another tab is writing this model, so it runs without being kept/);
  assert.deepEqual(await page.evaluate(() => Cresset.cache.list()), []);
});

test('when the tab that downloads is closed, the one that waits goes on', async () => {
  Object.assign(file, IN_THE_MIDDLE);
  const other = await visit(page.context());
  await page.evaluate(() => start());
  await arrived(MIB / 2);
  await other.evaluate(() => start());
  await arrived(1.5 * MIB);
  await page.close();
  page = other;
  assertLoaded(await other.evaluate(() => loading));
  // From a whole chunk on; how many there were depends on when the tab went.
  const [first, next, ...more] = file.reads.map(({ from }) => from);
  assert.ok(first === 0 && next >= MIB && next % MIB === 0 && more.length === 0, JSON.stringify(file.reads));
});

test('without room it runs uncached, says so, and leaves nothing behind', async () => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 2 * MIB });
  const result = await load();
  assertLoaded(result);
  assert.match(result.warnings.join(), /STORAGE: this device has no room to keep the model: it needs 3\.2 MB\..*delete models/);
  assert.deepEqual(await page.evaluate(() => Cresset.cache.list({ partial: true })), []);
});

test('a page without a file system of its own runs models uncached, and says so', async () => {
  // What a sandboxed frame may not have, a private window may not either.
  await page.goto(`${server.url}frame.html`);
  const inner = await (await page.waitForSelector('iframe')).contentFrame();
  await inner.waitForFunction(() => window.ready);
  await prepare(inner);
  const result = await load({}, inner);
  assertLoaded(result);
  assert.match(result.warnings.join(), /STORAGE: this browser keeps no files for this page/);
  const nothing = await inner.evaluate(async () => [
    await Cresset.cache.list(),
    await Cresset.cache.delete('x'),
    (await Cresset.cache.usage()).models,
    await Cresset.cache.persist(),
    (await Cresset.cache.clear()) ?? null,
  ]);
  assert.deepEqual(nothing, [[], false, 0, false, null]);
});

test('an insecure address has neither cache nor locks, and works', async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  await context.route('http://insecure.example/**', async (route) => {
    const response = await route.fetch({ url: route.request().url().replace('http://insecure.example/', server.url) });
    await route.fulfill({ response });
  });
  const insecure = await visit(context, 'http://insecure.example/blank.html');
  assert.equal(await insecure.evaluate(() => isSecureContext), false);
  assertLoaded(await load({}, insecure));
});

test('a device that goes offline in the middle waits, says so, and goes on', async () => {
  file.delayMs = 20;
  await page.evaluate(() => start());
  await arrived(MIB / 2);
  file.cutAfter = 0;
  await page.context().setOffline(true);
  await page.waitForFunction(() => warnings().some((text) => /this device is offline; the download goes on when/.test(text)));
  file.cutAfter = Infinity;
  await page.context().setOffline(false);
  assertLoaded(await page.evaluate(() => loading));
});

test('a device that is offline from the start says so at once; what is kept runs', async () => {
  await page.context().setOffline(true);
  const refused = await load();
  assert.equal(refused.code, 'DOWNLOAD');
  assert.match(refused.message, /this device is offline; connect it and load the model again/);
  await page.context().setOffline(false);
  assertLoaded(await load());
  await page.context().setOffline(true);
  assertLoaded(await load());
});

test('a server that falls silent is asked again', async () => {
  Object.assign(file, { stallAfter: MIB + 300_000, stalls: 1 });
  const result = await load();
  assertLoaded(result);
  assert.match(result.warnings.join(), /has sent nothing for/);
  assert.equal(file.reads.length, 2);
});

test('busy servers are asked again, as late as they wish; refusals are not', async () => {
  file.statuses = [503, [429, { 'Retry-After': '1' }]];
  assertLoaded(await load());
  await page.evaluate(() => Cresset.cache.clear());
  file.asked = [];
  file.statuses = [403];
  const refused = await load();
  assert.match(refused.message, /refuses access \(HTTP 403\)/);
  assert.equal(file.reads.length, 1);
  file.statuses = [[429, { 'Retry-After': '3600' }]];
  const later = await load();
  assert.match(later.message, /asks to slow down.*try again in a while/);
});

test('an error in the middle says how much is kept', async () => {
  Object.assign(file, { cutAfter: 1.5 * MIB, cuts: 1 });
  const failing = load();
  await page.waitForTimeout(0);
  file.statuses = [];
  const reads = file.route;
  let count = 0;
  file.route = (request, response) => ((count += request.method === 'GET') > 1 ? response.writeHead(403).end() : reads(request, response));
  const result = await failing;
  assert.equal(result.code, 'DOWNLOAD');
  assert.match(result.message, /\(1\.0 MB of 3\.2 MB are kept\)/);
  assert.equal(result.details.kept, MIB);
});

test('pace and time left are told, and a slow connection only takes longer', async () => {
  Object.assign(file, { delayMs: 40 });
  await load();
  const paced = await page.evaluate(() => seen.filter(({ status, secondsLeft }) => status === 'download' && secondsLeft !== null));
  assert.ok(paced.length > 0);
  for (const { bytesPerSecond, secondsLeft, loaded, total } of paced) {
    assert.ok(bytesPerSecond > 0 && Math.abs(secondsLeft - (total - loaded) / bytesPerSecond) < 0.01);
  }
});

test('a tab that is frozen and thawed in the middle goes on', async () => {
  file.delayMs = 8;
  await page.evaluate(() => start());
  await arrived(MIB / 2);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  assertLoaded(await page.evaluate(() => loading));
});

test('a model that is too large for the device is refused after its header, not after its gigabytes', async () => {
  file = new FlakyFile(modelBytes(70 * MIB, 'oom'));
  const result = await load();
  assert.equal(result.code, 'OUT_OF_MEMORY');
  assert.ok(file.sent < 5 * MIB, `${file.sent} bytes were sent`);
});

test('the engine begins while the weights are on their way: what it refuses need not come to the end', async () => {
  file = Object.assign(new FlakyFile(modelBytes(SIZE, 'oom')), { delayMs: 8 });
  const result = await load();
  assert.equal(result.code, 'OUT_OF_MEMORY');
  assert.ok(file.sent < SIZE / 2, `${file.sent} bytes were sent of ${SIZE}`);
  assert.equal(file.reads.length, 1);
  // Nothing of it is held: with another file there, the next load has its way.
  file = new FlakyFile(BYTES);
  assertLoaded(await load());
});

test('what was loaded once loads offline, by any name', async () => {
  const context = page.context();
  const cors = { 'Access-Control-Allow-Origin': '*' };
  await context.route('https://huggingface.co/**', (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname.startsWith('/api/')) return route.fulfill({ headers: cors, json: { siblings: [{ rfilename: 'x-Q8_0.gguf' }] } });
    return route.fulfill({ headers: { ...cors, ETag: '"x"' }, body: BYTES, contentType: 'application/octet-stream' });
  });
  const config = (request, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  const shelf = await startServer({
    mock: true,
    headers: { 'Access-Control-Allow-Origin': '*' },
    routes: { '/plain/model.safetensors': file.route, '/plain/config.json': config },
  });
  const models = ['hf:o/r', `${shelf.url}plain/`];
  for (const model of models) assert.equal((await load({}, page, model)).code, undefined);
  await shelf.close();
  await context.unroute('https://huggingface.co/**');
  await context.route('https://huggingface.co/**', (route) => route.abort());
  for (const model of models) {
    const { code, message } = await load({}, page, model);
    assert.equal(code, undefined, `${model} without its server: ${message}`);
  }
});

test('what comes from the hub has the hash that the hub says', async () => {
  const cors = { 'Access-Control-Allow-Origin': '*' };
  const pointer = (hash) => `version https://git-lfs.github.com/spec/v1\noid sha256:${hash}\nsize ${SIZE}\n`;
  const [right, wrong] = [sha256(BYTES), sha256('another file')];
  const raw = { 'x.gguf': pointer(right), 'changed.gguf': pointer(wrong), 'no-pointer.gguf': 'GGUF' };
  const listed = { good: right, bad: wrong, none: undefined };
  const asked = []; // beside the files themselves
  await page.context().route('https://huggingface.co/**', (route) => {
    const { pathname } = new URL(route.request().url());
    if (!pathname.includes('/resolve/')) asked.push(pathname);
    const [, kind, name] = /^\/o\/\w+\/(raw|resolve)\/main\/(.+)$/.exec(pathname) ?? [];
    if (kind === 'resolve') return route.fulfill({ headers: cors, body: BYTES, contentType: 'application/octet-stream' });
    if (kind === 'raw' && raw[name]) return route.fulfill({ headers: cors, body: raw[name], contentType: 'text/plain' });
    const [, repo] = /^\/api\/models\/o\/(\w+)\/revision\/main$/.exec(pathname) ?? [];
    if (repo)
      return route.fulfill({
        headers: cors,
        json: { siblings: [{ rfilename: 'm.gguf', ...(listed[repo] && { lfs: { sha256: listed[repo], size: SIZE } }) }] },
      });
    return route.fulfill({ status: 404, headers: cors, body: 'no' });
  });
  const get = async (model, options = {}) => {
    asked.length = 0;
    return load(options, page, model);
  };
  const kept = async () => (await page.evaluate(() => Cresset.cache.list())).map(({ files: [{ sha256 }] }) => sha256);

  assertLoaded(await get('hf:o/r/x.gguf'));
  assert.deepEqual(asked, ['/o/r/raw/main/x.gguf']);
  assert.deepEqual(await kept(), [right]);
  assertLoaded(await get('hf:o/r/x.gguf'));
  assert.deepEqual(asked, [], 'what is kept was checked');
  for (const model of ['hf:o/r/changed.gguf', 'https://huggingface.co/o/r/resolve/main/changed.gguf', 'hf:o/bad']) {
    const { code, message } = await get(model);
    assert.equal(code, 'INTEGRITY', `${model}: ${message}`);
    assert.match(message, /but huggingface\.co says .*load it again/);
  }
  assert.deepEqual(asked, ['/api/models/o/bad/revision/main'], 'the list has it: nothing more is asked');
  assertLoaded(await get('hf:o/good'));
  assert.deepEqual(asked, ['/api/models/o/good/revision/main']);

  // Where it does not say, as ever; what the caller demands comes first; where nothing is kept, ranges are read.
  for (const model of ['hf:o/none', 'hf:o/r/no-pointer.gguf', 'hf:o/r/missing.gguf']) assertLoaded(await get(model));
  assert.equal((await get('hf:o/s/x.gguf', { integrity: `sha256-${wrong}` })).code, 'INTEGRITY');
  assert.deepEqual(asked, []);
  assertLoaded(await get('hf:o/t/changed.gguf', { cache: false }));
});

test('measure tells what a load would download, from sizes alone', async () => {
  const measured = await page.evaluate(async () => {
    const outcome = (promise) => promise.catch(({ code }) => code);
    return [
      await Cresset.measure('/m.gguf'),
      await Cresset.measure('default'),
      await outcome(Cresset.measure('/files/none.gguf')),
      await Cresset.measure(new Blob([new Uint8Array(10)])),
    ];
  });
  assert.deepEqual([measured[0].bytes, measured[0].kept], [SIZE, 0]);
  assert.ok(measured[0].engineBytes === null || measured[0].engineBytes > 0);
  assert.equal(measured[1].bytes, 2_097_156);
  assert.equal(measured[2], 'MODEL_NOT_FOUND');
  assert.deepEqual([measured[3].bytes, measured[3].kept], [0, 10]);
  assert.deepEqual(file.reads, [], 'nothing of the model travels');
  Object.assign(file, { route: signedForGet(file) });
  assert.equal((await page.evaluate(() => Cresset.measure('/m.gguf'))).bytes, SIZE);
  assert.ok(file.sent <= 1, 'one byte at most');
});

/** As addresses that are signed for one method refuse others. */
function signedForGet(file) {
  const { route } = file;
  return (request, response) => (request.method === 'HEAD' ? response.writeHead(403).end() : route(request, response));
}

test('a large file passes through little memory', async (t) => {
  const size = 192 * MIB;
  const piece = Buffer.alloc(4 * MIB, 7);
  file.route = (request, response) => {
    const [, from = 0, to = size - 1] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')?.map(Number) ?? [];
    response.writeHead(request.headers.range ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': to - from + 1,
      ETag: '"big"',
      ...(request.headers.range && { 'Content-Range': `bytes ${from}-${to}/${size}` }),
    });
    if (request.method === 'HEAD') return response.end();
    let at = from;
    const send = () => {
      while (at <= to) {
        const bytes = Buffer.from(piece.subarray(0, Math.min(piece.length, to - at + 1)));
        if (at === 0) bytes.write('GGUF \0');
        at += bytes.length;
        if (!response.write(bytes)) return response.once('drain', send);
      }
      response.end();
    };
    send();
  };
  const peaks = {};
  for (const [how, options] of [
    ['kept', {}],
    ['from the cache', {}],
    ['not kept', { cache: false }],
  ]) {
    const session = await workerMemory(page);
    const result = await load(options);
    peaks[how] = await session.peak();
    assert.equal(result.bytes, size, result.message);
  }
  t.diagnostic(
    Object.entries(peaks)
      .map(([how, bytes]) => `${how}: ${Math.round(bytes / MIB)} MiB`)
      .join(', '),
  );
  for (const [how, bytes] of Object.entries(peaks)) assert.ok(bytes > 0 && bytes < 100 * MIB, `${how}: ${Math.round(bytes / MIB)} MiB`);
});

/**
 * The most memory of JavaScript, buffers included, that the page's next worker holds at any time. What it has let go of is
 * collected before each look: when the browser does that by itself is not ours to say.
 */
async function workerMemory(page) {
  const devtools = await page.context().newCDPSession(page);
  let peak = 0;
  let open = true;
  await devtools.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  devtools.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { result } = JSON.parse(message);
    if (result?.usedSize) peak = Math.max(peak, result.usedSize + (result.backingStorageSize ?? 0) + (result.embedderHeapUsedSize ?? 0));
  });
  devtools.on('Target.attachedToTarget', async ({ sessionId }) => {
    const ask = (id, method) => devtools.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    for (let id = 1; open; id += 2) {
      await Promise.all([ask(id, 'HeapProfiler.collectGarbage'), ask(id + 1, 'Runtime.getHeapUsage')]).catch(() => {
        open = false;
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  return {
    async peak() {
      open = false;
      await devtools.detach();
      return peak;
    },
  };
}

function frame(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><html lang="en"><title>frame</title>
    <iframe sandbox="allow-scripts" srcdoc="<script>window.ready = true</script>"></iframe></html>`);
}
