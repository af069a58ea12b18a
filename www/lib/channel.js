// Calls to the worker and what comes back. One id per call; its progress, chunks and answer carry the same id.
//
//   page → worker   { id, method, params }   { method: 'interrupt' }   { method: 'abort', id }   { method: 'ping' }
//   worker → page   { id, progress | chunk | result | error }   { fatal: error }   { alive: true }
//
// A worker that owes an answer and gives no sign of life is ended: whatever comes from it is one. It answers pings between
// its tasks, and while the CPU computes the engine itself reports, so that slow work is not taken for none.

import { CressetError } from './errors.js';
import { own } from './requests.js';
import { startWorker } from './start-worker.js';

const WORKER = new URL('../worker/worker.js', import.meta.url);

// The clock counts its own turns: a computer that sleeps, or a tab that is held back, makes few of them.
const TURN_MS = 5000;
const SILENT_TURNS = 12;
// A worker that has said nothing yet is still being fetched.
const STARTING_TURNS = 60;

/**
 * @typedef {import('./types.d.ts').Calls} Calls
 * @typedef {import('./types.d.ts').Listeners} Listeners
 * @typedef {Listeners & { resolve: (result: any) => void, reject: (error: CressetError) => void }} Call
 */

export class Channel {
  #worker;
  /** @type {Map<number, Call>} */
  #calls = new Map();
  #nextId = 1;
  /** @type {CressetError | null} */
  #closed = null;
  #clock = 0;
  /** Turns since the last sign of life. */
  #silent = 0;
  #started = false;
  /** Whether the worker has answered everything since the last message to it. */
  #settled = true;

  constructor() {
    this.#worker = startWorker(WORKER, 'cresset');
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.close(new CressetError('INTERNAL', 'internal error, please report it: the worker sent something unreadable'));
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(event.message ? new CressetError('INTERNAL', `the engine stopped: ${event.message}; load the model again`, { reload: true }) : startError());
    };
  }

  /**
   * @template {keyof Calls} M
   * @param {M} method
   * @param {Calls[M]['params']} params   what structured cloning takes
   * @param {Listeners} [listeners]
   * @returns {{ id: number, answer: Promise<Calls[M]['result']> }}
   */
  call(method, params, listeners = {}) {
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#calls.set(id, { resolve, reject, ...listeners });
      this.#worker.postMessage({ id, method, params });
      this.#watch();
    });
    return { id, answer };
  }

  /** Ends a call for the page at once: nothing of it arrives any more, its answer is this error. @param {number} id @param {CressetError} error */
  abort(id, error) {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    this.#worker.postMessage({ id, method: 'abort' });
    this.#watch();
    call.reject(error);
  }

  get closed() {
    return this.#closed !== null;
  }

  interrupt() {
    if (!this.#closed) this.#worker.postMessage({ method: 'interrupt' });
  }

  /** Ends the worker and every open call with this error. @param {CressetError} error */
  close(error) {
    if (this.#closed) return;
    this.#closed = error;
    clearInterval(this.#clock);
    this.#worker.terminate();
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }

  #watch() {
    if (this.#settled) {
      this.#settled = false;
      this.#silent = 0;
      this.#clock = setInterval(() => this.#turn(), TURN_MS);
    }
  }

  #turn() {
    if (this.#silent >= (this.#started ? SILENT_TURNS : STARTING_TURNS)) return this.close(this.#started ? silence() : startError());
    this.#silent += 1;
    this.#worker.postMessage({ method: 'ping' });
  }

  /** @param {any} data */
  #receive(data) {
    const { id, progress, chunk, result, error, fatal } = own(data);
    this.#started = true;
    this.#silent = 0;
    if (fatal) return this.close(CressetError.from(fatal));
    this.#answer(id, { progress, chunk, result, error });
    // An answer to a ping as well: nothing is owed while no call is open.
    if (this.#calls.size > 0 || this.#settled) return;
    this.#settled = true;
    clearInterval(this.#clock);
  }

  /** @param {number} id @param {any} data */
  #answer(id, { progress, chunk, result, error }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (progress) return call.onProgress?.(own(progress));
    if (chunk) return call.onChunk?.(chunk);
    this.#calls.delete(id);
    if (error) call.reject(CressetError.from(error));
    else call.resolve(result);
  }
}

function silence() {
  const seconds = (TURN_MS * SILENT_TURNS) / 1000;
  return new CressetError('INTERNAL', `the engine has given no sign of life for ${seconds} seconds and was ended; load the model again`, { reload: true });
}

function startError() {
  if (globalThis.navigator?.onLine === false) {
    return new CressetError('DOWNLOAD', 'the engine could not be fetched: this device is offline; connect it and load the model again', {
      url: WORKER.href,
      engine: true,
      reload: true,
    });
  }
  return new CressetError(
    'INTERNAL',
    `the engine's worker could not be started from ${WORKER}; is the file there, and does the page's Content-Security-Policy allow it (worker-src, script-src)?`,
    { reload: true },
  );
}
