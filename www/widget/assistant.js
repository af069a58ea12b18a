// Who answers: an engine on this device, or the site's server where this device cannot. From asleep over consent and
// download to ready, with every way back; knows no document.

import { Cresset } from '../cresset.js';
import { CressetError } from '../lib/errors.js';
import { isBroken } from '../chat/problems.js';
import { isKept } from '../chat/kept.js';
import { savesData } from '../chat/save-data.js';
import { join, keyOf } from './engines.js';
import { answerLocally } from './local.js';

// More than this is asked for, unless the site says otherwise. What cannot be measured is not loaded unasked where data is saved.
const LARGE_BYTES = 10_000_000;
/** @type {Set<string>} */
const agreed = new Set(); // downloads and servers that visitors of this page said yes to

/**
 * @typedef {{ kind: 'asleep' }
 *   | { kind: 'asking', what: 'download', bytes: number | null, kept: number, saving: boolean }
 *   | { kind: 'asking', what: 'server', host: string }
 *   | { kind: 'loading', progress: import('../cresset.js').Progress | null }
 *   | { kind: 'paused', loaded: number, total: number | null }
 *   | { kind: 'ready', where: 'device', engine: Engine }
 *   | { kind: 'ready', where: 'server', host: string }
 *   | { kind: 'failed', error: CressetError }} State
 * @typedef {import('../cresset.js').Engine} Engine
 */

/** Dispatches `change` when its state does, `progress` with what `onProgress` gets. */
export class Assistant extends EventTarget {
  /** @type {State} */
  state = { kind: 'asleep' };
  #settings;
  /** An engine that is the site's own. @type {Engine | null} */
  #given = null;
  /** In a shared engine. @type {ReturnType<typeof join> | null} */
  #part = null;
  #key = '';
  #step = 0; // what an older step brings no longer counts
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {import('./settings.js').Settings} settings */
  constructor(settings) {
    super();
    this.#settings = settings;
  }

  get engine() {
    return this.state.kind === 'ready' && this.state.where === 'device' ? this.state.engine : null;
  }

  get givenEngine() {
    return this.#given;
  }

  /** Does what comes next, if there is anything to do without the visitor. */
  wake() {
    if (this.state.kind === 'asleep') this.#run(() => this.#begin());
  }

  /** Resolves when it can answer; a failure leaves it waiting, since the visitor may try again. @param {AbortSignal} signal */
  whenReady(signal) {
    if (this.state.kind === 'ready') return Promise.resolve();
    this.wake();
    /** @type {() => void} */
    let ready;
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        ready = resolve;
        this.#waiting.add(ready);
        signal.addEventListener('abort', () => reject(new CressetError('ABORTED', 'the request was aborted')), { once: true });
      })
    ).finally(() => this.#waiting.delete(ready));
  }

  /** The visitor says yes. */
  agree() {
    const { kind, what, host } = /** @type {any} */ (this.state);
    if (kind !== 'asking') return;
    agreed.add(what === 'server' ? `server ${host}` : this.#key);
    this.#run(async () => (what === 'server' ? this.#useServer(host) : this.#load()));
  }

  pause() {
    if (this.state.kind !== 'loading') return;
    const { loaded = 0, total = null } = this.state.progress ?? {};
    this.#step += 1;
    this.#part?.pause();
    this.#set({ kind: 'paused', loaded, total });
  }

  resume() {
    if (this.state.kind === 'paused' || this.state.kind === 'failed') this.#run(() => this.#begin());
  }

  /** Takes an engine of the site's own, or with null goes back to the model's. @param {Engine | null} engine */
  give(engine) {
    this.#leave();
    this.#given = engine;
    if (engine) this.#set({ kind: 'ready', where: 'device', engine });
  }

  /** @param {import('./settings.js').Settings} settings */
  change(settings) {
    const before = this.#settings;
    this.#settings = settings;
    const same = before.model === settings.model && before.integrity === settings.integrity && before.device === settings.device;
    const server = before.endpoint?.url === settings.endpoint?.url && before.endpoint?.model === settings.endpoint?.model;
    if (this.#given) return;
    const { kind, where, what } = /** @type {any} */ (this.state);
    const usesServer = (kind === 'ready' && where === 'server') || what === 'server';
    if (!same || (usesServer && !server) || (before.consent !== settings.consent && this.state.kind === 'asking')) this.#leave();
  }

  /** Lets go of everything. */
  dispose() {
    this.#leave();
    this.#waiting.clear();
  }

  /** Writes an answer, once it can. @type {import('../chat/types.d.ts').Answerer} */
  answer = async ({ messages, pictured, begun, signal, onStart, onReading, onText, onNote, onRestart }) => {
    await this.whenReady(signal);
    onStart();
    const { endpoint } = this.#settings;
    if (endpoint && this.state.kind === 'ready' && this.state.where === 'server') {
      const { answerRemotely } = await import('./remote.js');
      // Servers begin a new answer: it is asked to go on.
      if (begun) throw new CressetError('INVALID_REQUEST', 'the server cannot go on with an answer', { field: 'messages' });
      return answerRemotely(endpoint, this.#settings, { messages, signal, onText });
    }
    const write = (/** @type {string} */ text) => {
      begun += text;
      onText(text);
    };
    for (let renewed = false; ;) {
      const engine = /** @type {Engine} */ (this.engine);
      try {
        return await answerLocally(engine, this.#settings, { messages, pictured, begun, signal, onReading, onText: write, onNote });
      } catch (thrown) {
        const error = /** @type {CressetError} */ (thrown);
        if (signal.aborted) throw error;
        if (isBroken(error) && !renewed && !this.#given) {
          renewed = true;
          onNote({ kind: error.code === 'DEVICE_LOST' ? 'lost' : 'renewed' });
          await this.#renew(engine, signal);
        } else if (begun && renewed && ['TEMPLATE', 'INVALID_REQUEST'].includes(error.code)) {
          // A template that cannot go on with an answer: from the beginning, then.
          begun = '';
          onRestart();
        } else {
          throw error;
        }
      }
    }
  };

  async #begin() {
    const { model, consent, integrity, device } = this.#settings;
    this.#key = keyOf(model, [integrity, device]);
    const step = this.#step;
    const saving = savesData();
    if (consent !== 'never' && !agreed.has(this.#key)) {
      const { bytes, kept } = await this.#size();
      if (step !== this.#step) return;
      const wanted = consent === 'always' || saving || (bytes ?? 0) > LARGE_BYTES;
      if (bytes !== 0 && wanted) return this.#set({ kind: 'asking', what: 'download', bytes, kept, saving });
    }
    await this.#load();
  }

  // Bytes to download, by the site's word if it gives one: then nobody is asked.
  async #size() {
    const { bytes, model } = this.#settings;
    if (isKept(await Cresset.cache.list(), model, Cresset.models)) return { bytes: 0, kept: 0 };
    if (bytes !== null) return { bytes, kept: 0 };
    try {
      const measured = await Cresset.measure(model, { signal: undefined, cache: true });
      const all = measured.bytes === null ? null : measured.bytes + (measured.bytes > 0 ? (measured.engineBytes ?? 0) : 0);
      return { bytes: all, kept: measured.kept };
    } catch (thrown) {
      const error = /** @type {CressetError} */ (thrown);
      if (error.code === 'MODEL_NOT_FOUND' || error.code === 'INVALID_REQUEST') throw error;
      return { bytes: null, kept: 0 };
    }
  }

  async #load() {
    const { model, integrity, device } = this.#settings;
    this.#key = keyOf(model, [integrity, device]);
    const step = this.#step;
    this.#set({ kind: 'loading', progress: null });
    const start = (/** @type {import('./engines.js').How} */ { signal, onProgress }) =>
      Cresset.load(model, { signal, onProgress, integrity, device, adapter: undefined, cache: true });
    this.#part ??= join(this.#key, start, (progress) => this.#progress(progress));
    let engine;
    try {
      engine = await this.#part.load();
    } catch (thrown) {
      const error = /** @type {CressetError} */ (thrown);
      if (step !== this.#step) return;
      if (error.code === 'ABORTED') return this.#set({ kind: 'paused', loaded: 0, total: null });
      if (!cannotRun(error) || !this.#settings.endpoint) throw error;
      return this.#offerServer(this.#settings.endpoint.host);
    }
    if (step === this.#step) this.#set({ kind: 'ready', where: 'device', engine });
  }

  /** @param {import('../cresset.js').Progress} progress */
  #progress(progress) {
    if (this.state.kind !== 'loading') return;
    this.state = { kind: 'loading', progress };
    this.dispatchEvent(new CustomEvent('progress', { detail: progress }));
  }

  /** @param {string} host */
  #offerServer(host) {
    if (this.#settings.consent === 'always' && !agreed.has(`server ${host}`)) this.#set({ kind: 'asking', what: 'server', host });
    else this.#useServer(host);
  }

  /** @param {string} host */
  #useServer(host) {
    this.#set({ kind: 'ready', where: 'server', host });
  }

  /** @param {Engine} broken @param {AbortSignal} signal */
  async #renew(broken, signal) {
    const step = this.#step;
    this.#set({ kind: 'loading', progress: null });
    const part = /** @type {ReturnType<typeof join>} */ (this.#part);
    const engine = await part.renew(broken).catch((error) => {
      if (step === this.#step) this.#set({ kind: 'failed', error });
      throw error;
    });
    signal.throwIfAborted();
    if (step === this.#step) this.#set({ kind: 'ready', where: 'device', engine });
  }

  /** @param {() => Promise<void>} task */
  #run(task) {
    this.#step += 1;
    const step = this.#step;
    if (this.state.kind !== 'loading') this.#set({ kind: 'loading', progress: null });
    task().catch((/** @type {unknown} */ error) => {
      if (step === this.#step) this.#set({ kind: 'failed', error: CressetError.from(error) });
    });
  }

  #leave() {
    this.#step += 1;
    this.#part?.leave();
    this.#part = this.#given = null;
    this.#set({ kind: 'asleep' });
  }

  /** @param {State} state */
  #set(state) {
    this.state = state;
    if (state.kind === 'ready') this.#waiting.forEach((resolve) => resolve());
    this.dispatchEvent(new Event('change'));
  }
}

/** The device is the reason, not the model or the network. `url`: of an engine that is there and does not start. @param {CressetError} error */
function cannotRun({ code, details }) {
  return code === 'WEBGPU_UNAVAILABLE' || code === 'OUT_OF_MEMORY' || (code === 'INTERNAL' && Boolean(details?.url));
}
