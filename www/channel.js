// Calls to the worker and what comes back. One id per call; its progress, chunks and answer carry the same id.
//
//   page → worker   { id, method, params }      { method: 'interrupt' }      { method: 'abort', id }
//   worker → page   { id, progress | chunk | result | error }               { fatal: error }

import { CressetError } from './errors.js';

export class Channel {
  #worker;
  #calls = new Map();
  #nextId = 1;
  #closed = null;

  constructor() {
    this.#worker = startWorker();
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.close(new CressetError('INTERNAL', 'internal error, please report it: the worker sent something unreadable'));
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message
        ? `the engine stopped: ${event.message}; load the model again`
        : `the engine's worker could not be started from ${new URL('./worker.js', import.meta.url)}; is the file there, and does the page's Content-Security-Policy allow it (worker-src, script-src)?`;
      this.close(new CressetError('INTERNAL', reason, { reload: true }));
    };
  }

  /**
   * @param {string} method
   * @param {object} params   what structured cloning takes
   * @param {{ onProgress?: Function, onChunk?: Function }} [listeners]
   * @returns {{ id: number, answer: Promise<unknown> }}
   */
  call(method, params, listeners = {}) {
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#calls.set(id, { resolve, reject, ...listeners });
      this.#worker.postMessage({ id, method, params });
    });
    return { id, answer };
  }

  /** Ends a call for the page at once: nothing of it arrives any more, its answer is this error. */
  abort(id, error) {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    this.#worker.postMessage({ id, method: 'abort' });
    call.reject(error);
  }

  interrupt() {
    if (!this.#closed) this.#worker.postMessage({ method: 'interrupt' });
  }

  /** Ends the worker and every open call with this error. */
  close(error) {
    if (this.#closed) return;
    this.#closed = error;
    this.#worker.terminate();
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }

  #receive(message) {
    if (message.fatal) return this.close(CressetError.from(message.fatal));
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.progress) return call.onProgress?.(message.progress);
    if (message.chunk) return call.onChunk?.(message.chunk);
    this.#calls.delete(message.id);
    if (message.error) call.reject(CressetError.from(message.error));
    else call.resolve(message.result);
  }
}

// Workers start only from the page's own origin: from another one, a blob imports the module instead.
function startWorker() {
  const url = new URL('./worker.js', import.meta.url);
  const options = { type: 'module', name: 'cresset' };
  try {
    if (url.origin === globalThis.location?.origin) return new Worker(url, options);
    const blob = URL.createObjectURL(new Blob([bootstrap(url.href)], { type: 'text/javascript' }));
    const worker = new Worker(blob, options);
    // The worker has fetched its script by the time it answers anything; a minute is ample.
    setTimeout(() => URL.revokeObjectURL(blob), 60_000);
    return worker;
  } catch (error) {
    throw new CressetError('INTERNAL', `the engine's worker could not be started: ${error.message}`, {}, { cause: error });
  }
}

// A dynamic import, because browsers hold a worker's static imports to worker-src, dynamic ones to script-src. What is
// sent before the module listens is handed on to it.
function bootstrap(url) {
  return `const early = [];
const keep = ({ data }) => early.push(data);
addEventListener('message', keep);
import(${JSON.stringify(url)}).then(() => {
  removeEventListener('message', keep);
  for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
}, (error) => setTimeout(() => { throw error; }));`;
}
