// Sampling: what the page lets visitors set, and what page and widget ask for where nobody says anything. sampling.json has
// the ranges and the defaults, the engine's among them.

import table from './sampling.json' with { type: 'json' };

/** @typedef {import('./types.d.ts').Control} Control */

const { ranges, presets } = table;

/** Steps, and the ends of sliders that show only a part of the engine's range. */
const SLIDERS = {
  temperature: { step: 0.05 },
  top_k: { step: 1, max: 200 },
  top_p: { step: 0.01, min: 0.05 },
  min_p: { step: 0.01 },
  repetition_penalty: { step: 0.01, min: 1, max: 2 },
  max_tokens: { step: 1, min: 1, max: 4096 },
};

/** @param {keyof typeof SLIDERS} name @param {number} value @returns {Control} */
function control(name, value) {
  /** @type {{ min: number, max: number | null }} */
  const range = ranges[name];
  /** @type {{ step: number, min?: number, max?: number }} */
  const { step, min = -Infinity, max = Infinity } = SLIDERS[name];
  return { name, min: Math.max(range.min, min), max: Math.min(range.max ?? Infinity, max), step, value };
}

/** @type {Control[]} */
export const CONTROLS = [
  control('temperature', presets.page.temperature),
  control('top_k', presets.page.top_k),
  control('top_p', presets.page.top_p),
  control('min_p', presets.page.min_p),
  control('repetition_penalty', presets.page.repetition_penalty),
];

/** Tokens at most, by use. @type {Record<'chat' | 'write', Control>} */
export const LENGTHS = {
  chat: control('max_tokens', presets.page.max_tokens),
  write: control('max_tokens', presets.write.max_tokens),
};

/** The widget's. `answer` and `story` are tokens at most. */
export const WIDGET = {
  temperature: presets.widget.temperature,
  top_p: presets.widget.top_p,
  answer: presets.widget.max_tokens,
  story: presets.story.max_tokens,
};

/** A number that a control can stand at, whatever was typed. @param {Control} control @param {unknown} typed */
export function within({ min, max, step, value }, typed) {
  const number = typed === '' || typed === undefined ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const clamped = Math.min(Math.max(number, min), max);
  return Number((Math.round(clamped / step) * step).toFixed(2));
}
