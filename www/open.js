// Files of a model → files the engine can read, through the cache or straight from the network.

import { CressetError } from './errors.js';
import { BlobFile, openRemote } from './files.js';
import { chunks, contentLength, request } from './http.js';
import { Sha256 } from './sha256.js';
import { isAbsent } from './sources.js';
import * as store from './store.js';

// Bytes collected before they become a Blob, which the browser may keep out of memory.
const BLOB_PIECE = 32 * 1024 * 1024;

/**
 * How to open.
 * @typedef {object} Access
 * @property {string} model        name for the cache's list
 * @property {boolean} cache       keep files on this device, and use those kept
 * @property {boolean} headersOnly only the beginning will be read: do not download what can be read by ranges
 * @property {AbortSignal} [signal]
 * @property {(progress: { status: 'download' | 'cache', loaded: number, total: number | null }) => void} report
 */

/**
 * @param {import('./sources.js').ModelFile[]} files
 * @param {Access} access
 */
export async function openAll(files, access) {
  const tally = new Tally(access.report);
  const opened = [];
  for (const file of files) {
    try {
      opened.push(await openOne(file, access, tally));
    } catch (error) {
      // Offline, a file that was never there cannot be told from one that was not reached.
      const missing = isAbsent(error) || (error.code === 'DOWNLOAD' && tally.cachedOnly);
      if (!(file.optional && missing)) throw error;
    }
  }
  return opened;
}

/** The text of a small file, stored with its model. */
export async function readText(url, name, access) {
  const file = await openOne({ name, url, key: url }, { ...access, headersOnly: false }, new Tally(() => {}));
  return new TextDecoder().decode(await file.read(0, file.size));
}

async function openOne(file, access, tally) {
  if (file.blob) return verified(new BlobFile(file.blob, file.name), access.headersOnly ? undefined : file.sha256);
  const stored = access.cache ? await openStored(file) : null;
  if (stored) {
    tally.cached(stored.size);
    return stored;
  }
  if (access.headersOnly) {
    return await openRemote(file.url, file.name, access) ?? download(file, { ...access, cache: false }, tally);
  }
  if (!access.cache && !file.sha256) {
    const remote = await openRemote(file.url, file.name, { ...access, rangesOnly: true });
    if (remote) return remote;
  }
  return download(file, access, tally);
}

async function openStored(file) {
  const found = await store.open(file.key);
  if (!found) return null;
  const blob = new BlobFile(found.file, file.name);
  if (!file.sha256 || found.entry.sha256 === file.sha256) return blob;
  // Stored without being checked against this hash: check now; a wrong one is downloaded again.
  return verified(blob, file.sha256).catch(() => store.remove(file.key).then(() => null));
}

async function download(file, access, tally) {
  const response = await request(file.url, { signal: access.signal, store: !access.cache });
  const size = contentLength(response);
  const writer = access.cache ? await store.create(file.key, size) : null;
  if (!writer && access.cache && !file.sha256) {
    // It cannot be kept, so reading it by ranges is better than holding all of it in memory.
    await response.body?.cancel().catch(() => {});
    return openOne(file, { ...access, cache: false }, tally);
  }
  tally.expect(size);
  const hash = file.sha256 ? new Sha256() : null;
  const sink = writer ?? new MemorySink();
  try {
    for await (const chunk of chunks(response, access.signal)) {
      hash?.update(chunk);
      sink.write(chunk);
      tally.add(chunk.length);
    }
    if (hash) expectHash(file.name, hash.hex(), file.sha256);
    const { key, url, name, sha256 } = file;
    return new BlobFile(await sink.commit({ key, url, name, sha256, model: access.model }), name);
  } catch (error) {
    await sink.abort();
    if (error instanceof CressetError) throw error;
    if (!writer) throw new CressetError('OUT_OF_MEMORY', `${file.name} does not fit into this browser's memory`, { reason: error.message }, { cause: error });
    // The device refused to store more (quota, private mode): go on without the cache.
    tally.restart();
    return openOne(file, { ...access, cache: false }, tally);
  }
}

/** Collects a download where it cannot be stored. Same shape as the store's writer. */
class MemorySink {
  #blobs = [];
  #parts = [];
  #pending = 0;

  write(chunk) {
    this.#parts.push(chunk);
    this.#pending += chunk.length;
    if (this.#pending >= BLOB_PIECE) this.#pack();
  }

  async commit() {
    this.#pack();
    return new Blob(this.#blobs);
  }

  async abort() {
    this.#blobs = this.#parts = [];
  }

  #pack() {
    this.#blobs.push(new Blob(this.#parts));
    this.#parts = [];
    this.#pending = 0;
  }
}

async function verified(file, sha256) {
  if (!sha256) return file;
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += BLOB_PIECE) hash.update(await file.read(at, BLOB_PIECE));
  expectHash(file.name, hash.hex(), sha256);
  return file;
}

function expectHash(name, got, want) {
  if (got !== want) throw new CressetError('INTEGRITY', `${name} has SHA-256 ${got}, expected ${want}; the file was changed or damaged`, { got, want });
}

/**
 * `sha256-…` in base64 as in subresource integrity, or in hexadecimal → 64 hexadecimal digits.
 * @param {string} integrity
 */
export function parseIntegrity(integrity) {
  const text = /^sha256-(.+)$/.exec(String(integrity))?.[1] ?? '';
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    if (bytes.length === 32) return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  } catch {
    // Not base64: falls through to the error.
  }
  throw new CressetError('INVALID_REQUEST', 'integrity: expected sha256- and the hash in base64 or hexadecimal', { field: 'integrity' });
}

/** Progress over all files of a model. */
class Tally {
  cachedOnly = true;
  #loaded = 0;
  #total = 0;
  #report;

  constructor(report) {
    this.#report = report;
  }

  expect(bytes) {
    this.cachedOnly = false;
    this.#total = bytes === null || this.#total === null ? null : this.#total + bytes;
    this.#tell('download');
  }

  add(bytes) {
    this.#loaded += bytes;
    this.#tell('download');
  }

  cached(bytes) {
    this.#loaded += bytes;
    if (this.#total !== null) this.#total += bytes;
    this.#tell('cache');
  }

  restart() {
    this.#loaded = 0;
    this.#total = 0;
  }

  #tell(status) {
    // A compressed transfer can give more bytes than it announced.
    const total = this.#total !== null && this.#loaded <= this.#total ? this.#total : null;
    this.#report({ status, loaded: this.#loaded, total });
  }
}
