// Model files as the engine reads them: `{ name, size, read(offset, length) → Promise<Uint8Array> }`.
// A read past the end gives the bytes there are.

import { CressetError } from './errors.js';
import { chunks, contentLength, downloadError, rangeTotal, request } from './http.js';

/** A file over a Blob: chosen by the visitor, or stored on this device. */
export class BlobFile {
  constructor(blob, name) {
    this.blob = blob;
    this.name = name;
    this.size = blob.size;
  }

  async read(offset, length) {
    try {
      return new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      throw new CressetError('STORAGE', `${this.name} cannot be read any more; it was moved, changed or removed: choose it again`, { reason: error.message }, { cause: error });
    }
  }
}

// Large enough that a request's latency does not count, small enough for a header read.
const BLOCK = 2 * 1024 * 1024;
const BLOCKS_KEPT = 12;

/** A remote file read by ranges; nothing of it is kept but a few blocks. */
class RangedFile {
  #url;
  #signal;
  #blocks = new Map();

  constructor(url, name, size, first, signal) {
    this.name = name;
    this.size = size;
    this.#url = url;
    this.#signal = signal;
    this.#blocks.set(0, Promise.resolve(first));
  }

  async read(offset, length) {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    const first = Math.floor(offset / BLOCK);
    const last = Math.floor((end - 1) / BLOCK);
    const parts = [];
    for (let index = first; index <= last; index += 1) parts.push(this.#block(index));
    // Weights are read in file order: the next block travels while this one is used.
    const ahead = (last + 1) * BLOCK < this.size ? this.#block(last + 1) : null;
    ahead?.catch(() => {});
    const out = new Uint8Array(end - offset);
    for (const [i, part] of (await Promise.all(parts)).entries()) {
      const start = (first + i) * BLOCK;
      const from = Math.max(offset - start, 0);
      const piece = part.subarray(from, Math.min(end - start, part.length));
      out.set(piece, start + from - offset);
    }
    return out;
  }

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

  async #fetch(index) {
    const start = index * BLOCK;
    const want = Math.min(BLOCK, this.size - start);
    const response = await request(this.#url, { signal: this.#signal, range: [start, start + want - 1], store: false });
    const bytes = await body(response, this.#signal);
    if (response.status !== 206 || bytes.length !== want) {
      throw downloadError(this.#url, 'the server changed its mind about byte ranges in the middle of the file');
    }
    return bytes;
  }
}

/** The beginning of a remote file whose server knows no ranges: bytes come in order, as far as they are asked for. */
class StreamedFile {
  #chunks;
  #parts = [];
  #received = 0;

  constructor(response, name, size, signal) {
    this.name = name;
    this.size = size;
    this.#chunks = chunks(response, signal);
  }

  async read(offset, length) {
    const end = Math.min(offset + length, this.size);
    while (this.#received < end) {
      const { value, done } = await this.#chunks.next();
      if (done) break;
      this.#parts.push(value);
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
 * @param {{ signal?: AbortSignal, rangesOnly?: boolean }} options   `rangesOnly`: null instead of a stream
 */
export async function openRemote(url, name, { signal, rangesOnly = false } = {}) {
  const response = await request(url, { signal, range: [0, BLOCK - 1], store: false });
  if (response.status === 206) {
    const first = await body(response, signal);
    const size = rangeTotal(response) ?? (first.length < BLOCK ? first.length : await sizeByHead(url, signal));
    if (size !== null) return new RangedFile(url, name, size, first, signal);
    return null;
  }
  const size = contentLength(response);
  if (size === null || rangesOnly) {
    response.body?.cancel().catch(() => {});
    return null;
  }
  return new StreamedFile(response, name, size, signal);
}

// Content-Range is hidden from pages of other origins unless the server exposes it; Content-Length never is.
async function sizeByHead(url, signal) {
  const response = await fetch(url, { method: 'HEAD', signal }).catch(() => null);
  return response?.ok ? contentLength(response) : null;
}

async function body(response, signal) {
  const parts = [];
  for await (const chunk of chunks(response, signal)) parts.push(chunk);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
