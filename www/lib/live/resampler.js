// Sound that comes in pieces, at another rate: a low pass filter (a sinc under Hann's window) is read at the new times. Between two
// pieces nothing is lost and nothing clicks. Knows no document.

// Zero crossings of the sinc to each side: the transition from what passes to what does not is about a tenth of the band.
const CROSSINGS = 16;

export class Resampler {
  #step;
  #cutoff;
  #reach;
  /** What is still needed of the input; it begins at the sample `#first`. */
  #held = new Float32Array();
  #first = 0;
  /** Samples that were given. */
  #given = 0;
  /** The filter by the part of a sample that a new time is behind an old one: few such parts come again and again. @type {Map<number, Float32Array>} */
  #filters = new Map();

  /** @param {number} from   samples a second @param {number} to */
  constructor(from, to) {
    this.#step = from / to;
    this.#cutoff = Math.min(1, to / from);
    this.#reach = Math.ceil(CROSSINGS / this.#cutoff);
    // Before the beginning there is silence.
    this.#first = -this.#reach;
    this.#held = new Float32Array(this.#reach);
  }

  /** The samples that can be told by now. @param {Float32Array} piece */
  push(piece) {
    if (this.#step === 1) return piece;
    const input = new Float32Array(this.#held.length + piece.length);
    input.set(this.#held);
    input.set(piece, this.#held.length);
    const end = this.#first + input.length;
    const count = Math.max(0, Math.floor((end - 1 - this.#reach) / this.#step) + 1 - this.#given);
    const output = new Float32Array(count);
    for (let i = 0; i < count; i += 1) output[i] = this.#at(input, (this.#given + i) * this.#step - this.#first);
    this.#given += count;
    const needed = Math.max(0, Math.floor(this.#given * this.#step) - this.#reach - this.#first);
    this.#held = input.slice(needed);
    this.#first += needed;
    return output;
  }

  /** The filtered input at a time, in samples of it. @param {Float32Array} input @param {number} time */
  #at(input, time) {
    const before = Math.floor(time + 1e-6);
    const filter = this.#filter(time - before);
    const from = before - this.#reach;
    let sum = 0;
    for (let i = Math.max(0, -from); i < filter.length && from + i < input.length; i += 1) sum += input[from + i] * filter[i];
    return sum;
  }

  /** @param {number} behind   of a sample */
  #filter(behind) {
    const key = Math.round(behind * 1e6);
    const known = this.#filters.get(key);
    if (known) return known;
    const filter = Float32Array.from({ length: 2 * this.#reach + 1 }, (_, i) => this.#weight(i - this.#reach - behind));
    this.#filters.set(key, filter);
    return filter;
  }

  /** @param {number} distance   in samples of the input */
  #weight(distance) {
    if (Math.abs(distance) >= this.#reach) return 0;
    const x = Math.PI * distance * this.#cutoff;
    const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(x) / x;
    return this.#cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / this.#reach));
  }
}
