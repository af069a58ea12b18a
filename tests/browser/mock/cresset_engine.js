// A stand-in for the wasm module with its contract and no model: tests of the client and of the page run on it.
// It tells one story, word by word. A file's bytes choose its behaviour: see `open`.

import { heardIn, logprobsOf, tell } from './answers.js';

export default async function init() {}
export const version = () => '0.0.0-mock';

/**
 * `GGUF` begins a model; words after it change how it behaves: chat, slow, fast, panic, overflow (of its stack), stuck (at the fourth word, for
 * ever), plodding (for 0.3 s at each word, in which it answers nothing), reads (a long prompt, for 2.5 s), grows (its context), oom, foreign (of a kind that
 * does not run), lost, loops (and is stopped), drowsy (loses its device in the middle of an answer, and can go on with it), loses-context, no-system, cpu, and what it says (see
 * answers.js): echo (the question), markdown, long, hostile, thinks, seeded. `hears`: it writes down recordings, and nothing else. `sees`: it takes
 * pictures.
 */
async function open(files) {
  const bytes = await files[0].read(0, 64);
  const text = new TextDecoder().decode(bytes);
  if (!text.startsWith('GGUF'))
    throw { code: 'MODEL_FORMAT', message: `${files[0].name}: not a model file (it does not begin with GGUF)`, details: { file: files[0].name } };
  return {
    name: files[0].name,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    traits: new Set(
      text
        .slice(4)
        .trim()
        .split(/[\s\0]+/),
    ),
  };
}

/** Tells whether the bytes that were read are the file's; a test computes the same. */
export function sum(start, bytes) {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 61) sum = (Math.imul(sum, 31) + bytes[at]) >>> 0;
  return sum;
}

const DEVICE = {
  backend: 'webgpu',
  vendor: 'mock',
  architecture: 'paper',
  description: 'Mock adapter',
  software: false,
  features: ['subgroups'],
  limits: { maxBufferSize: 2 ** 30 },
};

/** What this model's makers recommend. */
const SAMPLING = {
  temperature: 0.5,
  top_k: 20,
  top_p: 0.95,
  min_p: 0.05,
  repetition_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
  penalty_last_n: 64,
};

const CPU = { ...DEVICE, backend: 'cpu', vendor: '', architecture: '', description: 'CPU', reason: 'the adapter is made of paper', reasonCode: 'unavailable' };

const architectureOf = (traits) => (traits.has('hears') ? 'whisper' : 'llama');

const FOREIGN = { code: 'MODEL_UNSUPPORTED', message: 'the architecture paper is not supported', details: {} };

const tooLarge = ({ backend }) => ({
  code: 'OUT_OF_MEMORY',
  message: 'it needs 90 GB of memory',
  details: { neededMegabytes: 90_000, limit: backend === 'cpu' ? 'page' : 'device' },
});

export async function probe(files, optionsJson) {
  const options = JSON.parse(optionsJson);
  const { bytes, traits } = await open(files);
  const device = options.device === 'cpu' ? CPU : DEVICE;
  const obstacle = traits.has('foreign') ? FOREIGN : traits.has('oom') ? tooLarge(device) : null;
  const fits = obstacle === null;
  return JSON.stringify({
    architecture: architectureOf(traits),
    parameters: 2_800_000,
    quantization: 'Q8_0',
    contextLength: 1024,
    downloadBytes: bytes,
    deviceBytes: bytes + 4_000_000,
    fits,
    ...(obstacle ? { reason: obstacle.message, problems: [obstacle.message], errors: [obstacle] } : {}),
    device,
    estimatedTokensPerSecond: 140,
    pace: { weight: 1.7e-11, dispatch: 6e-6 },
  });
}

/** What a stack overflow in wasm is to JavaScript. */
function overflow(depth) {
  return overflow(depth + 1) + 1;
}

/** Holds the thread, and gives a sign of life as the engine does while the CPU computes. */
function plod(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
  postMessage({ alive: true });
}

export async function estimate(requestJson, optionsJson) {
  const device = JSON.parse(optionsJson).device === 'cpu' ? CPU : DEVICE;
  const models = JSON.parse(requestJson).models.map(({ shape, downloadBytes }) => {
    const obstacle = device === CPU && downloadBytes > 3 * 2 ** 30 ? tooLarge(CPU) : null;
    return {
      fits: obstacle === null,
      ...(obstacle ? { reason: obstacle.message, problems: [obstacle.message], errors: [obstacle] } : {}),
      contextLength: Math.min(shape.context, 4096),
      deviceBytes: downloadBytes + 4_000_000,
      estimatedTokensPerSecond: obstacle ? null : 140,
    };
  });
  return JSON.stringify({ device, paces: { q8_0: { weight: 1.7e-11, dispatch: 6e-6 } }, models });
}

export class Engine {
  static async load(files, optionsJson, onProgress) {
    const options = JSON.parse(optionsJson);
    const { name, bytes, traits } = await open(files);
    if (traits.has('oom')) throw { code: 'OUT_OF_MEMORY', message: `${name} needs 90000 MB, but the device has 1000 MB`, details: {} };
    let checksum = 0;
    for (const file of files) {
      for (let at = 0; at < file.size; at += 1 << 20) {
        checksum = sum(checksum, await file.read(at, 1 << 20));
        onProgress({ status: 'upload', loaded: Math.min(at + (1 << 20), file.size), total: file.size });
      }
    }
    for (let step = 1; step <= 4; step += 1) onProgress({ status: 'compile', loaded: step, total: 4 });
    onProgress({ status: 'self-test', loaded: 1, total: 1 });
    return new Engine(name, bytes, traits, options, checksum);
  }

  constructor(name, bytes, traits, options, checksum) {
    Object.assign(this, { name, bytes, traits, options, checksum, interrupted: false, generated: 0, loaded: [] });
  }

  async loadAdapter(name, files, optionsJson) {
    const { bytes, name: file } = await open(files);
    if (this.loaded.some((adapter) => adapter.name === name)) throw invalid('name', `there is an adapter called ${name} already`);
    this.loaded.push({ name, file, files: files.map((each) => each.name), rank: 8, bytes, default: JSON.parse(optionsJson).default ?? false });
  }

  unloadAdapter(name) {
    this.#adapter(name);
    this.loaded = this.loaded.filter((adapter) => adapter.name !== name);
  }

  adapters() {
    return JSON.stringify(this.loaded);
  }

  #adapter(name) {
    const found = this.loaded.find((adapter) => adapter.name === name);
    if (!found) throw invalid('adapter', `there is no adapter called ${name}`);
    return found;
  }

  async completion(requestJson, onChunk, onProgress) {
    const request = JSON.parse(requestJson);
    if (request.prompt === undefined || request.prompt.length === 0) throw invalid('prompt', 'is empty');
    const { text, ...rest } = await this.#write(
      request,
      (piece, finish, position) =>
        onChunk(
          JSON.stringify({
            id: 'cmpl-1',
            object: 'text_completion',
            created: 0,
            model: this.name,
            choices: [
              { index: 0, text: piece, finish_reason: finish, logprobs: piece && request.logprobs ? logprobsOf(piece, position, request.logprobs) : null },
            ],
          }),
        ),
      (usage) => onChunk(JSON.stringify({ id: 'cmpl-1', object: 'text_completion', created: 0, model: this.name, choices: [], usage })),
      onProgress,
    );
    return JSON.stringify({
      id: 'cmpl-1',
      object: 'text_completion',
      created: 0,
      model: this.name,
      choices: [{ index: 0, text, finish_reason: rest.finish }],
      usage: rest.usage,
    });
  }

  async chat(requestJson, pictures, onChunk, onProgress) {
    const request = JSON.parse(requestJson);
    if (this.traits.has('hears')) throw invalid('model', 'writes down what is said in recordings; texts need a language model');
    if (!this.traits.has('chat')) throw { code: 'MODEL_UNSUPPORTED', message: 'chat without a chat template is not supported', details: {} };
    if (!(request.messages?.length > 0)) throw invalid('messages', 'is empty');
    if (pictures?.length > 0 && !this.traits.has('sees')) throw invalid('model', 'sees no pictures; load one that does, such as SmolVLM');
    this.seen = request.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []).filter(({ type }) => type === 'image_url'));
    this.seen = this.seen.map(({ image_url: { picture } }) => [pictures[picture].width, pictures[picture].height]);
    const prompt = this.tokenize(this.applyChatTemplate(JSON.stringify(request.messages))).length;
    const context = this.options.contextLength ?? 1024;
    if (this.traits.has('loses-context') && prompt > context)
      throw { code: 'CONTEXT_OVERFLOW', message: `the prompt has ${prompt} tokens, but the context holds ${context}`, details: {} };
    const head = { id: 'chatcmpl-1', created: 0, model: this.name };
    const { text, finish, usage } = await this.#write(
      request,
      (piece, reason) =>
        onChunk(
          JSON.stringify({
            ...head,
            object: 'chat.completion.chunk',
            choices: [{ index: 0, delta: piece ? { content: piece } : {}, finish_reason: reason }],
          }),
        ),
      (total) => onChunk(JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage: total })),
      onProgress,
    );
    return JSON.stringify({
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: finish }],
      usage,
    });
  }

  async recording(requestJson, sound, translate, onChunk, onProgress) {
    const request = JSON.parse(requestJson);
    if (!this.traits.has('hears')) throw invalid('model', 'knows texts only; recordings need a speech model, such as Whisper');
    if (sound.length === 0) throw invalid('file', 'has no sound in it');
    this.interrupted = false;
    this.last = { ...request, translate, seconds: sound.length / 16_000 };
    const frames = Math.ceil(sound.length / 160);
    const segments = heardIn(sound);
    for (const [id, segment] of segments.entries()) {
      if (this.traits.has('slow')) await new Promise((resolve) => setTimeout(resolve, 400));
      if (this.interrupted) throw { code: 'ABORTED', message: 'the request was aborted', details: {} };
      Object.assign(segment, { id, seek: 0, tokens: [id], temperature: 0, avg_logprob: -0.2, compression_ratio: 1.2, no_speech_prob: 0.01 });
      if (translate) segment.text = segment.text.toUpperCase();
      if (request.stream) onChunk(JSON.stringify({ type: 'transcript.text.delta', delta: id === 0 ? segment.text.trimStart() : segment.text }));
      onProgress({ status: 'sound', loaded: Math.round(segment.end * 100), total: frames });
    }
    const text = segments
      .map((segment) => segment.text)
      .join('')
      .trim();
    const usage = { type: 'duration', seconds: Math.ceil(frames / 100) };
    if (request.stream) onChunk(JSON.stringify({ type: 'transcript.text.done', text, usage }));
    if (request.response_format !== 'verbose_json') return JSON.stringify({ text, usage });
    const language = segments.length > 0 ? (request.language ?? 'english') : null;
    return JSON.stringify({ task: translate ? 'translate' : 'transcribe', language, duration: frames / 100, text, segments, usage });
  }

  /** A prompt that takes a while. */
  async #read(onProgress) {
    const total = this.traits.has('reads') ? 4000 : 0;
    for (let loaded = 0; loaded < total && !this.interrupted; loaded += 400) {
      onProgress({ status: 'prompt', loaded, total });
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  async #write(request, emit, emitUsage, onProgress) {
    if (request.temperature < 0) throw invalid('temperature', 'must be at least 0');
    if (request.top_p > 1 || request.top_p < 0) throw invalid('top_p', 'must be between 0 and 1');
    this.interrupted = false;
    this.last = request;
    const pieces = tell(this.traits, request);
    const limit = request.max_tokens ?? pieces.length;
    const start = performance.now();
    const used =
      request.adapter === undefined ? this.loaded.find((adapter) => adapter.default) : request.adapter === null ? undefined : this.#adapter(request.adapter);
    await this.#read(onProgress);
    if (this.traits.has('grows') && this.generated === 0) onProgress({ status: 'context', loaded: 2048, total: 2048 });
    let text = used ? `[${used.name}]` : '';
    let count = 0;
    let finish = 'length';
    let stoppedBy;
    while (count < limit) {
      if (!this.traits.has('fast') || count % 8 === 0) await new Promise((resolve) => setTimeout(resolve, this.traits.has('slow') ? 60 : 6));
      if (this.interrupted) {
        finish = 'abort';
        break;
      }
      if (this.traits.has('panic') && count === 3) {
        console.error('panicked at src/mock.rs:1:1:\nindex out of bounds\n\nStack: …');
        setTimeout(() => {
          throw new WebAssembly.RuntimeError('unreachable');
        });
        await new Promise(() => {});
      }
      if (this.traits.has('overflow') && count === 3) overflow(0);
      if (this.traits.has('stuck') && count === 3) for (;;);
      if (this.traits.has('plodding')) plod(300);
      const drowsy = this.traits.has('drowsy') && !request.continue_final_message;
      if ((this.traits.has('lost') || drowsy) && count === 3)
        throw { code: 'DEVICE_LOST', message: 'the graphics device was lost: the mock was told so', details: {} };
      if (this.traits.has('loops') && count === 9) {
        stoppedBy = 'repetition';
        break;
      }
      if (count >= pieces.length && !request.ignore_eos) {
        finish = 'stop';
        break;
      }
      const piece = pieces[count % pieces.length];
      text += piece;
      count += 1;
      this.generated += 1;
      if (request.stream) emit(piece, null, count);
    }
    if (request.stream) emit('', finish);
    const seconds = (performance.now() - start) / 1000;
    const usage = {
      prompt_tokens: 5,
      completion_tokens: count,
      total_tokens: count + 5,
      prompt_tokens_details: { cached_tokens: 0 },
      extra: { prefill_tokens_per_s: 900, decode_tokens_per_s: count / seconds, time_to_first_token_s: 0.006, cached_tokens: 0, stopped_by: stoppedBy },
    };
    if (request.stream && request.stream_options?.include_usage) emitUsage(usage);
    return { text, finish, usage };
  }

  tokenize(text) {
    return Uint32Array.from(new TextEncoder().encode(text));
  }
  detokenize(ids) {
    return new TextDecoder().decode(Uint8Array.from(ids));
  }
  applyChatTemplate(messagesJson) {
    const messages = JSON.parse(messagesJson);
    if (this.traits.has('no-system') && messages[0].role === 'system')
      throw { code: 'TEMPLATE', message: 'chat template, line 1: System role not supported', details: { line: 1 } };
    return messages.map(({ role, content }) => `<${role}>${textOf(content)}`).join('');
  }
  stats() {
    return JSON.stringify({ generated_tokens: this.generated, last_request: this.last, seen: this.seen });
  }
  verdict() {
    return '';
  }
  interrupt() {
    this.interrupted = true;
  }
  free() {}

  info() {
    const chat = this.traits.has('chat');
    return JSON.stringify({
      model: {
        name: this.name.replace(/\.gguf$/, ''),
        architecture: architectureOf(this.traits),
        parameters: 2_800_000,
        quantization: 'Q8_0',
        contextLength: this.options.contextLength ?? (this.traits.has('grows') && this.generated > 0 ? 2048 : 1024),
        contextLimit: this.options.contextLength ?? (this.traits.has('grows') ? 2048 : 1024),
        vocabularySize: 256,
        hasChatTemplate: chat,
        encoderDecoder: this.traits.has('translates'),
        ...(this.traits.has('sees') ? { vision: { tokens: PICTURE.length } } : {}),
      },
      sampling: { ...SAMPLING, ...this.options.sampling },
      device: this.options.device === 'cpu' || this.traits.has('cpu') ? CPU : DEVICE,
      adapters: this.loaded,
      memory: {
        weights: this.bytes,
        adapters: this.loaded.reduce((sum, { bytes }) => sum + bytes, 0),
        kv: 3_000_000,
        activations: 400_000,
        other: 0,
        total: this.bytes + 3_400_000,
      },
      variants: { matvec: 'subgroups', checksum: this.checksum },
    });
  }
}

/** What stands in a prompt for a picture. */
const PICTURE = '#'.repeat(100);

const textOf = (content) => (Array.isArray(content) ? content.map(({ type, text }) => (type === 'text' ? text : PICTURE)).join('') : content);

function invalid(field, reason) {
  return { code: 'INVALID_REQUEST', message: `${field}: ${reason}`, details: { field } };
}
