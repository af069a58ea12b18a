// Sound that goes on, in Chromium with its fake microphone and the mock engine, under a strict policy: the worklet listens, what is said is
// read while it is said, and settled; who ends the tracks keeps all of it, who aborts keeps what was settled.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { STRICT_CSP, exposeLibrary, newPage, startServer } from './harness.mjs';
import { startBrowserThatHears } from './sound.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowserThatHears([
    [0.5, 0],
    [3, 0.5],
    [1.5, 0],
    [1.5, 0.5],
    [60, 0],
  ]);
  server = await startServer({ mock: true, headers: { 'Content-Security-Policy': STRICT_CSP } });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('a microphone is written down while it is heard: settled text only grows, and what is open may change', async (t) => {
  page = await newPage(browser);
  t.after(() => page.context().close());
  await page.goto(`${server.url}blank.html`);
  await exposeLibrary(page);
  const { events, whole, readings } = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/hears.gguf');
    const file = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    const events = [];
    let passages = 0;
    for await (const event of await engine.audio.transcriptions.create({ file, stream: true, language: 'en', prompt: 'Harbours.' })) {
      events.push(event);
      if (event.type === 'transcript.text.delta') passages += 1;
      if (passages === 2) file.getTracks().forEach((track) => track.stop());
    }
    const { last_request } = await engine.stats();
    return { events, whole: events.at(-1), readings: last_request };
  });
  assert.deepEqual([...new Set(events.map(({ type }) => type))].sort(), ['transcript.text.delta', 'transcript.text.done', 'transcript.text.partial']);
  assert.equal(whole.type, 'transcript.text.done');
  assert.equal(
    whole.text,
    events
      .map(({ delta = '' }) => delta)
      .join('')
      .trim(),
  );
  assert.match(whole.text, /^there was [a-z ]*\. there was[a-z .]*\.$/);
  assert.ok(whole.usage.seconds >= 6, `${whole.usage.seconds} s`);
  const opened = events.filter(({ type }) => type === 'transcript.text.partial').map(({ text }) => text);
  assert.match(opened[0], /^there was/);
  assert.ok(opened.length >= 4 && opened.at(-1) === '', opened.join('\n'));
  assert.deepEqual([readings.prompt, readings.language], ['Harbours.', 'en']);
  assert.ok(readings.seconds < 4, 'the silence between is not read');
  assert.deepEqual(page.problems, []);
});

test('aborting ends a live transcript at once; a stream without sound, or one that is not streamed, is refused', async (t) => {
  page = await newPage(browser);
  t.after(() => page.context().close());
  await page.goto(`${server.url}blank.html`);
  await exposeLibrary(page);
  const { codes, live, ended } = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/hears.gguf');
    const { create } = engine.audio.transcriptions;
    const file = await navigator.mediaDevices.getUserMedia({ audio: true });
    const refused = await Promise.all([outcome(create({ file })), outcome(create({ file: new MediaStream(), stream: true }))]);
    const controller = new AbortController();
    const stream = await create({ file, stream: true }, { signal: controller.signal });
    controller.abort();
    const ended = await outcome(stream[Symbol.asyncIterator]().next());
    const already = await outcome(create({ file, stream: true, signal: AbortSignal.abort() }));
    for await (const _ of await create({ file, stream: true })) break;
    return { codes: refused.map(({ message }) => message), live: file.getTracks().map(({ readyState }) => readyState), ended: [ended.code, already.code] };
  });
  assert.match(codes[0], /^stream: must be true/);
  assert.match(codes[1], /^file: the MediaStream has no sound track/);
  assert.deepEqual(ended, ['ABORTED', 'ABORTED']);
  assert.deepEqual(live, ['live'], 'the microphone is the page’s');
  assert.deepEqual(page.problems, []);
});
