// What pages ask of the library besides completions, with the real engine: models made smaller while they load, a chosen
// folder, texts to vectors, chats with tools, the visitor's clock and adapters. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DEVICES, GOLDEN, filesOf, gap, newEnginePage, readJson, serveEngine } from './engine.mjs';
import { ranged, startBrowser } from './harness.mjs';

const MINILM = process.env.CRESSET_MINILM;

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine([MINILM ?? ''], { '/long/f32.gguf': ranged(withContext(`${GOLDEN}/llama-gqa/f32.gguf`, 16_384)) });
  // Half an hour from a whole one: an offset in hours, or of the wrong sign, would show.
  page = await newEnginePage(browser, server, { timezoneId: 'Asia/Kolkata' });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** A llama of GGUF that was made for a context of so many tokens. */
function withContext(path, tokens) {
  const bytes = readFileSync(path);
  const key = 'llama.context_length';
  bytes.writeUInt32LE(tokens, bytes.indexOf(key) + key.length + 4); // behind the type of the value
  return bytes;
}

test('a conversation that outgrows its context goes on in a larger one, and nothing is read again', async () => {
  const { before, after, cached, told, same } = await page.evaluate(async () => {
    const open = (contextLength) => Cresset.load('/long/f32.gguf', { device: 'cpu', kv: 'f32', ...(contextLength ? { contextLength } : {}) });
    const ask = async (engine, prompt, max_tokens, onProgress) => {
      const request = { prompt, max_tokens, temperature: 0, ignore_eos: true, return_token_ids: true };
      const { choices, usage } = await engine.completions.create(request, { onProgress });
      return { ids: choices[0].token_ids, cached: usage.prompt_tokens_details.cached_tokens };
    };
    const engine = await open();
    const before = engine.info.model.contextLength;
    const prompt = Array.from({ length: 4080 }, (_, i) => (i * 7) % 90);
    const first = await ask(engine, prompt, 8);
    const longer = [...prompt, ...first.ids, 1, 2, 3, 4, 5, 6, 7];
    const told = [];
    const second = await ask(engine, longer, 8, ({ status, loaded }) => status === 'context' && told.push(loaded));
    const after = engine.info.model.contextLength;
    await engine.unload();
    const large = await open(8192);
    const { ids } = await ask(large, longer, 8);
    await large.unload();
    return { before, after, cached: second.cached, told, same: ids.join() === second.ids.join() };
  });
  assert.deepEqual({ before, after, told, same }, { before: 4096, after: 8192, told: [8192], same: true });
  assert.equal(cached, 4087, 'all but the last token, which was never fed back');
});

/** Logits of all positions of `ids` from llama-gqa's safetensors, made smaller as `quantize` says. */
async function quantized(device, quantize, ids) {
  return page.evaluate(
    async ({ paths, options, ids }) => {
      const engine = await loadBare(paths, options);
      const logits = Array.from(await engine.logits(Uint32Array.from(ids), true));
      const { model, device } = JSON.parse(engine.info());
      engine.free();
      return { logits, quantization: model.quantization, backend: device.backend };
    },
    { paths: filesOf('llama-gqa', 'model.safetensors.index.json'), options: { device, quantize, kv: 'f32' }, ids },
  );
}

test('quantize: the same smaller model on both devices, as close to the whole one as its bits allow', async () => {
  const { cases } = readJson(`${GOLDEN}/llama-gqa/expected.json`);
  const { ids, logits } = cases[0].sequences.at(-1);
  const errors = {};
  // Its rows are no whole blocks of 256 weights, where Q4_K gives way to Q5_0.
  for (const [quantize, says] of [
    ['q8_0', 'q8_0'],
    ['q4_0', 'q4_0'],
    ['q4_k', 'q5_0'],
  ]) {
    const [cpu, webgpu] = [await quantized('cpu', quantize, ids), await quantized('webgpu', quantize, ids)];
    assert.deepEqual([cpu.backend, webgpu.backend], DEVICES);
    assert.deepEqual([cpu.quantization, webgpu.quantization], [says, says]);
    assert.ok(gap(cpu.logits, webgpu.logits) <= 1e-3, `${quantize}: ${gap(cpu.logits, webgpu.logits)}`);
    const squares = logits.flat().map((value, i) => (value - cpu.logits[i]) ** 2);
    errors[quantize] = Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / squares.length);
  }
  // The logits themselves spread by 2.
  const { q8_0: eight, q4_0: four, q4_k: five } = errors;
  assert.ok(0 < eight && 2 * eight < five && 1.2 * five < four && four < 2, JSON.stringify(errors));
  // The very rounding of the file that the reference package wrote.
  const written = cases.find(({ files }) => files.includes('q8_0.gguf')).sequences.at(-1);
  const { logits: got } = await quantized('cpu', 'q8_0', written.ids);
  assert.ok(gap(got, written.logits.flat()) <= 1e-3, `q8_0.gguf: ${gap(got, written.logits.flat())}`);
});

/** The files of a llama whose rows are whole super-blocks of 256, of one layer and seeded weights. */
function wide() {
  const config = { ...readJson(`${GOLDEN}/llama-gqa/config.json`), hidden_size: 256, intermediate_size: 256, num_hidden_layers: 1 };
  const layer = Object.entries({
    input_layernorm: [256],
    post_attention_layernorm: [256],
    'self_attn.q_proj': [64, 256],
    'self_attn.k_proj': [32, 256],
    'self_attn.v_proj': [32, 256],
    'self_attn.o_proj': [256, 64],
    'mlp.gate_proj': [256, 256],
    'mlp.up_proj': [256, 256],
    'mlp.down_proj': [256, 256],
  });
  const tables = { 'model.embed_tokens': [96, 256], lm_head: [96, 256], 'model.norm': [256] };
  const shapes = [...Object.entries(tables), ...layer.map(([name, shape]) => [`model.layers.0.${name}`, shape])];
  let seed = 1;
  const random = () => ((seed = (seed * 48271) % 2147483647) / 2147483647) * 2 - 1; // Lehmer's
  const header = {};
  const values = [];
  for (const [name, shape] of shapes) {
    const first = values.length;
    const count = shape.reduce((product, n) => product * n, 1);
    for (let i = 0; i < count; i++) values.push((shape.length === 2 ? 0.12 : 0.3) * random());
    header[`${name}.weight`] = { dtype: 'F32', shape, data_offsets: [4 * first, 4 * values.length] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const weights = Buffer.concat([length, text, Buffer.from(Float32Array.from(values).buffer)]);
  return { 'config.json': Buffer.from(JSON.stringify(config)), 'model.safetensors': weights };
}

test('quantize: q4_k makes super-blocks where rows are long enough', async () => {
  const files = Object.entries(wide()).map(([name, bytes]) => [name, bytes.toString('base64')]);
  const load = (options) =>
    page.evaluate(
      async ({ files, options }) => {
        const { Engine } = await import('/cresset_engine.js');
        const sources = files.map(([name, base64]) => {
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          return { name, size: bytes.length, read: async (at, length) => bytes.slice(at, at + length) };
        });
        const engine = await Engine.load(sources, JSON.stringify(options), () => {});
        const logits = Array.from(await engine.logits(Uint32Array.from([3, 9, 27, 81, 50, 2]), true));
        const { model } = JSON.parse(engine.info());
        engine.free();
        return { logits, quantization: model.quantization };
      },
      { files, options: { kv: 'f32', ...options } },
    );
  const whole = await load({ device: 'cpu' });
  const [cpu, webgpu] = [await load({ device: 'cpu', quantize: 'q4_k' }), await load({ device: 'webgpu', quantize: 'q4_k' })];
  assert.deepEqual(
    [whole, cpu, webgpu].map(({ quantization }) => quantization),
    ['f32', 'q4_k', 'q4_k'],
  );
  assert.ok(gap(cpu.logits, webgpu.logits) <= 2e-3, `${gap(cpu.logits, webgpu.logits)}`);
  const lost = gap(cpu.logits, whole.logits);
  assert.ok(0.02 < lost && lost < 1, `${lost}`);
});

test('a model several times as large as the engine’s memory passes through it to the device', async (t) => {
  const [d, ffn, layers, vocabulary] = [1024, 4096, 12, 256];
  const config = {
    ...readJson(`${GOLDEN}/llama-gqa/config.json`),
    hidden_size: d,
    intermediate_size: ffn,
    num_hidden_layers: layers,
    num_attention_heads: 16,
    num_key_value_heads: 4,
    head_dim: 64,
    vocab_size: vocabulary,
  };
  const shapes = [
    ['model.embed_tokens', [vocabulary, d]],
    ['lm_head', [vocabulary, d]],
    ['model.norm', [d]],
  ];
  for (let i = 0; i < layers; i += 1) {
    const layer = {
      input_layernorm: [d],
      post_attention_layernorm: [d],
      'self_attn.q_proj': [d, d],
      'self_attn.k_proj': [256, d],
      'self_attn.v_proj': [256, d],
      'self_attn.o_proj': [d, d],
      'mlp.gate_proj': [ffn, d],
      'mlp.up_proj': [ffn, d],
      'mlp.down_proj': [d, ffn],
    };
    for (const [name, shape] of Object.entries(layer)) shapes.push([`model.layers.${i}.${name}`, shape]);
  }
  const header = {};
  let bytes = 0;
  for (const [name, shape] of shapes) {
    const end = bytes + 2 * shape.reduce((product, n) => product * n, 1);
    header[`${name}.weight`] = { dtype: 'F16', shape, data_offsets: [bytes, end] };
    bytes = end;
  }
  // A page of its own: the engine's memory never shrinks.
  const page = await newEnginePage(browser, server);
  const seen = await page.evaluate(
    async ({ config, header, bytes }) => {
      const { default: init, Engine } = await import('/cresset_engine.js');
      const { memory } = await init();
      const [text, json] = [header, config].map((value) => new TextEncoder().encode(JSON.stringify(value)));
      const head = new Uint8Array(8 + text.length);
      new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
      head.set(text, 8);
      // The weights are all 1/4, wherever they are read.
      const read = async (offset, length) => {
        const out = new Uint8Array(length);
        for (let at = 0; at < length; at += 1) {
          const byte = offset + at;
          out[at] = byte < head.length ? head[byte] : (byte - head.length) % 2 ? 0x34 : 0;
        }
        return out;
      };
      const files = [
        { name: 'model.safetensors', size: head.length + bytes, read },
        { name: 'config.json', size: json.length, read: async (offset, length) => json.slice(offset, offset + length) },
      ];
      const before = memory.buffer.byteLength;
      const engine = await Engine.load(files, JSON.stringify({ device: 'webgpu', contextLength: 64 }), () => {});
      const peak = memory.buffer.byteLength;
      const { weights } = JSON.parse(engine.info()).memory;
      engine.free();
      return { before, peak, weights };
    },
    { config, header, bytes },
  );
  await page.context().close();
  const MIB = 2 ** 20;
  t.diagnostic(`${Math.round(seen.weights / MIB)} MiB of weights, ${Math.round(seen.peak / MIB)} MiB of memory, ${Math.round(seen.before / MIB)} before`);
  assert.ok(seen.weights >= bytes && bytes > 300 * MIB, `${seen.weights} of ${bytes}`);
  assert.ok(seen.peak < 100 * MIB, `${seen.peak} bytes`);
});

test('a chosen folder keeps its folders: the way to pool is not another config.json', async () => {
  const { pooling, texts } = readJson(`${GOLDEN}/encoders/bert-cls/expected.json`);
  assert.equal(pooling, 'cls', 'the mean is what an encoder does that says nothing');
  await page.evaluate(() => {
    const input = Object.assign(document.createElement('input'), { type: 'file', id: 'folder', webkitdirectory: true });
    document.body.replaceChildren(input);
  });
  await page.setInputFiles('#folder', `${GOLDEN}/encoders/bert-cls`, { timeout: 10_000 });
  const vectors = await page.evaluate(
    async (input) => {
      // The folder has a GGUF beside the safetensors, of which the person chooses one.
      const files = [...document.querySelector('#folder').files].filter(({ name }) => !name.endsWith('.gguf'));
      const engine = await Cresset.load(files, { device: 'cpu' });
      const { data } = await engine.embeddings.create({ input });
      await engine.unload();
      return data.map(({ embedding }) => embedding);
    },
    texts.map(({ text }) => text),
  );
  for (const [i, { text, vector }] of texts.entries()) assert.ok(gap(vectors[i], vector) <= 5e-5, text);
});

test('a GGUF encoder with its vocabulary makes vectors of texts', async () => {
  const { texts } = readJson(`${GOLDEN}/encoders/bert-cls/expected.json`);
  const vectors = await page.evaluate(
    async (input) => {
      const engine = await Cresset.load('/golden/encoders/bert-cls/f32.gguf', { device: 'cpu', cache: false });
      const { data } = await engine.embeddings.create({ input });
      await engine.unload();
      return data.map(({ embedding }) => embedding);
    },
    texts.map(({ text }) => text),
  );
  for (const [i, { text, vector }] of texts.entries()) assert.ok(gap(vectors[i], vector) <= 5e-5, text);
});

test('all-MiniLM-L6-v2 makes the reference’s vectors', { skip: existsSync(MINILM ?? '') ? false : 'CRESSET_MINILM does not say where it is' }, async () => {
  const { cases, most_tokens: most } = readJson(`${GOLDEN}/encoders/minilm.json`);
  const vectors = await page.evaluate(
    async ({ input, most }) => {
      const engine = await Cresset.load('/model.safetensors', { device: 'cpu', cache: false });
      const { data } = await engine.embeddings.create({ input, truncate_prompt_tokens: most });
      await engine.unload();
      return data.map(({ embedding }) => embedding);
    },
    { input: cases.map(({ text }) => text), most },
  );
  for (const [i, { text, vector }] of cases.entries()) {
    const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);
    const likeness = dot(vectors[i], vector) / Math.sqrt(dot(vectors[i], vectors[i]) * dot(vector, vector));
    assert.ok(likeness >= 0.9999, `${text}: ${likeness}`);
  }
});

/** llama-gqa/f32.gguf with logits that are all zero, so that a request's biases alone say what is written. */
function silent() {
  const folder = `${GOLDEN}/llama-gqa`;
  const bytes = readFileSync(`${folder}/f32.gguf`);
  const shard = readFileSync(`${folder}/${readJson(`${folder}/model.safetensors.index.json`).weight_map['lm_head.weight']}`);
  const data = 8 + Number(shard.readBigUInt64LE());
  const [start, end] = JSON.parse(shard.toString('utf8', 8, data))['lm_head.weight'].data_offsets;
  const at = bytes.indexOf(shard.subarray(data + start, data + end));
  assert.ok(at > 0 && at % 32 === 0);
  return bytes.fill(0, at, at + end - start);
}

// In the golden vocabulary's characters; a call is [TOOL_CALLS], its name, [ARGS] and its arguments.
const TEMPLATE =
  "{# [TOOL_CALLS] [ARGS] #}{{ strftime_now('%H:%M') }}{% for t in tools or [] %} {{ t.function.name }}{% endfor %}" +
  '{% for m in messages %} {{ m.role }}: {{ m.content }}{% endfor %}{% if add_generation_prompt %} me:{% endif %}';

for (const device of DEVICES) {
  test(`${device}: a chat has a template, tools, the visitor’s clock, and an adapter`, async () => {
    const model = silent().toString('base64');
    const { prompt, clock, called, adapted, plain, same, refused } = await page.evaluate(
      async ({ model, device, template, adapter }) => {
        const engine = await Cresset.load(
          Uint8Array.from(atob(model), (c) => c.charCodeAt(0)),
          { device, selfTest: false },
        );
        const messages = [{ role: 'user', content: 'the hen' }];
        const tools = ['now', 'then'].map((name) => ({ type: 'function', function: { name, parameters: { type: 'object' } } }));
        const chat = { messages, tools, chat_template: template };
        const prompt = await engine.applyChatTemplate(messages, { tools, chat_template: template });
        const two = (n) => String(n).padStart(2, '0');
        const date = new Date();
        const clock = [date, new Date(date - 60_000)].map((d) => `${two(d.getHours())}:${two(d.getMinutes())}`);
        // The call's arguments are all that is left to write: {} and the end.
        const [[open], [close]] = [await engine.tokenize('{'), await engine.tokenize('}')];
        const calling = {
          ...chat,
          tool_choice: { type: 'function', function: { name: 'now' } },
          temperature: 0,
          max_tokens: 4,
          presence_penalty: 2,
          frequency_penalty: 2,
          logit_bias: { [open]: 100, [close]: 99, 95: 98 },
        };
        const called = [(await engine.chat.completions.create(calling)).choices[0]];
        for await (const chunk of await engine.chat.completions.create({ ...calling, stream: true })) called.push(...chunk.choices);
        await engine.adapters.load('it', adapter);
        const write = async (request) =>
          (
            await engine.chat.completions.create({
              messages,
              chat_template: '{{ messages[0].content }}',
              temperature: 0,
              max_tokens: 12,
              ignore_eos: true,
              return_token_ids: true,
              ...request,
            })
          ).choices[0].token_ids;
        const [adapted, plain] = [await write({ adapter: 'it' }), await write({})];
        const completion = await engine.completions.create({
          prompt: await engine.tokenize('the hen'),
          adapter: 'it',
          temperature: 0,
          max_tokens: 12,
          ignore_eos: true,
          return_token_ids: true,
        });
        const refused = await outcome(engine.chat.completions.create({ ...chat, chat_template: '{{ tools }}', tool_choice: 'required' }));
        await engine.unload();
        return { prompt, clock, called, adapted, plain, same: completion.choices[0].token_ids, refused };
      },
      { model, device, template: TEMPLATE, adapter: '/golden/lora/ranks' },
    );
    assert.equal(prompt.slice(5), ' now then user: the hen me:');
    assert.ok(clock.includes(prompt.slice(0, 5)), `${prompt.slice(0, 5)} at ${clock[0]}`);
    const [whole, ...chunks] = called;
    assert.deepEqual([whole.finish_reason, whole.message.content], ['tool_calls', null]);
    const streamed = chunks.flatMap(({ delta }) => delta.tool_calls ?? []);
    for (const calls of [whole.message.tool_calls, streamed])
      assert.deepEqual(
        calls.map((call) => call.function),
        [{ name: 'now', arguments: '{}' }],
      );
    assert.deepEqual(adapted, same);
    assert.notDeepEqual(adapted, plain);
    assert.equal(refused.code, 'INVALID_REQUEST');
    assert.match(refused.message, /^tool_choice: /);
  });
}
