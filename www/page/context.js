// A text longer than the model's context: the model reads its end.

// Cut text may tokenise into a few more tokens than it had within the whole.
const MARGIN = 8;

/**
 * The end of `text` that leaves room for `wanted` new tokens, or for half a context of them.
 * @param {import('../cresset.js').Engine} engine
 * @param {string} text
 * @param {number} wanted
 * @returns {Promise<{ prompt: string, cut: boolean }>}
 */
export async function fitPrompt(engine, text, wanted) {
  const { contextLength } = engine.info.model;
  const most = contextLength - Math.min(wanted, Math.floor(contextLength / 2));
  const ids = await engine.tokenize(text);
  if (ids.length <= most) return { prompt: text, cut: false };
  const tail = await engine.detokenize(ids.slice(-Math.max(most - MARGIN, 1)));
  // The first token may be part of a word or of a character: begin after it.
  const kept = text.slice(-tail.length);
  return { prompt: kept.slice(Math.max(kept.search(/\s/), 0)), cut: true };
}
