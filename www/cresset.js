// Cresset: language models in a web page, on the visitor's own device. The public library; types in cresset.d.ts.
//
//   import { Cresset } from './cresset.js';
//   const engine = await Cresset.load('default');
//   const stream = await engine.completions.create({ prompt: 'Once upon a time', stream: true });
//   for await (const chunk of stream) out.append(chunk.choices[0]?.text ?? '');
//
// The engine itself lives in a worker (worker.js) that this file starts.

import { Channel } from './lib/channel.js';
import { CressetError, aborted } from './lib/errors.js';
import { Pace, describeProgress } from './lib/progress.js';
import { checkAdapterOptions, checkLoadOptions, checkName, encodeRequest, own } from './lib/requests.js';
import { models, parse, parseAdapter } from './files/sources.js';
import * as store from './files/store.js';
import { ChunkStream } from './lib/stream.js';

export { CressetError };

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
  const { adapter } = own(rest);
  /** @type {Calls['load']['params']} */
  const params = { source: parse(model, pageAddress()), options: checkLoadOptions(rest) };
  if (adapter !== null && adapter !== undefined) params.adapter = parseAdapter(adapter, pageAddress());
  const channel = new Channel();
  try {
    const { info } = await callAlone(channel, 'load', params, { onProgress, signal });
    return new Engine(channel, info);
  } catch (/** @type {any} */ error) {
    channel.close(error);
    throw error;
  }
}

/** What a model is and whether it fits this device, from its header alone. @param {Model} model @param {import('./cresset.js').ProbeOptions} [options] */
async function probe(model, options = {}) {
  const { signal, ...settings } = own(options);
  const params = { source: parse(model, pageAddress()), options: checkLoadOptions(settings) };
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
  const params = { source: parse(model, pageAddress()), options: checkLoadOptions(settings) };
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
  const stop = () => channel.close(aborted(signal));
  if (signal?.aborted) throw aborted(signal);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await channel.call(method, params, { onProgress: listener(onProgress) }).answer;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** `onProgress` as the worker's bare progress wants it. @param {OnProgress} [onProgress] */
function listener(onProgress) {
  const pace = new Pace();
  return (/** @type {import('./files/types.d.ts').BareProgress} */ progress) => onProgress?.(describeProgress(progress, pace));
}

function pageAddress() {
  const base = globalThis.document?.baseURI;
  // A form or an image called baseURI stands in for the address on such a page.
  return typeof base === 'string' ? base : globalThis.location?.href;
}

/** A loaded model. Requests run one after another, in the order they were made. @implements {EngineApi} */
class Engine {
  #channel;

  /** Model, device, and memory in bytes by kind, as they were when it, or the last adapter, was loaded. */
  info;
  /** @type {EngineApi['chat']} */
  chat;
  /** @type {EngineApi['completions']} */
  completions;
  /** @type {EngineApi['embeddings']} */
  embeddings;
  /** LoRA adapters: a request names one as its `adapter`, or null for none. @type {EngineApi['adapters']} */
  adapters;

  /** @param {Channel} channel @param {EngineInfo} info */
  constructor(channel, info) {
    this.#channel = channel;
    this.info = info;
    this.chat = { completions: { create: (/** @type {any} */ request) => this.#generate('chat', request) } };
    this.completions = { create: (/** @type {any} */ request) => this.#generate('completion', request) };
    this.embeddings = { create: (request) => this.#embed(request) };
    this.adapters = {
      load: (name, source, options) => this.#loadAdapter(name, source, options),
      list: () => this.#channel.call('listAdapters', {}).answer,
      unload: async (name) => this.#changeAdapters(this.#channel.call('unloadAdapter', { name: checkName(name) })),
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
   * The prompt that the model's template makes of these messages.
   * @param {import('./cresset.js').ChatMessage[]} messages
   * @param {import('./cresset.js').TemplateOptions} [options]
   */
  async applyChatTemplate(messages, options = {}) {
    const params = { messages: encodeRequest(messages, 'messages'), options: encodeRequest(options, 'options') };
    return this.#channel.call('applyChatTemplate', params).answer;
  }

  /** Measures the loaded model: speeds, what a token costs, and with `profile` where the time goes. */
  async bench(options = {}) {
    return this.#channel.call('bench', { options: encodeRequest(options, 'options') }).answer;
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
    this.#channel.close(new CressetError('ABORTED', 'the model was unloaded; load it again to go on'));
  }

  /** @param {string} name @param {import('./cresset.js').AdapterSource} source @param {import('./cresset.js').AdapterOptions} [options] */
  async #loadAdapter(name, source, options) {
    const { onProgress, signal, ...settings } = own(options);
    const params = { name: checkName(name), source: parseAdapter(source, pageAddress()), options: checkAdapterOptions(settings) };
    if (signal?.aborted) throw aborted(signal);
    const call = this.#channel.call('loadAdapter', params, { onProgress: listener(onProgress) });
    const stop = () => this.#channel.abort(call.id, aborted(signal));
    signal?.addEventListener('abort', stop, { once: true });
    return this.#changeAdapters(call).finally(() => signal?.removeEventListener('abort', stop));
  }

  /** @param {{ answer: Promise<{ info: EngineInfo }> }} call */
  async #changeAdapters({ answer }) {
    this.info = (await answer).info;
  }

  /** @param {Partial<import('./cresset.js').EmbeddingRequest>} [how] */
  async #embed({ signal, ...request } = {}) {
    const params = { request: encodeRequest(request, 'request') };
    if (signal?.aborted) throw aborted(signal);
    const { id, answer } = this.#channel.call('embed', params);
    const stop = () => this.#channel.abort(id, aborted(signal));
    signal?.addEventListener('abort', stop, { once: true });
    return answer.finally(() => signal?.removeEventListener('abort', stop));
  }

  /** @param {'chat' | 'completion'} kind @param {any} [how] @returns {Promise<any>} */
  async #generate(kind, { signal, ...request } = {}) {
    const params = { kind, request: encodeRequest(request, 'request') };
    if (signal?.aborted) throw aborted(signal);
    const chunks = request.stream ? new ChunkStream() : null;
    const { id, answer } = this.#channel.call('generate', params, { onChunk: (chunk) => chunks?.push(chunk) });
    const stop = () => this.#channel.abort(id, aborted(signal));
    signal?.addEventListener('abort', stop, { once: true });
    const settled = answer.finally(() => signal?.removeEventListener('abort', stop));
    if (!chunks) return settled;
    settled.then(
      () => chunks.end(),
      (error) => chunks.fail(error),
    );
    chunks.onCancel = () => this.#channel.abort(id, aborted());
    // A request that is refused is refused here, not at the first chunk.
    await chunks.started;
    return chunks;
  }
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
