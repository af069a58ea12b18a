// The page's one engine: loading, changing models without losing the last one, running one request at a time.

import { isBroken } from '../chat/problems.js';
import { readStream } from '../chat/request.js';
import { number, oneOf } from '../chat/shapes.js';
import { Cresset } from '../cresset.js';
import { CressetError } from '../lib/errors.js';
import { memory } from './dom.js';

const DEVICES = /** @type {const} */ (['auto', 'webgpu', 'cpu']);
const tokens = (/** @type {unknown} */ value) => (Number.isSafeInteger(value) ? number(1)(value) : null);

// Below this, a new model is loaded beside the old one, which goes only when the new one works.
const BESIDE_BYTES = 600_000_000;

/**
 * @typedef {import('../cresset.js').Engine} Engine
 * @typedef {import('../cresset.js').Model} Model
 * @typedef {import('../cresset.js').Progress} Progress
 * @typedef {import('../cresset.js').LoadOptions & { signal: AbortSignal }} Options
 */

/** Events: `change` (state, engine or model), `progress` (detail: what `onProgress` gets). */
class Session extends /** @type {new () => import('../chat/types.d.ts').Teller<{ change: undefined, progress: Progress }>} */ (EventTarget) {
  /** @type {Engine | null} */
  engine = null;
  /** What is known of the last engine, also once it is gone. @type {import('../cresset.js').EngineInfo | null} */
  lastInfo = null;
  /** What the engine was loaded from, and its name for people. */
  /** @type {Model | null} */
  model = null;
  label = '';
  /** Engines that broke since one gave an answer. */
  #broken = 0;
  /** What the next load asks for. */
  /** @type {import('../cresset.js').Device} */
  device = memory.get('device', oneOf(DEVICES)) ?? 'auto';
  /** @type {number | null} */
  contextLength = memory.get('context', tokens);
  /** What is being loaded. @type {{ model: Model, label: string, status: string } | null} */
  loading = null;

  /** Of the load. @type {AbortController | null} */
  #controller = null;
  /** Of the request. @type {AbortController | null} */
  #run = null;
  #ran = Promise.resolve();
  #loaded = Promise.resolve();

  /** @returns {'running' | 'loading' | 'ready' | 'empty'} */
  get state() {
    if (this.#run) return 'running';
    if (this.engine) return 'ready';
    return this.loading ? 'loading' : 'empty';
  }

  /** True while something can be stopped. */
  get busy() {
    return this.#run !== null;
  }

  get canChat() {
    return this.engine?.info.model.hasChatTemplate ?? false;
  }

  /**
   * Loads a model; the one in use stays until the new one is here, and comes back when that does not work.
   * @param {import('../cresset.js').Model} model
   * @param {string} label
   * @param {{ integrity?: string, check?: boolean }} [options]   `check`: see whether it fits before its weights are read
   */
  load(model, label, options = {}) {
    this.cancelLoad();
    const controller = new AbortController();
    this.#controller = controller;
    this.loading = { model, label, status: 'probe' };
    this.#changed();
    this.#loaded = this.#replace(model, label, { ...options, signal: controller.signal }).finally(() => {
      if (this.#controller !== controller) return;
      this.#controller = this.loading = null;
      this.#changed();
    });
    // Whoever called `load` handles the error; those who wait for it only need the end.
    this.#loaded.catch(() => {});
    return this.#loaded;
  }

  /** Ends the load that goes on, if any; what was downloaded stays. */
  cancelLoad() {
    this.#controller?.abort();
    this.#controller = this.loading = null;
    this.#changed();
  }

  /** @param {Model} model @param {string} label @param {Options & { check?: boolean }} options */
  async #replace(model, label, { check, ...options }) {
    const previous = { model: this.model, label: this.label };
    let replaces = false;
    if (this.engine || check) {
      const fit = await Cresset.probe(model, { ...this.settings(), signal: options.signal });
      const [obstacle] = fit.fits ? [] : (fit.errors ?? []);
      if (obstacle) throw new CressetError(obstacle.code, `this model does not run here: ${obstacle.message}`, obstacle.details);
      replaces = (fit.deviceBytes ?? 0) > BESIDE_BYTES;
    }
    try {
      await this.#adopt(model, label, options, replaces);
    } catch (/** @type {any} */ error) {
      if (!this.engine && previous.model && error.code !== 'ABORTED') {
        await this.#adopt(previous.model, previous.label, { signal: options.signal }, false).catch(() => {});
      }
      throw error;
    }
  }

  /** @param {Model} model @param {string} label @param {Options} options @param {boolean} replaces */
  async #adopt(model, label, { signal, ...options }, replaces) {
    /** @type {Promise<void> | null} */
    let making = null;
    const onProgress = (/** @type {Progress} */ progress) => {
      if (signal.aborted) return;
      // The old model makes room for a large one when that is on this device, not before: until then it answers.
      if (replaces && progress.status === 'upload') making ??= this.#makeRoom();
      if (this.loading) this.loading.status = progress.status;
      this.dispatchEvent(new CustomEvent('progress', { detail: progress }));
    };
    const engine = await Cresset.load(model, { ...this.settings(), ...options, signal, onProgress });
    if (signal.aborted) {
      await engine.unload();
      throw new CressetError('ABORTED', 'the load was cancelled');
    }
    await making;
    const old = this.engine;
    if (old) await this.#ran; // an answer that began with the old model ends with it
    Object.assign(this, { engine, model, label });
    await old?.unload();
  }

  async #makeRoom() {
    await this.#ran;
    await this.forget();
  }

  /** What every load asks for. */
  settings() {
    return { device: this.device, ...(this.contextLength ? { contextLength: this.contextLength } : {}) };
  }

  /**
   * Resolves when nothing is loaded or answered, so that a measurement is not disturbed; or after `most` milliseconds: what
   * takes longer is a download, which hardly computes, or a long answer.
   * @param {number} most
   * @returns {Promise<void>}
   */
  quiet(most) {
    const isQuiet = () => !this.busy && !this.loading;
    if (isQuiet()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.removeEventListener('change', look);
        resolve();
      };
      const look = () => {
        if (isQuiet()) finish();
      };
      const timer = setTimeout(finish, most);
      this.addEventListener('change', look);
    });
  }

  /** A context that a prompt of so many tokens fits, with as many again for the answer; twice as large where that is not known. @param {any} details */
  largerContext({ promptTokens }) {
    const now = this.engine?.info.model.contextLength ?? 4096;
    return 2 ** Math.ceil(Math.log2(Math.max(2 * (promptTokens ?? 0), now + 1)));
  }

  /** Drops the engine: it is broken, or its memory is needed. */
  async forget() {
    const { engine } = this;
    this.lastInfo = engine?.info ?? this.lastInfo;
    this.engine = null;
    this.#changed();
    await engine?.unload();
  }

  /**
   * Generates, after loading has ended if there is no model yet. Each chunk's choice goes to `onChoice`.
   * @param {'chat' | 'completion'} kind
   * @param {(engine: Engine) => Promise<object>} prepare   makes the request, once there is an engine
   * @param {(choice: any) => void} onChoice
   * @param {(progress: import('../cresset.js').RequestProgress) => void} [onReading]   of the prompt
   * @returns {ReturnType<typeof readStream>} `finish` is 'abort' after `stop()`
   */
  async generate(kind, prepare, onChoice, onReading) {
    if (this.#run) throw new CressetError('INVALID_REQUEST', 'the model is answering something else; stop that first', { field: 'request' });
    const controller = new AbortController();
    const { signal } = controller;
    this.#run = controller;
    let ended = () => {};
    this.#ran = new Promise((resolve) => {
      ended = resolve;
    });
    this.#changed();
    try {
      if (!this.engine) await Promise.race([this.#loaded.catch(() => {}), aborted(signal)]);
      signal.throwIfAborted();
      if (!this.engine) throw new CressetError('MODEL_NOT_FOUND', 'no model is loaded; choose one first', { none: true });
      const request = await prepare(this.engine);
      signal.throwIfAborted();
      /** @type {{ create: (request: any, options: any) => Promise<any> }} */
      const api = kind === 'chat' ? this.engine.chat.completions : this.engine.completions;
      const options = { stream: true, stream_options: { include_usage: true }, return_token_ids: true, signal };
      const answer = await readStream(await api.create({ ...request, ...options }, { onProgress: onReading }), onChoice);
      this.#broken = 0;
      return answer;
    } catch (/** @type {any} */ error) {
      if (signal.aborted || error.code === 'ABORTED') return { finish: 'abort', usage: null };
      if (isBroken(error)) {
        this.#broken += 1;
        await this.forget();
      }
      throw error;
    } finally {
      this.#run = null;
      ended();
      this.#changed();
    }
  }

  /** Whether another engine is to take the place of one that ended in this error: not when the last two broke likewise. @param {any} error */
  renews(error) {
    return isBroken(error) && this.#broken === 1;
  }

  /** Ends the running request; what was written stays. */
  stop() {
    this.#run?.abort();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

export const session = new Session();

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
}
