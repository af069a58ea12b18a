// The page's speech engine, beside the one that chats: loaded when it is first needed, let go of when it was not for some minutes, or when
// another model is loaded and may need its memory.

import { Cresset } from '../../cresset.js';
import { CressetError } from '../../lib/errors.js';
import { memory } from '../dom.js';
import { session } from '../session.js';
import { hears, noteSpeech, remembered } from './models.js';

const IDLE_MS = 5 * 60_000;

/**
 * @typedef {import('../../cresset.js').Engine} Engine
 * @typedef {import('../../cresset.js').Progress} Progress
 */

/** Events: `change` (model or engine), `progress` (detail: what `onProgress` gets). */
class Speech extends /** @type {new () => import('../../chat/types.d.ts').Teller<{ change: undefined, progress: Progress }>} */ (EventTarget) {
  /** What was chosen, by name or as files. @type {{ model: import('../../cresset.js').Model, label: string } | null} */
  chosen = memory.get('speech', remembered);
  /** @type {Engine | null} */
  engine = null;
  /** @type {{ engine: Promise<Engine>, controller: AbortController } | null} */
  #loading = null;
  #users = 0;
  /** @type {number | undefined} */
  #idle;

  constructor() {
    super();
    session.addEventListener('change', () => {
      if (session.loading && this.engine && this.#users === 0) this.release();
    });
  }

  /** Whether the one that was chosen is on this device: what was deleted meanwhile is not fetched again unasked. */
  async isHere() {
    const { model } = this.chosen ?? {};
    if (this.engine || (model !== undefined && typeof model !== 'string')) return true;
    return (await Cresset.cache.list()).some((stored) => stored.model === model);
  }

  /**
   * Takes another model in place of the one before, if it is one that hears.
   * @param {import('../../cresset.js').Model} model
   * @param {string} label
   */
  async choose(model, label) {
    const before = this.chosen;
    await this.release();
    this.chosen = { model, label };
    this.#users += 1;
    try {
      await this.#load();
      if (typeof model === 'string') {
        memory.set('speech', this.chosen);
        noteSpeech(model);
      }
    } catch (error) {
      this.chosen = before;
      this.#changed();
      throw error;
    } finally {
      this.#users -= 1;
      this.#rest();
    }
  }

  /** Ends the load that goes on; what was downloaded stays. */
  cancel() {
    this.#loading?.controller.abort();
    this.#loading = null;
  }

  /**
   * Runs `work` with the engine, which stays until the work is done.
   * @template T
   * @param {(engine: Engine) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async with(work) {
    this.#users += 1;
    clearTimeout(this.#idle);
    try {
      return await work(this.engine ?? (await this.#load()));
    } catch (/** @type {any} */ error) {
      if (error?.details?.reload || error?.code === 'DEVICE_LOST') await this.release();
      throw error;
    } finally {
      this.#users -= 1;
      this.#rest();
    }
  }

  /** Gives its memory back; it comes again when it is needed. */
  async release() {
    this.cancel();
    clearTimeout(this.#idle);
    const { engine } = this;
    if (!engine) return;
    this.engine = null;
    this.#changed();
    await engine.unload();
  }

  #load() {
    this.#loading ??= this.#begin();
    return this.#loading.engine;
  }

  #begin() {
    const controller = new AbortController();
    const engine = this.#fetch(controller.signal).finally(() => {
      if (this.#loading?.controller === controller) this.#loading = null;
      this.#changed();
    });
    engine.catch(() => {});
    return { engine, controller };
  }

  /** @param {AbortSignal} signal */
  async #fetch(signal) {
    if (!this.chosen) throw new CressetError('MODEL_NOT_FOUND', 'no speech model is chosen', { none: true });
    const { model, label } = this.chosen;
    const onProgress = (/** @type {Progress} */ detail) => this.dispatchEvent(new CustomEvent('progress', { detail }));
    const engine = await Cresset.load(model, { device: session.device, signal, onProgress });
    if (!hears(engine.info.model.architecture)) {
      await engine.unload();
      throw new CressetError('MODEL_UNSUPPORTED', `${label} is no speech model: its architecture is ${engine.info.model.architecture}`, { deaf: true });
    }
    if (signal.aborted) {
      await engine.unload();
      throw new CressetError('ABORTED', 'the load was cancelled');
    }
    this.engine = engine;
    return engine;
  }

  #rest() {
    clearTimeout(this.#idle);
    if (this.#users === 0) this.#idle = setTimeout(() => this.release(), IDLE_MS);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

export const speech = new Speech();
