// Sampling: what the page lets visitors set, and what page and widget ask for where nobody says anything. The ranges lie
// within the engine's.

/** @typedef {import('./types.d.ts').Control} Control */

/** @type {Control[]} */
export const CONTROLS = [
  { name: 'temperature', min: 0, max: 2, step: 0.05, value: 0.8 },
  { name: 'top_k', min: 0, max: 200, step: 1, value: 40 },
  { name: 'top_p', min: 0.05, max: 1, step: 0.01, value: 0.95 },
  { name: 'min_p', min: 0, max: 1, step: 0.01, value: 0.05 },
  { name: 'repetition_penalty', min: 1, max: 2, step: 0.01, value: 1.1 },
];

/** Tokens at most, by use. @type {Record<'chat' | 'write', Control>} */
export const LENGTHS = {
  chat: { name: 'max_tokens', min: 1, max: 4096, step: 1, value: 1024 },
  write: { name: 'max_tokens', min: 1, max: 4096, step: 1, value: 200 },
};

/** The widget's. `answer` and `story` are tokens at most. */
export const WIDGET = { temperature: 0.7, top_p: 0.95, answer: 768, story: 160 };

/** A number that a control can stand at, whatever was typed. @param {Control} control @param {unknown} typed */
export function within({ min, max, step, value }, typed) {
  const number = typed === '' || typed === undefined ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const clamped = Math.min(Math.max(number, min), max);
  return Number((Math.round(clamped / step) * step).toFixed(2));
}
