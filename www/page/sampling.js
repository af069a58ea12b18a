// The sampling controls: a table of fields, the form made of it, and the part of a request that it stands for.

import { byId, element, memory } from './dom.js';

const FIELDS = [
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, value: 0.8, hint: 'How freely it chooses. 0 always takes the likeliest token.' },
  { name: 'top_k', label: 'Top-k', min: 0, max: 200, step: 1, value: 40, hint: 'Choose among this many likeliest tokens only. 0 is off.' },
  { name: 'top_p', label: 'Top-p', min: 0.05, max: 1, step: 0.01, value: 0.95, hint: 'Choose among the tokens that make up this share of the probability. 1 is off.' },
  { name: 'min_p', label: 'Min-p', min: 0, max: 1, step: 0.01, value: 0.05, hint: 'Drop tokens less likely than this share of the likeliest one. 0 is off.' },
  { name: 'repetition_penalty', label: 'Repetition penalty', min: 1, max: 2, step: 0.01, value: 1.1, hint: 'Makes tokens that were already used less likely. 1 is off.' },
  { name: 'max_tokens', label: 'Length', min: 1, max: 1024, step: 1, value: 200, hint: 'Stop after this many tokens; a token is a few letters.' },
];

const SEED = { name: 'seed', label: 'Seed', hint: 'The same seed, text and settings give the same continuation. Empty: a new one each time.' };

const inputs = new Map();

/** Builds the form, filled with what was chosen last time. */
export function setUpSampling() {
  const chosen = memory.get('sampling') ?? {};
  byId('sampling').replaceChildren(...FIELDS.map((field) => numberRow(field, chosen[field.name])), seedRow(chosen.seed));
  byId('sampling-reset').addEventListener('click', () => {
    for (const field of FIELDS) inputs.get(field.name)(field.value);
    byId('field-seed').value = '';
    save();
  });
}

/**
 * The fields of a request; the seed is always a number, so that what was written can be written again.
 * @param {{ newSeed?: boolean }} [options]   whatever the field says
 */
export function samplingOptions({ newSeed = false } = {}) {
  const options = Object.fromEntries(FIELDS.map((field) => [field.name, within(field, byId(`field-${field.name}`).value)]));
  const seed = byId('field-seed').value.trim();
  return { ...options, seed: /^\d{1,15}$/.test(seed) && !newSeed ? Number(seed) : Math.floor(Math.random() * 1_000_000) };
}

function numberRow(field, chosen) {
  const { name, label, min, max, step, hint } = field;
  const id = `field-${name}`;
  const number = element('input', { id, type: 'number', min, max, step, inputMode: 'decimal', 'aria-describedby': `${id}-hint` });
  const range = element('input', { type: 'range', min, max, step, 'aria-label': label, 'aria-describedby': `${id}-hint` });
  const set = (value) => {
    number.value = range.value = within(field, value);
    range.style.setProperty('--at', (range.value - min) / (max - min));
  };
  inputs.set(name, set);
  set(chosen ?? field.value);
  range.addEventListener('input', () => { set(range.value); save(); });
  number.addEventListener('change', () => { set(number.value); save(); });
  return element('div', { class: 'field' },
    element('div', { class: 'field-head' }, element('label', { for: id, textContent: label }), number),
    range,
    element('p', { class: 'hint', id: `${id}-hint`, textContent: hint }));
}

function seedRow(chosen) {
  const id = 'field-seed';
  const input = element('input', { id, type: 'text', inputMode: 'numeric', maxLength: 15, placeholder: 'random', 'aria-describedby': `${id}-hint`, value: chosen ?? '' });
  input.addEventListener('change', () => {
    input.value = input.value.replace(/\D/g, '');
    save();
  });
  return element('div', { class: 'field' },
    element('div', { class: 'field-head' }, element('label', { for: id, textContent: SEED.label }), input),
    element('p', { class: 'hint', id: `${id}-hint`, textContent: SEED.hint }));
}

/** A number of the field, whatever was typed. */
function within({ min, max, step, value }, typed) {
  const number = typed === '' ? NaN : Number(typed);
  if (!Number.isFinite(number)) return value;
  const clamped = Math.min(Math.max(number, min), max);
  return Number((Math.round(clamped / step) * step).toFixed(2));
}

function save() {
  const chosen = Object.fromEntries(FIELDS.map(({ name }) => [name, byId(`field-${name}`).value]));
  memory.set('sampling', { ...chosen, seed: byId('field-seed').value });
}
