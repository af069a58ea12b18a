// A file that is still on its way into the store, for reading as it comes.

import { CressetError } from '../lib/errors.js';

/**
 * @typedef {import('./types.d.ts').Readable} Readable
 * @typedef {ArrivingFile & { size: number }} OpenedFile
 * @typedef {(arriving: ArrivingFile) => Promise<Readable>} Open   opens the file, telling `arriving` what becomes of it
 */

export class ArrivingFile {
  /** The file once it is here, checked; an error where it does not come, or was read and then came anew. @type {Promise<Readable>} */
  whole;
  /** @type {number | null} */
  size = null;
  /** @type {import('./part.js').Part | null} */
  #part = null;
  /** @type {Readable | null} */
  #file = null;
  /** @type {unknown} */
  #failure = null;
  #wasRead = false;
  #wake = () => {};
  /** @type {Promise<void>} */
  #change = Promise.resolve();

  /** @param {string} name @param {Open} open */
  constructor(name, open) {
    this.name = name;
    this.#turn();
    this.whole = this.#arrive(open);
    this.whole.catch(() => {}); // who waits for it is told
  }

  /** This, once bytes of it can be read, or the file, where it is whole before that. @returns {Promise<Readable | OpenedFile>} */
  async opened() {
    while (!this.#part && !this.#file && !this.#failure) await this.#change;
    return this.size === null ? this.whole : /** @type {OpenedFile} */ (this);
  }

  /**
   * It comes into `part`. Where it begins once more, what is known or was read of it may be of another file.
   * @param {import('./part.js').Part} part
   * @param {number | null} size
   */
  begin(part, size) {
    if (this.#wasRead || (this.size !== null && this.size !== size)) {
      this.#failure ??= new CressetError('DOWNLOAD', `${this.name} was sent once more from its beginning; load it again`, { restarted: true });
    }
    this.#part = part;
    this.size ??= size;
    this.#turn();
  }

  /** More of it is here. */
  grew() {
    this.#turn();
  }

  /** @param {number} offset @param {number} length @returns {Promise<import('./types.d.ts').Bytes>} */
  async read(offset, length) {
    this.#wasRead = true;
    const wanted = Math.max(Math.min(length, (this.size ?? 0) - offset), 0);
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#file) return this.#file.read(offset, length);
      const bytes = this.#part?.read(offset, wanted);
      if (bytes) return bytes;
      await this.#change;
    }
  }

  /** @param {Open} open */
  async #arrive(open) {
    try {
      const file = await open(this);
      if (this.#failure) throw this.#failure;
      return (this.#file = file);
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#turn();
    }
  }

  #turn() {
    this.#wake();
    this.#change = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
