// Model files as the engine reads them: `{ name, size, read(offset, length) → Promise<Uint8Array> }`.
// A read past the end gives the bytes there are.

import { CressetError } from '../lib/errors.js';
import { askSize, chunks, contentLength, downloadError, fileSize, request, tooLargeError } from './http.js';
import { CHUNK, hasSum } from './part.js';
import { retried } from './backoff.js';
import * as store from './store.js';

/**
 * @typedef {import('./types.d.ts').Bytes} Bytes
 * @typedef {import('./backoff.js').PatienceOptions} PatienceOptions
 */

/** A file over a Blob: chosen by the visitor, or collected in memory. */
export class BlobFile {
  /** @param {Blob} blob @param {string} name */
  constructor(blob, name) {
    this.blob = blob;
    this.name = name;
    this.size = blob.size;
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    try {
      return await readBlob(this.blob, offset, length);
    } catch (/** @type {any} */ error) {
      throw new CressetError(
        'STORAGE',
        `${this.name} cannot be read any more; it was moved, changed or removed: choose it again`,
        { moved: true, reason: error.message },
        { cause: error },
      );
    }
  }
}

/** @param {Blob} blob @param {number} offset @param {number} length */
async function readBlob(blob, offset, length) {
  return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
}

/**
 * A file kept on this device. Each chunk is compared with its hash when it is first read; one that was damaged is
 * fetched again.
 */
export class StoredFile {
  #blob;
  #sums;
  #entry;
  #sound;
  /** @type {Promise<unknown>} */
  #mending = Promise.resolve();

  /** @param {NonNullable<Awaited<ReturnType<typeof store.open>>>} stored @param {string} name */
  constructor({ file, sums, entry }, name) {
    this.name = name;
    this.size = file.size;
    this.#blob = file;
    this.#sums = sums;
    this.#entry = entry;
    this.#sound = new Uint8Array(sums.length / 32);
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    const [first, last] = [Math.floor(offset / CHUNK), Math.floor((end - 1) / CHUNK)];
    if (this.#sound.subarray(first, last + 1).every((sound) => sound)) return this.#kept(offset, length);
    // Whole chunks in one buffer, of which the reader gets its part: nothing is copied.
    const start = first * CHUNK;
    const bytes = await this.#kept(start, (last + 1) * CHUNK - start);
    for (let chunk = first; chunk <= last; chunk += 1) {
      const at = chunk * CHUNK - start;
      const part = bytes.subarray(at, at + CHUNK);
      if (!this.#sound[chunk] && !(await hasSum(part, this.#sums, chunk))) part.set(await this.#mended(chunk, part.length));
      this.#sound[chunk] = 1;
    }
    return bytes.subarray(offset - start, end - start);
  }

  /** Another tab may have removed it. @param {number} offset @param {number} length */
  async #kept(offset, length) {
    try {
      return await readBlob(this.#blob, offset, length);
    } catch (/** @type {any} */ error) {
      throw new CressetError(
        'STORAGE',
        `the copy of ${this.name} on this device cannot be read any more; load the model again to download it anew`,
        { damaged: true, reason: error.message },
        { cause: error },
      );
    }
  }

  /** One after the other: the file changes under its readers. @param {number} chunk @param {number} length */
  #mended(chunk, length) {
    const mended = this.#mending.then(() => this.#mend(chunk, length));
    this.#mending = mended.catch(() => {});
    return mended;
  }

  /** @param {number} chunk @param {number} length */
  async #mend(chunk, length) {
    const start = chunk * CHUNK;
    const { url, key } = this.#entry;
    try {
      const bytes = await retried(async () => fetchRange(url, start, length));
      if (!(await hasSum(bytes, this.#sums, chunk))) throw downloadError(url, 'the file has changed since it was downloaded');
      this.#blob = await store.repair(key, start, bytes);
      return bytes;
    } catch (/** @type {any} */ error) {
      // Without the network it may be mended another time; else the next load begins anew.
      const passing = error.details?.transient;
      if (!passing) await store.remove(key);
      throw new CressetError(
        'STORAGE',
        `the copy of ${this.name} on this device is damaged, and it could not be mended (${error.message}); load the model again ${passing ? 'when the connection works' : 'to download it anew'}`,
        { damaged: !passing, reason: error.message },
        { cause: error },
      );
    }
  }
}

/**
 * Bytes of a file by a range request, into `into` if there is such a buffer.
 * @param {string} url
 * @param {number} start
 * @param {number} length
 * @param {{ signal?: AbortSignal, etag?: string | null, into?: Bytes }} [how]
 */
async function fetchRange(url, start, length, { signal, etag, into } = {}) {
  const response = await request(url, { signal, range: [start, start + length - 1], store: false });
  if ((etag && response.headers.get('etag') !== etag) || response.status !== 206) {
    response.body?.cancel().catch(() => {});
    throw downloadError(url, 'the file was changed on its server while it was read; load it again');
  }
  const bytes = await body(url, response, signal, into ?? new Uint8Array(length));
  if (bytes.length !== length) throw downloadError(url, 'the server sent another part of the file than it was asked for');
  return bytes;
}

// Large enough that a request's latency does not count, small enough for a header read.
const BLOCK = 2 * 1024 * 1024;
const BLOCKS_KEPT = 4; // those just read, and the next

/** A remote file read by ranges; nothing of it is kept but a few blocks. */
class RangedFile {
  #url;
  #options;
  /** @type {Map<number, Promise<Bytes>>} */
  #blocks = new Map();

  /**
   * @param {string} url
   * @param {string} name
   * @param {number} size
   * @param {Bytes} first   block
   * @param {PatienceOptions & { etag: string | null }} options
   */
  constructor(url, name, size, first, options) {
    this.name = name;
    this.size = size;
    this.#url = url;
    this.#options = options;
    this.#blocks.set(0, Promise.resolve(first));
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    const first = Math.floor(offset / BLOCK);
    const last = Math.floor((end - 1) / BLOCK);
    if (last > first + 1) return this.#readLong(offset, end);
    // Small reads follow each other closely: the next block travels while this one is used.
    const ahead = (last + 1) * BLOCK < this.size ? this.#block(last + 1) : null;
    ahead?.catch(() => {});
    const head = (await this.#block(first)).subarray(offset - first * BLOCK, end - first * BLOCK);
    if (first === last) return head;
    const out = new Uint8Array(end - offset);
    out.set(head);
    out.set((await this.#block(last)).subarray(0, end - last * BLOCK), head.length);
    return out;
  }

  /** Straight into the buffer that the reader gets. @param {number} offset @param {number} end */
  async #readLong(offset, end) {
    const out = new Uint8Array(end - offset);
    const parts = [];
    for (let at = offset; at < end; at += BLOCK) {
      const into = out.subarray(at - offset, Math.min(at + BLOCK, end) - offset);
      parts.push(retried(() => fetchRange(this.#url, at, into.length, { ...this.#options, into }), this.#options));
    }
    await Promise.all(parts);
    return out;
  }

  /** @param {number} index */
  #block(index) {
    let block = this.#blocks.get(index);
    if (!block) {
      block = this.#fetch(index);
      // A failed block is asked for again next time.
      block.catch(() => this.#blocks.delete(index));
    }
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= BLOCKS_KEPT) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }

  /** @param {number} index */
  #fetch(index) {
    const start = index * BLOCK;
    return retried(() => fetchRange(this.#url, start, Math.min(BLOCK, this.size - start), this.#options), this.#options);
  }
}

/** The beginning of a remote file whose server knows no ranges: bytes come in order, as far as they are asked for. */
class StreamedFile {
  #chunks;
  /** @type {Bytes[]} */
  #parts = [];
  #received = 0;

  /** @param {string} url @param {Response} response @param {string} name @param {number} size @param {AbortSignal} [signal] */
  constructor(url, response, name, size, signal) {
    this.name = name;
    this.size = size;
    this.#chunks = chunks(url, response, signal);
  }

  /** @param {number} offset @param {number} length */
  async read(offset, length) {
    const end = Math.min(offset + length, this.size);
    while (this.#received < end) {
      const { value, done } = await this.#chunks.next();
      if (done) break;
      this.#parts.push(value.slice());
      this.#received += value.length;
    }
    return new Uint8Array(await new Blob(this.#parts).slice(offset, end).arrayBuffer());
  }
}

/**
 * A remote file for reading here and there, without downloading it first: by ranges, or else its stream as far as it
 * is read. Null when neither is possible (no ranges and no known size): download it.
 * @param {string} url
 * @param {string} name
 * @param {{ rangesOnly?: boolean, most?: number } & PatienceOptions} options   `rangesOnly`: null instead of a stream; `most`: bytes
 *   that the file may have
 */
export async function openRemote(url, name, { rangesOnly = false, most = Infinity, ...patience } = {}) {
  const { signal } = patience;
  return retried(async () => {
    const response = await request(url, { signal, range: [0, BLOCK - 1], store: false });
    if (response.status === 206) {
      const first = await body(url, response, signal, new Uint8Array(BLOCK));
      // Content-Range is hidden from pages of other origins unless the server exposes it; Content-Length never is.
      const size = fileSize(response) ?? (first.length < BLOCK ? first.length : (await askSize(url, signal)).bytes);
      if ((size ?? 0) > most) throw tooLargeError(url, most);
      return size === null ? null : new RangedFile(url, name, size, first, { ...patience, etag: response.headers.get('etag') });
    }
    const size = contentLength(response);
    if ((size ?? 0) > most) throw tooLargeError(url, most);
    if (size !== null && !rangesOnly) return new StreamedFile(url, response, name, size, signal);
    response.body?.cancel().catch(() => {});
    return null;
  }, patience);
}

/** Reads an answer into a buffer for what was asked for, whatever the server says it sends. @param {string} url @param {Response} response @param {AbortSignal | undefined} signal @param {Bytes} bytes */
async function body(url, response, signal, bytes) {
  let length = 0;
  for await (const chunk of chunks(url, response, signal)) {
    if (length + chunk.length > bytes.length) throw downloadError(url, 'the server sent more than it was asked for');
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes.subarray(0, length);
}
