// The keyboard: what works everywhere, and the list of all of it.

import { element } from './dom.js';
import { icon } from './icons.js';
import { session } from './session.js';

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const MOD = MAC ? '⌘' : 'Ctrl';

const LIST = {
  everywhere: [
    [['Esc'], 'stop'],
    [[MOD, 'K'], 'search'],
    [[MOD, 'Shift', 'O'], 'new'],
    [[MOD, '/'], 'list'],
  ],
  write: [
    [[MOD, 'Enter'], 'continue'],
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
};

/** Is Ctrl, or ⌘ on a Mac, held, and nothing else but `shift`? */
export const withMod = (event, { shift = false } = {}) => (MAC ? event.metaKey : event.ctrlKey) && event.shiftKey === shift && !event.altKey;

/** What `Ctrl` is called here, and the way to write a shortcut on a button. */
export const modKey = MOD;

/** @param {{ search: () => void, fresh: () => void }} commands */
export function setUpShortcuts({ search, fresh }) {
  addEventListener('keydown', (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const key = event.key.toLowerCase();
    const command =
      withMod(event) && key === 'k'
        ? search
        : withMod(event, { shift: true }) && key === 'o'
          ? fresh
          : withMod(event) && key === '/'
            ? showShortcuts
            : key === 'escape' && session.busy && !document.querySelector('dialog[open], [popover]:popover-open')
              ? () => session.stop()
              : null;
    if (!command) return;
    event.preventDefault();
    command();
  });
}

/** The list, as a dialog. */
export function showShortcuts() {
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
      ...Object.entries(LIST).map(([place, rows]) =>
        element(
          'section',
          {},
          element('h3', { text: `shortcuts.${place}` }),
          element(
            'dl',
            { class: 'keys' },
            ...rows.map((/** @type {any[]} */ [keys, what]) =>
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
