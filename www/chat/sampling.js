// Sampling: what the page lets visitors set, and how long answers are where nobody says anything. sampling.json has the ranges
// and the usual values. What a model's makers recommend goes before those: the engine decides, and `info.sampling` says it.

import table from './sampling.json' with { type: 'json' };

/** @typedef {import('./types.d.ts').Control} Control */

const { ranges, lengths } = table;

/** Steps, and the ends of sliders that show only a part of the engine's range. */
const SLIDERS = {
  temperature: { step: 0.05 },
  top_k: { step: 1, max: 200 },
  top_p: { step: 0.01, min: 0.05 },
  min_p: { step: 0.01 },
  repetition_penalty: { step: 0.01, min: 1, max: 2 },
  max_tokens: { step: 1, min: 1, max: 4096 },
};

/** @param {Exclude<keyof typeof SLIDERS, 'max_tokens'>} name */
const parameter = (name) => control(name, ranges[name].default);

/** @param {keyof typeof SLIDERS} name @param {number} value @returns {Control} */
function control(name, value) {
  /** @type {{ min: number, max: number | null }} */
  const range = ranges[name];
  /** @type {{ step: number, min?: number, max?: number }} */
  const { step, min = -Infinity, max = Infinity } = SLIDERS[name];
  return { name, min: Math.max(range.min, min), max: Math.min(range.max ?? Infinity, max), step, value };
}

/** @type {Control[]} */
export const CONTROLS = [parameter('temperature'), parameter('top_k'), parameter('top_p'), parameter('min_p'), parameter('repetition_penalty')];

/** Tokens at most, by use. @type {Record<'chat' | 'write', Control>} */
export const LENGTHS = {
  chat: control('max_tokens', lengths.chat),
  write: control('max_tokens', lengths.write),
};

/** Tokens at most in the widget. */
export const WIDGET = { answer: lengths.widget, story: lengths.story };

/** A number that a control can stand at, whatever was typed. @param {Control} control @param {unknown} typed */
export function within({ min, max, step, value }, typed) {
  const number = typed === '' || typed === undefined ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const clamped = Math.min(Math.max(number, min), max);
  return Number((Math.round(clamped / step) * step).toFixed(2));
}
