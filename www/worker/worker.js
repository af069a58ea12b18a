// The engine's home: receives calls (channel.js has the protocol), runs them one after another, forwards what the wasm
// module gives. One worker holds one model.

import { CressetError } from '../lib/errors.js';
import { openAll, parseIntegrity, readText, survey } from '../files/open.js';
import { recommended } from '../files/recommended.js';
import { isWeights, resolve, storedFiles } from '../files/sources.js';
import { engineSize, startEngine } from './start-engine.js';
import * as store from '../files/store.js';
import './subgroups.js';
import { keepVerdict, readVerdicts } from './verdicts.js';

/**
 * @typedef {import('../files/types.d.ts').Access} Access
 * @typedef {import('../files/types.d.ts').BareProgress} BareProgress
 * @typedef {import('../files/types.d.ts').Readable} Readable
 * @typedef {import('../files/types.d.ts').Report} Report
 * @typedef {import('../files/types.d.ts').Source} Source
 * @typedef {import('../lib/types.d.ts').AdapterSettings} AdapterSettings
 * @typedef {import('../lib/types.d.ts').Calls} Calls
 * @typedef {import('../cresset_engine.js').Engine} Engine
 */

const PROGRESS_INTERVAL_MS = 50;
// Larger downloads are looked at first: whether the device can run them shows in their first megabytes.
const LOOK_FIRST_BYTES = 64_000_000;

/** Every call but `probe`, `measure` and `load` comes after it is loaded. @type {Engine} */
let engine;
/** Id of the generation that runs now. @type {number | null} */
let running = null;
/** Whether the page's `info` is of a smaller context. */
let outdated = false;
let queue = Promise.resolve();
/** @type {string | null} */
let lastPanic = null;
/** By id; aborted: the page no longer wants an answer. @type {Map<number, AbortController>} */
const calls = new Map();

/** @type {import('../lib/types.d.ts').Methods} */
const methods = {
  async probe({ source, options }, report, { signal }) {
    report({ status: 'probe' });
    const access = accessTo(source, options, report, signal);
    const files = await openAll(await find(source, options, access), { ...access, headersOnly: true });
    const { probe } = await wasm(options);
    return JSON.parse(await readingFrom(files, (readable) => probe(readable, options.engine)));
  },

  async estimate({ request, options }) {
    const { estimate } = await wasm(options);
    return JSON.parse(await estimate(request, options.engine));
  },

  async measure({ source, options }, report, { signal }) {
    const access = accessTo(source, options, report, signal);
    const surveyed = await survey(await find(source, options, access), access);
    const files = surveyed.filter(({ absent }) => !absent);
    const unknown = files.some(({ size }) => size === null);
    return {
      bytes: unknown ? null : files.reduce((sum, { size, kept }) => sum + (size ?? 0) - kept, 0),
      kept: files.reduce((sum, { kept }) => sum + kept, 0),
      engineBytes: await engineSize(options, signal),
      url: files[0]?.url ?? null,
    };
  },

  async load({ source, options, adapter }, report, { signal }) {
    const { Engine, probe } = await wasm(options);
    const access = accessTo(source, options, report, signal);
    // An adapter that is not there is missed before the model is on the device.
    const beside = adapter ? await openAdapter(adapter, options, report, signal) : null;
    const how = JSON.stringify({ selfTest: true, sampling: await recommended(source), ...JSON.parse(options.engine), verdicts: await readVerdicts() });
    const load = async () => {
      const files = await survey(await find(source, options, access), access);
      if (files.reduce((sum, { size, kept }) => sum + (size ?? 0) - kept, 0) > LOOK_FIRST_BYTES) {
        const headers = await openAll(files, { ...access, report: () => {}, headersOnly: true });
        const { fits } = JSON.parse(await readingFrom(headers, (readable) => probe(readable, options.engine)));
        // Loading says what the matter is, before it comes to the weights.
        if (!fits) return readingFrom(headers, (readable) => Engine.load(readable, how, report));
      }
      return loadEarly(files, access, (readable, progress) => Engine.load(readable, how, progress));
    };
    // A damaged copy was removed: once more, from the network. Or a file began anew while it was read: it is here now.
    engine = await load().catch((/** @type {any} */ error) => (error.details?.damaged || error.details?.restarted ? load() : Promise.reject(error)));
    const verdict = engine.verdict();
    if (verdict) await keepVerdict(JSON.parse(verdict));
    if (beside) await addAdapter('default', beside, '{"default":true}');
    report({ status: 'ready' });
    return { info: JSON.parse(await engine.info()) };
  },

  async loadAdapter({ name, source, options }, report, { signal }) {
    await addAdapter(name, await openAdapter(source, options, report, signal), options.engine);
    // What the page no longer wants is not kept.
    if (signal.aborted) engine.unloadAdapter(name);
    return { info: JSON.parse(await engine.info()) };
  },

  async listAdapters() {
    return JSON.parse(await engine.adapters());
  },

  async unloadAdapter({ name }) {
    await engine.unloadAdapter(name);
    return { info: JSON.parse(await engine.info()) };
  },

  async generate({ kind, request, sound, pictures = [] }, report, { id, signal }) {
    const forward = (/** @type {string} */ chunk) => {
      if (!signal.aborted) postMessage({ id, chunk: JSON.parse(chunk) });
    };
    const tell = (/** @type {BareProgress} */ progress) => {
      outdated ||= progress.status === 'context';
      report(progress);
    };
    const answer = await interruptible(id, () => {
      if (kind === 'chat') return engine.chat(request, pictures, forward, tell);
      return sound ? engine.recording(request, sound, kind === 'translation', forward, tell) : engine.completion(request, forward, tell);
    });
    if (!outdated || signal.aborted) return { answer };
    outdated = false;
    return { answer, info: JSON.parse(await engine.info()) };
  },

  async embed({ request, pictures }, _report, { id }) {
    return interruptible(id, () => engine.embeddings(request, pictures));
  },

  async bench({ options }, _report, { id }) {
    return interruptible(id, () => engine.bench(options));
  },

  async tokenize({ text }) {
    return Array.from(await engine.tokenize(text));
  },

  async detokenize({ ids }) {
    return engine.detokenize(ids);
  },

  async applyChatTemplate({ messages, options }) {
    return engine.applyChatTemplate(messages, options);
  },

  async stats() {
    return JSON.parse(await engine.stats());
  },
};

addEventListener('message', ({ data: { id, method, params } }) => {
  if (method === 'ping') return postMessage({ alive: true });
  if (method === 'interrupt') return running !== null && engine.interrupt();
  if (method === 'abort') {
    calls.get(id)?.abort();
    return id === running && engine.interrupt();
  }
  calls.set(id, new AbortController());
  queue = queue.then(() => run(id, method, params));
});

/** @param {number} id @param {keyof Calls} method @param {any} params   the method's */
async function run(id, method, params) {
  const { signal } = calls.get(id) ?? new AbortController();
  const report = reporter(id);
  try {
    if (signal.aborted) return;
    const result = await methods[method](params, report, { id, signal });
    if (!signal.aborted) postMessage({ id, result });
  } catch (error) {
    if (isFatal(error)) return stop(/** @type {Error} */ (error));
    // How far it came is part of what failed.
    report.flush();
    if (!signal.aborted) postMessage({ id, error: CressetError.from(error).toJSON() });
  } finally {
    calls.delete(id);
  }
}

/** The engine's answer to a call that `interrupt` and `abort` reach while it runs. @param {number} id @param {() => Promise<string>} work */
async function interruptible(id, work) {
  running = id;
  try {
    return JSON.parse(await work());
  } finally {
    running = null;
  }
}

/** @type {ReturnType<typeof startEngine> | null} */
let module = null;
/** @param {Parameters<typeof startEngine>[0]} options */
function wasm(options) {
  module ??= startEngine(options);
  return module;
}

/** @param {string} name @param {Readable[]} files @param {string} options */
function addAdapter(name, files, options) {
  return readingFrom(files, (readable) => engine.loadAdapter(name, readable, options));
}

/** @param {Source} source @param {AdapterSettings} options @param {Report} report @param {AbortSignal} signal */
async function openAdapter(source, options, report, signal) {
  const access = accessTo(source, options, report, signal);
  const opened = await openAll(await find(source, options, access), access);
  if (!opened.some(isWeights)) {
    throw new CressetError('MODEL_NOT_FOUND', `${source.name} has no adapter_model.safetensors, adapters.safetensors or GGUF file`, { model: source.name });
  }
  return opened;
}

/** @param {Source} source @param {AdapterSettings} options @param {Report} report @param {AbortSignal} signal @returns {Access & { signal: AbortSignal }} */
function accessTo({ name }, { cache }, report, signal) {
  return { model: name, cache, headersOnly: false, report, signal };
}

/**
 * The files of a model or adapter. Without the network: those that were stored under its name.
 * @param {Source} source
 * @param {AdapterSettings} options
 * @param {Access} access
 */
async function find(source, { integrity }, access) {
  const { signal } = access;
  const byName = (/** @type {string} */ url) => readText(url, new URL(url).pathname.split('/').pop() ?? '', access);
  const files = await resolve(source, { readText: byName, signal, cache: access.cache }).catch(async (error) => {
    const stored = error.code === 'DOWNLOAD' && access.cache && (await store.list()).find(({ model }) => model === source.name);
    if (!stored) throw error;
    return storedFiles(stored);
  });
  if (integrity !== undefined) demandIntegrity(files, parseIntegrity(integrity));
  return files;
}

/** @param {import('../files/types.d.ts').ModelFile[]} files @param {string} sha256 */
function demandIntegrity(files, sha256) {
  const weights = files.filter(isWeights);
  if (weights.length !== 1) {
    throw new CressetError('INVALID_REQUEST', `integrity: one hash cannot cover a model of ${weights.length} weight files`, { field: 'integrity' });
  }
  Object.assign(weights[0], { sha256, demanded: true });
}

/**
 * Loads while the weights are still on their way: the device is proved and shaders compile meanwhile, and weights are
 * uploaded as they come. Until the file is whole and checked, the download is what is told of.
 * @param {import('../files/types.d.ts').SurveyedFile[]} files
 * @param {Access & { signal: AbortSignal }} access
 * @param {(readable: Readable[], progress: Report) => Promise<Engine>} load
 */
async function loadEarly(files, { signal, ...access }, load) {
  const downloads = new AbortController();
  const abort = () => downloads.abort(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  /** The latest of each status. @type {Map<string, BareProgress>} */
  const held = new Map();
  let arrived = false;
  const report = (/** @type {BareProgress} */ progress) => (arrived ? access.report(progress) : held.set(progress.status, progress));
  /** @type {Promise<void> | null} */
  let whole = null;
  try {
    const opened = await openAll(files, { ...access, early: true, signal: downloads.signal });
    whole = Promise.all(opened.map((file) => file.whole)).then(() => {
      arrived = true;
      held.forEach((progress) => access.report(progress));
    });
    whole.catch(() => {});
    const loaded = await readingFrom(opened, (readable) => load(readable, report));
    await whole.catch((error) => {
      loaded.free();
      throw error;
    });
    return loaded;
  } catch (/** @type {any} */ error) {
    if (error.details?.restarted) await whole;
    // What cannot be used need not come. What is here is kept.
    downloads.abort();
    await whole?.catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Runs `use` on the files; a failed read is the error that counts, not what the engine made of it.
 * @template T
 * @param {Readable[]} files
 * @param {(readable: Readable[]) => Promise<T>} use
 */
async function readingFrom(files, use) {
  /** @type {unknown} */
  let failure = null;
  const readable = files.map((file) => ({
    name: file.name,
    size: file.size,
    read: (/** @type {number} */ offset, /** @type {number} */ length) =>
      file.read(offset, length).catch((error) => {
        failure ??= error;
        throw error;
      }),
  }));
  try {
    return await use(readable);
  } catch (error) {
    throw failure ?? error;
  }
}

/** Progress to the page: each status and each warning at once, amounts at most every 50 ms and the last one always. @param {number} id */
function reporter(id) {
  let last = { status: /** @type {BareProgress['status'] | null} */ (null), time: 0, warning: /** @type {BareProgress['warning']} */ (undefined) };
  /** @type {BareProgress | null} */
  let held = null;
  let late = 0;
  const send = (/** @type {BareProgress} */ progress) => {
    clearTimeout(late);
    held = null;
    last = { status: progress.status, time: performance.now(), warning: progress.warning };
    postMessage({ id, progress });
  };
  // What comes after the answer goes nowhere.
  const flush = () => held && calls.has(id) && send(held);
  const report = (/** @type {BareProgress} */ progress) => {
    const { status, warning, loaded = 0, total } = progress;
    const done = total ? loaded >= total : false;
    const same = status === last.status && warning?.message === last.warning?.message;
    const wait = last.time + PROGRESS_INTERVAL_MS - performance.now();
    if (done || !same || wait <= 0) return send(progress);
    clearTimeout(late);
    held = progress;
    // A download that stops here must not look as if it had stopped earlier.
    late = setTimeout(flush, wait);
  };
  return Object.assign(report, { flush });
}

// A panic in wasm is a trap. It can surface in a task of its own, where no call sees it; the call would then wait for
// ever. The page must load the model again.
addEventListener('error', (event) => {
  if (!isFatal(event.error)) return;
  event.preventDefault();
  stop(event.error);
});
addEventListener('unhandledrejection', (event) => {
  if (!isFatal(event.reason)) return;
  event.preventDefault();
  stop(event.reason);
});

// The panic hook prints where and why; the trap itself says only "unreachable".
const printError = console.error;
console.error = (...parts) => {
  if (String(parts[0]).includes('panicked at')) lastPanic = String(parts[0]).split('\n\nStack')[0];
  printError.apply(console, parts);
};

/** Whether the module is not to be trusted any more: a trap, or a stack that overflowed in the middle of something. @param {any} error */
function isFatal(error) {
  return error instanceof WebAssembly.RuntimeError || /call stack|too much recursion/i.test(error?.message ?? '');
}

/** @param {Error} error */
function stop(error) {
  const reason = lastPanic ?? error.message;
  const fatal = new CressetError('INTERNAL', `internal error, please report it: ${reason}. The model must be loaded again.`, {
    reload: true,
    reason,
    stack: error.stack,
  });
  postMessage({ fatal: fatal.toJSON() });
}
