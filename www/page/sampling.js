// The sampling controls: a table of fields, the form made of it, and the part of a request that it stands for. Both views
// that generate show the form; what is chosen holds in both. Where nothing is chosen the model's own values hold.

import { CONTROLS, LENGTHS, within } from '../chat/sampling.js';
import { either, number, table, text } from '../chat/shapes.js';
import { element, memory } from './dom.js';
import { session } from './session.js';

/** @typedef {import('../chat/types.d.ts').Control & { key?: string }} Field   `key`: the name that it is kept by */

const SEED = /^\d{1,15}$/;

/** By the name of the field, and the seed as it was typed. @type {Record<string, string | number>} */
const chosen = memory.get('sampling', table(either(number(), text(15)), 20)) ?? {};
/** Functions that show what is chosen, one for each field on the page. @type {Set<() => void>} */
const shown = new Set();

/**
 * The fields of a request; the seed is always a number, so that what was written can be written again.
 * @param {'chat' | 'write'} use
 * @param {{ newSeed?: boolean }} [options]   whatever the field says
 * @returns {Record<string, number>}
 */
export function samplingOptions(use, { newSeed = false } = {}) {
  const set = CONTROLS.filter((field) => field.name in chosen);
  const options = Object.fromEntries(set.map((field) => [field.name, valueOf(field)]));
  options.max_tokens = valueOf(lengthOf(use));
  const seed = String(chosen.seed ?? '');
  return { ...options, seed: SEED.test(seed) && !newSeed ? Number(seed) : Math.floor(Math.random() * 1_000_000) };
}

/** The controls. @param {'chat' | 'write'} use */
export function samplingForm(use) {
  /** @type {Field[]} */
  const fields = [...CONTROLS, lengthOf(use)];
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

/** The control of the length, which each view keeps for itself. @param {'chat' | 'write'} use @returns {Field} */
const lengthOf = (use) => ({ ...LENGTHS[use], key: `${use}_tokens` });

/** What is chosen, or the model's own. @param {Field} field */
function valueOf(field) {
  const own = /** @type {Record<string, number | undefined>} */ (session.engine?.info.sampling ?? {})[field.name];
  return within(field, chosen[field.key ?? field.name] ?? own);
}

/** @param {string} use @param {Field} field */
function numberRow(use, field) {
  const { name, min, max, step } = field;
  const id = `${use}-${name}`;
  const label = `sampling.${name}`;
  const number = element('input', { id, type: 'number', min, max, step, inputMode: 'decimal', 'aria-describedby': `${id}-hint` });
  const range = element('input', { type: 'range', min, max, step, label, 'aria-describedby': `${id}-hint` });
  const show = () => {
    number.value = range.value = String(valueOf(field));
    range.style.setProperty('--at', String((range.valueAsNumber - min) / (max - min)));
  };
  const choose = (/** @type {string} */ value) => {
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

/** @param {string} use */
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
    input.value = String(chosen.seed ?? '');
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

function save() {
  memory.set('sampling', chosen);
  showAll();
}

const showAll = () => shown.forEach((show) => show());
session.addEventListener('change', showAll);
