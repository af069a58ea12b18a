// The models view as a visitor uses it, on the mock engine: verdicts, downloads with pause and resume, storage, files, and
// everything that can go wrong with a model, in words that say what to do.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlakyFile, modelBytes } from './flaky.mjs';
import { gguf, newPage, startBrowser, startServer } from './harness.mjs';
import { drop, dropFiles, ready, toasted, toasts, visit } from './visitor.mjs';

let browser, server, page;
let flaky; // a file that behaves as badly as a test says

const HUB = 'https://huggingface.co/**';
const CORS = { 'Access-Control-Allow-Origin': '*' };

before(async () => {
  browser = await startBrowser();
  server = await startServer({
    mock: true,
    bundled: '',
    routes: {
      '/files/trickle.gguf': trickle,
      '/files/large.gguf': large,
      '/files/large2.gguf': large,
      '/files/flaky.gguf': (...call) => flaky.route(...call),
      '/files/refused.gguf': (request, response) => response.writeHead(403).end(),
    },
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  await page?.context().close();
  page = null;
});

/** A file of 8 MB that comes slowly, from wherever it is asked for; who looks at a part of it has that at once. */
function trickle(request, response) {
  const bytes = gguf('chat', 8_000_000);
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const end = Number(/-(\d+)$/.exec(request.headers.range ?? '')?.[1] ?? bytes.length - 1);
  response.writeHead(request.headers.range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': Math.min(end, bytes.length - 1) - start + 1,
    ETag: '"trickle"',
    ...(request.headers.range ? { 'Content-Range': `bytes ${start}-${Math.min(end, bytes.length - 1)}/${bytes.length}` } : {}),
  });
  if (/-\d+$/.test(request.headers.range ?? '')) return response.end(bytes.subarray(start, end + 1));
  let at = start;
  const timer = setInterval(() => {
    const next = Math.min(at + 250_000, end + 1, bytes.length);
    response.write(bytes.subarray(at, next));
    at = next;
    if (at > end || at >= bytes.length) {
      clearInterval(timer);
      response.end();
    }
  }, 60);
  return response.on('close', () => clearInterval(timer));
}

/** A file of 101 MB. */
function large(request, response) {
  const [size, piece] = [101_000_000, Buffer.alloc(1_000_000)];
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const end = Math.min(Number(/-(\d+)$/.exec(request.headers.range ?? '')?.[1] ?? size - 1), size - 1);
  response.writeHead(request.headers.range ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start + 1,
    ...(request.headers.range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
  });
  const head = start === 0 ? gguf('chat') : Buffer.alloc(0);
  response.write(head.subarray(0, end - start + 1));
  for (let left = end - start + 1 - head.length; left > 0; left -= piece.length) response.write(piece.subarray(0, left));
  response.end();
}

const open = async (options) => {
  page = await visit(browser, server, 'models', options);
  await page.waitForFunction(() => document.getElementById('catalogue-measure')?.textContent.includes('estimates'));
};

/** The models view of a visitor who came to it in the middle of a sentence. */
const openTyping = async () => {
  page = await visit(browser, server, 'chat');
  await page.fill('#message', 'Half a thou');
  await page.click('.views [data-view=models]');
  await page.waitForFunction(() => document.getElementById('catalogue-measure')?.textContent.includes('estimates'));
};

/** Nothing typed is lost: it is in its field, and goes on there. */
const stillTyped = async () => {
  await page.click('.views [data-view=chat]');
  assert.equal(await page.inputValue('#message'), 'Half a thou');
  await page.fill('#message', 'Half a thought');
  assert.equal(await page.inputValue('#message'), 'Half a thought');
};

const look = async (address) => {
  await page.fill('#address', address);
  await page.press('#address', 'Enter');
};

/** What the page says about a model that did not come. */
const problem = async () => {
  await page.waitForSelector('#notices .problem');
  return page.textContent('#notices .problem');
};

test('every row has its verdict before anything is downloaded, and no other host was asked', async () => {
  await open();
  const rows = await page.locator('#catalogue .model').evaluateAll((all) => all.map((node) => node.textContent));
  assert.ok(rows.length >= 20);
  for (const row of rows) assert.match(row, /(Fits|May be tight|Slow here|Does not fit).*[MG]B on the device.*tokens\/s here.*Get · [\d.]+ [MG]B/s);
  assert.deepEqual(
    page.addresses.filter((address) => !address.startsWith(server.url) && !address.startsWith(`blob:${server.url}`)),
    [],
  );
  assert.match(await page.textContent('#in-use'), /Ember.*Graphics adapter \(WebGPU\).*Mock adapter.*1,024 tokens.*Weights/s);
});

test('the catalogue is narrowed by task, size and maker', async () => {
  await open();
  const count = () => page.locator('#catalogue .model').count();
  const all = await count();
  await page.selectOption('#filter-task', 'code');
  const code = await count();
  assert.ok(code > 0 && code < all);
  await page.selectOption('#filter-maker', 'Microsoft');
  assert.equal(await count(), 1);
  await page.selectOption('#filter-size', 'small');
  assert.equal(await count(), 0);
  assert.ok(await page.isVisible('#catalogue-none'));
});

test('on the processor, what is too large is not offered', async () => {
  page = await visit(browser, server, 'write');
  await page.click('#settings-button');
  await page.selectOption('#setting-device', 'cpu');
  await ready(page);
  await page.goto(`${server.url}#/models`);
  await page.waitForFunction(() => document.getElementById('catalogue-measure')?.textContent.includes('estimates'));
  assert.match(await page.textContent('#in-use'), /Processor \(WebAssembly\).*made of paper/s);
  const row = page.locator('#catalogue .model', { hasText: 'Qwen3 8B' });
  assert.match(await row.textContent(), /Does not fit.*a page has about 3\.2 GB/);
  assert.ok(await row.locator('button').isDisabled());
  // And the choice is remembered.
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue('#setting-device'), 'cpu');
});

test('a row of the catalogue is looked at, downloaded, verified, used, kept and removed', async () => {
  await open();
  const asked = [];
  await page.context().route(HUB, (route) => {
    asked.push(route.request().url());
    return route.fulfill({ headers: CORS, body: gguf('chat'), contentType: 'application/octet-stream' });
  });
  const row = page.locator('#catalogue .model', { hasText: 'SmolLM2 135M' });
  await row.locator('button').click();
  // The mock's bytes are not those of the catalogue: that is noticed, and said.
  assert.match(await problem(), /SmolLM2 135M: The file is not the one that was expected.*SHA-256.*Delete and download again/s);
  assert.ok(
    asked.every((url) => url.startsWith('https://huggingface.co/bartowski/SmolLM2-135M-Instruct-GGUF/resolve/09816acd')),
    asked.join(),
  );
  assert.equal(await page.textContent('#model-name'), 'Ember');
  await page.click('#notices button:has-text("Dismiss")');
  await look(`${server.url}files/chat.gguf`);
  await page.waitForSelector('#fit .verdict');
  assert.match(await page.textContent('#fit'), /chat\.gguf.*llama · 2\.8M.*Fits.*MB on the device.*about 140 tokens\/s here.*Get · 4\.1 kB/s);
  await page.click('#fit .primary');
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'chat.gguf');
  await ready(page);
  const kept = page.locator('#stored .model', { hasText: 'chat.gguf' });
  await kept.waitFor();
  assert.match(await kept.textContent(), /In use/);
  assert.match(await page.textContent('#usage'), /Models take .* the browser leaves room for/);
  // It comes back on the next visit without a network.
  await page.reload();
  await ready(page);
  assert.equal(await page.textContent('#model-name'), 'chat.gguf');
  // It is asked first, and can be taken back; a press on the wrong button costs no download.
  const stored = () => page.evaluate(async () => (await (await import('/cresset.js')).Cresset.cache.list()).length);
  await kept.locator('button[aria-label^="Remove"]').click();
  await kept.locator('button:has-text("Keep")').click();
  await kept.locator('button[aria-label^="Remove"]').click();
  await kept.locator('button:has-text("Delete")').click();
  await kept.waitFor({ state: 'detached' });
  assert.equal(await stored(), 2);
  await page.click('.toast:has-text("chat.gguf was deleted") button:has-text("Undo")');
  await kept.waitFor();
  await kept.locator('button[aria-label^="Remove"]').click();
  await kept.locator('button:has-text("Delete")').click();
  await page.waitForFunction(async () => (await (await import('/cresset.js')).Cresset.cache.list()).length === 1, null, { polling: 500 });
});

test('a download from the catalogue shows how far it is, and pauses, in its row', async () => {
  await open();
  await page
    .context()
    .route(HUB, (route) =>
      route.request().headers().range
        ? route.fulfill({ status: 206, headers: { ...CORS, 'Content-Range': 'bytes 0-3/386404992', 'Access-Control-Expose-Headers': '*' }, body: 'GGUF' })
        : new Promise(() => {}),
    );
  const row = page.locator('#catalogue .model', { hasText: 'SmolLM2 360M' });
  await row.locator('button.get').click();
  await row.locator('progress').waitFor();
  assert.match(await row.textContent(), /Looking at|Downloading/);
  await row.locator('button:has-text("Cancel"), button:has-text("Pause")').first().click();
  await row.locator('button.get').waitFor();
  page.problems = [];
});

test('a download shows its speed and the time left, is paused, goes on, and is given up', async () => {
  await open();
  await look(`${server.url}files/trickle.gguf`);
  await page.click('#fit .primary');
  const line = page.locator('#transfers .numbers');
  await page.waitForFunction(() => /of 8 MB · .*\/s · .* left/.test(document.querySelector('#transfers .numbers')?.textContent ?? ''));
  assert.match(await page.textContent('#model-progress'), /^\d+%$/);
  // The model that was there can be used meanwhile.
  assert.equal(await page.getAttribute('html', 'data-state'), 'ready');
  await page.click('#transfers button:has-text("Pause")');
  await page.waitForFunction(() => document.querySelector('#transfers .numbers').textContent.startsWith('Paused'));
  assert.ok(await page.isHidden('#progress'));
  // A closed tab remembers it too.
  await page.reload();
  await ready(page);
  await page.waitForSelector('#transfers .model');
  assert.match(await line.textContent(), /^Paused · .* of 8 MB$/);
  await page.click('#transfers button:has-text("Resume")');
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'trickle.gguf');
  await ready(page);
  await page.waitForSelector('#transfers-section', { state: 'hidden' });
  await look(`${server.url}files/trickle.gguf?again`);
  await page.click('#fit .primary');
  // Enough is here to be listed among what an earlier visit left unfinished: what is given up must not come back from there.
  await page.waitForFunction(() => /^[2-7](\.\d+)? MB of 8 MB/.test(document.querySelector('#transfers .numbers')?.textContent ?? ''));
  await page.click('#transfers button[aria-label^="Remove"]');
  await page.click('#transfers button:has-text("Delete")');
  await page.waitForSelector('#transfers-section', { state: 'hidden' });
  assert.equal(await page.textContent('#model-name'), 'trickle.gguf');
});

test('after a large download the browser is asked to keep it, once', async () => {
  await open();
  await page.evaluate(() => {
    window.asked = 0;
    navigator.storage.persisted = async () => false;
    navigator.storage.persist = async () => (window.asked += 1) > 0;
  });
  await drop(page, 'small.gguf', '');
  assert.equal(await page.evaluate(() => window.asked), 0);
  for (const name of ['large.gguf', 'large2.gguf']) {
    await look(`${server.url}files/${name}`);
    await page.click('#fit .primary');
    await page.waitForFunction((name) => document.getElementById('model-name').textContent === name, name);
    await ready(page);
  }
  assert.equal(await page.evaluate(() => window.asked), 1);
});

test('the visitor can ask the browser to keep models, and is told what it answered', async () => {
  await open();
  await page.evaluate(() => {
    window.asked = 0;
    window.kept = false;
    navigator.storage.persisted = async () => window.kept;
    navigator.storage.persist = async () => {
      window.asked += 1;
      window.kept = window.asked > 1; // a browser that changes its mind
      return window.kept;
    };
  });
  await look(`${server.url}files/chat.gguf`);
  await page.click('#fit .primary');
  await page.locator('#stored .model', { hasText: 'chat.gguf' }).waitFor();
  assert.equal(await page.textContent('#kept'), 'The browser may delete them when the disk runs short.');
  await page.click('#keep:has-text("Ask it to keep them")');
  await toasted(page, 'does not promise to keep your models');
  assert.ok(await page.isVisible('#keep'), 'and can be asked again');
  await page.click('#keep');
  await toasted(page, 'will keep your models until you delete them');
  await page.waitForSelector('#keep', { state: 'hidden' });
  assert.equal(await page.textContent('#kept'), 'The browser promised to keep them.');
  assert.equal(await page.evaluate(() => window.asked), 2);
});

test('files and folders are read where they are dropped', async () => {
  await open();
  await page.dispatchEvent('body', 'dragenter', {
    dataTransfer: await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['x'], 'x.gguf'));
      return transfer;
    }),
  });
  assert.ok(await page.isVisible('#drop'));
  await dropFiles(page, [
    { name: 'config.json', bytes: Buffer.from('{}') },
    { name: 'model.safetensors', bytes: gguf('') },
  ]);
  assert.ok(await page.isHidden('#drop'));
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'model.safetensors');
  await ready(page);
  await page.setInputFiles('#file', { name: 'mine.gguf', mimeType: 'application/octet-stream', buffer: gguf('') });
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'mine.gguf');
  await ready(page);
  await page.reload();
  await ready(page);
  assert.equal(await page.textContent('#model-name'), 'Ember', 'a file is not kept');
});

// What goes wrong → what the page says about it. The model that was there stays, and so do words.
const BAD = {
  'a name that is not there': ['files/nowhere.gguf', /There is no such file.*Check the address.*MODEL_NOT_FOUND/s],
  'a web page instead of a file': ['files/page.gguf', /damaged, or it is no model.*MODEL_FORMAT/s],
  'a file that is no model': ['files/broken.gguf', /damaged, or it is no model.*MODEL_FORMAT/s],
  'a server that refuses': ['files/refused.gguf', /The server refuses access.*Download the file there and drop it here.*DOWNLOAD/s],
  'a name that is no name': ['hf:nonsense', /That cannot be asked.*INVALID_REQUEST/s],
};

test('what is no model is explained before anything is downloaded, and nothing typed is lost', async () => {
  await openTyping();
  for (const [what, [address, words]] of Object.entries(BAD)) {
    await page.evaluate(() => document.getElementById('fit').replaceChildren());
    await look(address.startsWith('hf:') ? address : `${server.url}${address}`);
    await page.waitForSelector('#fit .problem');
    assert.match(await page.textContent('#fit .problem'), words, what);
    assert.equal(await page.textContent('#model-name'), 'Ember', what);
  }
  await stillTyped();
});

test('a model too large is refused with the reason, and nothing of it is downloaded', async () => {
  await openTyping();
  await look(`${server.url}files/oom.gguf`);
  await page.waitForSelector('#fit .verdict');
  assert.match(await page.textContent('#fit'), /Does not fit.*It needs 90 GB of memory/s);
  assert.equal(await page.locator('#fit button').count(), 0);
  await look(`${server.url}files/foreign.gguf`);
  await page.waitForFunction(() =>
    /^Does not run here.*It is of a kind that does not run here yet/s.test(document.querySelector('#fit .verdict')?.textContent ?? ''),
  );
  await dropFiles(page, [{ name: 'huge.gguf', bytes: gguf('oom') }]);
  assert.match(await problem(), /huge\.gguf: The model is too large for this device.*Q4 instead of Q8.*OUT_OF_MEMORY/s);
  assert.equal(await page.textContent('#model-name'), 'Ember');
  await stillTyped();
});

test('in Chinese the page says why in its own words, the engine’s are among the details', async () => {
  page = await visit(browser, server, 'models', { locale: 'zh-CN' });
  await page.click('#settings-button');
  await page.selectOption('#setting-device', 'cpu');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#in-use .problem-detail', { state: 'attached' });
  await look(`${server.url}files/oom.gguf`);
  await page.waitForSelector('#fit .verdict');
  assert.match(await page.textContent('#fit .verdict'), /最多约有 3\.2 GB/);
  for (const [place, said] of [
    ['#in-use', 'The adapter is made of paper.'],
    ['#fit', 'It needs 90 GB of memory.'],
  ]) {
    const seen = await page.innerText(place);
    assert.doesNotMatch(seen, /[a-z]{3,} [a-z]{2,} [a-z]{2,}/, place);
    await page.click(`${place} summary`);
    const reason = page.locator(`${place} [lang=en]`);
    assert.ok(await reason.isVisible());
    assert.equal(await reason.textContent(), said);
  }
  await look(`${server.url}files/foreign.gguf`);
  await page.waitForFunction(() => document.querySelector('#fit .verdict strong')?.textContent === '无法在此运行');
});

test('messages of other scripts on the page’s channel show nothing and break nothing', async () => {
  await open();
  await page.evaluate(() => {
    const tab = new BroadcastChannel('cresset-transfers');
    const news = { model: 'm', label: 'l', loaded: 1, total: 2 };
    const odd = [{ loaded: -1 }, { total: 'x' }, { label: {} }, { model: ['m'] }, { model: 'x'.repeat(3000) }, { loaded: 2 ** 60 }, { integrity: 7 }];
    for (const message of [null, 0, 'x', {}, { id: 7, transfer: news }, { id: 'a' }, ...odd.map((change) => ({ id: 'b', transfer: { ...news, ...change } }))])
      tab.postMessage(message);
    for (let i = 0; i < 200; i += 1) {
      // Each holds its lock, so that none is over.
      navigator.locks.request(`cresset-transfer tab ${i}`, () => new Promise(() => {}));
      tab.postMessage({ id: `tab ${i}`, transfer: { ...news, model: `m${i}`, label: `m${i}` } });
    }
  });
  await page.waitForFunction(() => document.querySelectorAll('#transfers .model').length > 0);
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#transfers .model').count(), 32);
  assert.deepEqual(page.problems, []);
});

test('a measure that failed is said, and made again when that is asked for', async () => {
  page = await newPage(browser);
  await page.context().route('**/cresset_engine.js', (route) => route.abort());
  await page.goto(`${server.url}#/models`);
  await page.waitForFunction(() => /could not be measured/.test(document.getElementById('catalogue-measure')?.textContent ?? ''));
  assert.match(await page.textContent('#catalogue .verdict'), /^Fits.*on the device$/);
  await page.context().unroute('**/cresset_engine.js');
  await page.click('#measure:has-text("Measure again")');
  await page.waitForFunction(() => /estimates for this device/.test(document.getElementById('catalogue-measure').textContent));
  assert.ok(await page.isHidden('#measure'));
  assert.match(await page.textContent('#catalogue .verdict'), /tokens\/s here$/);
});

/** Another tab of the same visitor, on the models view. */
async function nextTab() {
  const tab = await page.context().newPage();
  await tab.goto(`${server.url}#/models`);
  await ready(tab);
  await tab.waitForSelector('#catalogue .model');
  return tab;
}

const line = (tab, words) => tab.waitForFunction((words) => new RegExp(words).test(document.querySelector('#transfers .numbers')?.textContent ?? ''), words);
const loaded = async (tab, name) => {
  await tab.waitForFunction((name) => document.getElementById('model-name').textContent === name, name);
  await ready(tab);
};

test('two tabs get the same model: one downloads, both show it, both have it at the end', async () => {
  flaky = Object.assign(new FlakyFile(modelBytes(3 << 20, 'chat')), { delayMs: 100, peekDelayMs: 0 });
  await open();
  const other = await nextTab();
  await look(`${server.url}files/flaky.gguf`);
  await page.click('#fit .primary');
  await line(page, ' of 3\\.1 MB');
  // The other tab sees what goes on before it asks for anything.
  await line(other, '^Another tab downloads it · .* of 3\\.1 MB');
  assert.equal(await other.locator('#transfers button').count(), 1);
  await other.click('#transfers button:has-text("Load it here too")');
  await line(other, '^[\\d.]+ [kM]B of 3\\.1 MB');
  flaky.delayMs = 0;
  await Promise.all([loaded(page, 'flaky.gguf'), loaded(other, 'flaky.gguf')]);
  assert.equal(flaky.reads.filter(({ range }) => !/^bytes=\d+-\d+$/.test(range ?? '')).length, 1, JSON.stringify(flaky.reads));
  for (const tab of [page, other]) {
    await tab.waitForSelector('#transfers-section', { state: 'hidden' });
    await tab.locator('#stored .model', { hasText: 'flaky.gguf' }).waitFor();
  }
});

test('when the tab that downloads is closed, the other one goes on; one that only looks on has it to resume', async () => {
  flaky = Object.assign(new FlakyFile(modelBytes(3 << 20, 'chat')), { delayMs: 100, peekDelayMs: 0 });
  await open();
  const [waiting, looking] = [await nextTab(), await nextTab()];
  await look(`${server.url}files/flaky.gguf`);
  await page.click('#fit .primary');
  await line(page, '^1\\.[\\d]+ MB of 3\\.1 MB');
  await line(looking, '^Another tab downloads it');
  await waiting.click('#transfers button:has-text("Load it here too")');
  await line(waiting, '^[\\d.]+ [kM]B of 3\\.1 MB');
  await page.close();
  page = waiting;
  flaky.delayMs = 60;
  await line(looking, '^Another tab downloads it · 2(\\.\\d)? MB of');
  await loaded(waiting, 'flaky.gguf');
  // What it looked on at is kept now.
  await looking.waitForSelector('#transfers-section', { state: 'hidden' });
  await looking.locator('#stored .model', { hasText: 'flaky.gguf' }).waitFor();
  const whole = flaky.reads.filter(({ range }) => !/^bytes=\d+-\d+$/.test(range ?? ''));
  assert.ok(whole.length === 2 && whole[1].from >= 1 << 20, JSON.stringify(flaky.reads));
});

test('a damaged file leaves the model that was there', async () => {
  await openTyping();
  await dropFiles(page, [{ name: 'damaged.gguf', bytes: Buffer.from('nonsense') }]);
  assert.match(await problem(), /damaged\.gguf: This file is damaged/);
  assert.equal(await page.textContent('#model-name'), 'Ember');
  await stillTyped();
  await page.goto(`${server.url}#/write`);
  await page.click('#starters .chip');
  await page.waitForSelector('#ink .by-model');
});

/** Loads the flaky file, and waits until it is in use. */
const loadFlaky = async () => {
  await look(`${server.url}files/flaky.gguf`);
  await page.click('#fit .primary');
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'flaky.gguf');
  await ready(page);
};

test('a kept file that was damaged is called so, and is mended when that can be done', async () => {
  flaky = new FlakyFile(modelBytes(3_000_000, 'chat'));
  await open();
  await loadFlaky();
  await page.evaluate(async () => {
    const spoil = async (folder) => {
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === 'directory') await spoil(handle);
        else if (name.endsWith('.bin') && (await handle.getFile()).size === 3_000_000) {
          const writer = await handle.createWritable({ keepExistingData: true });
          await writer.write({ type: 'write', position: 1_500_000, data: Uint8Array.of(1, 2, 3, 4) });
          await writer.close();
        }
      }
    };
    await spoil(await navigator.storage.getDirectory());
  });
  flaky.statuses = Array(12).fill(503);
  await page.reload();
  assert.match(await problem(), /flaky\.gguf: The copy kept on this device is damaged.*was not loaded.*when the connection works.*STORAGE.*Try again/s);
  assert.doesNotMatch(await page.textContent('#notices'), /full|private/);
  flaky.statuses = [];
  flaky.asked = [];
  await page.click('#notices button:has-text("Try again")');
  await ready(page);
  assert.deepEqual(
    flaky.reads.map(({ range }) => range),
    ['bytes=1048576-2097151'],
  );
});

test('a chosen file that has changed since is to be chosen again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cresset-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'mine.gguf'), gguf(''));
  await open();
  await page.setInputFiles('#file', join(folder, 'mine.gguf'));
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'mine.gguf');
  await ready(page);
  writeFileSync(join(folder, 'mine.gguf'), gguf('chat', 100));
  await page.click('#settings-button');
  await page.selectOption('#setting-device', 'cpu');
  assert.match(await problem(), /mine\.gguf: The file is no longer what you chose.*Choose it again.*STORAGE/s);
  assert.equal(await page.locator('#notices button:has-text("Try again")').count(), 0);
});

test('offline is called offline, and what is kept still works', async () => {
  await openTyping();
  await page.context().setOffline(true);
  await look(`${server.url}files/chat.gguf`);
  await page.waitForSelector('#fit .problem');
  assert.match(await page.textContent('#fit .problem'), /You are offline.*Models kept on this device work/s);
  await toasted(page, 'You are offline');
  await page.locator('#stored .model', { hasText: 'Ember' }).waitFor();
  await stillTyped();
});

test('a bundled model that is missing leaves the page alive', async (t) => {
  const empty = await startServer({ mock: true, routes: { '/models/ember.gguf': (request, response) => response.writeHead(404).end() } });
  t.after(() => empty.close());
  page = await (await browser.newContext()).newPage();
  await page.goto(`${empty.url}#/write`);
  assert.match(await problem(), /Ember: There is no such file/);
  assert.equal(await page.getAttribute('html', 'data-state'), 'empty');
  await dropFiles(page, [{ name: 'mine.gguf', bytes: gguf('') }]);
  await ready(page);
  assert.equal(await page.textContent('#model-name'), 'mine.gguf');
});

test('without room on the device models load all the same', async () => {
  await open();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 10_000 });
  await page.context().route('**/files/roomy.gguf', (route) => route.fulfill({ body: gguf('chat', 2_000_000), contentType: 'application/octet-stream' }));
  await look(`${server.url}files/roomy.gguf`);
  await page.click('#fit .primary');
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'roomy.gguf');
  await ready(page);
  assert.ok(!(await page.textContent('#stored')).includes('roomy'));
  const said = (await toasts(page)).filter((text) => !/is ready/.test(text));
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0], /^roomy\.gguf is not kept: this device has no room for it.*downloaded again next time.*Delete models/);
});

test('in a private window models load all the same, and it is said once that they are not kept', async () => {
  const worker = readFileSync(new URL('../../www/worker/worker.js', import.meta.url), 'utf8');
  const blocked = "StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('blocked', 'SecurityError'));\n";
  page = await newPage(browser);
  await page.context().route('**/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: blocked + worker }));
  await page.goto(`${server.url}#/models`);
  await ready(page);
  const said = await toasts(page);
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0], /^Ember is not kept: this browser stores no files for this page, as in a private window.*downloaded again next time/);
  assert.equal(await page.locator('#notices .problem').count(), 0);
  assert.ok(await page.isVisible('#stored-none'));
});

test('a connection that breaks is tried again, and that is what is said', async () => {
  // Behind what is read of a file to look at it.
  flaky = Object.assign(new FlakyFile(modelBytes(6_000_000, 'chat')), { cutAfter: 2_300_000, cuts: 2 });
  await open();
  await loadFlaky();
  assert.equal(flaky.cuts, 0);
  assert.deepEqual(
    (await toasts(page)).filter((text) => !/is ready/.test(text)),
    ['The connection broke. Trying again…'],
  );
});

test('a download without a network waits for it, and says so', async () => {
  flaky = Object.assign(new FlakyFile(modelBytes(4_000_000, 'chat')), { delayMs: 20 });
  await open();
  await look(`${server.url}files/flaky.gguf`);
  await page.click('#fit .primary');
  const line = (text) => page.waitForFunction((text) => document.querySelector('#transfers .numbers')?.textContent.includes(text), text);
  await line('of 4 MB');
  await page.context().setOffline(true);
  Object.assign(flaky, { stallAfter: 0, delayMs: 0 });
  await line('No connection: the download goes on when you are online again. · ');
  Object.assign(flaky, { stallAfter: Infinity });
  await page.context().setOffline(false);
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'flaky.gguf');
  await ready(page);
  const said = await toasts(page);
  assert.ok(said.includes('No connection: the download goes on when you are online again.'), said.join());
  assert.doesNotMatch(said.join(), /go on;/);
});

test('a download that failed is there to go on with, one of which nothing came is not', async () => {
  flaky = new FlakyFile(modelBytes(6_000_000, 'chat'));
  const { route } = flaky;
  // Who looks at the beginning has it; who asks for the rest does not.
  flaky.route = (request, response) => {
    if (!/-\d+$/.test(request.headers.range ?? '') && flaky.cuts === 0) flaky.statuses = [403];
    return route(request, response);
  };
  await open();
  const get = async () => {
    await look(`${server.url}files/flaky.gguf`);
    await page.click('#fit .primary');
    assert.match(await problem(), /flaky\.gguf: .*DOWNLOAD/s);
    await page.click('#notices button:has-text("Dismiss")');
  };
  flaky.cuts = 0;
  await get();
  await page.waitForSelector('#transfers-section', { state: 'hidden' });
  Object.assign(flaky, { cutAfter: 2_300_000, cuts: 1 });
  await get();
  // A slow browser may lose the last of what was sent before the connection went.
  const kept = await page.textContent('#transfers .numbers');
  assert.match(kept, /^Broken off · [12]\.\d MB of 6 MB$/);
  await page.reload();
  await ready(page);
  await page.waitForSelector('#transfers .model');
  assert.equal(await page.textContent('#transfers .numbers'), kept);
  Object.assign(flaky, { route, statuses: [] });
  await page.click('#transfers button:has-text("Resume")');
  await page.waitForFunction(() => document.getElementById('model-name').textContent === 'flaky.gguf');
  await page.waitForSelector('#transfers-section', { state: 'hidden' });
});
