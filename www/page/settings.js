// The settings: language, colours, contrast, where the model runs, how much of a conversation it holds.

import { LOCALES } from '../chat/locale.js';
import { flag } from '../chat/shapes.js';
import { reload } from './downloads.js';
import { byId, element, memory } from './dom.js';
import { session } from './session.js';
import { showShortcuts } from './shortcuts.js';
import { currentLanguage, langOf, useLanguage } from './text.js';

const CONTEXTS = [1024, 2048, 4096, 8192, 16384, 32768];

/** @param {number} count @returns {import('./types.d.ts').Message} */
const tokens = (count) => ['settings.context.tokens', { count }];

/** Fills the panel that `button` opens. */
export function setUpSettings() {
  const panel = byId('settings');
  panel.append(
    row(
      'settings.language',
      choice(
        'language',
        Object.entries(LOCALES).map(([value, name]) => ({ value, name })),
        currentLanguage(),
        chooseLanguage,
      ),
    ),
    row('settings.theme', look('theme', ['auto', 'light', 'dark'])),
    row('settings.contrast', look('contrast', ['auto', 'usual', 'more'])),
    element('hr'),
    row(
      'settings.device',
      select(
        'device',
        ['auto', 'webgpu', 'cpu'].map((value) => ({ value, text: `settings.device.${value}` })),
        session.device,
        (value) => {
          session.device = /** @type {import('../cresset.js').Device} */ (value);
          memory.set('device', value);
          reload(); // device and context hold from the next load on
        },
      ),
    ),
    row(
      'settings.context',
      select(
        'context',
        [{ value: '', text: 'settings.context.auto' }, ...CONTEXTS.map((n) => ({ value: String(n), text: tokens(n) }))],
        String(session.contextLength ?? ''),
        (value) => {
          session.contextLength = value ? Number(value) : null;
          memory.set('context', session.contextLength);
          reload(); // device and context hold from the next load on
        },
      ),
    ),
    element('p', { class: 'hint', text: 'settings.context.hint' }),
    ...('speechSynthesis' in globalThis ? [aloud()] : []),
    element('hr'),
    element('button', {
      type: 'button',
      class: 'quiet wide',
      text: 'shortcuts.title',
      onclick: () => {
        panel.hidePopover();
        showShortcuts();
      },
    }),
  );
}

function aloud() {
  const choices = ['off', 'on'].map((value) => ({ value, text: `settings.aloud.${value}` }));
  const chosen = memory.get('aloud', flag) ? 'on' : 'off';
  return row(
    'settings.aloud',
    choice('aloud', choices, chosen, (value) => memory.set('aloud', value === 'on')),
  );
}

/** @param {string} code */
async function chooseLanguage(code) {
  memory.set('language', code);
  await useLanguage(code);
}

/** @param {string} label @param {HTMLElement} control */
function row(label, control) {
  control.setAttribute('aria-labelledby', `${control.id}-label`);
  return element('div', { class: 'setting' }, element('span', { class: 'setting-name', id: `${control.id}-label`, text: label }), control);
}

/** @param {'theme' | 'contrast'} name @param {string[]} values */
function look(name, values) {
  const choices = values.map((value) => ({ value, text: `settings.${name}.${value}` }));
  return choice(name, choices, globalThis.cressetLook.read(name), (value) => globalThis.cressetLook.choose(name, value));
}

/** @typedef {{ value: string, text?: import('./types.d.ts').Message, name?: string }} Choice */

/** A few choices side by side. @param {string} name @param {Choice[]} choices @param {string} chosen @param {(value: string) => void} onChoose */
function choice(name, choices, chosen, onChoose) {
  const group = element('div', { class: 'segments', id: `setting-${name}`, role: 'radiogroup' });
  group.append(
    ...choices.map(({ value, text, name: own }) =>
      element(
        'label',
        {},
        element('input', { type: 'radio', name: `setting-${name}`, value, checked: value === chosen, onchange: () => onChoose(value) }),
        element('span', text ? { text } : { textContent: own, lang: langOf(value) }),
      ),
    ),
  );
  return group;
}

/** @param {string} name @param {Choice[]} choices @param {string} chosen @param {(value: string) => void} onChoose */
function select(name, choices, chosen, onChoose) {
  const node = element('select', { id: `setting-${name}`, onchange: ({ target }) => onChoose(target.value) });
  node.append(...choices.map(({ value, text }) => element('option', { value, text, selected: value === chosen })));
  return node;
}
