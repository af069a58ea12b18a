// The real engine in Chromium, on the processor and on WebGPU: golden logits and ids (tests/golden, computed by an
// independent implementation), the bundled model, and the page as a visitor uses it. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DEVICES, DIST, GOLDEN, SHARED, STORY_MODEL, filesOf, newEnginePage, readJson, serveEngine } from './engine.mjs';
import { SCREENSHOTS, newPage, startBrowser } from './harness.mjs';

/** Of one test: a busy machine may take long over the golden files. */
const LIMIT = { timeout: 1_800_000 };

const STORIES = `${SHARED}/stories260K`;

let browser, server, page;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await startBrowser();
  server = await serveEngine([SHARED]);
  page = await newEnginePage(browser, server);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** The folder of which every file is checked on WebGPU, slow as it is in software; of the others one, of either kind in turn. */
const WHOLLY_ON_WEBGPU = /^llama-gqa$/;
/** Folders that differ from others in how their files are read, not in what is computed. */
const NOTHING_NEW_ON_WEBGPU = /^(gemma3-whole|qwen3-moe-window)$/;

for (const device of DEVICES) {
  const folders = readdirSync(GOLDEN).filter((name) => existsSync(`${GOLDEN}/${name}/config.json`));
  for (const [turn, folder] of folders.entries()) {
    if (device === 'webgpu' && NOTHING_NEW_ON_WEBGPU.test(folder)) continue;
    const one = device === 'webgpu' && !WHOLLY_ON_WEBGPU.test(folder);
    const { cases, text, text_ids: textIds } = readJson(`${GOLDEN}/${folder}/expected.json`);
    for (const { files, context, sequences, greedy } of cases) {
      for (const name of one ? [files[turn % files.length]] : files) {
        test(`${device}: ${folder}/${name}${context ? `, ${context} positions` : ''} has the reference's logits and ids`, LIMIT, async () => {
          const [kinds, got] = await page.evaluate(
            async ({ paths, options, sequences, greedy, text }) => {
              const engine = await loadBare(paths, { ...options, kv: 'f32' });
              const kinds = JSON.parse(engine.info()).device.backend;
              const logits = [];
              for (const { ids } of sequences) logits.push(Array.from(await engine.logits(Uint32Array.from(ids), true)));
              const answer = JSON.parse(
                await engine.completion(
                  JSON.stringify({ prompt: greedy.prompt, max_tokens: greedy.ids.length, temperature: 0, ignore_eos: true, return_token_ids: true }),
                  () => {},
                ),
              );
              const ids = Array.from(await engine.tokenize(text));
              engine.free();
              return [kinds, { logits, greedy: answer.choices[0].token_ids, ids }];
            },
            { paths: filesOf(folder, name), options: { device, contextLength: context }, sequences: sequences.map(({ ids }) => ({ ids })), greedy, text },
          );
          assert.equal(kinds, device);
          for (const [index, { ids, positions = ids.map((_, i) => i), logits }] of sequences.entries()) {
            const columns = logits[0].length;
            assert.equal(got.logits[index].length, ids.length * columns);
            assert.equal(logits.length, positions.length);
            const errors = positions.flatMap((position, row) => logits[row].map((value, i) => Math.abs(value - got.logits[index][position * columns + i])));
            const error = Math.max(...errors);
            assert.ok(error <= 1e-3, `sequence ${index}: max abs error ${error}`);
          }
          assert.deepEqual(got.greedy, greedy.ids);
          assert.deepEqual(got.ids, textIds);
        });
      }
    }
  }

  test(`${device}: adapters give the logits of peft, by request`, LIMIT, async () => {
    const { cases } = readJson(`${GOLDEN}/lora/expected.json`);
    for (const [index, { base, files, adapters, sequences, greedy }] of cases.entries()) {
      // On WebGPU, slow as it is in software, of every third case one file, of either kind in turn: they differ in how they are
      // read, and natively all are computed on a graphics device.
      const chosen = index % 3 === 1 ? [adapters[index % adapters.length]] : [];
      for (const adapter of device === 'cpu' ? adapters : chosen) {
        const [folder] = adapter.split('/');
        const beside = adapter.endsWith('.gguf') ? [] : [`/golden/lora/${folder}/adapter_config.json`];
        const got = await page.evaluate(
          async ({ paths, adapter, device, sequences, greedy }) => {
            const engine = await loadBare(paths, { device, kv: 'f32' });
            const write = async (adapter) => {
              const request = { prompt: greedy.prompt, max_tokens: greedy.ids.length, temperature: 0, ignore_eos: true, return_token_ids: true, adapter };
              return JSON.parse(await engine.completion(JSON.stringify(request), () => {})).choices[0].token_ids;
            };
            const plain = await write(null);
            await engine.loadAdapter('it', await filesAt(adapter), '{"default":true}');
            const logits = [];
            for (const { ids } of sequences) logits.push(Array.from(await engine.logits(Uint32Array.from(ids), true)));
            const texts = { named: await write('it'), none: await write(null), absent: await write(undefined) };
            const loaded = JSON.parse(engine.info()).memory.adapters;
            engine.unloadAdapter('it');
            const left = JSON.parse(engine.info()).memory.adapters;
            engine.free();
            return { plain, logits, texts, loaded, left };
          },
          { paths: filesOf(base, files[0]), adapter: [`/golden/lora/${adapter}`, ...beside], device, sequences: sequences.map(({ ids }) => ({ ids })), greedy },
        );
        for (const [index, { logits }] of sequences.entries()) {
          const error = logits.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - got.logits[index][i])), 0);
          assert.ok(error <= 1e-3, `${adapter} on ${base}, sequence ${index}: max abs error ${error}`);
        }
        assert.deepEqual(got.texts, { named: greedy.ids, none: got.plain, absent: greedy.ids }, adapter);
        assert.ok(got.loaded > 1000 && got.left === 0, `${got.loaded} bytes, then ${got.left}`);
      }
    }
  });

  test(`${device}: a recording is heard as the reference hears it, in every form of sound`, LIMIT, async () => {
    const { seconds, heard } = readJson(`${GOLDEN}/speech/whisper-128/expected.json`);
    const letters = [...'abcdefghijklmnopqrstuvwxyz.,', ' ', "'"];
    const got = await page.evaluate(
      async ({ url, device, seconds }) => {
        const tones = [220, 1234.5, 5000];
        const at = (t) => tones.reduce((sum, hertz, k) => sum + (Math.sin(2 * Math.PI * hertz * t) * t) / (k + 1), 0) / 8;
        const samples = Float32Array.from({ length: seconds * 16_000 }, (_, i) => at(i / 16_000) + (i === 4000 ? 0.5 : 0));
        const engine = await Cresset.load(url, { device, cache: false, kv: 'f32', selfTest: false }); // it has tests of its own
        const { transcriptions } = engine.audio;
        const how = { language: 'de', temperature: 0 };
        const { text } = await transcriptions.create({ file: { samples, sample_rate: 16_000 }, ...how });
        const progress = [];
        const onProgress = ({ status, fraction }) => progress.push(`${status} ${fraction}`);
        let streamed = '';
        const stream = await transcriptions.create({ file: { samples, sample_rate: 16_000 }, ...how, stream: true }, { onProgress });
        for await (const { delta = '' } of stream) streamed += delta;
        const buffer = new AudioBuffer({ length: 1.5 * 48_000, numberOfChannels: 2, sampleRate: 48_000 });
        const { duration, segments } = await transcriptions.create({ file: buffer, ...how, response_format: 'verbose_json' });
        const timed = { response_format: 'verbose_json', timestamp_granularities: ['word'] };
        const words = await transcriptions.create({ file: { samples, sample_rate: 16_000 }, ...how, ...timed });
        const refused = [];
        for (const file of [new Blob(['no sound']), { samples: [0.5], sample_rate: 16_000 }, { samples, sample_rate: 0 }, undefined]) {
          refused.push((await outcome(transcriptions.create({ file }))).message);
        }
        refused.push((await outcome(engine.completions.create({ prompt: 'a' }))).code);
        await engine.unload();
        return { text, streamed, progress, duration, segments, words, refused };
      },
      { url: `${server.url}golden/speech/whisper-128/model.safetensors`, device, seconds },
    );
    const want = heard
      .map((id) => letters[id])
      .join('')
      .trim();
    assert.ok(want.length > 20 && got.text.startsWith(want), `${got.text}\n${want}`);
    assert.equal(got.streamed.trim(), got.text);
    assert.equal(got.progress.at(-1), 'sound 1');
    assert.deepEqual([got.duration, got.segments], [1.5, []], 'silence, at another rate, in two channels');
    const { words, ...others } = got.words;
    assert.ok(words.length > 0 && words.every(({ start, end }) => 0 <= start && start <= end && end <= seconds), JSON.stringify(words));
    assert.equal(words.map(({ word }) => word).join(''), others.text.replaceAll(' ', ''));
    assert.ok(!('segments' in others), 'words alone');
    const [blob, array, rate, nothing, code] = got.refused;
    assert.match(blob, /^file: it is no recording/);
    assert.match(rate, /^file: sample_rate/);
    assert.equal(array, nothing);
    assert.equal(code, 'INVALID_REQUEST');
  });

  test(`${device}: pictures are seen as the reference sees them, from every form of picture`, LIMIT, async () => {
    const { pictures } = readJson(`${GOLDEN}/vision/dinov2/expected.json`);
    // Compiling takes the software adapter half a minute for each; on a graphics device the native tests see all of them.
    const names = device === 'cpu' ? ['smolvlm', 'gemma3', 'llava'] : ['smolvlm'];
    const models = names.map((name) => ({ name, chat: readJson(`${GOLDEN}/vision/${name}/expected.json`).chats[0] }));
    const got = await page.evaluate(
      async ({ root, device, sizes, models }) => {
        const waves = (width, height) => {
          const data = new Uint8ClampedArray(4 * width * height);
          for (let y = 0, at = 0; y < height; y += 1)
            for (let x = 0; x < width; x += 1, at += 4) data.set([(x * x + 3 * y) % 256, (x * y + 5 * x) % 256, (7 * x + y * y) % 256, 255], at);
          return new ImageData(data, width, height);
        };
        const asFile = (picture) => {
          const canvas = new OffscreenCanvas(picture.width, picture.height);
          canvas.getContext('2d').putImageData(picture, 0, 0);
          return canvas.convertToBlob();
        };
        const asAddress = async (picture) => `data:image/png;base64,${new Uint8Array(await (await asFile(picture)).arrayBuffer()).toBase64()}`;
        const options = { device, cache: false, kv: 'f32', selfTest: false }; // it has tests of its own
        const encoder = await Cresset.load(`${root}dinov2/model.safetensors`, options);
        const [first, second] = sizes.map(({ width, height }) => waves(width, height));
        const input = [{ image: await asFile(first) }, { image: second }];
        const { data } = await encoder.embeddings.create({ input, normalize: false });
        const refused = [];
        const broken = [new Blob(['no picture']), 'data:image/png;base64,AAAA', `${root}none.png`, 7];
        for (const image of broken) refused.push((await outcome(encoder.embeddings.create({ input: { image } }))).message);
        refused.push((await outcome(encoder.completions.create({ prompt: 'a' }))).message);
        await encoder.unload();

        const answers = [];
        for (const { name, chat } of models) {
          // On the processor its half that sees comes from a projector.
          const projector = device === 'cpu' ? await (await fetch(`${root}${name}/mmproj.gguf`)).blob() : undefined;
          const engine = await Cresset.load(`${root}${name}/model.safetensors`, { ...options, projector });
          const [[width, height]] = chat.sizes;
          const url = await asAddress(waves(width, height));
          const content = chat.parts.map((part) => (part === 'image' ? { type: 'image_url', image_url: { url } } : { type: 'text', text: part }));
          const how = { temperature: 0, max_tokens: chat.answer.length, ignore_eos: true, return_token_ids: true };
          const answer = await engine.chat.completions.create({ messages: [{ role: 'user', content }], ...how });
          const counted = await engine.tokenize(await engine.applyChatTemplate([{ role: 'user', content }]));
          answers.push({ ids: answer.choices[0].token_ids, counted, vision: engine.info.model.vision });
          await engine.unload();
        }
        return { vectors: data.map(({ embedding }) => embedding), refused, answers };
      },
      { root: `${server.url}golden/vision/`, device, sizes: pictures, models },
    );
    for (const [i, { vector }] of pictures.entries()) {
      const gap = Math.max(...vector.map((x, j) => Math.abs(x - got.vectors[i][j])));
      assert.ok(gap < 1e-3, `picture ${i}: ${gap}`);
    }
    const [file, address, absent, number, text] = got.refused;
    assert.match(file, /^input\.image: it is no picture/);
    assert.match(address, /^input\.image: it is no picture/);
    assert.match(absent, /^input\.image: .*none\.png cannot be read \(HTTP 404\)/);
    assert.match(number, /^input\.image: expected a Blob/);
    assert.match(text, /makes vectors of pictures/);
    assert.deepEqual(
      got.answers,
      models.map(({ chat }, i) => ({ ids: chat.answer, counted: chat.ids, vision: { tokens: [4, 25, 16][i] } })),
    );
  });

  test(`${device}: texts are translated as the reference translates them`, LIMIT, async () => {
    for (const name of device === 'cpu' ? ['t5-gated', 'marian'] : ['t5-gated']) {
      const { cases } = readJson(`${GOLDEN}/seq2seq/${name}/expected.json`);
      const got = await page.evaluate(
        async ({ url, device, texts }) => {
          const engine = await Cresset.load(url, { device, kv: 'f32', selfTest: false }); // it has tests of its own
          const answers = [];
          for (const prompt of texts) {
            const how = { prompt, max_tokens: 16, return_token_ids: true };
            const [greedy, found] = [await engine.completions.create({ ...how, num_beams: 1 }), await engine.completions.create({ ...how, num_beams: 4 })];
            answers.push({ greedy: greedy.choices[0].token_ids, found: found.choices[0].token_ids, written: found.choices[0].text });
          }
          await engine.unload();
          return answers;
        },
        { url: `${server.url}golden/seq2seq/${name}/model.safetensors`, device, texts: cases.map(({ text }) => text) },
      );
      const end = name === 'marian' ? 0 : 1;
      const untilEnd = (ids) => ids.slice(0, ids.includes(end) ? ids.indexOf(end) : undefined);
      assert.deepEqual(
        got,
        cases.map(({ greedy, beams, written }) => ({ greedy: untilEnd(greedy), found: untilEnd(beams[0]), written })),
      );
    }
  });

  // The library and files of either kind on the processor: what is left to WebGPU is to compute the same.
  test(`${device}: encoders make the reference's vectors`, LIMIT, async () => {
    for (const folder of ['bert-mean', 'bert-cls', 'nomic-bert', 'modern-bert']) {
      const { pooling, sequences } = readJson(`${GOLDEN}/encoders/${folder}/expected.json`);
      const input = sequences.map(({ ids }) => ids);
      for (const name of device === 'cpu' ? ['model.safetensors', 'f32.gguf'] : ['f32.gguf']) {
        const path = `/golden/encoders/${folder}/${name}`;
        const { vectors, usage, refused } = await page.evaluate(device === 'cpu' ? embedByLibrary : embedByEngine, { path, device, input });
        assert.equal(
          usage.prompt_tokens,
          input.reduce((sum, ids) => sum + ids.length, 0),
        );
        assert.equal(refused, 'INVALID_REQUEST');
        for (const [index, sequence] of sequences.entries()) {
          const error = sequence[pooling].reduce((most, value, i) => Math.max(most, Math.abs(value - vectors[index][i])), 0);
          assert.ok(error <= 5e-5, `${folder}/${name}, ${sequence.ids.length} ids: max abs error ${error}`);
        }
      }
    }
  });

  test(`${device}: stories260K writes the reference's text`, { skip: existsSync(STORIES) ? false : 'the shared weights are not here', ...LIMIT }, async () => {
    await page.evaluate(async (device) => {
      const engine = await loadBare(['/stories260K/stories260K.gguf'], { device });
      window.writer = {
        write: async (request) => JSON.parse(await engine.completion(JSON.stringify(request), () => {})),
        tokenize: async (text) => Array.from(await engine.tokenize(text)),
      };
      window.end = () => engine.free();
    }, device);
    await checkGreedy(`${STORIES}/expected.json`);
    await page.evaluate(() => end());
  });

  test(`${device}: the bundled model, loaded once`, LIMIT, async (t) => {
    await page.evaluate(async (device) => {
      window.engine = await Cresset.load('stories', { device, selfTest: false }); // it has tests of its own
      window.writer = { write: (request) => engine.completions.create(request), tokenize: (text) => engine.tokenize(text) };
    }, device);
    if (device === 'webgpu') assert.equal(await page.evaluate(() => engine.info.variants.proven), false);
    await t.test("it writes the reference's text", () => checkGreedy(`${GOLDEN}/bundled.json`));

    await t.test('the same seed gives the same text, streamed or not', async () => {
      const [first, second, other] = await page.evaluate(async () => {
        const request = { prompt: 'One day', max_tokens: 24, temperature: 0.9, top_k: 40, seed: 7 };
        const whole = (await engine.completions.create(request)).choices[0].text;
        let streamed = '';
        for await (const chunk of await engine.completions.create({ ...request, stream: true })) streamed += chunk.choices[0]?.text ?? '';
        const other = (await engine.completions.create({ ...request, seed: 8 })).choices[0].text;
        return [whole, streamed, other];
      });
      assert.equal(second, first);
      assert.notEqual(other, first);
    });

    await t.test('an abort ends the stream at once and the engine goes on', async () => {
      const result = await page.evaluate(async () => {
        const controller = new AbortController();
        const stream = await engine.completions.create({ prompt: 'Once', max_tokens: 200, ignore_eos: true, stream: true, signal: controller.signal });
        let seen = 0;
        const code = await (async () => {
          for await (const _ of stream) if ((seen += 1) === 3) controller.abort();
        })().then(
          () => 'ended',
          (error) => error.code,
        );
        const next = await engine.completions.create({ prompt: 'Once', max_tokens: 4, temperature: 0 });
        const chunks = [];
        for await (const chunk of await engine.completions.create({ prompt: 'Once', max_tokens: 200, ignore_eos: true, stream: true })) {
          chunks.push(chunk);
          if (chunks.length === 2) engine.interrupt();
        }
        const finish = chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean);
        return { seen, code, next: next.choices[0].finish_reason, finish, count: chunks.length };
      });
      assert.deepEqual([result.seen, result.code, result.next, result.finish], [3, 'ABORTED', 'length', ['abort']]);
      assert.ok(result.count < 60, `${result.count} chunks after an interrupt`);
    });

    await t.test('bench says how fast it is, and on WebGPU what the adapter could do at most', async () => {
      const report = await page.evaluate(() => engine.bench({ prompt: 8, generate: 4, repeat: 1, ceilings: true }));
      assert.deepEqual([report.prompt_tokens, report.generated_tokens, report.runs, report.objects_made], [8, 4, 1, 0]);
      for (const key of ['prefill_tokens_per_s', 'decode_tokens_per_s', 'time_to_first_token_s', 'weight_bytes']) assert.ok(report[key] > 0, key);
      assert.equal(report.ceilings !== undefined, device === 'webgpu');
      for (const [key, value] of Object.entries(report.ceilings ?? {})) assert.ok(value > 0 && Number.isFinite(value), key);
      if (report.ceilings) assert.ok(report.share_of_stream > 0 && report.share_of_fma > 0);
    });
    await page.evaluate(() => engine.unload());
  });
}

/** Holds `writer`, which a page has, to texts of an independent implementation. */
async function checkGreedy(expected) {
  const references = readJson(expected);
  const requests = references.map(({ prompt, ids, greedy_ids: want }) => ({ prompt, ids, count: want.length }));
  const answers = await page.evaluate(async (requests) => {
    const answers = [];
    for (const { prompt, ids, count } of requests) {
      const {
        choices: [{ text, token_ids }],
      } = await writer.write({ prompt: ids, max_tokens: count, temperature: 0, ignore_eos: true, return_token_ids: true });
      answers.push({ text, ids: token_ids, promptIds: prompt ? await writer.tokenize(prompt) : null });
    }
    return answers;
  }, requests);
  for (const [index, { prompt, ids, greedy_ids: want, greedy_text: text }] of references.entries()) {
    const got = answers[index];
    assert.deepEqual(got.ids, want, prompt);
    assert.equal(got.text.trim(), text.trim());
    if (got.promptIds) assert.deepEqual(got.promptIds, ids, prompt);
  }
}

/** Vectors of token ids, and what comes of a request to write; runs in the page. */
async function embedByLibrary({ path, device, input }) {
  const engine = await Cresset.load(path, { device, cache: false });
  const { data, usage } = await engine.embeddings.create({ input });
  const refused = (await outcome(engine.completions.create({ prompt: [5] }))).code;
  await engine.unload();
  return { vectors: data.map(({ embedding }) => embedding), usage, refused };
}

/** The same of the engine alone, on the page's graphics device. */
async function embedByEngine({ path, device, input }) {
  const engine = await loadBare([path], { device });
  const { data, usage } = JSON.parse(await engine.embeddings(JSON.stringify({ input })));
  const refused = (await outcome(engine.completion(JSON.stringify({ prompt: [5] }), () => {}))).code;
  engine.free();
  return { vectors: data.map(({ embedding }) => embedding), usage, refused };
}

test('the library loads adapters with a model and after it', LIMIT, async () => {
  const { cases } = readJson(`${GOLDEN}/lora/expected.json`);
  const { greedy } = cases[0];
  const mlx = cases.find(({ adapters }) => adapters[0].startsWith('mlx/')).greedy;
  const result = await page.evaluate(
    async ({ greedy, mlx }) => {
      const engine = await Cresset.load('/golden/llama-gqa/f32.gguf', { device: 'cpu', kv: 'f32', adapter: '/golden/lora/ranks' });
      await engine.adapters.load('turned', '/golden/lora/mlx/');
      const write = async ({ prompt, ids }, adapter) => {
        const answer = await engine.completions.create({ prompt, max_tokens: ids.length, temperature: 0, ignore_eos: true, return_token_ids: true, adapter });
        return answer.choices[0].token_ids;
      };
      const ids = [await write(greedy), await write(mlx, 'turned'), await write(greedy, 'default')];
      const listed = await engine.adapters.list();
      const wrong = await outcome(engine.adapters.load('wrong', '/golden/lora/conv1d/'));
      const bytes = engine.info.memory.adapters;
      await engine.unload();
      return { ids, listed, wrong, bytes };
    },
    { greedy, mlx },
  );
  assert.deepEqual(result.ids, [greedy.ids, mlx.ids, greedy.ids]);
  assert.deepEqual(
    result.listed.map(({ name, rank, default: chosen }) => [name, rank, chosen]),
    [
      ['default', 64, true],
      ['turned', 8, false],
    ],
  );
  assert.equal(result.bytes >= result.listed[0].bytes + result.listed[1].bytes, true);
  assert.equal(result.wrong.code, 'MODEL_FORMAT');
  assert.match(result.wrong.message, /transformer\.h\.0\.attn\.c_attn\.lora_A\.weight/);
});

test('probe and info name model, device and memory', LIMIT, async () => {
  const { fit, info, template, ids, text } = await page.evaluate(async () => {
    const fit = await Cresset.probe('stories');
    const engine = await Cresset.load('stories');
    const ids = await engine.tokenize('A fox, a café, 猫.');
    const text = await engine.detokenize(ids);
    const template = await outcome(engine.applyChatTemplate([{ role: 'user', content: 'x' }]));
    const { info } = engine;
    await engine.unload();
    return { fit, info, template, ids, text };
  });
  assert.equal(fit.fits, true);
  assert.equal(fit.architecture, 'llama');
  assert.ok(fit.parameters > 1e6 && fit.deviceBytes > 1e6 && fit.downloadBytes > 1e6);
  assert.ok(info.model.contextLength > 0 && info.model.vocabularySize > 0 && info.model.name);
  assert.equal(info.model.hasChatTemplate, false);
  assert.ok(info.memory.total > 1e6 && info.memory.total >= info.memory.weights + info.memory.kv);
  assert.ok(['webgpu', 'cpu'].includes(info.device.backend));
  assert.equal(template.code, 'MODEL_UNSUPPORTED');
  assert.ok(ids.length > 3);
  assert.ok(text.endsWith('A fox, a café, 猫.'), text); // special tokens that begin a text are spelt out
});

test('broken files and requests are refused by code, and nothing breaks', LIMIT, async () => {
  const result = await page.evaluate(async (url) => {
    const good = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const patched = (at, ...bytes) => {
      const copy = good.slice();
      copy.set(bytes, at);
      return copy;
    };
    const files = {
      empty: new Uint8Array(0),
      zeros: new Uint8Array(1000),
      text: new TextEncoder().encode('hello '.repeat(100)),
      magic: patched(0, 71, 71, 85, 71),
      version: patched(4, 99),
      tensors: patched(8, 255, 255, 255, 255, 255, 255, 255, 127),
      header: good.slice(0, 40),
      half: good.slice(0, good.length >> 1),
      short: good.slice(0, good.length - 1),
    };
    const codes = {};
    for (const [name, bytes] of Object.entries(files)) codes[name] = (await outcome(Cresset.load(bytes))).code ?? 'loaded';
    const engine = await Cresset.load('stories', { device: 'cpu' });
    const requests = {
      empty: { prompt: '' },
      none: {},
      temperature: { prompt: 'x', temperature: -1 },
      top_p: { prompt: 'x', top_p: 7 },
      max_tokens: { prompt: 'x', max_tokens: -5 },
      id: { prompt: [4_000_000] },
      long: { prompt: 'many words '.repeat(5000) },
    };
    const refused = {};
    for (const [name, request] of Object.entries(requests)) refused[name] = (await outcome(engine.completions.create(request))).code ?? 'answered';
    const answer = await engine.completions.create({ prompt: 'Once', max_tokens: 3 });
    await engine.unload();
    return { codes, refused, tokens: answer.usage.completion_tokens };
  }, `/models/${STORY_MODEL}`);
  for (const [name, code] of Object.entries(result.codes)) assert.ok(['MODEL_FORMAT', 'MODEL_UNSUPPORTED'].includes(code), `${name}: ${code}`);
  const { long, ...invalid } = result.refused;
  assert.equal(long, 'CONTEXT_OVERFLOW');
  for (const [name, code] of Object.entries(invalid)) assert.equal(code, 'INVALID_REQUEST', name);
  assert.equal(result.tokens, 3);
});

test('the bench page shows the figures, and errors in words', LIMIT, async () => {
  const bench = await newPage(browser);
  await bench.goto(`${server.url}bench.html`);
  await bench.selectOption('#device', 'cpu');
  await bench.fill('#prompt', '16');
  await bench.fill('#generate', '8');
  await bench.click('#run');
  await bench.waitForSelector('#results:not([hidden])');
  assert.match(await bench.textContent('#results'), /on CPU, cpu.*Prompt[\d.,]+ tokens\/s.*Answer[\d.,]+ tokens\/s/s);
  assert.equal(JSON.parse(await bench.textContent('#whole pre')).report.generated_tokens, 8);
  await bench.fill('#model', '/nothing.gguf');
  await bench.click('#run');
  await bench.waitForFunction(() => /^MODEL_NOT_FOUND: /.test(document.querySelector('#state').textContent));
  assert.equal(await bench.isEnabled('#run'), true);
  await bench.context().close();
});

test('a visitor opens the page, writes, stops, loads a file, meets a broken one, and goes on', LIMIT, async () => {
  const visit = await newPage(browser);
  const state = (name) => visit.waitForFunction((name) => document.documentElement.dataset.state === name, name);
  await visit.goto(server.url);
  await state('ready');
  await visit.screenshot({ path: `${SCREENSHOTS}/engine-first.png` });
  await visit.click('.chip');
  await visit.waitForSelector('.by-model');
  await visit.keyboard.press('Escape');
  await state('ready');
  const stopped = await visit.inputValue('#text');
  assert.ok(stopped.length > 10);

  const bytes = readFileSync(`${DIST}/models/${STORY_MODEL}`);
  await visit.click('.views [data-view=models]');
  await visit.setInputFiles('#file', { name: 'mine.gguf', mimeType: 'application/octet-stream', buffer: bytes });
  await visit.waitForFunction(() => /^mine/.test(document.querySelector('#model-name').textContent) && document.documentElement.dataset.state === 'ready');
  await visit.setInputFiles('#file', { name: 'broken.gguf', mimeType: 'application/octet-stream', buffer: bytes.subarray(0, bytes.length >> 1) });
  await visit.waitForSelector('#notices .problem');
  assert.match(await visit.textContent('#notices .problem'), /MODEL_FORMAT/);
  await visit.click('.views [data-view=write]');
  assert.equal(await visit.inputValue('#text'), stopped);
  // A beginning, since the story may have come to its end before it was stopped.
  const beginning = 'Once upon a time';
  await visit.fill('#text', beginning);
  await visit.press('#text', 'Control+Enter');
  await visit.waitForFunction((length) => document.querySelector('#text').value.length > length, beginning.length);
  assert.deepEqual(visit.problems, []);
  assert.deepEqual(
    visit.addresses.filter((address) => !address.startsWith(server.url) && !address.startsWith('blob:')),
    [],
  );
  await visit.context().close();
});
