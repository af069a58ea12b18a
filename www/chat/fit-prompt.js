// A text that is longer than the model's context is read from a later word on.

import { room } from './fit.js';

// Cut text may tokenise into a few more tokens than it had within the whole.
const MARGIN = 8;

/**
 * The end of `text` that fits.
 * @param {import('../cresset.js').Engine} engine
 * @param {string} text
 * @param {number} wanted
 * @returns {Promise<{ prompt: string, cut: boolean }>}
 */
export async function fitPrompt(engine, text, wanted) {
  const most = room(engine, wanted);
  const ids = await engine.tokenize(text);
  if (ids.length <= most) return { prompt: text, cut: false };
  const tail = await engine.detokenize(ids.slice(-Math.max(most - MARGIN, 1)));
  // The first token may be part of a word or of a character: begin after it.
  const kept = text.slice(-tail.length);
  return { prompt: kept.slice(Math.max(kept.search(/\s/), 0)), cut: true };
}
