// The engine's home: receives calls (channel.js has the protocol), runs them one after another, forwards what the wasm
// module gives. One worker holds one model.

import { CressetError } from './errors.js';
import { openAll, parseIntegrity, readText } from './open.js';
import { resolve } from './sources.js';
import './subgroups.js';

const PROGRESS_INTERVAL_MS = 50;

let engine = null;
let running = null; // id of the generation that runs now
let queue = Promise.resolve();
let lastPanic = null;
const abandoned = new Set(); // ids that the page no longer wants

const methods = {
  async probe({ source, options }, report) {
    report({ status: 'probe' });
    const files = await open(source, options, true, report);
    const { probe } = await wasm();
    return JSON.parse(await readingFrom(files, (readable) => probe(readable, options.engine)));
  },

  async load({ source, options, adapter }, report) {
    const { Engine } = await wasm();
    const files = await open(source, options, false, report);
    // An adapter that is not there is missed before the model is on the device.
    const beside = adapter ? await open(adapter, { cache: options.cache }, false, report) : null;
    engine = await readingFrom(files, (readable) => Engine.load(readable, options.engine, report));
    if (beside) await addAdapter('default', beside, '{"default":true}');
    report({ status: 'ready' });
    return { info: JSON.parse(await engine.info()) };
  },

  async loadAdapter({ name, source, options }, report, id) {
    await addAdapter(name, await open(source, options, false, report), options.engine);
    // What the page no longer wants is not kept.
    if (abandoned.has(id)) engine.unloadAdapter(name);
    return { info: JSON.parse(await engine.info()) };
  },

  async listAdapters() {
    return JSON.parse(await engine.adapters());
  },

  async unloadAdapter({ name }) {
    await engine.unloadAdapter(name);
    return { info: JSON.parse(await engine.info()) };
  },

  async generate({ kind, request }, _report, id) {
    running = id;
    try {
      const forward = (chunk) => {
        if (!abandoned.has(id)) postMessage({ id, chunk: JSON.parse(chunk) });
      };
      return JSON.parse(await engine[kind](request, forward));
    } finally {
      running = null;
    }
  },

  async embed({ request }, _report, id) {
    running = id;
    try {
      return JSON.parse(await engine.embeddings(request));
    } finally {
      running = null;
    }
  },

  async bench({ options }, _report, id) {
    running = id;
    try {
      return JSON.parse(await engine.bench(options));
    } finally {
      running = null;
    }
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
  if (method === 'interrupt') return running !== null && engine.interrupt();
  if (method === 'abort') {
    abandoned.add(id);
    return id === running && engine.interrupt();
  }
  queue = queue.then(() => run(id, method, params));
});

async function run(id, method, params) {
  try {
    if (abandoned.has(id)) return;
    const result = await methods[method](params, reporter(id), id);
    if (!abandoned.has(id)) postMessage({ id, result });
  } catch (error) {
    if (isPanic(error)) return stop(error);
    if (!abandoned.has(id)) postMessage({ id, error: CressetError.from(error).toJSON() });
  } finally {
    abandoned.delete(id);
  }
}

let module = null;
function wasm() {
  module ??= import('./cresset_engine.js')
    .then(async (glue) => (await glue.default(), glue))
    .catch((error) => { throw startError(error); });
  return module;
}

function startError(error) {
  const where = new URL('./cresset_engine.js', import.meta.url).href;
  return new CressetError('INTERNAL', `the engine could not be started from ${where}: ${error.message}; are cresset_engine.js and cresset_engine_bg.wasm there, and does the page's Content-Security-Policy have 'wasm-unsafe-eval'?`, { url: where }, { cause: error });
}

function addAdapter(name, files, options) {
  return readingFrom(files, (readable) => engine.loadAdapter(name, readable, options));
}

async function open(source, { cache, integrity }, headersOnly, report) {
  const access = { model: source.name, cache, headersOnly, report };
  const files = await resolve(source, { readText: (url) => readText(url, new URL(url).pathname.split('/').pop(), access) });
  if (integrity !== undefined) demandIntegrity(files, parseIntegrity(integrity));
  const opened = await openAll(files, access);
  if (source.adapter && opened.every(({ name }) => name.endsWith('.json'))) {
    throw new CressetError('MODEL_NOT_FOUND', `${source.name} has no adapter_model.safetensors, adapters.safetensors or GGUF file`, { model: source.name });
  }
  return opened;
}

function demandIntegrity(files, sha256) {
  const weights = files.filter(({ name }) => !/\.(json|jinja)$/i.test(name));
  if (weights.length !== 1) {
    throw new CressetError('INVALID_REQUEST', `integrity: one hash cannot cover a model of ${weights.length} weight files`, { field: 'integrity' });
  }
  weights[0].sha256 = sha256;
}

/** Runs `use` on the files; a failed read is the error that counts, not what the engine made of it. */
async function readingFrom(files, use) {
  let failure = null;
  const readable = files.map((file) => ({
    name: file.name,
    size: file.size,
    read: (offset, length) => file.read(offset, length).catch((error) => {
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

/** Progress to the page: each status at once, amounts at most every 50 ms. */
function reporter(id) {
  let last = { status: null, time: 0 };
  return (progress) => {
    const done = progress.total > 0 && progress.loaded >= progress.total;
    const now = performance.now();
    if (!done && progress.status === last.status && now - last.time < PROGRESS_INTERVAL_MS) return;
    last = { status: progress.status, time: now };
    postMessage({ id, progress });
  };
}

// A panic in wasm is a trap. It can surface in a task of its own, where no call sees it; the call would then wait for
// ever. The module's memory is not to be trusted afterwards: the page must load the model again.
addEventListener('error', (event) => {
  if (!isPanic(event.error)) return;
  event.preventDefault();
  stop(event.error);
});
addEventListener('unhandledrejection', (event) => {
  if (!isPanic(event.reason)) return;
  event.preventDefault();
  stop(event.reason);
});

// The panic hook prints where and why; the trap itself says only "unreachable".
const printError = console.error;
console.error = (...parts) => {
  if (String(parts[0]).includes('panicked at')) lastPanic = String(parts[0]).split('\n\nStack')[0];
  printError.apply(console, parts);
};

function isPanic(error) {
  return error instanceof WebAssembly.RuntimeError;
}

function stop(error) {
  const reason = lastPanic ?? error.message;
  const fatal = new CressetError('INTERNAL', `internal error, please report it: ${reason}. The model must be loaded again.`, { reload: true, reason, stack: error.stack });
  postMessage({ fatal: fatal.toJSON() });
}
