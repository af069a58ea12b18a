// The page's one engine: loading, changing models without losing the last one, running one request at a time.

import { Cresset, CressetError } from '../cresset.js';

// Below this, a new model is loaded beside the old one, which goes only when the new one works.
const BESIDE_BYTES = 600_000_000;

/** Events: `change` (state or engine), `progress` (detail: what `onProgress` gets). */
export class Session extends EventTarget {
  /** @type {'empty' | 'loading' | 'ready' | 'running'} */
  state = 'empty';
  /** @type {import('../cresset.js').Engine | null} */
  engine = null;
  /** What the engine was loaded from, and its name for people. */
  model = null;
  label = null;
  /** Which device the next load asks for. @type {'auto' | 'webgpu' | 'cpu'} */
  device = 'auto';

  #loading = null;
  #run = null;
  #loaded = Promise.resolve();

  /**
   * Loads a model; the one in use stays until the new one works, or comes back when it does not.
   * @param {import('../cresset.js').Model} model
   * @param {string} label
   */
  load(model, label) {
    this.#loading?.abort();
    const controller = new AbortController();
    this.#loading = controller;
    this.#set('loading');
    this.#loaded = this.#replace(model, label, controller.signal).finally(() => {
      if (this.#loading !== controller) return;
      this.#loading = null;
      this.#set(this.engine ? 'ready' : 'empty');
    });
    // Whoever called `load` handles the error; those who wait for it only need the end.
    this.#loaded.catch(() => {});
    return this.#loaded;
  }

  async #replace(model, label, signal) {
    const previous = { model: this.model, label: this.label };
    if (this.engine) {
      const fit = await Cresset.probe(model, { signal, device: this.device });
      if (!fit.fits) throw new CressetError('OUT_OF_MEMORY', `this model does not fit: ${fit.reason}`, fit);
      if (fit.deviceBytes > BESIDE_BYTES) await this.forget();
    }
    try {
      await this.#adopt(model, label, signal);
    } catch (error) {
      if (!this.engine && previous.model && error.code !== 'ABORTED') {
        await this.#adopt(previous.model, previous.label, signal).catch(() => {});
      }
      throw error;
    }
  }

  async #adopt(model, label, signal) {
    const onProgress = (progress) => this.dispatchEvent(new CustomEvent('progress', { detail: progress }));
    const engine = await Cresset.load(model, { signal, onProgress, device: this.device });
    if (signal.aborted) return engine.unload();
    const old = this.engine;
    Object.assign(this, { engine, model, label });
    await old?.unload();
  }

  /** Drops the engine: it is broken, or its memory is needed. */
  async forget() {
    const { engine } = this;
    this.engine = null;
    await engine?.unload();
    if (this.state === 'ready') this.#set('empty');
  }

  /** True while something can be stopped. */
  get busy() {
    return this.#run !== null;
  }

  /**
   * Generates, after loading has ended if need be. Pieces of text go to `onPiece(text, tokens)`.
   * @param {'chat' | 'completion'} kind
   * @param {(engine: object) => Promise<object>} prepare   makes the request, once there is an engine
   * @param {(text: string, tokens: number) => void} onPiece
   * @returns {Promise<{ finish: string, usage: object | null }>} `finish` is 'abort' after `stop()`
   */
  async generate(kind, prepare, onPiece) {
    const controller = new AbortController();
    const { signal } = controller;
    this.#run = controller;
    this.dispatchEvent(new Event('change'));
    try {
      await Promise.race([this.#loaded.catch(() => {}), aborted(signal)]);
      signal.throwIfAborted();
      if (!this.engine) throw new CressetError('MODEL_NOT_FOUND', 'no model is loaded; choose one first');
      this.#set('running');
      const request = await prepare(this.engine);
      signal.throwIfAborted();
      return await this.#stream(kind, request, signal, onPiece);
    } catch (error) {
      if (signal.aborted || error.code === 'ABORTED') return { finish: 'abort', usage: null };
      if (error.details?.reload || error.code === 'DEVICE_LOST') await this.forget();
      throw error;
    } finally {
      this.#run = null;
      this.#set(this.#loading ? 'loading' : this.engine ? 'ready' : 'empty');
    }
  }

  async #stream(kind, request, signal, onPiece) {
    const api = kind === 'chat' ? this.engine.chat.completions : this.engine.completions;
    const options = { stream: true, stream_options: { include_usage: true }, return_token_ids: true, signal };
    let finish = null;
    let usage = null;
    for await (const chunk of await api.create({ ...request, ...options })) {
      usage = chunk.usage ?? usage;
      const choice = chunk.choices[0];
      if (!choice) continue;
      const text = (kind === 'chat' ? choice.delta?.content : choice.text) ?? '';
      const tokens = choice.token_ids?.length ?? (text ? 1 : 0);
      if (text || tokens) onPiece(text, tokens);
      finish = choice.finish_reason ?? finish;
    }
    return { finish, usage };
  }

  /** Ends the running request; what was written stays. */
  stop() {
    this.#run?.abort();
  }

  #set(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }
}

function aborted(signal) {
  return new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }); });
}
