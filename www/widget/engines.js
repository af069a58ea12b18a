// Engines of this page by what they were loaded from: several widgets with the same model share one, and the last one
// that leaves takes it away.

/**
 * @typedef {import('../cresset.js').Engine} Engine
 * @typedef {import('../cresset.js').Progress} Progress
 * @typedef {{ signal: AbortSignal, onProgress: (progress: Progress) => void }} How
 * @typedef {(how: How) => Promise<Engine>} Start
 * @typedef {{ onProgress: (progress: Progress) => void }} Member
 */

/** @type {Map<string, Shared>} */
const shared = new Map();
const names = new WeakMap(); // of models that are objects
let objects = 0;

/** A name that is the same for the same model and options. @param {any} model @param {unknown[]} options */
export function keyOf(model, options) {
  return JSON.stringify([typeof model === 'string' ? model : nameOf(model), ...options.map((option) => option ?? null)]);
}

/** @param {object} model */
function nameOf(model) {
  if (!names.has(model)) names.set(model, `object ${(objects += 1)}`);
  return names.get(model);
}

/**
 * A part in an engine that is perhaps shared.
 * @param {string} key
 * @param {Start} start
 * @param {(progress: Progress) => void} onProgress
 */
export function join(key, start, onProgress) {
  if (!shared.has(key)) shared.set(key, new Shared(key, start));
  const engine = /** @type {Shared} */ (shared.get(key));
  const member = { onProgress };
  engine.members.add(member);
  if (engine.progress) onProgress(engine.progress);
  return {
    /** The engine, loaded if need be. */
    load: () => engine.load(),
    /** Ends the download for now. */
    pause: () => engine.pause(),
    /** Another engine in place of one that broke. @param {Engine} broken */
    renew: (broken) => engine.renew(broken),
    leave: () => engine.leave(member),
  };
}

class Shared {
  /** @type {Set<Member>} */
  members = new Set();
  /** @type {Progress | null} */
  progress = null;
  #key;
  #start;
  /** @type {AbortController | null} */
  #controller = null;
  /** @type {Promise<Engine> | null} */
  #loading = null;
  /** @type {Engine | null} */
  #engine = null;

  /** @param {string} key @param {Start} start */
  constructor(key, start) {
    this.#key = key;
    this.#start = start;
  }

  load() {
    this.#loading ??= this.#begin();
    return this.#loading;
  }

  #begin() {
    const controller = new AbortController();
    this.#controller = controller;
    const onProgress = (/** @type {Progress} */ progress) => {
      this.progress = progress;
      this.members.forEach((member) => member.onProgress(progress));
    };
    const loading = this.#start({ signal: controller.signal, onProgress }).then((engine) => {
      if (controller.signal.aborted) engine.unload();
      else this.#engine = engine;
      return engine;
    });
    // The next one to ask tries again.
    loading.catch(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    return loading;
  }

  pause() {
    if (this.#engine) return;
    this.#loading = null;
    this.#controller?.abort();
  }

  /** @param {Engine} broken */
  renew(broken) {
    if (this.#engine === broken) {
      this.#engine = this.#loading = null;
      broken.unload();
    }
    return this.load();
  }

  /** @param {Member} member */
  leave(member) {
    this.members.delete(member);
    if (this.members.size > 0) return;
    shared.delete(this.#key);
    this.#controller?.abort();
    this.#engine?.unload();
  }
}
