// The engine's start, in its worker. Two builds of it lie here: one for any page, and one whose threads share memory, for
// pages that are cross-origin isolated, where the CPU is to compute.

import { CressetError } from '../lib/errors.js';
import { startWorker } from '../lib/start-worker.js';

const PLAIN = new URL('../cresset_engine.js', import.meta.url);
const THREADED = new URL('../threads/cresset_engine.js', import.meta.url);
const THREAD = new URL('./thread.js', import.meta.url);

const MOST_BY_DEFAULT = 8;
const PAGE_BYTES = 65_536;
// What the threaded build is linked with (build.sh), and a page that wasm-bindgen adds.
const INITIAL_BYTES = (16 << 20) + PAGE_BYTES;
// Of address space. Small devices refuse the most.
const MOST_BYTES = [2 ** 32, 2 ** 31, 2 ** 30];
const JOIN_MS = 5000;

/** @typedef {Pick<import('../lib/types.d.ts').LoadSettings, 'device' | 'threads'>} Settings */

/**
 * @param {Settings} options
 * @returns {Promise<typeof import('../cresset_engine.js')>}
 */
export async function startEngine(options) {
  const threads = await threadsFor(options);
  // Where memory is refused, or a policy or the network stands in the way, one thread does.
  const threaded = threads > 1 && (await startThreaded(threads).catch(() => null));
  return threaded || startPlain();
}

/** The bytes that starting it takes from the network, or null where the server does not say. @param {Settings} options @param {AbortSignal} signal */
export async function engineSize(options, signal) {
  return ((await threadsFor(options)) > 1 && (await sizeOf(wasmOf(THREADED), signal))) || sizeOf(wasmOf(PLAIN), signal);
}

/** @param {URL} url @param {AbortSignal} signal */
async function sizeOf(url, signal) {
  const response = await fetch(url, { method: 'HEAD', signal }).catch(() => null);
  // Compressed or not: what travels.
  const length = Number.parseInt(response?.headers.get('content-length') ?? '', 10);
  return response?.ok && Number.isSafeInteger(length) ? length : null;
}

const wasmOf = (/** @type {URL} */ glue) => new URL('./cresset_engine_bg.wasm', glue);

/** @param {Settings} settings */
async function threadsFor({ device, threads = Math.min(navigator.hardwareConcurrency ?? 1, MOST_BY_DEFAULT) }) {
  if (threads === 1 || globalThis.crossOriginIsolated !== true || device === 'webgpu') return 1;
  return device === 'auto' && (await hasGpu()) ? 1 : threads;
}

/** Whether `auto` will take WebGPU, as far as can be told beforehand: an adapter is there that is no emulation. */
async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return false;
  const { architecture, description, device, isFallbackAdapter } = adapter.info ?? {};
  return !isFallbackAdapter && !/swiftshader|llvmpipe|lavapipe|warp/i.test(`${architecture} ${description} ${device}`);
}

/** @param {number} threads */
async function startThreaded(threads) {
  const memory = sharedMemory();
  takeShared();
  const [glue, module] = await Promise.all([import(THREADED.href), compile(wasmOf(THREADED))]);
  await glue.default({ module_or_path: module, memory });
  const helpers = Array.from({ length: threads - 1 }, () => startHelper({ module, memory }));
  // Those that come later compute from then on.
  await Promise.race([
    Promise.all(helpers),
    new Promise((resolve) => {
      setTimeout(resolve, JOIN_MS);
    }),
  ]);
  return glue;
}

function sharedMemory() {
  let refusal = null;
  for (const most of MOST_BYTES) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_BYTES / PAGE_BYTES, maximum: most / PAGE_BYTES, shared: true });
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

// The engine asks for random numbers in its own memory, and browsers fill none that is shared. This realm is the engine's
// alone.
function takeShared() {
  const fill = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (/** @type {any} */ numbers) => {
    numbers.set(fill(numbers.slice())); // a copy is not shared
    return numbers;
  };
}

/** @param {URL} url */
async function compile(url) {
  const fetched = async () => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    return response;
  };
  // Servers exist that give wasm another type than application/wasm.
  return WebAssembly.compileStreaming(fetched()).catch(async () => WebAssembly.compile(await (await fetched()).arrayBuffer()));
}

/** @typedef {{ module: WebAssembly.Module, memory: WebAssembly.Memory }} Shared */

/**
 * Resolves once the helper computes with this worker, or cannot. One that stops later stops this worker, by its error.
 * @param {Shared} shared
 * @returns {Promise<void>}
 */
function startHelper(shared) {
  return new Promise((resolve) => {
    const worker = startWorker(THREAD, 'cresset-thread');
    let joined = false;
    worker.onmessage = () => {
      joined = true;
      resolve();
    };
    worker.onerror = (event) => {
      if (joined) return;
      event.preventDefault();
      resolve();
    };
    worker.postMessage(shared);
  });
}

async function startPlain() {
  let refused = false;
  const onRefusal = () => {
    refused = true;
  };
  addEventListener('securitypolicyviolation', onRefusal);
  try {
    const glue = await import('../cresset_engine.js');
    await glue.default();
    return glue;
  } catch (error) {
    // The event may come after the error.
    await new Promise((resolve) => {
      setTimeout(resolve);
    });
    throw startError(error, refused);
  } finally {
    removeEventListener('securitypolicyviolation', onRefusal);
  }
}

/**
 * Either its files could not be fetched, which passes or can be mended, or this browser does not run them.
 * @param {any} error   whatever was thrown
 * @param {boolean} refused
 */
function startError(error, refused) {
  const url = PLAIN.href;
  if (navigator.onLine === false) {
    return new CressetError(
      'DOWNLOAD',
      'the engine could not be fetched: this device is offline; connect it and load the model again',
      { url, engine: true },
      { cause: error },
    );
  }
  if (!refused && isUnfetched(error)) {
    return new CressetError(
      'DOWNLOAD',
      `the engine could not be fetched from ${url} (${error.message}); are cresset_engine.js and cresset_engine_bg.wasm there? Load the model again when they can be reached`,
      { url, engine: true, reason: error.message },
      { cause: error },
    );
  }
  return new CressetError(
    'INTERNAL',
    `the engine could not be started from ${url}: ${error.message}; does this browser have WebAssembly, and the page's Content-Security-Policy 'wasm-unsafe-eval' and this address in script-src and connect-src?`,
    { url, reason: error.message },
    { cause: error },
  );
}

/** Whether the files did not come, or something else in their place: a page that says so, say. @param {Error} error */
function isUnfetched({ name, message }) {
  if (name === 'CompileError') return /magic|\\0asm/i.test(message);
  return name === 'TypeError' || name === 'NetworkError' || name === 'AbortError';
}
