// The library against the mock engine: streams, queue, abort, interrupt, errors by code, cache, another origin, CSP.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { STRICT_CSP, exposeLibrary, gguf, newPage, startBrowser, startServer } from './harness.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, headers: { 'Content-Security-Policy': STRICT_CSP } });
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
  await exposeLibrary(page);
  await page.evaluate(() => {
    window.collect = async (stream) => {
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    };
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('loads the default model and reports every stage in order', async () => {
  const { stages, info, models } = await page.evaluate(async () => {
    await Cresset.cache.clear();
    const stages = [];
    const engine = await Cresset.load('default', { onProgress: ({ status, fraction, text }) => stages.push({ status, fraction, text }) });
    await engine.unload();
    return { stages, info: engine.info, models: Cresset.models };
  });
  assert.deepEqual([...new Set(stages.map(({ status }) => status))], ['download', 'upload', 'compile', 'self-test', 'ready']);
  assert.equal(stages.at(-1).fraction, 1);
  assert.ok(stages.every(({ fraction, text }) => text.length > 0 && (fraction === null || (fraction >= 0 && fraction <= 1))));
  assert.equal(info.model.name, 'ember');
  assert.equal(models[0].id, 'ember');
});

test('a second load reads from this device, and the cache can be listed and emptied', async () => {
  const before = server.requests.filter(({ path }) => path === '/models/ember.gguf').length;
  const result = await page.evaluate(async () => {
    const statuses = new Set();
    await (await Cresset.load('default', { onProgress: ({ status }) => statuses.add(status) })).unload();
    const listed = await Cresset.cache.list();
    const usage = await Cresset.cache.usage();
    const deleted = [await Cresset.cache.delete('default'), await Cresset.cache.delete('default')];
    return { statuses: [...statuses], listed, usage, deleted, left: await Cresset.cache.list() };
  });
  assert.equal(server.requests.filter(({ path }) => path === '/models/ember.gguf').length, before);
  assert.ok(result.statuses.includes('cache') && !result.statuses.includes('download'));
  assert.equal(result.listed[0].model, 'ember');
  assert.equal(result.listed[0].bytes, gguf('', 2_097_152).length);
  assert.equal(result.usage.models, result.listed[0].bytes);
  assert.deepEqual(result.deleted, [true, false]);
  assert.deepEqual(result.left, []);
});

test('streams chunks and gives the same text unstreamed', async () => {
  const { chunks, whole } = await page.evaluate(async () => {
    const engine = await Cresset.load('default');
    const request = { prompt: 'Once', max_tokens: 12, temperature: 0 };
    const chunks = await collect(await engine.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
    const whole = await engine.completions.create(request);
    await engine.unload();
    return { chunks, whole };
  });
  assert.equal(chunks.map(({ choices }) => choices[0]?.text ?? '').join(''), whole.choices[0].text);
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'length');
  assert.equal(chunks.at(-1).usage.completion_tokens, 12);
  assert.equal(whole.object, 'text_completion');
});

test('chat streams deltas, and a model without a template says so', async () => {
  const { text, refused } = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/chat.gguf', { cache: false });
    const messages = [{ role: 'user', content: 'Hello' }];
    let text = '';
    for await (const chunk of await engine.chat.completions.create({ messages, max_tokens: 4, stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
    await engine.unload();
    const plain = await Cresset.load('default');
    const refused = await outcome(plain.chat.completions.create({ messages, stream: true }));
    await plain.unload();
    return { text, refused };
  });
  assert.equal(text, ' there was a small');
  assert.equal(refused.code, 'MODEL_UNSUPPORTED');
});

test('requests to one engine wait for each other', async () => {
  const order = await page.evaluate(async () => {
    const engine = await Cresset.load('default');
    const order = [];
    const run = async (name) => {
      for await (const chunk of await engine.completions.create({ prompt: name, max_tokens: 5, stream: true }))
        order.push(`${name}${chunk.choices[0].finish_reason ?? ''}`);
    };
    await Promise.all([run('a'), run('b')]);
    await engine.unload();
    return order;
  });
  assert.equal(order.join(' '), 'a a a a a alength b b b b b blength');
});

test('an aborted stream rejects, brings no further chunk, and leaves the engine idle and usable', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const controller = new AbortController();
    const stream = await engine.completions.create({ prompt: 'x', stream: true, signal: controller.signal });
    let seen = 0;
    const error = await (async () => {
      for await (const _ of stream) {
        seen += 1;
        if (seen === 3) controller.abort();
      }
    })().catch((error) => error);
    const [before, later] = [await engine.stats(), await new Promise((r) => setTimeout(r, 400)).then(() => engine.stats())];
    const again = await engine.completions.create({ prompt: 'x', max_tokens: 2 });
    await engine.unload();
    return { seen, code: error.code, before, later, again: again.choices[0] };
  });
  assert.equal(result.seen, 3);
  assert.equal(result.code, 'ABORTED');
  assert.deepEqual(result.later, result.before);
  assert.equal(result.again.finish_reason, 'length');
});

test('aborting a waiting request leaves the running one alone', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const controller = new AbortController();
    const first = engine.completions.create({ prompt: 'a', max_tokens: 4 });
    const second = outcome(engine.completions.create({ prompt: 'b', max_tokens: 4, signal: controller.signal }));
    controller.abort();
    const result = { second: (await second).code, first: (await first).choices[0].finish_reason };
    result.generated = (await engine.stats()).generated_tokens;
    result.already = (await outcome(engine.completions.create({ prompt: 'b', signal: controller.signal }))).code;
    await engine.unload();
    return result;
  });
  assert.deepEqual(result, { second: 'ABORTED', first: 'length', generated: 4, already: 'ABORTED' });
});

test('interrupt ends a request normally; leaving the loop early stops the engine', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const chunks = [];
    for await (const chunk of await engine.completions.create({ prompt: 'x', stream: true })) {
      chunks.push(chunk);
      if (chunks.length === 2) engine.interrupt();
    }
    const interrupted = chunks.at(-1).choices[0].finish_reason;
    for await (const chunk of await engine.completions.create({ prompt: 'x', stream: true })) if (chunk) break;
    const { generated_tokens: generated } = await engine.stats();
    await engine.unload();
    return { interrupted, generated, count: chunks.length };
  });
  assert.equal(result.interrupted, 'abort');
  assert.ok(result.generated <= result.count + 2, `the engine went on: ${result.generated} tokens`);
});

test('a signal beside the request ends it as one within it does, whichever comes first', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const request = { prompt: 'x', max_tokens: 40 };
    const codes = [];
    for (const stream of [false, true]) {
      for (const place of ['body', 'options']) {
        const [body, options] = [new AbortController(), new AbortController()];
        const answer = outcome(
          engine.completions.create({ ...request, stream, signal: body.signal }, { signal: options.signal }).then((answer) => stream && collect(answer)),
        );
        setTimeout(() => (place === 'body' ? body : options).abort(), 150);
        codes.push((await answer).code);
      }
    }
    const aborted = { signal: AbortSignal.abort() };
    codes.push((await outcome(engine.embeddings.create({ input: 'x' }, aborted))).code, (await outcome(engine.chat.completions.create({}, aborted))).code);
    const wrong = [
      await outcome(engine.completions.create({ ...request, signal: 'soon' })),
      await outcome(engine.embeddings.create({ input: 'x' }, { signal: {} })),
    ];
    wrong.push(await outcome(Cresset.load('default', { signal: 5 })), await outcome(engine.adapters.load('x', '/files/lora.gguf', { signal: true })));
    const idle = (await engine.completions.create({ ...request, max_tokens: 1 }, { signal: new AbortController().signal })).choices[0].finish_reason;
    await engine.unload();
    return { codes, wrong: wrong.map(({ code, details }) => `${code} ${details.field}`), idle };
  });
  assert.deepEqual(result.codes, Array(6).fill('ABORTED'));
  assert.deepEqual(result.wrong, Array(4).fill('INVALID_REQUEST signal'));
  assert.equal(result.idle, 'length');
});

test('a stream’s controller ends it without an error, and is aborted when the loop is left', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const open = () => engine.completions.create({ prompt: 'x', stream: true });
    const ended = await open();
    const seen = [];
    for await (const chunk of ended) if (seen.push(chunk) === 2) ended.controller.abort();
    const waiting = await open();
    const chunks = waiting[Symbol.asyncIterator]();
    await chunks.next();
    const pending = Promise.all([chunks.next(), chunks.next(), chunks.next()]);
    waiting.controller.abort();
    const left = await open();
    for await (const chunk of left) if (chunk) break;
    const { generated_tokens: generated } = await engine.stats();
    const read = await engine.completions.create({ prompt: 'x', max_tokens: 2, stream: true });
    const whole = (await collect(read)).length;
    await engine.unload();
    return { seen: seen.length, pending: (await pending).map(({ done }) => done), left: left.controller.signal.aborted, generated, whole };
  });
  assert.equal(result.seen, 2);
  assert.ok(result.pending.every(Boolean));
  assert.equal(result.left, true);
  assert.ok(result.generated <= 8, `the engine went on: ${result.generated} tokens`);
  assert.equal(result.whole, 3);
});

test('a stream is read once, whoever reads it', async () => {
  const errors = await page.evaluate(async () => {
    const engine = await Cresset.load('default');
    const readers = [(stream) => collect(stream), async (stream) => stream.tee(), async (stream) => stream.toReadableStream()];
    const errors = [];
    for (const first of readers) {
      for (const second of readers) {
        const stream = await engine.completions.create({ prompt: 'x', max_tokens: 2, stream: true });
        await first(stream);
        errors.push(await outcome(second(stream)));
      }
    }
    await engine.unload();
    return errors;
  });
  for (const { code, message, details } of errors) {
    assert.deepEqual([code, details.field], ['INVALID_REQUEST', 'stream']);
    assert.match(message, /read once.*tee\(\)/);
  }
});

test('both halves of a stream have all of it, at their own pace; it goes on until both are left', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const open = (more) => engine.completions.create({ prompt: 'x', stream: true, ...more });
    const texts = (chunks) => chunks.map(({ choices }) => choices[0].text).join('');
    const [fast, late] = (await open({ max_tokens: 6 })).tee();
    const first = texts(await collect(fast));
    const all = [first, texts(await collect(late))];

    const whole = await open({ max_tokens: 6 });
    const [left, kept] = whole.tee();
    for await (const chunk of left) if (chunk) break;
    const half = texts(await collect(kept));
    const running = whole.controller.signal.aborted;

    const both = (await open()).tee();
    for (const one of both) for await (const chunk of one) if (chunk) break;
    const { generated_tokens: generated } = await engine.stats();

    const controller = new AbortController();
    const failing = (await open({ signal: controller.signal })).tee();
    const codes = Promise.all(failing.map((one) => outcome(collect(one))));
    controller.abort();
    const ended = (await open()).tee();
    ended[0].controller.abort();
    const rest = [await collect(ended[0]), await collect(ended[1])].map(({ length }) => length);
    await engine.unload();
    return {
      all,
      half,
      running,
      aborted: both.map(({ controller }) => controller.signal.aborted),
      generated,
      codes: (await codes).map(({ code }) => code),
      rest,
    };
  });
  assert.equal(result.all[0], ' there was a small lamp on');
  assert.deepEqual(result.all, [result.half, result.half]);
  assert.equal(result.running, false);
  assert.deepEqual(result.aborted, [true, true]);
  assert.ok(result.generated < 20, `the engine went on: ${result.generated} tokens`);
  assert.deepEqual(result.codes, ['ABORTED', 'ABORTED']);
  assert.deepEqual(result.rest, [0, 0]);
});

test('a context that grows is told of, and info has it', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load(new Blob(['GGUF fast grows'.padEnd(64)]), { cache: false });
    const sizes = () => [engine.info.model.contextLength, engine.info.model.contextLimit];
    const before = sizes();
    const told = [];
    const onProgress = ({ status, loaded, total, text }) => told.push([status, loaded, total, text]);
    await collect(await engine.completions.create({ prompt: 'Once', max_tokens: 2, stream: true }, { onProgress }));
    await engine.completions.create({ prompt: 'Once', max_tokens: 2 });
    return { before, after: sizes(), told, wrong: await outcome(engine.completions.create({ prompt: 'x' }, { onProgress: 7 })) };
  });
  assert.deepEqual(
    [result.before, result.after],
    [
      [1024, 2048],
      [2048, 2048],
    ],
  );
  assert.deepEqual(result.told, [['context', 2048, 2048, 'The context grew to 2048 tokens']]);
  assert.equal(result.wrong.code, 'INVALID_REQUEST');
});

test('a stream travels as lines of JSON, and is a stream again', async () => {
  const result = await page.evaluate(async () => {
    const { Stream } = await import('/cresset.js');
    const engine = await Cresset.load('/files/chat.gguf', { cache: false });
    const request = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4, stream: true };
    const open = (more) => engine.chat.completions.create({ ...request, ...more });
    const lines = await new Response((await open()).toReadableStream()).text();
    const again = await collect(Stream.fromReadableStream((await open()).toReadableStream()));
    // However the bytes are cut.
    const bytes = new TextEncoder().encode('{"a":"é"}\n\n{"a":2}\n{"a":3}');
    const cut = await collect(
      Stream.fromReadableStream(new ReadableStream({ start: (out) => (bytes.forEach((byte) => out.enqueue(Uint8Array.of(byte))), out.close()) })),
    );
    const broken = await outcome(collect(Stream.fromReadableStream(new Blob(['{"a":']).stream())));

    const whole = await open({ max_tokens: 200 });
    const readable = whole.toReadableStream();
    await readable.cancel();
    const taken = new AbortController();
    for await (const chunk of Stream.fromReadableStream((await open({ max_tokens: 200 })).toReadableStream(), taken)) if (chunk) break;
    const ended = Stream.fromReadableStream((await open({ max_tokens: 200 })).toReadableStream());
    const seen = [];
    for await (const chunk of ended) if (seen.push(chunk) === 2) ended.controller.abort();
    await engine.unload();
    return { lines, again, cut, broken, cancelled: [whole.controller.signal.aborted, taken.signal.aborted], seen: seen.length };
  });
  const chunks = result.lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(result.lines.endsWith('}\n'));
  assert.equal(chunks.map(({ choices }) => choices[0].delta.content ?? '').join(''), ' there was a small');
  assert.deepEqual(result.again, chunks);
  assert.deepEqual(result.cut, [{ a: 'é' }, { a: 2 }, { a: 3 }]);
  assert.deepEqual([result.broken.code, result.broken.details.field], ['INVALID_REQUEST', 'bytes']);
  assert.deepEqual(result.cancelled, [true, true]);
  assert.equal(result.seen, 2);
});

test('loading can be aborted', async () => {
  const result = await page.evaluate(async () => {
    const controller = new AbortController();
    const loading = outcome(Cresset.load('default', { signal: controller.signal, onProgress: () => controller.abort() }));
    const before = AbortSignal.abort();
    return [(await loading).code, (await outcome(Cresset.load('default', { signal: before }))).code];
  });
  assert.deepEqual(result, ['ABORTED', 'ABORTED']);
});

for (const [what, model, code, sentence] of [
  ['an unknown id', 'nothing', 'MODEL_NOT_FOUND', /no model called/],
  ['a missing file', '/files/none.gguf', 'MODEL_NOT_FOUND', /no file at/],
  ['a web page', '/files/page.gguf', 'MODEL_FORMAT', /gives a web page, not a model file/],
  ['a web page in disguise', '/files/hidden-page.gguf', 'MODEL_FORMAT', /gives a web page, not a model file/],
  ['a broken file', '/files/broken.gguf', 'MODEL_FORMAT', /not a model file/],
  ['a failing server', '/files/teapot.gguf', 'DOWNLOAD', /HTTP 503/],
  ['a transfer cut short', '/files/cut.gguf', 'DOWNLOAD', /broke off/],
  ['an unreachable server', 'http://127.0.0.1:9/x.gguf', 'DOWNLOAD', /could not be reached/],
  ['a model too large', '/files/oom.gguf', 'OUT_OF_MEMORY', /90000 MB/],
  ['an address no page can read', 'ftp://host/x.gguf', 'INVALID_REQUEST', /cannot read ftp:/],
  ['a malformed hub name', 'hf:nothing', 'INVALID_REQUEST', /hf:owner\/repo/],
]) {
  for (const cache of [true, false]) {
    test(`${what} is ${code} (${cache ? 'kept' : 'not kept'})`, async () => {
      const error = await page.evaluate(({ model, cache }) => outcome(Cresset.load(model, { cache })), { model, cache });
      assert.equal(error.name, 'CressetError');
      assert.equal(error.code, code, error.message);
      assert.match(error.message, sentence);
    });
  }
}

test('nothing half-loaded is kept', async () => {
  assert.deepEqual(
    (await page.evaluate(() => Cresset.cache.list())).map(({ model }) => new URL(model, server.url).pathname).filter((path) => path.includes('cut')),
    [],
  );
});

test('invalid requests are refused by field, and the engine goes on', async () => {
  const errors = await page.evaluate(async () => {
    const engine = await Cresset.load('default');
    const requests = [
      { prompt: '' },
      { prompt: 'x', temperature: NaN },
      { prompt: 'x', temperature: -1 },
      { prompt: 'x', top_p: 2, stream: true },
      { prompt: 'x', seed: 5n },
      { prompt: 'x', stop: () => {} },
    ];
    const errors = [];
    for (const request of requests) errors.push(await outcome(engine.completions.create(request)));
    errors.push(await outcome(engine.tokenize(5)), await outcome(engine.detokenize([-1])));
    const good = await engine.completions.create({ prompt: 'x', max_tokens: 1 });
    await engine.unload();
    return { errors, good: good.usage.completion_tokens };
  });
  assert.deepEqual(
    errors.errors.map(({ code, details }) => `${code} ${details.field}`),
    [
      'INVALID_REQUEST prompt',
      'INVALID_REQUEST temperature',
      'INVALID_REQUEST temperature',
      'INVALID_REQUEST top_p',
      'INVALID_REQUEST seed',
      'INVALID_REQUEST stop',
      'INVALID_REQUEST text',
      'INVALID_REQUEST ids',
    ],
  );
  assert.equal(errors.good, 1);
});

test('fields that have no effect are named in the console, once each', async (t) => {
  const other = await newPage(browser);
  t.after(() => other.context().close());
  const warnings = [];
  other.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
  await other.goto(`${server.url}blank.html`);
  await exposeLibrary(other);
  await other.evaluate(async () => {
    const engine = await Cresset.load('default', { cache: false, contextlength: 5 });
    const request = { prompt: 'x', max_tokens: 1, top_a: 1, stream_options: { include_usages: true }, stop: null, user: 'me', model: 'any', store: null };
    for (let i = 0; i < 2; i += 1) await engine.completions.create(request, { timeout: 5 });
    const tools = [{ type: 'function', function: { name: 'a', strict: true } }];
    await outcome(engine.chat.completions.create({ messages: [{ role: 'user', content: 'x', mood: 'good' }], tools, top_a: 1 }));
    await outcome(engine.embeddings.create({ input: 'x', dimension: 5 }));
    await engine.applyChatTemplate([{ role: 'user', content: 'x' }], { enable_thinkin: true });
    await outcome(engine.adapters.load('a', '/files/lora.gguf', { alhpa: 5 }));
    await outcome(engine.bench({ runs: 1 }));
    await engine.unload();
  });
  assert.deepEqual(
    warnings.map((text) => /^Cresset: (.*); it has no effect$/.exec(text)?.[1]),
    [
      'contextlength is no field of a model',
      'timeout is no field of the options',
      'top_a is no field of a completion',
      'stream_options.include_usages is no field of a completion',
      'tools.function.strict is no field of a chat',
      'top_a is no field of a chat',
      'dimension is no field of an embedding',
      'enable_thinkin is no field of a chat',
      'alhpa is no field of an adapter',
      'runs is no field of a bench',
    ],
  );
});

test('OpenAI’s fields that would change an answer are refused, where they say more than the usual', async () => {
  const { refused, taken } = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/chat.gguf', { cache: false });
    const chat = (more) => outcome(engine.chat.completions.create({ messages: [{ role: 'user', content: 'x' }], max_tokens: 1, ...more }));
    const completion = (more) => outcome(engine.completions.create({ prompt: 'x', max_tokens: 1, ...more }));
    const refused = [];
    for (const more of [
      { audio: { voice: 'a' } },
      { modalities: ['text', 'audio'] },
      { moderation: {} },
      { parallel_tool_calls: false },
      { web_search_options: {} },
    ])
      refused.push(await chat(more));
    for (const more of [{ echo: true }, { suffix: 'end' }, { best_of: 3 }]) refused.push(await completion(more));
    const taken = [await chat({ audio: null, modalities: ['text'], parallel_tool_calls: true }), await completion({ echo: false, suffix: '', best_of: 1 })];
    await engine.unload();
    return { refused, taken };
  });
  assert.deepEqual(
    refused.map(({ code, details, message }) => [code, details.field, message.startsWith(`${details.field}: can only be `)]),
    ['audio', 'modalities', 'moderation', 'parallel_tool_calls', 'web_search_options', 'echo', 'suffix', 'best_of'].map((field) => [
      'INVALID_REQUEST',
      field,
      true,
    ]),
  );
  assert.ok(taken.every(({ value }) => value.usage.prompt_tokens_details.cached_tokens === 0));
});

test('load options are checked', async () => {
  const codes = await page.evaluate(async () => {
    const wrong = [{ device: 'gpu' }, { contextLength: 0 }, { kv: 'f8' }, { integrity: 'md5-x' }, { adapter: 5 }];
    return Promise.all(wrong.map(async (options) => (await outcome(Cresset.load('default', options))).code));
  });
  assert.deepEqual(codes, ['INVALID_REQUEST', 'INVALID_REQUEST', 'INVALID_REQUEST', 'INVALID_REQUEST', 'INVALID_REQUEST']);
});

test('adapters are loaded from every form, named by requests, listed and unloaded', async () => {
  const result = await page.evaluate(async () => {
    const engine = await Cresset.load('default', { adapter: 'files/lora' });
    const text = async (adapter) => (await engine.completions.create({ prompt: 'x', max_tokens: 1, temperature: 0, adapter })).choices[0].text;
    const first = engine.info.memory.adapters;
    const blob = await (await fetch('/files/lora.gguf')).blob();
    await engine.adapters.load('blob', blob, { cache: false });
    await engine.adapters.load('single', '/files/lora.gguf', { alpha: 4 });
    await engine.adapters.load('file', new URL('/files/lora/adapter_model.safetensors', location.href), { integrity: undefined });
    const texts = [await text(undefined), await text(null), await text('blob'), await text('file')];
    const listed = (await engine.adapters.list()).map(({ name, files, default: chosen }) => [name, files, chosen]);
    const wrong = [
      await outcome(text('nobody')),
      await outcome(engine.adapters.load('blob', blob)),
      await outcome(engine.adapters.load('', blob)),
      await outcome(engine.adapters.load('x', 5)),
      await outcome(engine.adapters.load('x', '/files/absent.gguf')),
      await outcome(engine.adapters.load('x', '/files/broken.gguf')),
      await outcome(engine.adapters.unload('x')),
      await outcome(engine.adapters.load('x', blob, { signal: AbortSignal.abort() })),
      await outcome(engine.adapters.load('x', blob, { alpha: NaN })),
      await outcome(Cresset.load('default', { adapter: '/files/absent/' })),
    ];
    for (const name of ['default', 'blob', 'single', 'file']) await engine.adapters.unload(name);
    const left = [await engine.adapters.list(), engine.info.memory.adapters, await text(undefined)];
    await engine.unload();
    return { first, texts, listed, wrong, left };
  });
  const word = result.texts[1];
  assert.ok(result.first > 4000);
  assert.deepEqual(result.texts, [`[default]${word}`, word, `[blob]${word}`, `[file]${word}`]);
  assert.deepEqual(result.listed, [
    ['default', ['adapter_model.safetensors', 'adapter_config.json'], true],
    ['blob', ['adapter'], false],
    ['single', ['lora.gguf'], false],
    ['file', ['adapter_model.safetensors', 'adapter_config.json'], false],
  ]);
  assert.deepEqual(
    result.wrong.map(({ code }) => code),
    [
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      'MODEL_NOT_FOUND',
      'MODEL_FORMAT',
      'INVALID_REQUEST',
      'ABORTED',
      'INVALID_REQUEST',
      'MODEL_NOT_FOUND',
    ],
  );
  assert.deepEqual(result.left, [[], 0, word]);
});

test('integrity accepts the right hash and refuses another', async () => {
  const hash = createHash('sha256').update(gguf('chat'));
  const right = `sha256-${hash.digest('base64')}`;
  const wrong = `sha256-${'0'.repeat(64)}`;
  const result = await page.evaluate(
    async ({ right, wrong }) => {
      const tries = [];
      for (const [integrity, cache] of [
        [right, false],
        [right, true],
        [right, true],
        [wrong, false],
        [wrong, true],
      ]) {
        tries.push(
          await outcome(
            Cresset.load('/files/chat.gguf', { integrity, cache })
              .then((engine) => engine.unload())
              .then(() => 'loaded'),
          ),
        );
      }
      const bytes = await (await fetch('/files/chat.gguf')).arrayBuffer();
      tries.push(await outcome(Cresset.load(bytes, { integrity: wrong })));
      return tries.map(({ value, code }) => value ?? code);
    },
    { right, wrong },
  );
  assert.deepEqual(result, ['loaded', 'loaded', 'loaded', 'INTEGRITY', 'INTEGRITY', 'INTEGRITY']);
});

test('probe reads only the header, with and without byte ranges', async () => {
  const before = server.requests.length;
  const fits = await page.evaluate(async () => {
    await Cresset.cache.clear();
    return [await Cresset.probe('/files/chat.gguf'), await Cresset.probe('/files/norange.gguf'), await Cresset.probe('/files/oom.gguf')];
  });
  assert.deepEqual(
    fits.map(({ fits }) => fits),
    [true, true, false],
  );
  assert.match(fits[2].reason, /90 GB/);
  assert.deepEqual(
    fits[2].errors.map(({ code, message }) => [code, message]),
    [['OUT_OF_MEMORY', fits[2].problems[0]]],
  );
  const reads = server.requests.slice(before).filter(({ path }) => path === '/files/chat.gguf');
  assert.ok(reads.length === 1 && reads[0].range, JSON.stringify(reads));
  assert.deepEqual(await page.evaluate(() => Cresset.cache.list()), []);
});

test('two loads of the same file at once both work', async () => {
  const names = await page.evaluate(async () => {
    await Cresset.cache.clear();
    const engines = await Promise.all([Cresset.load('default'), Cresset.load('default')]);
    return Promise.all(engines.map(async (engine) => (await engine.unload(), engine.info.model.name)));
  });
  assert.deepEqual(names, ['ember', 'ember']);
});

test('without room on the device, models load uncached', async (t) => {
  const full = await newPage(browser);
  t.after(() => full.context().close());
  await full.goto(`${server.url}blank.html`);
  const devtools = await full.context().newCDPSession(full);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 1_000_000 });
  const result = await full.evaluate(async () => {
    const { Cresset } = await import('/cresset.js');
    const sizes = [];
    for (const model of ['default', '/files/unsized.gguf']) {
      const engine = await Cresset.load(model);
      sizes.push(engine.info.memory.weights);
      await engine.unload();
    }
    return { sizes, kept: await Cresset.cache.list(), usage: await Cresset.cache.usage() };
  });
  assert.deepEqual(result.sizes, [gguf('', 2_097_152).length, gguf('', 2_097_152).length + 2_097_152]);
  assert.deepEqual(result.kept, []);
  assert.equal(result.usage.models, 0);
});

test('files, blobs and buffers load', async () => {
  const names = await page.evaluate(async () => {
    const bytes = await (await fetch('/files/chat.gguf')).arrayBuffer();
    const names = [];
    for (const model of [bytes, new Uint8Array(bytes), new Blob([bytes]), new File([bytes], 'mine.gguf'), [new File([bytes], 'first.gguf')]]) {
      const engine = await Cresset.load(model);
      names.push(engine.info.model.name);
      await engine.unload();
    }
    names.push((await outcome(Cresset.load({}))).code, (await outcome(Cresset.load([]))).code);
    return names;
  });
  assert.deepEqual(names, ['model', 'model', 'model', 'mine', 'first', 'INVALID_REQUEST', 'INVALID_REQUEST']);
});

test('a panic is INTERNAL, ends what is open, and says that the model must be loaded again', async () => {
  const [streamed, waiting, later] = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/panic.gguf', { cache: false });
    const stream = await engine.completions.create({ prompt: 'x', stream: true });
    const waiting = outcome(engine.completions.create({ prompt: 'y' }));
    const streamed = await outcome(collect(stream));
    return [streamed, await waiting, await outcome(engine.tokenize('x'))];
  });
  for (const error of [streamed, waiting, later]) {
    assert.equal(error.code, 'INTERNAL');
    assert.match(error.message, /index out of bounds.*loaded again/s);
    assert.equal(error.details.reload, true);
  }
});

test('a stack that overflows ends the engine like a panic', async () => {
  const [answer, later] = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/overflow.gguf', { cache: false });
    return [await outcome(engine.completions.create({ prompt: 'x' })), await outcome(engine.completions.create({ prompt: 'y' }))];
  });
  for (const error of [answer, later]) {
    assert.equal(error.code, 'INTERNAL');
    assert.match(error.message, /call stack.*loaded again/s);
    assert.equal(error.details.reload, true);
  }
});

/** A page whose clock goes only when it is told to: `pass` lets so many seconds go by, the worker a moment for each five. */
async function withClock(t) {
  const other = await newPage(browser);
  t.after(() => other.context().close());
  await other.clock.install();
  await other.goto(`${server.url}blank.html`);
  await exposeLibrary(other);
  const pass = async (seconds) => {
    for (let at = 0; at < seconds; at += 5) {
      await other.clock.runFor(5000);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
  return { page: other, pass };
}

test('a worker that is stuck is ended; aborting does not hide it', async (t) => {
  const { page, pass } = await withClock(t);
  await page.evaluate(async () => {
    const engine = await Cresset.load('/files/stuck.gguf', { cache: false });
    const stop = new AbortController();
    const stream = await engine.completions.create({ prompt: 'x', stream: true, signal: stop.signal });
    let words = 0;
    window.first = outcome(
      (async () => {
        for await (const _ of stream) if ((words += 1) === 3) stop.abort();
      })(),
    );
    await window.first;
    window.engine = engine;
    window.next = outcome(engine.completions.create({ prompt: 'y' }));
  });
  assert.equal(await page.evaluate(() => window.first.then(({ code }) => code)), 'ABORTED');
  await pass(70);
  const [next, later] = await page.evaluate(async () => [await window.next, await outcome(window.engine.tokenize('z'))]);
  for (const error of [next, later]) {
    assert.equal(error.code, 'INTERNAL');
    assert.match(error.message, /no sign of life for 60 seconds.*load the model again/);
    assert.equal(error.details.reload, true);
  }
});

test('a worker that the browser ended is noticed', async (t) => {
  const { page, pass } = await withClock(t);
  await page.evaluate(async () => {
    const workers = [];
    window.Worker = class extends Worker {
      constructor(...how) {
        super(...how);
        workers.push(this);
      }
    };
    const engine = await Cresset.load('default', { cache: false });
    workers[0].terminate();
    window.next = outcome(engine.completions.create({ prompt: 'y' }));
  });
  await pass(70);
  assert.match(await page.evaluate(() => window.next.then(({ message }) => message)), /no sign of life/);
});

test('a worker twenty times slower that gives signs of life is left to its work', async (t) => {
  const { page, pass } = await withClock(t);
  await page.evaluate(async () => {
    const engine = await Cresset.load('/files/plodding.gguf', { cache: false });
    window.answer = outcome(engine.completions.create({ prompt: 'x', max_tokens: 24 }));
  });
  await pass(150); // 24 words of 0.3 s, twenty times as long
  const { value } = await page.evaluate(() => window.answer);
  assert.equal(value.usage.completion_tokens, 24);
});

test('a lost device keeps its code', async () => {
  const error = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/lost.gguf', { cache: false });
    const error = await outcome(engine.completions.create({ prompt: 'x' }));
    await engine.unload();
    return error;
  });
  assert.equal(error.code, 'DEVICE_LOST');
});

test('after unload, calls are refused', async () => {
  const codes = await page.evaluate(async () => {
    const engine = await Cresset.load('/files/slow.gguf');
    const open = outcome(engine.completions.create({ prompt: 'x' }));
    await engine.unload();
    return [(await open).code, (await outcome(engine.stats())).code];
  });
  assert.deepEqual(codes, ['ABORTED', 'ABORTED']);
});

test('works from another origin', async (t) => {
  const cdn = await startServer({ mock: true, headers: { 'Access-Control-Allow-Origin': '*' } });
  const { origin } = new URL(cdn.url);
  const site = await startServer({
    mock: true,
    headers: { 'Content-Security-Policy': `script-src 'self' ${origin} 'wasm-unsafe-eval'; worker-src blob:; connect-src ${origin}` },
  });
  const other = await newPage(browser);
  t.after(() => Promise.all([other.context().close(), cdn.close(), site.close()]));
  await other.goto(`${site.url}blank.html`);
  const text = await other.evaluate(async (url) => {
    const { Cresset } = await import(`${url}cresset.js`);
    const engine = await Cresset.load('default', { cache: false });
    const answer = await engine.completions.create({ prompt: 'x', max_tokens: 3 });
    await engine.unload();
    return answer.choices[0].text;
  }, cdn.url);
  assert.equal(text, ' there was a');
});

/** What a hub, or who stands in its place, may send as a list of files. */
const ODD_LISTS = {
  none: '{}',
  text: 'no list',
  null: 'null',
  number: '{"siblings":5}',
  nothing: '{"siblings":[null,1,{"rfilename":{}},{"lfs":1}]}',
  away: '{"siblings":[{"rfilename":"../../../o/r/resolve/main/x-Q8_0.gguf"},{"rfilename":"..\\\\x.gguf"}]}',
};

test('a repository name finds its best file; a missing one says so', async (t) => {
  const hub = await newPage(browser);
  t.after(() => hub.context().close());
  const cors = { 'Access-Control-Allow-Origin': '*' };
  await hub.context().route('https://huggingface.co/**', (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === '/api/models/o/r/revision/main')
      return route.fulfill({ headers: cors, json: { siblings: [{ rfilename: 'x-Q4_0.gguf' }, { rfilename: 'x-Q8_0.gguf' }] } });
    if (pathname === '/o/r/resolve/main/x-Q8_0.gguf') return route.fulfill({ headers: cors, body: gguf('chat'), contentType: 'application/octet-stream' });
    const odd = /^\/api\/models\/odd\/(.*)\/revision\/main$/.exec(pathname)?.[1];
    if (odd) return route.fulfill({ headers: cors, contentType: 'application/json', body: ODD_LISTS[odd] });
    return route.fulfill({ status: 401, headers: cors, body: 'no' });
  });
  const open = await startServer({ mock: true });
  t.after(() => open.close());
  await hub.goto(`${open.url}blank.html`);
  const result = await hub.evaluate(async (odds) => {
    const { Cresset } = await import('/cresset.js');
    const engine = await Cresset.load('hf:o/r');
    await engine.unload();
    const refusal = (model) => Cresset.load(model).catch(({ code, message }) => ({ code, message }));
    const odd = [];
    for (const name of odds) odd.push((await refusal(`hf:odd/${name}`)).code);
    return { name: engine.info.model.name, missing: await refusal('hf:o/none'), odd };
  }, Object.keys(ODD_LISTS));
  assert.equal(result.name, 'x-Q8_0');
  assert.equal(result.missing.code, 'MODEL_NOT_FOUND');
  assert.match(result.missing.message, /no public repository o\/none/);
  assert.deepEqual(result.odd, ['DOWNLOAD', 'DOWNLOAD', 'DOWNLOAD', 'DOWNLOAD', 'MODEL_NOT_FOUND', 'MODEL_NOT_FOUND']);
});

test('safetensors bring their siblings; a folder and its shards are found', async (t) => {
  const names = ['model.safetensors.index.json', 'a.safetensors', 'b.safetensors', 'config.json', 'tokenizer.json'];
  const bodies = {
    'model.safetensors.index.json': JSON.stringify({ weight_map: { x: 'a.safetensors', y: 'b.safetensors', z: 'a.safetensors' } }),
    'config.json': '{}',
    'tokenizer.json': '{}',
  };
  const routes = Object.fromEntries(names.map((name) => [`/folder/${name}`, (request, response) => response.writeHead(200).end(bodies[name] ?? gguf('safe'))]));
  const site = await startServer({ mock: true, routes });
  const folder = await newPage(browser);
  t.after(() => Promise.all([folder.context().close(), site.close()]));
  await folder.goto(`${site.url}blank.html`);
  const result = await folder.evaluate(async () => {
    const { Cresset } = await import('/cresset.js');
    const sizes = [];
    for (const model of ['/folder/', '/folder', '/folder/model.safetensors.index.json', '/folder/b.safetensors']) {
      const engine = await Cresset.load(model);
      sizes.push(engine.info.memory.weights);
      await engine.unload();
    }
    const missing = await Cresset.load('/nowhere/').catch(({ code }) => code);
    return { sizes, missing };
  });
  const weights = gguf('safe').length;
  const json = bodies['model.safetensors.index.json'].length;
  assert.deepEqual(result.sizes, [2 * weights + json + 4, 2 * weights + json + 4, 2 * weights + json + 4, weights + 4]);
  assert.equal(result.missing, 'MODEL_NOT_FOUND');
});

test('an index names files beside itself and nothing else; parts are not asked for by the thousand', async (t) => {
  const asked = [];
  const elsewhere = await startServer({ mock: true, headers: { 'Access-Control-Allow-Origin': '*' } });
  let names = [];
  const folder = (request, response) => {
    const { pathname } = new URL(request.url, 'http://x.example');
    asked.push(pathname);
    if (pathname.endsWith('.index.json'))
      return response.writeHead(200).end(JSON.stringify({ weight_map: Object.fromEntries(names.map((name, i) => [`w${i}`, name])) }));
    return response.writeHead(404).end();
  };
  const site = await startServer({ mock: true, routes: { '/folder/model.safetensors.index.json': folder } });
  const page = await newPage(browser);
  t.after(() => Promise.all([page.context().close(), site.close(), elsewhere.close()]));
  await page.goto(`${site.url}blank.html`);
  const load = (model) =>
    page.evaluate(async (model) => {
      const { Cresset } = await import('/cresset.js');
      return Cresset.load(model, { cache: false }).then(
        () => null,
        ({ code, message }) => ({ code, message }),
      );
    }, model);
  for (const name of [
    `${elsewhere.url}a.safetensors`,
    `//${new URL(elsewhere.url).host}/a.safetensors`,
    '../a.safetensors',
    '..',
    'b/a.safetensors',
    'b\\a.safetensors',
    '/a.safetensors',
    'a.safetensors?x',
    'a%2f..safetensors',
    'data:,x.safetensors',
    'x'.repeat(256),
    7,
    null,
    { a: 1 },
  ]) {
    names = ['fine.safetensors', name];
    const error = await load('/folder/');
    assert.equal(error?.code, 'MODEL_FORMAT', JSON.stringify(name));
    assert.match(error.message, /which is no file beside it/);
  }
  names = Array.from({ length: 1001 }, (_, i) => `a${i}.safetensors`);
  assert.match((await load('/folder/')).message, /claims to be one of 1001 parts; a model has at most 1000/);
  assert.match((await load('/m-00001-of-99999.gguf')).message, /claims to be one of 99999 parts/);
  const weights = () => site.requests.filter(({ path }) => /\.(safetensors|gguf)$/.test(path)).length;
  const before = weights();
  names = names.slice(1);
  assert.equal((await load('/folder/')).code, 'MODEL_NOT_FOUND');
  assert.equal((await load('/m-00001-of-01000.gguf')).code, 'MODEL_NOT_FOUND');
  assert.ok(weights() - before < 40, `${weights() - before} requests`);
  assert.equal(elsewhere.requests.length, 0);
});

test('no file is larger than it may be, whatever a server claims or sends', async (t) => {
  const MIB = 1 << 20;
  let answers = {};
  const route = (request, response) => answers[new URL(request.url, 'http://x.example').pathname](request, response);
  const paths = ['/m/config.json', '/m/tokenizer.json', '/m/model.safetensors', '/m.gguf'];
  const site = await startServer({ mock: true, routes: Object.fromEntries(paths.map((path) => [path, route])) });
  const page = await newPage(browser);
  t.after(() => Promise.all([page.context().close(), site.close()]));
  await page.goto(`${site.url}blank.html`);
  const load = (model, options) =>
    page.evaluate(
      async ([model, options]) => {
        const { Cresset } = await import('/cresset.js');
        await Cresset.cache.clear();
        return Cresset.load(model, options).then(
          (engine) => engine.unload(),
          ({ code, message }) => ({ code, message }),
        );
      },
      [model, options],
    );
  const whole = (bytes) => (request, response) =>
    response.writeHead(200, { 'Content-Length': bytes.length }).end(request.method === 'HEAD' ? undefined : bytes);
  const endless = (request, response) => {
    response.writeHead(200);
    if (request.method === 'HEAD') return response.end();
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 'G')));
    };
    response.on('drain', more);
    return more();
  };
  const claims = (bytes) => (request, response) => {
    response.writeHead(200, { 'Content-Length': bytes });
    return request.method === 'HEAD' ? response.end() : response.write('{');
  };
  const fine = { '/m/config.json': whole(Buffer.from('{}')), '/m/tokenizer.json': whole(Buffer.from('{}')), '/m/model.safetensors': whole(gguf('safe')) };
  for (const cache of [true, false]) {
    for (const [path, answer, words] of [
      ['/m/config.json', endless, /config\.json failed: .* sends more than 66 kB/],
      ['/m/config.json', claims(MIB), /config\.json failed: .* sends more than 66 kB/],
      ['/m/tokenizer.json', endless, /tokenizer\.json failed: .* sends more than 262 kB/],
      ['/m/model.safetensors', endless, /model\.safetensors failed: .* sends more than 25 MB/],
    ]) {
      answers = { ...fine, [path]: answer };
      const error = await load('/m/model.safetensors', { cache });
      assert.equal(error?.code, 'DOWNLOAD', path);
      assert.match(error.message, words);
    }
    answers = fine;
    assert.equal(await load('/m/model.safetensors', { cache }), undefined);
  }
  // A range that claims to be a thousand times as long: the buffer is made for what was asked for.
  answers = {
    '/m.gguf': (request, response) => {
      response.writeHead(206, { 'Content-Length': 3_000_000_000, 'Content-Range': `bytes 0-2097151/${8 * MIB}` });
      if (request.method === 'HEAD') return response.end();
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'G')));
      };
      response.on('drain', more);
      return more();
    },
  };
  const error = await load('/m.gguf', { cache: false });
  assert.equal(error.code, 'DOWNLOAD');
  assert.match(error.message, /more than it was asked for/);
});

test('a server that asks to come back later is asked again then', async (t) => {
  let turnedAway = 0;
  const hits = [];
  const file = gguf('');
  const site = await startServer({
    mock: true,
    routes: {
      '/busy.gguf': (request, response) => {
        hits.push(request.method);
        if (turnedAway > 0) {
          turnedAway -= 1;
          const later = turnedAway % 2 ? '1' : new Date(Date.now() + 1500).toUTCString();
          return response.writeHead(turnedAway % 2 ? 429 : 503, { 'Retry-After': later }).end();
        }
        return response.writeHead(200, { 'Content-Length': file.length }).end(request.method === 'HEAD' ? undefined : file);
      },
    },
  });
  const page = await newPage(browser);
  t.after(() => Promise.all([page.context().close(), site.close()]));
  await page.goto(`${site.url}blank.html`);
  for (const method of ['load', 'measure', 'probe']) {
    turnedAway = 2;
    hits.length = 0;
    const outcome = await page.evaluate(async (method) => {
      const { Cresset } = await import('/cresset.js');
      return Cresset[method]('/busy.gguf', { cache: false }).then(
        () => 'fine',
        ({ message }) => message,
      );
    }, method);
    assert.equal(outcome, 'fine', method);
    assert.ok(hits.length >= 3, `${method}: ${hits}`);
  }
});
