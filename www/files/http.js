// A URL to bytes, over one connection. Every failure becomes a CressetError that says what to do; one that may pass has
// `details.transient` (retry.js tries again).

import { CressetError, aborted } from '../lib/errors.js';
import { formatBytes } from '../lib/progress.js';
import { STALL_MS } from './backoff-times.js';
import { SMALL_TEXT } from './limits.js';

const READ_BYTES = 256 * 1024;

/**
 * @typedef {import('./types.d.ts').Bytes} Bytes
 * @typedef {{ read(): Promise<ReadableStreamReadResult<Bytes>>, cancel(): Promise<void> }} ByteReader
 *
 * @typedef {object} RequestOptions
 * @property {AbortSignal} [signal]
 * @property {'GET' | 'HEAD'} [method]
 * @property {[number, number?]} [range]   first and last byte wanted; without a last one, all the rest
 * @property {string} [ifRange]            send the range only if the file still has this ETag, else all of it
 * @property {boolean} [store]             false keeps a large answer out of the browser's own HTTP cache
 */

/**
 * `fetch` whose failures have codes: MODEL_NOT_FOUND (404, 410), MODEL_FORMAT (a web page came), DOWNLOAD, ABORTED.
 * @param {string} url
 * @param {RequestOptions} [options]
 * @returns {Promise<Response>} status 200 or 206
 */
export async function request(url, { signal, method = 'GET', range, ifRange, store = true } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (range) headers.Range = `bytes=${range[0]}-${range[1] ?? ''}`;
  if (range && ifRange) headers['If-Range'] = ifRange;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), STALL_MS);
  let response;
  try {
    const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
    response = await fetch(url, { method, signal: either, headers, cache: store ? 'default' : 'no-store' });
  } catch (error) {
    throw silence.signal.aborted ? stallError(url) : networkError(url, error, signal);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok && !isWebPage(response)) return response;
  await response.body?.cancel().catch(() => {});
  throw statusError(url, response);
}

/** The JSON or text of a small file. @param {string} url @param {RequestOptions} [options] */
export async function requestText(url, options) {
  const response = await request(url, options);
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of chunks(url, response, options?.signal)) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > SMALL_TEXT) throw tooLargeError(url, SMALL_TEXT);
  }
  return text + decoder.decode();
}

/** What an answer consists of. @param {string} url @param {Response} response */
export function bodyOf(url, response) {
  if (!response.body) throw downloadError(url, `${new URL(url).host} answered without a file (HTTP ${response.status})`);
  return response.body;
}

/**
 * The chunks of a response body, each a Uint8Array that holds only until the next one is asked for: one buffer takes all
 * of them. A break in the middle is a DOWNLOAD error.
 * @param {string} url   what was asked for; redirects end elsewhere
 * @param {Response} response
 * @param {AbortSignal} [signal]
 */
export async function* chunks(url, response, signal) {
  const reader = openReader(bodyOf(url, response));
  let first = response.status !== 206;
  try {
    for (;;) {
      const step = await read(url, reader, signal);
      if (step.done) return;
      if (first && looksLikeWebPage(step.value)) throw webPageError(url);
      first = false;
      yield step.value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Where the browser can read into a buffer of ours, it makes no new one for every chunk.
 * @param {ReadableStream<Bytes>} stream
 * @returns {ByteReader}
 */
function openReader(stream) {
  try {
    const reader = stream.getReader({ mode: 'byob' });
    let buffer = new ArrayBuffer(READ_BYTES);
    return {
      async read() {
        const step = await reader.read(new Uint8Array(buffer));
        if (step.value) buffer = step.value.buffer;
        return step;
      },
      cancel: () => reader.cancel(),
    };
  } catch {
    return stream.getReader();
  }
}

/** @param {string} url @param {ByteReader} reader @param {AbortSignal} [signal] */
async function read(url, reader, signal) {
  let timer;
  /** @type {Promise<never>} */
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(stallError(url)), STALL_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw error instanceof CressetError ? error : breakError(url, error, signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * How large a file is, without its bytes: null where the server does not say, or where the file is `absent`.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ bytes: number | null, absent?: boolean }>}
 */
export async function askSize(url, signal) {
  try {
    return { bytes: contentLength(await request(url, { signal, method: 'HEAD' })) };
  } catch (/** @type {any} */ error) {
    if (error.code === 'MODEL_NOT_FOUND') return { bytes: null, absent: true };
    if (error.details?.retryAfterMs > 0) throw error; // it says when to ask again
    if (error.code !== 'DOWNLOAD' || error.details.status === undefined) return { bytes: null };
  }
  // Addresses that are signed for GET refuse HEAD: one byte says as much.
  const response = await request(url, { signal, range: [0, 0], store: false }).catch(() => null);
  response?.body?.cancel().catch(() => {});
  return { bytes: response ? fileSize(response) : null };
}

/** Bytes the whole file will have, or null: a compressed transfer's Content-Length counts other bytes. @param {Response} response */
export function contentLength(response) {
  const encoding = response.headers.get('content-encoding');
  if (encoding && encoding !== 'identity') return null;
  const length = Number.parseInt(response.headers.get('content-length') ?? '', 10);
  return Number.isSafeInteger(length) && length >= 0 ? length : null;
}

/** The first byte and the file's size from a 206 answer, or null where the server does not let pages read Content-Range. @param {Response} response */
export function contentRange(response) {
  const match = /bytes (\d+)-\d+\/(\d+)\s*$/.exec(response.headers.get('content-range') ?? '');
  return match ? { start: Number(match[1]), total: Number(match[2]) } : null;
}

/** The file's size from an answer with all or some of it, or null. @param {Response} response */
export function fileSize(response) {
  return response.status === 206 ? (contentRange(response)?.total ?? null) : contentLength(response);
}

/** The last part of a URL's path, for messages and as a file's name. @param {string} url */
export function baseName(url) {
  const last = new URL(url).pathname.split('/').filter(Boolean).pop() ?? '';
  try {
    return decodeURIComponent(last) || 'model';
  } catch {
    return last;
  }
}

/** @param {Response} response */
function isWebPage(response) {
  return (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/html');
}

/** @param {Bytes} bytes */
function looksLikeWebPage(bytes) {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  return start.startsWith('<!doctype html') || start.startsWith('<html');
}

/** @param {string} url */
function webPageError(url) {
  return new CressetError('MODEL_FORMAT', `${url} gives a web page, not a model file; use the address of the file itself`, { url });
}

// Statuses that a later try may not meet.
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

/** @param {string} url @param {Response} response */
function statusError(url, response) {
  const { status } = response;
  const { host } = new URL(url);
  if (response.ok) return webPageError(url);
  if (status === 404 || status === 410) return new CressetError('MODEL_NOT_FOUND', `there is no file at ${url}`, { url, status });
  if (status === 416) return new CressetError('MODEL_FORMAT', `${url} is an empty file`, { url, status });
  const reason =
    status === 401 || status === 403
      ? `${host} refuses access (HTTP ${status}): it may need an account, or the name may be wrong`
      : status === 429
        ? `${host} asks to slow down (HTTP 429); try again in a while`
        : `${host} answered with HTTP ${status}; try again in a while`;
  const details = TRANSIENT.has(status) ? { transient: true, retryAfterMs: retryAfter(response) } : {};
  return new CressetError('DOWNLOAD', `download of ${baseName(url)} failed: ${reason}`, { url, status, ...details });
}

/** @param {Response} response */
function retryAfter(response) {
  const said = response.headers.get('retry-after') ?? '0';
  const milliseconds = /^\s*\d+\s*$/.test(said) ? 1000 * Number(said) : Date.parse(said) - Date.now();
  return Math.max(milliseconds || 0, 0);
}

/** No answer at all. @param {string} url @param {unknown} error @param {AbortSignal} [signal] */
function networkError(url, error, signal) {
  if (signal?.aborted) return aborted(signal);
  const { host } = new URL(url);
  return passing(
    url,
    `${host} could not be reached, or does not let other pages read it (CORS); check the address and the connection, then load it again`,
    error,
  );
}

/** An answer that stopped in the middle. @param {string} url @param {unknown} [error] @param {AbortSignal} [signal] */
function breakError(url, error, signal) {
  if (signal?.aborted) return aborted(signal);
  return passing(url, `the connection to ${new URL(url).host} broke off; load it again to go on`, error);
}

/** @param {string} url */
function stallError(url) {
  return passing(url, `${new URL(url).host} has sent nothing for ${Math.round(STALL_MS / 1000)} seconds; check the connection, then load it again`);
}

/** @param {string} url @param {string} reason @param {unknown} [error] */
function passing(url, reason, error) {
  const offline = globalThis.navigator?.onLine === false;
  return downloadError(url, offline ? 'this device is offline; connect it and load the model again' : reason, error, { transient: true });
}

/** A DOWNLOAD error about this URL. @param {string} url @param {string} reason @param {any} [cause] @param {object} [details] */
export function downloadError(url, reason, cause, details = {}) {
  return new CressetError('DOWNLOAD', `download of ${baseName(url)} failed: ${reason}`, { url, reason: cause?.message, ...details }, { cause });
}

/** More than a file like this has. @param {string} url @param {number} most */
export function tooLargeError(url, most) {
  return downloadError(url, `${new URL(url).host} sends more than ${formatBytes(most)}, the limit for such a file`, undefined, { most });
}

/** A transfer that ended before the file did. @param {string} url */
export function shortError(url) {
  return breakError(url);
}
