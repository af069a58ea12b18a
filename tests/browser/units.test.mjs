// Parts of the page and of the library that need no browser.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { tokenizer } from 'acorn';
import { withoutComments } from '../../tools/copy.mjs';
import { recommended } from '../../www/files/recommended.js';
import { parseIntegrity } from '../../www/files/open.js';
import { Pace, describeProgress, describeReading, formatBytes } from '../../www/lib/progress.js';
import { KNOWN } from '../../www/lib/fields.js';
import { encodeRequest } from '../../www/lib/requests.js';
import { Sha256 } from '../../www/files/sha256.js';
import { bestAdapter, bestFile, bestProjector, models, parse, parseAdapter, resolve } from '../../www/files/sources.js';
import sharedEnglish from '../../www/chat/locales/en.js';
import sharedChinese from '../../www/chat/locales/zh-CN.js';
import widgetEnglish from '../../www/widget/locales/en.js';
import widgetChinese from '../../www/widget/locales/zh-CN.js';
import voiceEnglish from '../../www/widget/locales/voice/en.js';
import voiceChinese from '../../www/widget/locales/voice/zh-CN.js';
import { EventParser } from '../../www/widget/sse.js';
import { partsOf } from '../../www/chat/answer/thought.js';
import { Translator } from '../../www/chat/i18n.js';
import { LOCALES, localeOf } from '../../www/chat/locale.js';
import { explain } from '../../www/chat/problems.js';
import { Reading, readingText } from '../../www/chat/reading.js';
import { CONTROLS, LENGTHS, WIDGET } from '../../www/chat/sampling.js';

test('SHA-256 agrees with OpenSSL’s around block sizes and in any pieces', () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 100_003]) {
    const bytes = randomBytes(length);
    const hash = new Sha256();
    for (let at = 0, step = 1; at < length; at += step, step = ((step * 7) % 97) + 1) hash.update(bytes.subarray(at, at + step));
    assert.equal(hash.hex(), createHash('sha256').update(bytes).digest('hex'), `${length} bytes`);
  }
});

test('every form of a model is understood, relative to the page', () => {
  const at = (model) => parse(model, 'https://site.example/app/index.html');
  assert.equal(at('models/x.gguf').url, 'https://site.example/app/models/x.gguf');
  assert.equal(at('x.gguf').url, 'https://site.example/app/x.gguf');
  assert.equal(at('/x/').url, 'https://site.example/x/');
  assert.equal(at(new URL('https://a.example/m.gguf')).url, 'https://a.example/m.gguf');
  assert.equal(at('hf:o/r/sub/m q.gguf').url, 'https://huggingface.co/o/r/resolve/main/sub/m%20q.gguf');
  assert.equal(at('hf:o/r/m.gguf@refs/pr/1').url, 'https://huggingface.co/o/r/resolve/refs%2Fpr%2F1/m.gguf');
  assert.deepEqual(at('hf:o/r@v1').hub, { repo: 'o/r', revision: 'v1' });
  assert.equal(at(new ArrayBuffer(4)).blobs[0].size, 4);
  for (const [model, code] of [
    ['nothing', 'MODEL_NOT_FOUND'],
    ['hf:o', 'INVALID_REQUEST'],
    ['file:///x.gguf', 'INVALID_REQUEST'],
    ['', 'MODEL_NOT_FOUND'],
    [5, 'INVALID_REQUEST'],
    [null, 'INVALID_REQUEST'],
    [[], 'INVALID_REQUEST'],
  ]) {
    assert.throws(() => at(model), { name: 'CressetError', code }, String(model));
  }
});

test('an adapter is an address or files, never a name', () => {
  const at = (adapter) => parseAdapter(adapter, 'https://site.example/app/index.html');
  assert.deepEqual(at('pirate'), { name: 'https://site.example/app/pirate', url: 'https://site.example/app/pirate', adapter: true });
  assert.equal(at('default').url, 'https://site.example/app/default');
  assert.deepEqual(at('hf:o/r').hub, { repo: 'o/r', revision: 'main' });
  assert.equal(at(new Blob(['x'])).blobs.length, 1);
  for (const wrong of [5, null, [], 'hf:o', 'file:///x'])
    assert.throws(() => at(wrong), { code: 'INVALID_REQUEST', details: { field: 'adapter' } }, String(wrong));
  assert.equal(bestAdapter(['README.md', 'x.gguf', 'adapter_model.safetensors']), 'adapter_model.safetensors');
  assert.equal(bestAdapter(['x.gguf', 'adapters.safetensors', '0000100_adapters.safetensors']), 'adapters.safetensors');
  assert.equal(bestAdapter(['README.md', 'x-f16-lora.gguf']), 'x-f16-lora.gguf');
});

test('of a repository’s files, the one a person means is taken', () => {
  assert.equal(bestFile(['README.md', 'a-Q4_K_M.gguf', 'a-Q4_0.gguf', 'a-Q8_0.gguf', 'a-BF16.gguf']), 'a-Q8_0.gguf');
  assert.equal(bestFile(['a-bf16.gguf', 'a-f16.gguf', 'mmproj-a-f16.gguf']), 'a-f16.gguf');
  assert.equal(bestFile(['a-Q4_K_M.gguf', 'a-IQ2.gguf']), 'a-Q4_K_M.gguf');
  assert.equal(bestFile(['config.json', 'model.safetensors']), 'model.safetensors');
  assert.equal(bestFile(['model-00001-of-00002.safetensors', 'model.safetensors.index.json']), 'model.safetensors.index.json');
  assert.equal(bestFile(['README.md']), undefined);
  assert.equal(bestProjector(['a-q8_0.gguf', 'mmproj-a-bf16.gguf', 'mmproj-a-f16.gguf']), 'mmproj-a-f16.gguf');
  assert.equal(bestProjector(['a-q8_0.gguf']), undefined);
  const split = ['a-Q8_0-00002-of-00002.gguf', 'a-Q8_0-00001-of-00002.gguf', 'a-F16-00001-of-00009.gguf'];
  assert.equal(bestFile(split), 'a-Q8_0-00001-of-00002.gguf');
  assert.equal(bestFile([...split, 'a-Q4_K_M.gguf']), 'a-Q4_K_M.gguf');
});

test('a split GGUF is all its parts, whichever of them is named', async () => {
  const files = async (model) => (await resolve(parse(model, 'https://site.example/'), {})).map(({ url }) => url);
  const part = (n) => `https://a.example/models/m-0000${n}-of-00003.gguf?key=1`;
  for (const n of [1, 2, 3]) assert.deepEqual(await files(part(n)), [1, 2, 3].map(part));
  const hub = 'https://huggingface.co/o/r/resolve/main/q8/';
  assert.deepEqual(await files('hf:o/r/q8/m-00001-of-00002.gguf'), [`${hub}m-00001-of-00002.gguf`, `${hub}m-00002-of-00002.gguf`]);
  for (const whole of ['m.gguf', 'm-00000-of-00002.gguf', 'm-00003-of-00002.gguf', 'm-1-of-2.gguf']) {
    assert.deepEqual(await files(`https://a.example/${whole}`), [`https://a.example/${whole}`]);
  }
});

test('files of a chosen folder keep the way to them', async () => {
  const file = (webkitRelativePath) => Object.assign(new File(['x'], webkitRelativePath.split('/').pop()), { webkitRelativePath });
  const paths = ['m/config.json', 'm/model.safetensors', 'm/1_Pooling/config.json'];
  const source = parse(paths.map(file), 'https://site.example/');
  assert.deepEqual(
    (await resolve(source, {})).map(({ name }) => name),
    paths,
  );
  assert.deepEqual(
    (await resolve(parse([new File(['x'], 'a.gguf')], 'https://site.example/'), {})).map(({ name }) => name),
    ['a.gguf'],
  );
  assert.deepEqual(
    (await resolve(parse(new Blob(['x']), 'https://site.example/'), {})).map(({ name }) => name),
    ['model'],
  );
});

test('a file system that does not answer is waited for once, and used again when it does', async (t) => {
  const { openFolder } = await import('../../www/files/opfs.js');
  let answer;
  const storage = { getDirectory: () => new Promise((resolve) => (answer = resolve)) };
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { storage }, configurable: true });
  t.after(() => (own ? Object.defineProperty(globalThis, 'navigator', own) : delete globalThis.navigator));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = assert.rejects(openFolder(), /does not answer/);
  t.mock.timers.tick(8000);
  await silent;
  const again = assert.rejects(openFolder(), /does not answer/);
  t.mock.timers.tick(1);
  await again;
  answer({ getDirectoryHandle: (name) => name });
  await new Promise((resolve) => setImmediate(resolve));
  const opened = openFolder();
  t.mock.timers.tick(7999);
  answer({ getDirectoryHandle: (name) => name });
  assert.equal(await opened, 'cresset-models');
});

test('integrity is read in base64 and hexadecimal', () => {
  const digest = createHash('sha256').update('x').digest();
  assert.equal(parseIntegrity(`sha256-${digest.toString('base64')}`), digest.toString('hex'));
  assert.equal(parseIntegrity(`sha256-${digest.toString('hex').toUpperCase()}`), digest.toString('hex'));
  for (const wrong of ['sha256-', 'sha256-!!', 'sha384-AAAA', '', null]) assert.throws(() => parseIntegrity(wrong), { code: 'INVALID_REQUEST' });
});

test('requests keep their values or are refused', () => {
  assert.equal(encodeRequest({ prompt: Uint32Array.of(1, 2), seed: undefined }, 'request'), '{"prompt":[1,2]}');
  for (const request of [{ top_p: Infinity }, { a: { b: [NaN] } }, { seed: 1n }, { stop() {} }, null, 'text']) {
    assert.throws(() => encodeRequest(request, 'request'), { code: 'INVALID_REQUEST' });
  }
  const cycle = {};
  cycle.self = cycle;
  assert.throws(() => encodeRequest(cycle, 'request'), { code: 'INVALID_REQUEST' });
});

test('every field that the engine reads is one that the library knows', () => {
  const { ranges } = JSON.parse(readFileSync(new URL('../../www/chat/sampling.json', import.meta.url), 'utf8'));
  const fieldsOf = (path) => {
    const [code] = readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8').split('#[cfg(test)]');
    const named = [...code.matchAll(/fields\s*\.(?:get|raw|flag|text|count|number|whole)\("(\w+)"/g)].map(([, name]) => name);
    return [...named, ...[...code.matchAll(/RANGES\.(\w+)/g)].map(([, name]) => name)];
  };
  const shared = [...fieldsOf('api/request.rs'), 'tools', 'tool_choice', 'documents'].filter((name) => name !== 'prompt' && name !== 'top_logprobs');
  const read = {
    'a chat': [...shared, ...fieldsOf('api/prompt.rs'), ...fieldsOf('api/messages.rs'), 'top_logprobs'],
    'a completion': [...shared, 'prompt'],
    'an embedding': fieldsOf('api/embeddings.rs'),
    'a model': fieldsOf('select/options.rs').filter((name) => name !== 'verdicts'), // the worker's own
    'an adapter': fieldsOf('engine/adapters.rs'),
  };
  assert.ok(Object.keys(ranges).every((name) => name in KNOWN['a chat']));
  for (const [what, names] of Object.entries(read)) {
    assert.ok(names.length > 1 || what === 'an adapter', `${what}: ${names}`);
    assert.deepEqual(
      names.filter((name) => !(name in KNOWN[what])),
      [],
      what,
    );
  }
});

test('a request that is nested too deep, too wide or too large is refused by the name of the field', () => {
  const refused = (request, field, words) =>
    assert.throws(() => encodeRequest(request, 'request'), { code: 'INVALID_REQUEST', details: { field }, message: words });
  /** So many levels of it around a value. */
  const nested = (levels, wrap) => {
    let value = 1;
    for (let i = 0; i < levels; i += 1) value = wrap(value);
    return value;
  };
  for (const wrap of [(value) => [value], (value) => ({ inner: value })]) {
    assert.ok(encodeRequest({ schema: nested(90, wrap) }, 'request').length > 180);
    for (const levels of [200, 5000, 100_000])
      assert.throws(() => encodeRequest({ schema: nested(levels, wrap) }, 'request'), { code: 'INVALID_REQUEST', message: /nested more than 100 levels/ });
  }
  refused({ schema: nested(100_000, (value) => [value]) }, 'schema', /schema: is nested/);
  refused({ when: new Date(NaN) }, 'when', /when: is an invalid date/);
  // The same value in many places is no circle.
  const shared = { a: 1 };
  assert.equal(encodeRequest({ one: shared, two: [shared, shared] }, 'request'), '{"one":{"a":1},"two":[{"a":1},{"a":1}]}');
  assert.equal(
    JSON.parse(encodeRequest({ messages: Array.from({ length: 20_000 }, () => ({ role: 'user', content: 'Hi' })) }, 'request')).messages.length,
    20_000,
  );
  refused({ prompt: new Array(4e9) }, 'prompt', /more than 1000000 values/);
  refused({ prompt: new Uint8Array(1_000_001) }, 'prompt', /more than 1000000 values/);
  // Sixty levels, each of which has the next one twice: more values than there is time for.
  assert.throws(() => encodeRequest({ schema: nested(60, (value) => ({ left: value, right: value })) }, 'request'), {
    code: 'INVALID_REQUEST',
    message: /more than 1000000 values/,
  });
});

test('progress has a fraction only where a total is known', () => {
  assert.equal(describeProgress({ status: 'download', loaded: 5, total: null }).fraction, null);
  assert.equal(describeProgress({ status: 'upload', loaded: 5, total: 10 }).fraction, 0.5);
  assert.equal(describeProgress({ status: 'download', loaded: 3_100_000, total: 11_800_000 }).text, 'Downloading 3.1 MB of 12 MB');
  assert.deepEqual([0, 999, 999_600, 1_000_000, 9_960_000, 639_000_000].map(formatBytes), ['0 bytes', '999 bytes', '1.0 MB', '1.0 MB', '10 MB', '639 MB']);
});

const english = { ...sharedEnglish, ...widgetEnglish };
const chinese = { ...sharedChinese, ...widgetChinese };

test('a locale is found under older names too', () => {
  assert.deepEqual(
    ['zh', 'zh-CN', 'zh_CN', 'zh-Hans', 'ZH', ' zh-TW '].map((tag) => localeOf(tag)),
    Array(6).fill('zh-CN'),
  );
  assert.deepEqual(
    [[], [null], ['en-GB'], ['fr'], ['zhu'], ['fr', 'zh'], [undefined, 'de', 'en', 'zh']].map((tags) => localeOf(...tags)),
    ['en', 'en', 'en', 'en', 'en', 'zh-CN', 'en'],
  );
});

test('messages are filled in as a language does', () => {
  const { t, has } = new Translator('en', { a: '{x} of {x}, {y}', 'b.one': 'one {count}', 'b.other': '{count} of them', c: 'old' }, { c: 'new' });
  assert.equal(t('a', { x: 1200.5 }), '1,200.5 of 1,200.5, {y}');
  assert.deepEqual(
    [1, 2000].map((count) => t('b', { count })),
    ['one 1', '2,000 of them'],
  );
  assert.deepEqual([t('c'), t('d'), t('toString'), has('toString')], ['new', 'd', 'toString', false]);
});

test('the widget says the same in every language, and nothing else', () => {
  const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  assert.deepEqual(Object.keys(chinese), Object.keys(english));
  for (const [key, text] of Object.entries(english)) {
    assert.equal(places(chinese[key]), places(text), key);
    assert.match(chinese[key], /[\u4e00-\u9fff]/, key);
  }
  const folders = ['widget', 'chat', 'chat/answer'].map((name) => new URL(`../../www/${name}/`, import.meta.url));
  const code = folders
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.js'))
        .map((name) => readFileSync(new URL(name, folder), 'utf8')),
    )
    .join('\n');
  const used = (key) => [`'${key}'`, `words.${key}`, `.${key};`, `.${key},`].some((text) => code.includes(text));
  // Families of keys that code puts together.
  const family = (key) => /^(answer|greeting|placeholder|progress|warning|note|problem|status)\./.test(key) && code.includes(`\`${key.split('.')[0]}.\${`);
  assert.deepEqual(
    Object.keys(english).filter((key) => !used(key) && !family(key)),
    [],
  );
  assert.deepEqual(Object.keys(LOCALES), ['en', 'zh-CN']);
});

test('of its voice the widget says the same in every language, and nothing else', () => {
  const code = ['microphone', 'voice'].map((name) => readFileSync(new URL(`../../www/widget/${name}.js`, import.meta.url), 'utf8')).join('\n');
  const dictation = readFileSync(new URL('../../www/chat/dictation.js', import.meta.url), 'utf8');
  assert.deepEqual(Object.keys(voiceChinese), Object.keys(voiceEnglish));
  for (const [key, text] of Object.entries(voiceChinese)) {
    assert.match(text, /[\u4e00-\u9fff]/, key);
    assert.equal(text.includes('{size}'), voiceEnglish[key].includes('{size}'), key);
    const [, own] = /^voice\.(\w+)$/.exec(key) ?? [];
    // What is no word of its own stands in place of one about the assistant.
    assert.ok(own ? code.includes(`'${key}'`) || dictation.includes(`'${own}'`) : key in english || key.startsWith('problem.INVALID_REQUEST.'), key);
  }
});

test('the widget says what became of a kept or chosen file', () => {
  const words = new Translator('en', english);
  const key = (details) => Object.keys(english).find((key) => english[key] === explain({ code: 'STORAGE', details }, words).title);
  assert.deepEqual(
    [{ moved: true }, { damaged: true }, { damaged: false }, { refused: true }, undefined].map(key),
    ['STORAGE.moved', 'STORAGE', 'STORAGE', 'STORAGE.refused', 'STORAGE.refused'].map((name) => `problem.${name}.title`),
  );
  assert.deepEqual(explain({ code: 'DOWNLOAD', details: { endpoint: 'a.example' } }, words).title, 'a.example did not answer');
  assert.deepEqual(explain({ code: 'UNHEARD_OF' }, words), { title: english['problem.INTERNAL.title'], advice: english['problem.INTERNAL.advice'] });
});

test('events of a server are understood wherever they are cut', () => {
  const stream = Buffer.from(': hello\n\ndata: {"a":1}\r\n\r\nevent: x\ndata: one\ndata:two 猫\n\n\ndata: [DONE]');
  for (let size = 1; size <= stream.length; size += 1) {
    const parser = new EventParser(100);
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.subarray(at, at + size)));
    events.push(...parser.end());
    assert.deepEqual(events, ['{"a":1}', 'one\ntwo 猫', '[DONE]'], `pieces of ${size}`);
  }
});

test('an event of a server has a limit, however it is spread over lines; a stream of many has none', () => {
  const bytes = (text) => Buffer.from(text);
  const lines = 'data: 12345678\n'.repeat(50);
  for (const event of [`data: ${'x'.repeat(101)}`, `: ${'x'.repeat(101)}`, lines, lines.replaceAll('\n', '\r\n')]) {
    for (const size of [1, 7, event.length]) {
      const parser = new EventParser(100);
      const push = () => {
        for (let at = 0; at < event.length; at += size) parser.push(bytes(event.slice(at, at + size)));
      };
      assert.throws(push, /event of more than 100 characters/);
    }
  }
  const parser = new EventParser(100);
  assert.equal(Array.from({ length: 1000 }, () => parser.push(bytes('data: 1234567890\n\n'))).flat().length, 1000);
});

test('what a model thinks is told apart from what it says, whole or not', () => {
  assert.deepEqual(partsOf('<think>a\n</think>\n\nb'), { thought: 'a', thinking: false, answer: 'b' });
  assert.deepEqual(partsOf('<think>a'), { thought: 'a', thinking: true, answer: '' });
  assert.deepEqual(partsOf('<thi'), { thought: '', thinking: true, answer: '' });
  assert.deepEqual(partsOf('a</think>b'), { thought: 'a', thinking: false, answer: 'b' });
  assert.equal(partsOf('a < b, so think').answer, 'a < b, so think');
  assert.deepEqual(partsOf(' plain <b'), { thought: '', thinking: false, answer: ' plain <b' });
});

test('the pace of a download is that of its last seconds', () => {
  let now = 0;
  const pace = new Pace(() => now);
  const at = (time, loaded) => {
    now = time;
    return pace.at(loaded);
  };
  assert.equal(at(0, 100), null);
  assert.equal(at(500, 600), null);
  assert.equal(at(1000, 1100), 1000);
  for (let time = 2000; time <= 20_000; time += 1000) at(time, 1100 + time);
  assert.ok(Math.abs(at(21_000, 22_100) - 1000) < 1);
  assert.equal(at(22_000, 5), null, 'it began anew');
});

test('the catalogue recommends how SmolLM2 is sampled, whatever the revision', async () => {
  const repository = 'hf:bartowski/SmolLM2-135M-Instruct-GGUF';
  const own = { temperature: 0.2, top_p: 0.9 };
  for (const file of ['SmolLM2-135M-Instruct-Q8_0.gguf', 'SmolLM2-135M-Instruct-Q8_0.gguf@main']) {
    assert.deepEqual(await recommended({ name: `${repository}/${file}` }), own);
  }
  for (const name of [`${repository}/other.gguf`, 'hf:owner/repo', 'https://example.org/model.gguf']) assert.equal(await recommended({ name }), null);
  for (const { id, sampling = null } of models) assert.deepEqual(await recommended({ name: id, id }), sampling);
});

test('a prompt that is read has a share, a line and a time left', () => {
  let now = 0;
  const pace = new Pace(() => now);
  const at = (time, loaded) => {
    now = time;
    return describeReading({ status: 'prompt', loaded, total: 4000 }, pace);
  };
  assert.deepEqual(at(0, 1000), {
    status: 'prompt',
    loaded: 1000,
    total: 4000,
    fraction: 0.25,
    text: 'Reading the prompt: 1000 of 4000 tokens',
    secondsLeft: null,
  });
  assert.equal(at(1000, 1500).secondsLeft, 5, 'what was cached took no time');
  assert.equal(at(2000, 4000).secondsLeft, 0);
  const words = new Translator('en', sharedEnglish);
  const line = (progress) => readingText(progress, { say: (key, values) => words.t(key, values), locale: 'en', duration: (seconds) => `${seconds} s` });
  assert.equal(line({ loaded: 1500, total: 4000, secondsLeft: null }), 'Reading: 1,500 of 4,000 tokens');
  assert.equal(line({ loaded: 1500, total: 4000, secondsLeft: 4.2 }), 'Reading: 1,500 of 4,000 tokens, about 5 s left');
});

test('reading is spoken of only after a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const shown = [];
  const progress = (loaded) => ({ status: 'prompt', loaded, total: 10 });
  const reading = new Reading((each) => shown.push(each?.loaded ?? null));
  reading.tell(progress(0));
  reading.tell(progress(1));
  t.mock.timers.tick(999);
  assert.deepEqual(shown, []);
  t.mock.timers.tick(1);
  reading.tell(progress(2));
  reading.end();
  reading.end();
  assert.deepEqual(shown, [1, 2, null]);
  const quick = new Reading((each) => shown.push(each));
  quick.tell(progress(0));
  quick.end();
  t.mock.timers.tick(2000);
  assert.equal(shown.length, 3);
});

test('sliders and presets keep within the engine’s ranges, and the documentation has its defaults', () => {
  const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const { ranges, lengths } = JSON.parse(read('www/chat/sampling.json'));
  const inside = (name, value) => value >= ranges[name].min && value <= (ranges[name].max ?? Infinity);
  for (const { name, min, max, step, value } of [...CONTROLS, ...Object.values(LENGTHS)]) {
    assert.ok(
      [min, max, value].every((each) => inside(name, each)),
      name,
    );
    assert.ok(min <= value && value <= max && Number.isFinite(max) && step > 0, name);
  }
  const { why, ...values } = lengths;
  assert.match(why, /\.$/);
  for (const value of Object.values(values)) assert.ok(inside('max_tokens', value));
  assert.deepEqual(WIDGET, { answer: 768, story: 160 });
  const docs = read('docs/javascript.md');
  for (const name of ['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'penalty_last_n', 'n'])
    assert.equal(new RegExp(`^\\| \`${name}\` \\| (\\S+) \\|`, 'm').exec(docs)?.[1], String(ranges[name].default), name);
});

test('scripts travel without comments, and are the same in every line', () => {
  assert.equal(withoutComments('let a = 1; // one\nconst b = /** @type {any} */ (a) /* b */ / 2;\n'), 'let a = 1;\nconst b =  (a)  / 2;\n');
  assert.equal(withoutComments('/*\n * A.\n */\nx/**/in/**/y; // `\n'), '\n\n\nx in y;\n');
  assert.equal(withoutComments("'// no'; `/* no */`; /[/*]/.test('*/');\n"), "'// no'; `/* no */`; /[/*]/.test('*/');\n");
  const www = new URL('../../www/', import.meta.url);
  const scripts = readdirSync(www, { recursive: true }).filter((name) => name.endsWith('.js'));
  const tokensOf = (script) =>
    [...tokenizer(script, { ecmaVersion: 'latest', sourceType: 'module', locations: true })].map(({ type, value, loc }) => [
      type.label,
      value?.pattern ?? value,
      loc.start.line,
    ]);
  assert.ok(scripts.length > 100);
  for (const name of scripts) {
    const script = readFileSync(new URL(name, www), 'utf8');
    assert.deepEqual(tokensOf(withoutComments(script)), tokensOf(script), name);
  }
});

test('one version holds for the crate, the npm package and the changelog', () => {
  const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const [, crate] = /^version = "([^"]+)"/m.exec(read('Cargo.toml'));
  const [, released] = /^## \[(\d[^\]]*)\]/m.exec(read('CHANGELOG.md'));
  const lock = JSON.parse(read('package-lock.json'));
  assert.deepEqual([released, JSON.parse(read('package.json')).version, lock.version, lock.packages[''].version], Array(4).fill(crate));
});
