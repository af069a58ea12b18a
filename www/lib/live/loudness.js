// Whether something is said: by how loud sound is. Knows no document.

/** Samples a second of all sound here. */
export const RATE = 16_000;

/** Samples whose loudness is one number: a tenth of a second. */
export const BLOCK = RATE / 10;

// Root mean squares of blocks, full scale being 1. Below the first nothing is said, above the second something is, whatever is heard beside.
const QUIET = 0.003;
const LOUD = 0.01;
// In between it must be twice as loud as the quietest block of the last ten seconds: a fan is no speech.
const ABOVE_NOISE = 2;
const REMEMBERED = 100;

/** The loudness of each whole block. @param {Float32Array} samples @returns {number[]} */
export function loudnessOf(samples) {
  const count = Math.floor(samples.length / BLOCK);
  return Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let at = i * BLOCK; at < (i + 1) * BLOCK; at += 1) sum += samples[at] * samples[at];
    return Math.sqrt(sum / BLOCK);
  });
}

/** Tells blocks in which something is said from those in which nothing is. */
export class Ear {
  /** @type {number[]} */
  #recent = [];

  /** @param {number} loudness   of the next block */
  hears(loudness) {
    this.#recent.push(loudness);
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
    const noise = Math.min(...this.#recent);
    return loudness >= Math.min(Math.max(QUIET, ABOVE_NOISE * noise), LOUD);
  }
}
