// A text whose parts remember who wrote them, and of the model's tokens how likely they were. Edits in, pieces out; knows
// no document.

import { list, number, object, oneOf, text } from '../../chat/shapes.js';

// UTF-16 units of a text that is kept, and alternatives of a token.
export const MOST_UNITS = 1_000_000;
const MOST_TOP = 100;

/**
 * @typedef {object} Piece
 * @property {'visitor' | 'model'} by
 * @property {string} text
 * @property {number} [logprob]               of a token of the model's
 * @property {[string, number][]} [top]       the likeliest tokens in its place, with their log-probabilities
 */

export class Inked {
  /** @type {Piece[]} */
  pieces = [];

  /** @param {Piece[]} [pieces] */
  constructor(pieces = []) {
    for (const piece of pieces) this.append(piece);
  }

  get text() {
    return this.pieces.map(({ text }) => text).join('');
  }

  /** @param {Piece} piece   a token stays a piece of its own; other text joins what is like it */
  append(piece) {
    const last = this.pieces.at(-1);
    if (!piece.text) return;
    if (piece.logprob === undefined && last?.by === piece.by && last.logprob === undefined) last.text += piece.text;
    else this.pieces.push({ ...piece });
  }

  /** The visitor changed the whole text: what is new between the unchanged beginning and end is theirs. @param {string} text */
  edit(text) {
    const old = this.text;
    let head = 0;
    while (head < Math.min(old.length, text.length) && old[head] === text[head]) head += 1;
    let tail = 0;
    while (tail < Math.min(old.length, text.length) - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1;
    const [before, after] = [this.#slice(0, head), this.#slice(old.length - tail, old.length)];
    this.pieces = [];
    for (const piece of before) this.append(piece);
    this.append({ by: 'visitor', text: text.slice(head, text.length - tail) });
    for (const piece of after) this.append(piece);
  }

  /** Keeps the first `length` UTF-16 units. @param {number} length */
  truncate(length) {
    this.pieces = this.#slice(0, length);
  }

  /**
   * The piece that holds the unit at `offset`, with where it begins; null past the end.
   * @param {number} offset
   * @returns {{ index: number, start: number } | null}
   */
  at(offset) {
    let start = 0;
    for (const [index, { text }] of this.pieces.entries()) {
      if (offset < start + text.length) return { index, start };
      start += text.length;
    }
    return null;
  }

  /** Where a piece begins. @param {number} index */
  startOf(index) {
    return this.pieces.slice(0, index).reduce((sum, { text }) => sum + text.length, 0);
  }

  /** @param {number} start @param {number} end */
  #slice(start, end) {
    /** @type {Piece[]} */
    const out = [];
    let at = 0;
    for (const piece of this.pieces) {
      const text = piece.text.slice(Math.max(start - at, 0), Math.max(end - at, 0));
      // Part of a token is no token: how likely it was no longer counts.
      if (text) out.push(text === piece.text ? piece : { by: piece.by, text });
      at += piece.text.length;
    }
    return out;
  }
}

const word = text(MOST_UNITS);
const rank = (/** @type {unknown} */ value) => {
  const [other, logprob] = Array.isArray(value) ? [word(value[0]), likelihood(value[1])] : [null, null];
  return other === null || logprob === null ? null : /** @type {[string, number]} */ ([other, logprob]);
};
const likelihood = number(undefined, 0);
const piece = object({ text: word }, { by: oneOf(/** @type {const} */ (['visitor', 'model'])), logprob: likelihood, top: list(rank, MOST_TOP) });

/** A text as storage gives it: what is no piece of one is left out. @type {import('../../chat/shapes.js').Shape<Piece[]>} */
export const kept = list((value) => {
  const { by = 'visitor', text = '', logprob, top = [] } = piece(value) ?? {};
  if (!text) return null;
  return by === 'model' && logprob !== undefined ? { by, text, logprob, top } : { by, text };
}, MOST_UNITS);

/** @typedef {{ token_logprobs: number[], top_logprobs?: Record<string, number>[] }} Logprobs   of a completion's chunk */

/**
 * Chunks of a completion → pieces. A character may take several tokens: they are one piece, without alternatives.
 */
export class Tokens {
  /** @type {{ logprob: number, top: [string, number][] }[]} */
  #held = [];

  /** @param {{ text: string, logprobs?: Logprobs | null }} choice @returns {Piece | null} */
  add({ text, logprobs }) {
    const steps = (logprobs?.token_logprobs ?? []).map((logprob, i) => ({ logprob, top: Object.entries(logprobs?.top_logprobs?.[i] ?? {}) }));
    this.#held.push(...steps);
    if (!text) return null;
    const held = this.#held;
    this.#held = [];
    if (held.length === 0) return { by: 'model', text };
    const logprob = held.reduce((sum, step) => sum + step.logprob, 0);
    const top = held.length === 1 ? held[0].top.sort((a, b) => b[1] - a[1]) : [];
    return { by: 'model', text, logprob, top };
  }
}
