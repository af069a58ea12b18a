// What a conversation and a turn are, whoever wrote them: rows of the database are checked when they are read, conversations of
// files are clamped to the same shape. Knows no document and no storage.

import { pictures } from '../../chat/picture.js';
import { flag, list, moment, number, object, oneOf, table, text } from '../../chat/shapes.js';

/**
 * @typedef {import('./types.d.ts').Conversation} Conversation
 * @typedef {import('./types.d.ts').Whole} Whole
 * @typedef {import('../../chat/types.d.ts').Turn} Turn
 */

/** Characters of what is written and of what names something, turns of a conversation. */
export const MOST = { words: 10_000_000, title: 1000, name: 200, turns: 100_000 };

const SHOWN_NAME = 60;

const ROLES = /** @type {const} */ (['user', 'assistant']);
const id = (/** @type {unknown} */ value) => text(MOST.name)(value) || null;

/** @type {import('../../chat/shapes.js').Shape<Conversation>} */
const conversation = object({
  id,
  title: text(MOST.title),
  named: flag,
  created: moment,
  updated: moment,
  system: text(MOST.words),
  chosen: table(text(MOST.name), MOST.turns),
});

const count = number(0);
const extra = object({}, { prefill_tokens_per_s: count, decode_tokens_per_s: count, time_to_first_token_s: count, cached_tokens: count });
const usage = object({}, { prompt_tokens: count, completion_tokens: count, total_tokens: count, extra });
const turn = object(
  { id, role: oneOf(ROLES), content: text(MOST.words), created: moment },
  { parent: id, model: text(MOST.title), finish: text(MOST.name), usage, edited: flag, pictures },
);

/** A conversation, or null where the row is none. @param {unknown} row @returns {Conversation | null} */
export const conversationOf = (row) => conversation(row);

/** A turn, or null where the row is none. @param {unknown} row @returns {Turn | null} */
export function turnOf(row) {
  const found = turn(row);
  return found && /** @type {Turn} */ ({ parent: null, ...found });
}

/** The turns among rows, and how many rows are none. @param {unknown[]} rows @returns {{ turns: Turn[], unreadable: number }} */
export function turnsOf(rows) {
  const turns = list(turnOf, MOST.turns)(rows) ?? [];
  return { turns, unreadable: rows.length - turns.length };
}

/** What to call a row that is no conversation. @param {unknown} row */
export function nameOf(row) {
  const { title = '', id: key = '' } = object({}, { title: text(MOST.words), id: text(MOST.words) })(row) ?? {};
  return (title.trim() || key).slice(0, SHOWN_NAME);
}
