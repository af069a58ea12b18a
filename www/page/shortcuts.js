// The keyboard: what works everywhere.

import { session } from './session.js';

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const MOD = MAC ? '⌘' : 'Ctrl';

/** Is Ctrl, or ⌘ on a Mac, held, and nothing else but `shift`? @param {KeyboardEvent} event */
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

/** The list, as a dialog: fetched when it is asked for. */
export async function showShortcuts() {
  (await import('./shortcut-list.js')).showList(MOD);
}
