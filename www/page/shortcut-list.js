// The list of all that the keyboard does.

import { element } from './dom.js';
import { icon } from './icons.js';

/** Place → keys, and what they do. @type {(mod: string) => Record<string, [string[], string][]>} */
const listWith = (mod) => ({
  everywhere: [
    [['Esc'], 'stop'],
    [[mod, 'K'], 'search'],
    [[mod, 'Shift', 'O'], 'new'],
    [[mod, '/'], 'list'],
  ],
  write: [
    [[mod, 'Enter'], 'continue'],
    [['Tab'], 'alternatives'],
  ],
  chat: [
    [['Enter'], 'send'],
    [['Shift', 'Enter'], 'line'],
    [['↑'], 'editLast'],
    [['Alt', '↑'], 'earlier'],
    [['Alt', '↓'], 'later'],
    [['←'], 'previous'],
    [['→'], 'next'],
    [['C'], 'copy'],
    [['E'], 'edit'],
    [['R'], 'again'],
  ],
});

/** Shows it as a dialog. @param {string} mod   what `Ctrl` is called here */
export function showList(mod) {
  if (document.getElementById('shortcuts')) return;
  const dialog = element(
    'dialog',
    { id: 'shortcuts', 'aria-labelledby': 'shortcuts-title' },
    element(
      'div',
      { class: 'dialog-head' },
      element('h2', { id: 'shortcuts-title', text: 'shortcuts.title' }),
      element('form', { method: 'dialog' }, element('button', { class: 'icon-button', label: 'common.close' }, icon('close'))),
    ),
    element(
      'div',
      { class: 'key-lists' },
      ...Object.entries(listWith(mod)).map(([place, rows]) =>
        element(
          'section',
          {},
          element('h3', { text: `shortcuts.${place}` }),
          element(
            'dl',
            { class: 'keys' },
            ...rows.map(([keys, what]) =>
              element(
                'div',
                {},
                element('dt', {}, ...keys.map((key) => element('kbd', { textContent: key }))),
                element('dd', { text: `shortcuts.${place}.${what}` }),
              ),
            ),
          ),
        ),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
