// A file on its way into the store: written as it comes, in chunks whose hashes are written down as they get whole. What is
// whole stays when the tab is closed in the middle, and is checked before a later download goes on behind it.

import { openAccess, readFile, readJson, reserve, write, writeJson } from './opfs.js';

/**
 * @typedef {import('./types.d.ts').Bytes} Bytes
 * @typedef {import('./types.d.ts').Entry} Entry
 * @typedef {import('./opfs.js').Folder} Folder
 * @typedef {import('./types.d.ts').PartFacts} PartFacts
 * @typedef {(part: { bytes: Bytes, length: number }) => void} OnKept   gets the bytes that are here, in order
 */

/** Bytes that have a hash of their own. */
export const CHUNK = 1 << 20;
const SUM = 32; // bytes of a SHA-256

/** The SHA-256 of bytes in memory. @param {Bytes} bytes */
export async function digest(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** Whether a chunk has the hash at its place in `sums`. @param {Bytes} bytes @param {Bytes} sums @param {number} chunk */
export async function hasSum(bytes, sums, chunk) {
  const [got, at] = [await digest(bytes), chunk * SUM];
  return sums.length >= at + SUM && got.every((byte, i) => byte === sums[at + i]);
}

/** Whether these are hashes of all chunks of so many bytes. @param {Bytes} sums @param {number} bytes */
export function sumsFit(sums, bytes) {
  return sums.length === Math.ceil(bytes / CHUNK) * SUM;
}

export class Part {
  /** What the server said about the bytes that are here; null where there are none. @type {PartFacts | null} */
  facts = null;
  #folder;
  #hash;
  #key;
  #bin;
  #sums;
  #chunks = 0;
  #buffer = new Uint8Array(CHUNK);
  #filled = 0;
  #closed = false;

  /**
   * @param {Folder} folder
   * @param {string} hash
   * @param {string} key
   * @param {{ facts: PartFacts | null, bin: FileSystemSyncAccessHandle, sums: FileSystemSyncAccessHandle }} contents
   */
  constructor(folder, hash, key, { facts, bin, sums }) {
    this.facts = facts;
    this.#folder = folder;
    this.#hash = hash;
    this.#key = key;
    this.#bin = bin;
    this.#sums = sums;
  }

  /** @see begin in store.js @param {Folder} folder @param {string} hash @param {string} key @param {OnKept} onKept */
  static async open(folder, hash, key, onKept) {
    const facts = await readJson(folder, `${hash}.part`);
    const bin = await openAccess(folder, `${hash}.bin`);
    const sums = await openAccess(folder, `${hash}.sums`).catch((error) => {
      bin.close();
      throw error;
    });
    const part = new Part(folder, hash, key, { facts, bin, sums });
    try {
      await folder.removeEntry(`${hash}.json`).catch(() => {});
      await part.#takeOver(onKept);
    } catch (error) {
      part.#close();
      throw error;
    }
    return part;
  }

  /** Bytes in whole chunks of a part that nobody writes. @param {Folder} folder @param {string} hash */
  static async length(folder, hash) {
    const sums = await readFile(folder, `${hash}.sums`).catch(() => null);
    return Math.floor((sums?.size ?? 0) / SUM) * CHUNK;
  }

  /** Bytes that are here. */
  get length() {
    return this.#chunks * CHUNK + this.#filled;
  }

  /** Finds how many chunks of an earlier download are whole. @param {OnKept} onKept */
  async #takeOver(onKept) {
    if (this.facts?.key !== this.#key) this.facts = null;
    const sums = new Uint8Array(this.facts ? this.#sums.getSize() : 0);
    this.#sums.read(sums, { at: 0 });
    // One chunk at least is left to ask for, so that the server says whether it is the same file.
    const most = Math.ceil((this.facts?.bytes ?? Infinity) / CHUNK) - 1;
    while (this.#chunks < most) {
      const bytes = new Uint8Array(CHUNK);
      const count = this.#bin.read(bytes, { at: this.#chunks * CHUNK });
      if (count < CHUNK || !(await hasSum(bytes, sums, this.#chunks))) break;
      this.#chunks += 1;
      onKept({ bytes, length: this.length });
    }
    this.#sums.truncate(this.#chunks * SUM);
  }

  /**
   * Notes what the server says, for a later download to compare; throws where the device has no room for it.
   * @param {Omit<PartFacts, 'key' | 'stored'>} facts
   */
  async describe(facts) {
    // All of it at once: a refusal comes before the download, not in its middle.
    if (facts.bytes) reserve(this.#bin, facts.bytes);
    this.facts = { ...facts, key: this.#key, stored: new Date().toISOString() };
    await writeJson(this.#folder, `${this.#hash}.part`, this.facts);
  }

  /** Forgets the bytes that are here. */
  restart() {
    this.#chunks = this.#filled = 0;
    this.#sums.truncate(0);
  }

  /** So many of the bytes that are here, or null where they are not, or no longer by this way. @param {number} offset @param {number} length */
  read(offset, length) {
    const whole = this.#chunks * CHUNK;
    if (this.#closed || offset + length > whole + this.#filled) return null;
    const bytes = new Uint8Array(length);
    const stored = Math.max(Math.min(whole - offset, length), 0);
    if (stored > 0) this.#bin.read(bytes.subarray(0, stored), { at: offset });
    if (stored < length) bytes.set(this.#buffer.subarray(offset + stored - whole, offset + length - whole), stored);
    return bytes;
  }

  /** Throws when the device refuses more. @param {Bytes} bytes */
  async write(bytes) {
    for (let from = 0; from < bytes.length;) {
      const piece = bytes.subarray(from, from + CHUNK - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      from += piece.length;
      if (this.#filled === CHUNK) await this.#writeChunk();
    }
  }

  async #writeChunk() {
    const bytes = this.#buffer.subarray(0, this.#filled);
    write(this.#bin, bytes, this.#chunks * CHUNK);
    write(this.#sums, await digest(bytes), this.#chunks * SUM);
    this.#chunks += 1;
    this.#filled = 0;
  }

  /** Makes the entry valid. @param {Omit<Entry, 'bytes' | 'stored'>} facts */
  async commit(facts) {
    const bytes = this.length;
    if (this.#filled > 0) await this.#writeChunk();
    this.#bin.truncate(bytes);
    this.#bin.flush();
    this.#sums.flush();
    this.#close();
    await writeJson(this.#folder, `${this.#hash}.json`, { ...facts, bytes, stored: new Date().toISOString() });
    await this.#folder.removeEntry(`${this.#hash}.part`).catch(() => {});
  }

  /** Ends for now; whole chunks stay. Gives how many bytes that is. */
  keep() {
    this.#filled = 0;
    this.#close();
    return this.length;
  }

  /** Removes all of it. */
  async discard() {
    this.#close();
    await removePart(this.#folder, this.#hash);
  }

  #close() {
    this.#closed = true;
    this.#bin.close();
    this.#sums.close();
  }
}

/** Removes what a part consists of; a file that another tab is writing stays. @param {Folder} folder @param {string} hash */
export async function removePart(folder, hash) {
  for (const kind of ['part', 'sums', 'bin']) await folder.removeEntry(`${hash}.${kind}`).catch(() => {});
}
