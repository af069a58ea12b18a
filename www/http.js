// A URL to bytes. Every failure becomes a CressetError that says what to do.

import { CressetError, aborted } from './errors.js';

/**
 * `fetch` whose failures have codes: MODEL_NOT_FOUND (404, 410), MODEL_FORMAT (a web page came), DOWNLOAD, ABORTED.
 * @param {string} url
 * @param {{ signal?: AbortSignal, range?: [number, number], store?: boolean }} options
 *   `range`: first and last byte wanted; `store`: false keeps a large answer out of the browser's own HTTP cache
 * @returns {Promise<Response>} status 200 or 206
 */
export async function request(url, { signal, range, store = true } = {}) {
  let response;
  try {
    response = await fetch(url, {
      signal,
      cache: store ? 'default' : 'no-store',
      headers: range ? { Range: `bytes=${range[0]}-${range[1]}` } : {},
    });
  } catch (error) {
    throw networkError(url, error, signal);
  }
  if (response.ok && !isWebPage(response)) return response;
  await response.body?.cancel().catch(() => {});
  throw statusError(url, response);
}

/** The JSON or text of a small file. */
export async function requestText(url, options) {
  const response = await request(url, options);
  try {
    return await response.text();
  } catch (error) {
    throw networkError(url, error, options?.signal);
  }
}

/**
 * The chunks of a response body, each a Uint8Array; a break in the middle is a DOWNLOAD error.
 * @param {Response} response
 * @param {AbortSignal} [signal]
 */
export async function* chunks(response, signal) {
  const reader = response.body.getReader();
  let first = true;
  try {
    for (;;) {
      let step;
      try {
        step = await reader.read();
      } catch (error) {
        throw networkError(response.url, error, signal);
      }
      if (step.done) return;
      if (first && looksLikeWebPage(step.value)) throw webPageError(response.url);
      first = false;
      yield step.value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Bytes the whole file will have, or null: a compressed transfer's Content-Length counts other bytes. */
export function contentLength(response) {
  const encoding = response.headers.get('content-encoding');
  if (encoding && encoding !== 'identity') return null;
  const length = Number.parseInt(response.headers.get('content-length') ?? '', 10);
  return Number.isSafeInteger(length) && length >= 0 ? length : null;
}

/** The file's size from a 206 answer, or null where the server does not let pages read Content-Range. */
export function rangeTotal(response) {
  const match = /\/(\d+)\s*$/.exec(response.headers.get('content-range') ?? '');
  return match ? Number(match[1]) : null;
}

/** The last part of a URL's path, for messages and as a file's name. */
export function baseName(url) {
  const last = new URL(url).pathname.split('/').filter(Boolean).pop() ?? '';
  try {
    return decodeURIComponent(last) || 'model';
  } catch {
    return last;
  }
}

function isWebPage(response) {
  return (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/html');
}

function looksLikeWebPage(bytes) {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  return start.startsWith('<!doctype html') || start.startsWith('<html');
}

function webPageError(url) {
  return new CressetError('MODEL_FORMAT', `${url} gives a web page, not a model file; use the address of the file itself`, { url });
}

function statusError(url, response) {
  const { status } = response;
  const host = new URL(url).host;
  if (response.ok) return webPageError(url);
  if (status === 404 || status === 410) return new CressetError('MODEL_NOT_FOUND', `there is no file at ${url}`, { url, status });
  if (status === 416) return new CressetError('MODEL_FORMAT', `${url} is an empty file`, { url, status });
  const reason = status === 401 || status === 403
    ? `${host} refuses access (HTTP ${status}): it may need an account, or the name may be wrong`
    : status === 429
      ? `${host} asks to slow down (HTTP 429); try again in a while`
      : `${host} answered with HTTP ${status}`;
  return new CressetError('DOWNLOAD', `download of ${baseName(url)} failed: ${reason}`, { url, status });
}

function networkError(url, error, signal) {
  if (signal?.aborted) return aborted(signal);
  if (globalThis.navigator?.onLine === false) return downloadError(url, 'this device is offline', error);
  return downloadError(url, `${new URL(url).host} could not be reached, broke off, or does not let other pages read it (CORS)`, error);
}

/** A DOWNLOAD error about this URL. */
export function downloadError(url, reason, cause) {
  return new CressetError('DOWNLOAD', `download of ${baseName(url)} failed: ${reason}`, { url, reason: cause?.message }, { cause });
}
