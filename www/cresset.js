// Cresset: language models in a web page, on the visitor's own device. The public library; types in cresset.d.ts.
//
//   import { Cresset } from './cresset.js';
//   const engine = await Cresset.load('default');
//   const stream = await engine.chat.completions.create({ messages: [{ role: 'user', content: 'Hello' }], stream: true });
//   for await (const chunk of stream) out.append(chunk.choices[0]?.delta?.content ?? '');
//
// The engine itself lives in a worker (worker.js) that this file starts.

import { Channel } from './lib/channel.js';
import { CressetError, aborted } from './lib/errors.js';
import { Pace, describeProgress, describeReading } from './lib/progress.js';
import { anySignal, checkAdapterOptions, checkLoadOptions, checkName, checkRequest, encodeRequest, own } from './lib/requests.js';
import { models, parse, parseAdapter, parseProjector } from './files/sources.js';
import * as store from './files/store.js';
import { isLive, soundOf } from './lib/sound.js';
import { demandBrowser } from './lib/start-worker.js';
import { Stream } from './lib/stream.js';

export { CressetError, Stream };

/**
 * @typedef {import('./cresset.js').Model} Model
 * @typedef {import('./cresset.js').Engine} EngineApi
 * @typedef {import('./cresset.js').EngineInfo} EngineInfo
 * @typedef {import('./cresset.js').LoadOptions['onProgress']} OnProgress
 * @typedef {import('./lib/types.d.ts').Calls} Calls
 */

/**
 * Loads a model, and the LoRA adapter that its requests use; see API.md for what `model` may be.
 * @param {Model} model
 * @param {import('./cresset.js').LoadOptions} [options]
 */
async function load(model, options = {}) {
  const { onProgress, signal, ...rest } = own(options);
  const { adapter, speech = null } = own(rest);
  if (speech !== null && typeof speech.audio?.transcriptions?.create !== 'function')
    throw new CressetError('INVALID_REQUEST', 'speech: expected the engine of a speech model', { field: 'speech' });
  /** @type {Calls['load']['params']} */
  const params = { source: sourceOf(model, rest), options: checkLoadOptions(rest) };
  if (adapter !== null && adapter !== undefined) params.adapter = parseAdapter(adapter, pageAddress());
  const channel = new Channel();
  try {
    const { info } = await callAlone(channel, 'load', params, { onProgress, signal });
    return new Engine(channel, info, speech);
  } catch (/** @type {any} */ error) {
    channel.close(error);
    throw error;
  }
}

/** A model's files, and those of the half of it that sees. @param {Model} model @param {any} options */
function sourceOf(model, { projector }) {
  const source = parse(model, pageAddress());
  return projector === undefined || projector === null ? source : { ...source, projector: parseProjector(projector, pageAddress()) };
}

/** What a model is and whether it fits this device, from its header alone. @param {Model} model @param {import('./cresset.js').ProbeOptions} [options] */
async function probe(model, options = {}) {
  const { signal, ...settings } = own(options);
  const params = { source: sourceOf(model, settings), options: checkLoadOptions(settings) };
  return ask('probe', params, signal);
}

/**
 * Estimates memory and speed of a catalogue's models, without a byte of them.
 * @param {readonly import('./cresset.js').KnownModel[]} models
 * @param {any} [options]
 */
async function estimate(models, options = {}) {
  const { signal, measured = null, ...settings } = own(options);
  if (!Array.isArray(models)) throw new CressetError('INVALID_REQUEST', 'models: expected an array', { field: 'models' });
  const known = models.map(({ shape, quantization, downloadBytes }) => ({ shape, quantization, downloadBytes }));
  const params = { request: encodeRequest({ models: known, measured }, 'models'), options: checkLoadOptions(settings) };
  return ask('estimate', params, signal);
}

/**
 * How much loading a model would download. Asks its host for sizes; nothing of the model travels.
 * @param {Model} model
 * @param {Pick<import('./cresset.js').ProbeOptions, 'signal' | 'cache'>} [options]
 */
async function measure(model, options = {}) {
  const { signal, ...settings } = own(options);
  const params = { source: sourceOf(model, settings), options: checkLoadOptions(settings) };
  return ask('measure', params, signal);
}

/**
 * A question to a worker of its own, which ends with the answer.
 * @template {keyof Calls} M
 * @param {M} method
 * @param {Calls[M]['params']} params
 * @param {AbortSignal} [signal]
 */
async function ask(method, params, signal) {
  const channel = new Channel();
  try {
    return await callAlone(channel, method, params, { signal });
  } finally {
    channel.close(new CressetError('ABORTED', 'the question has been answered'));
  }
}

/**
 * A call on a channel that nothing else uses: aborting it ends the worker.
 * @template {keyof Calls} M
 * @param {Channel} channel
 * @param {M} method
 * @param {Calls[M]['params']} params
 * @param {{ onProgress?: OnProgress, signal?: AbortSignal }} how
 */
async function callAlone(channel, method, params, { onProgress, signal }) {
  const end = anySignal(signal);
  if (end.aborted) throw aborted(end);
  const { answer } = channel.call(method, params, { onProgress: listener(onProgress) });
  return endedBy(end, () => channel.close(aborted(end)), answer);
}

/**
 * An answer that is waited for until the signal is aborted: then `stop` ends it.
 * @template T
 * @param {AbortSignal} signal
 * @param {() => void} stop
 * @param {Promise<T>} answer
 */
function endedBy(signal, stop, answer) {
  signal.addEventListener('abort', stop, { once: true });
  return answer.finally(() => signal.removeEventListener('abort', stop));
}

/** `onProgress` as the worker's bare progress wants it. @param {OnProgress} [onProgress] */
function listener(onProgress) {
  const pace = new Pace();
  return (/** @type {any} */ progress) => onProgress?.(describeProgress(progress, pace));
}

function pageAddress() {
  demandBrowser();
  const base = globalThis.document?.baseURI;
  // A form or an image called baseURI stands in for the address on such a page.
  return typeof base === 'string' ? base : globalThis.location?.href;
}

/** Whether messages or inputs have such a part. @param {any} list @param {(part: any) => boolean} is */
const has = (list, is) => [list].flat().some((/** @type {any} */ item) => [item, item?.content].flat().some((part) => part && is(part)));

/** A request whose pictures are numbers, and their pixels. What reads pictures is fetched with the first. @param {any} body @returns {Promise<{ body: any, pictures: import('./lib/types.d.ts').Pixels[] }>} */
async function withPictures(body) {
  const { messages, input } = own(body);
  if (!has([messages, input].flat(), ({ type, image }) => type === 'image_url' || image !== undefined)) return { body, pictures: [] };
  const { takePictures } = await import('./lib/pictures.js');
  return takePictures(body);
}

/** Engines of this page that hear: one of them writes down the recordings of chats. @type {Set<Engine>} */
const ears = new Set();
const HEARS = 'whisper';

/** A loaded model. Requests run one after another, in the order they were made. @implements {EngineApi} */
class Engine {
  #channel;
  /** That is to write down the recordings of its chats. @type {EngineApi | null} */
  #speech;

  /** Model, device, and memory in bytes by kind, as they were when it, or the last adapter, was loaded, or when the context last grew. */
  info;
  /** @type {EngineApi['chat']} */
  chat;
  /** @type {EngineApi['completions']} */
  completions;
  /** @type {EngineApi['embeddings']} */
  embeddings;
  /** @type {EngineApi['audio']} */
  audio;
  /** LoRA adapters: a request names one as its `adapter`, or null for none. @type {EngineApi['adapters']} */
  adapters;

  /** @param {Channel} channel @param {EngineInfo} info @param {EngineApi | null} speech */
  constructor(channel, info, speech) {
    this.#channel = channel;
    this.#speech = speech;
    this.info = info;
    if (info.model.architecture === HEARS) ears.add(this);
    this.chat = { completions: { create: (/** @type {any} */ request, /** @type {any} */ options) => this.#generate('chat', request, options) } };
    this.completions = { create: (/** @type {any} */ request, /** @type {any} */ options) => this.#generate('completion', request, options) };
    this.embeddings = { create: (request, options) => this.#embed(request, options) };
    this.audio = {
      transcriptions: { create: (/** @type {any} */ request, /** @type {any} */ options) => this.#hear('transcription', request, options) },
      translations: { create: (/** @type {any} */ request, /** @type {any} */ options) => this.#hear('translation', request, options) },
    };
    this.adapters = {
      load: (name, source, options) => this.#loadAdapter(name, source, options),
      list: () => this.#channel.call('listAdapters', {}).answer,
      unload: (name) => this.#unloadAdapter(name),
    };
  }

  /** Text to token ids. @param {string} text */
  async tokenize(text) {
    if (typeof text !== 'string') throw new CressetError('INVALID_REQUEST', 'text: expected a string', { field: 'text' });
    return this.#channel.call('tokenize', { text }).answer;
  }

  /** Token ids to text. @param {ArrayLike<number>} ids */
  async detokenize(ids) {
    const valid = (/** @type {number} */ id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32;
    if (typeof ids?.length !== 'number' || !Array.from(ids).every(valid)) {
      throw new CressetError('INVALID_REQUEST', 'ids: expected an array of token ids', { field: 'ids' });
    }
    return this.#channel.call('detokenize', { ids: Uint32Array.from(ids) }).answer;
  }

  /**
   * The prompt that the model's template makes of these messages, with the tokens of their pictures.
   * @param {import('./cresset.js').ChatMessage[]} messages
   * @param {import('./cresset.js').TemplateOptions} [options]
   */
  async applyChatTemplate(messages, options = {}) {
    const said = await this.#withText(messages, anySignal());
    const told = has(said, ({ type }) => type === 'image_url') ? await (await import('./lib/pictures.js')).measurePictures(said) : said;
    const params = { messages: encodeRequest(told, 'messages'), options: encodeRequest(options, 'options', 'a chat') };
    return this.#channel.call('applyChatTemplate', params).answer;
  }

  /** Measures the loaded model: speeds, what a token costs, and with `profile` where the time goes. */
  async bench(options = {}) {
    return this.#channel.call('bench', { options: encodeRequest(options, 'options', 'a bench') }).answer;
  }

  /** Counters of the running engine. */
  async stats() {
    return this.#channel.call('stats', {}).answer;
  }

  /** Ends the running request early; it finishes normally with `finish_reason: 'abort'`. */
  async interrupt() {
    this.#channel.interrupt();
  }

  /** Frees everything. Requests that are still open end with ABORTED. */
  async unload() {
    ears.delete(this);
    this.#channel.close(new CressetError('ABORTED', 'the model was unloaded; load it again to go on'));
  }

  /** @param {string} name @param {import('./cresset.js').AdapterSource} source @param {import('./cresset.js').AdapterOptions} [options] */
  async #loadAdapter(name, source, options) {
    const { onProgress, signal, ...settings } = own(options);
    const params = { name: checkName(name), source: parseAdapter(source, pageAddress()), options: checkAdapterOptions(settings) };
    this.info = (await this.#call('loadAdapter', params, anySignal(signal), { onProgress: listener(onProgress) })).info;
  }

  /** @param {string} name */
  async #unloadAdapter(name) {
    this.info = (await this.#channel.call('unloadAdapter', { name: checkName(name) }).answer).info;
  }

  /** @param {import('./cresset.js').EmbeddingRequest} body @param {import('./cresset.js').RequestOptions} [options] */
  async #embed(body, options) {
    const { body: told, pictures } = await withPictures(body);
    const { request, signal } = checkRequest('an embedding', told, options);
    return this.#call('embed', { request, pictures }, signal);
  }

  /** @param {'chat' | 'completion'} kind @param {any} body @param {any} [options] @returns {Promise<any>} */
  async #generate(kind, body, options) {
    const said = kind === 'chat' ? await this.#withSpeech(body, options) : body;
    const { body: told, pictures } = await withPictures(said);
    return this.#ask(kind, checkRequest(`a ${kind}`, told, options), { pictures });
  }

  /** A chat whose recordings are texts. @param {any} body @param {any} options */
  async #withSpeech(body, options) {
    const { messages, signal } = own(body);
    const said = await this.#withText(messages, anySignal(signal, own(options).signal));
    return said === messages ? body : { ...own(body), messages: said };
  }

  /** Messages whose recordings are texts. What writes them down is fetched with the first. @param {any} messages @param {AbortSignal} signal */
  async #withText(messages, signal) {
    if (!has(messages, ({ type }) => type === 'input_audio')) return messages;
    const { writeDown } = await import('./lib/hearing.js');
    return writeDown(messages, this.#speech ?? [...ears].findLast((engine) => !engine.#channel.closed) ?? null, signal);
  }

  /** @param {'transcription' | 'translation'} kind @param {any} body @param {any} [options] @returns {Promise<any>} */
  async #hear(kind, body, options) {
    const { file, ...rest } = own(body);
    const checked = checkRequest('a recording', rest, options);
    if (isLive(file)) return this.#listen(kind, file, checked);
    return this.#ask(kind, checked, { sound: await soundOf(file) });
  }

  /** @param {Calls['generate']['params']['kind']} kind @param {ReturnType<typeof checkRequest>} checked @param {{ sound?: Float32Array, pictures?: import('./lib/types.d.ts').Pixels[] }} media */
  #ask(kind, { request, isStream, signal, onProgress }, media) {
    const pace = new Pace();
    const listeners = { onProgress: (/** @type {any} */ progress) => onProgress?.(describeReading(progress, pace)) };
    const params = { kind, request, ...media };
    return isStream ? this.#stream(params, signal, listeners) : this.#answer(params, signal, listeners);
  }

  /** @param {Calls['generate']['params']} params @param {AbortSignal} signal @param {import('./lib/types.d.ts').Listeners} listeners */
  async #answer(params, signal, listeners) {
    const { answer, info } = await this.#call('generate', params, signal, listeners);
    this.info = info ?? this.info;
    return answer;
  }

  /** @param {Calls['generate']['params']} params @param {AbortSignal} signal @param {import('./lib/types.d.ts').Listeners} listeners */
  #stream(params, signal, listeners) {
    return streamOf(signal, (emit, end) => {
      const first = Promise.withResolvers();
      const onChunk = (/** @type {any} */ chunk) => {
        emit(chunk);
        first.resolve(chunk);
      };
      const ended = this.#answer(params, end, { ...listeners, onChunk });
      return { begun: Promise.race([first.promise, ended]), ended };
    });
  }

  /** Sound that goes on. @param {'transcription' | 'translation'} kind @param {MediaStream} media @param {ReturnType<typeof checkRequest>} checked */
  async #listen(kind, media, { request, isStream, signal }) {
    if (!isStream) throw new CressetError('INVALID_REQUEST', 'stream: must be true for a MediaStream, which has no end yet', { field: 'stream' });
    const { timestamp_granularities: _, ...wanted } = JSON.parse(request);
    const { listen } = await import('./lib/live/listen.js');
    return streamOf(signal, (emit, end) => {
      // A reading is not drawn again where it is doubtful: the next one comes soon.
      const asked = JSON.stringify({ temperature: 0, ...wanted, stream: false, response_format: 'verbose_json' });
      const read = async (/** @type {Float32Array} */ sound) => /** @type {any} */ (await this.#answer({ kind, request: asked, sound }, end, {})).segments;
      const listening = listen(media, { read, emit, signal: end });
      return { begun: listening, ended: listening.then(({ ended }) => ended) };
    });
  }

  /**
   * A call that aborting `signal` ends for the page at once.
   * @template {keyof Calls} M
   * @param {M} method
   * @param {Calls[M]['params']} params
   * @param {AbortSignal} signal
   * @param {import('./lib/types.d.ts').Listeners} [listeners]
   */
  async #call(method, params, signal, listeners) {
    if (signal.aborted) throw aborted(signal);
    const { id, answer } = this.#channel.call(method, params, listeners);
    return endedBy(signal, () => this.#channel.abort(id, aborted(signal)), answer);
  }
}

/**
 * A stream of what a request emits. A request that is refused is refused here, not at the first chunk.
 * @param {AbortSignal} signal
 * @param {(emit: (chunk: any) => void, end: AbortSignal) => { begun: Promise<unknown>, ended: Promise<unknown> }} begin
 */
async function streamOf(signal, begin) {
  const controller = new AbortController();
  /** @type {any} */
  let feed;
  const chunks = new ReadableStream({
    start(made) {
      feed = made;
    },
    cancel: () => controller.abort(),
  });
  const { begun, ended } = begin((chunk) => feed.enqueue(chunk), anySignal(signal, controller.signal));
  // Of a stream that was left, neither does anything.
  ended.then(() => feed.close()).catch((error) => feed.error(error));
  await begun;
  return new Stream(chunks, controller);
}

/** The library. @type {typeof import('./cresset.js').Cresset} */
export const Cresset = Object.freeze({
  load,
  probe,
  estimate,
  measure,
  /** Models that come with the library: `{ id, name, bytes, … }`; the first is 'default'. */
  models,
  /** Model files kept on this device. */
  cache: Object.freeze({
    list: store.list,
    delete: (/** @type {string} */ model) => store.deleteModel(model === 'default' ? models[0]?.id : String(model)),
    clear: store.clear,
    usage: store.usage,
    persist: store.persist,
  }),
});
