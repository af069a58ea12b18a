// Sound that goes on → what is to be read of it, and what is settled of what was read. The open part is the sound that no settled
// text stands for: it is read again and again while it grows, and what its readings say may change until it is settled. Knows no document
// and no engine.

import { BLOCK, Ear, RATE, loudnessOf } from './loudness.js';

// Seconds of new sound after which the open part is read again.
const READ_EVERY = 2;
// A pause as long ends a passage, in blocks.
const PAUSE = 8;
// Shorter sounds are no words.
const LEAST = 2;
// Blocks that stay of what comes before the first word: it may begin softly.
const BEFORE = 3;
// Seconds: a longer open part is settled as far as it was read, since models hear 30 s at a time.
const MOST = 25;

/**
 * A passage as a reading has it; times in seconds from the open part's beginning.
 * @typedef {{ start: number, end: number, text: string }} Passage
 */

export class Passages {
  #ear = new Ear();
  /** Of the open part. */
  #samples = new Float32Array(MOST * RATE);
  #length = 0;
  /** Whether something is said, of each whole block of it. @type {boolean[]} */
  #voiced = [];
  /** What of the open part was read, in samples, and what that reading says. */
  #read = 0;
  /** @type {Passage[]} */
  #reading = [];

  /** More sound. @param {Float32Array} samples */
  hear(samples) {
    if (this.#length + samples.length > this.#samples.length) {
      const larger = new Float32Array(2 * (this.#length + samples.length));
      larger.set(this.#samples.subarray(0, this.#length));
      this.#samples = larger;
    }
    this.#samples.set(samples, this.#length);
    this.#length += samples.length;
    const unknown = this.#samples.subarray(this.#voiced.length * BLOCK, this.#length);
    for (const loudness of loudnessOf(unknown)) this.#voiced.push(this.#ear.hears(loudness));
    // What is only silence, or a click, is let go of.
    if (this.#spoken === 0 || (this.#spoken < LEAST && this.#pauses)) this.#close();
  }

  /** The sound that is to be read now, or null. @param {boolean} [ended]   no more will come */
  due(ended = false) {
    if (this.#spoken < LEAST && !(ended && this.#spoken > 0)) return null;
    const isRead = (this.#voiced.lastIndexOf(true) + 1) * BLOCK <= this.#read;
    const isTime = ended || this.#pauses || this.#length - this.#read >= READ_EVERY * RATE;
    return !isRead && isTime ? this.#samples.slice(0, this.#length) : null;
  }

  /** Whether the open part is a passage that has ended, and whose reading is whole. @param {boolean} [ended] */
  isWhole(ended = false) {
    return this.#spoken > 0 && (ended || this.#pauses) && this.due(ended) === null;
  }

  /**
   * The newest reading: gives what is settled with it. That is what the reading before said as well, all but the last passage, and all
   * but the last one where the open part grows too long.
   * @param {number} length   samples that were read
   * @param {Passage[]} reading
   * @returns {Passage[]}
   */
  take(length, reading) {
    const before = this.#reading;
    this.#read = length;
    this.#reading = reading;
    const isLong = length >= MOST * RATE;
    if (isLong && reading.length <= 1) return this.#settle(reading.length, length);
    let count = 0;
    while (count < reading.length - 1 && (isLong || reading[count].text === before[count]?.text)) count += 1;
    return this.#settle(count, Math.round((reading[count - 1]?.end ?? 0) * RATE));
  }

  /** Settles the rest of the open part, as its last reading has it. */
  end() {
    const rest = this.#reading;
    this.#close();
    return rest;
  }

  /** The text that is not settled yet. */
  get open() {
    return this.#reading.map(({ text }) => text).join('');
  }

  /** Blocks in which something is said. */
  get #spoken() {
    return this.#voiced.filter(Boolean).length;
  }

  get #pauses() {
    return this.#voiced.length - 1 - this.#voiced.lastIndexOf(true) >= PAUSE;
  }

  /** @param {number} count   of the reading's passages @param {number} samples   in which they are */
  #settle(count, samples) {
    if (count === 0 && samples === 0) return [];
    const settled = this.#reading.slice(0, count);
    const seconds = samples / RATE;
    this.#reading = this.#reading.slice(count).map(({ start, end, text }) => ({ start: start - seconds, end: end - seconds, text }));
    this.#drop(samples);
    return settled;
  }

  #close() {
    this.#reading = [];
    this.#read = 0;
    this.#drop((this.#voiced.length - BEFORE) * BLOCK);
    this.#voiced.fill(false);
  }

  /** @param {number} samples   from the open part's beginning; whole blocks of them go */
  #drop(samples) {
    const blocks = Math.min(Math.floor(samples / BLOCK), this.#voiced.length);
    if (blocks <= 0) return;
    this.#voiced.splice(0, blocks);
    this.#samples.copyWithin(0, blocks * BLOCK, this.#length);
    this.#length -= blocks * BLOCK;
    this.#read = Math.max(0, this.#read - blocks * BLOCK);
  }
}
