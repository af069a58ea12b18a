// The sampling controls: a table of fields, the form made of it, and the part of a request that it stands for. Both views
// that generate show the form; what is chosen holds in both.

import { element, memory } from './dom.js';

/** @typedef {{ name: string, min: number, max: number, step: number, value: number, key?: string }} Field   `key`: the name it is kept by */

/** @type {Field[]} */
const FIELDS = [
  { name: 'temperature', min: 0, max: 2, step: 0.05, value: 0.8 },
  { name: 'top_k', min: 0, max: 200, step: 1, value: 40 },
  { name: 'top_p', min: 0.05, max: 1, step: 0.01, value: 0.95 },
  { name: 'min_p', min: 0, max: 1, step: 0.01, value: 0.05 },
  { name: 'repetition_penalty', min: 1, max: 2, step: 0.01, value: 1.1 },
];
const LENGTH = { name: 'max_tokens', min: 1, max: 4096, step: 1 };
const LENGTHS = { chat: 1024, write: 200 };
const SEED = /^\d{1,15}$/;

const chosen = memory.get('sampling') ?? {};
const shown = new Set(); // functions that show what is chosen, one for each field on the page

/**
 * The fields of a request; the seed is always a number, so that what was written can be written again.
 * @param {'chat' | 'write'} use
 * @param {{ newSeed?: boolean }} [options]   whatever the field says
 * @returns {Record<string, number>}
 */
export function samplingOptions(use, { newSeed = false } = {}) {
  const options = Object.fromEntries(FIELDS.map((field) => [field.name, valueOf(field)]));
  options.max_tokens = valueOf(lengthOf(use));
  const seed = String(chosen.seed ?? '');
  return { ...options, seed: SEED.test(seed) && !newSeed ? Number(seed) : Math.floor(Math.random() * 1_000_000) };
}

/** The controls. @param {'chat' | 'write'} use */
export function samplingForm(use) {
  const fields = [...FIELDS, lengthOf(use)];
  const reset = () => {
    for (const { key, name } of fields) delete chosen[key ?? name];
    delete chosen.seed;
    save();
  };
  return element(
    'div',
    { class: 'sampling' },
    ...fields.map((field) => numberRow(use, field)),
    seedRow(use),
    element('button', { type: 'button', class: 'quiet small', text: 'sampling.reset', onclick: reset }),
  );
}

/** @returns {Field} */
const lengthOf = (use) => ({ ...LENGTH, key: `${use}_tokens`, value: LENGTHS[use] });

function valueOf(field) {
  return within(field, chosen[field.key ?? field.name]);
}

function numberRow(use, field) {
  const { name, min, max, step } = field;
  const id = `${use}-${name}`;
  const label = `sampling.${name}`;
  const number = element('input', { id, type: 'number', min, max, step, inputMode: 'decimal', 'aria-describedby': `${id}-hint` });
  const range = element('input', { type: 'range', min, max, step, label, 'aria-describedby': `${id}-hint` });
  const show = () => {
    number.value = range.value = valueOf(field);
    range.style.setProperty('--at', (range.value - min) / (max - min));
  };
  const choose = (value) => {
    chosen[field.key ?? name] = within(field, value);
    save();
  };
  range.addEventListener('input', () => choose(range.value));
  number.addEventListener('change', () => choose(number.value));
  shown.add(show);
  show();
  return element(
    'div',
    { class: 'field' },
    element('div', { class: 'field-head' }, element('label', { for: id, text: label }), number),
    range,
    element('p', { class: 'hint', id: `${id}-hint`, text: `sampling.${name}.hint` }),
  );
}

function seedRow(use) {
  const id = `${use}-seed`;
  const input = element('input', {
    id,
    type: 'text',
    inputMode: 'numeric',
    maxLength: 15,
    placeholder: 'sampling.seed.random',
    'aria-describedby': `${id}-hint`,
  });
  const show = () => {
    input.value = chosen.seed ?? '';
  };
  input.addEventListener('change', () => {
    chosen.seed = input.value.replace(/\D/g, '');
    save();
  });
  shown.add(show);
  show();
  return element(
    'div',
    { class: 'field' },
    element('div', { class: 'field-head' }, element('label', { for: id, text: 'sampling.seed' }), input),
    element('p', { class: 'hint', id: `${id}-hint`, text: 'sampling.seed.hint' }),
  );
}

/** A number of the field, whatever was typed. */
function within({ min, max, step, value }, typed) {
  const number = typed === '' || typed === undefined ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const clamped = Math.min(Math.max(number, min), max);
  return Number((Math.round(clamped / step) * step).toFixed(2));
}

function save() {
  memory.set('sampling', chosen);
  for (const show of shown) show();
}
