// A recording → the pieces that are written down one after the other, so that their text and its times are there while the rest is computed:
// cut where it is quietest, without the silence between. Knows no document.

import { BLOCK, Ear, RATE, loudnessOf } from '../../lib/live/loudness.js';

// Seconds of a piece: models hear 30 at a time.
const MOST = 28;
const LEAST = 12;
// Blocks that stay around what is said, and the pause that ends a piece.
const AROUND = 3;
const PAUSE = 20;

/**
 * @param {Float32Array} samples   16,000 a second
 * @returns {{ from: number, to: number }[]} samples; none where nothing is said
 */
export function piecesOf(samples) {
  const loudness = loudnessOf(samples);
  const ear = new Ear();
  const spoken = loudness.map((each) => ear.hears(each));
  /** @type {{ from: number, to: number }[]} */
  const pieces = [];
  for (let at = spoken.indexOf(true); at >= 0;) {
    const from = Math.max(pieces.at(-1)?.to ?? 0, at - AROUND);
    let end = at; // the last block in which something is said
    for (let i = at; i < spoken.length && i - from < blocks(MOST) && i - end < PAUSE; i += 1) if (spoken[i]) end = i;
    const isLong = end - from >= blocks(MOST) - PAUSE && spoken.indexOf(true, end + 1) >= 0;
    const to = isLong ? quietest(loudness, from + blocks(LEAST), from + blocks(MOST)) : Math.min(end + 1 + AROUND, spoken.length);
    pieces.push({ from, to });
    at = spoken.indexOf(true, to);
  }
  const whole = Math.floor(samples.length / BLOCK);
  return pieces.map(({ from, to }) => ({ from: from * BLOCK, to: to === whole ? samples.length : to * BLOCK }));
}

const blocks = (/** @type {number} */ seconds) => (seconds * RATE) / BLOCK;

/** The last of the quietest blocks. @param {number[]} loudness @param {number} from @param {number} to */
function quietest(loudness, from, to) {
  let best = from;
  for (let i = from; i < Math.min(to, loudness.length); i += 1) if (loudness[i] <= loudness[best]) best = i;
  return best;
}
