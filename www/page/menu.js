// A menu at a button: opened by click, Enter or ↓; arrows move in it, Escape closes it and gives the focus back.

import { element } from './dom.js';
import { icon } from './icons.js';

let next = 1;

/** @typedef {{ text: string, icon?: string, run: () => void, danger?: boolean }} Item */

/**
 * A button that opens a menu. Items are made when it opens.
 * @param {import('./types.d.ts').Properties<HTMLButtonElement>} properties   of the button, which shows `name` as an icon
 * @param {string} name
 * @param {() => Item[]} items
 */
export function menuButton(properties, name, items) {
  const id = `menu-${next++}`;
  const button = element('button', { type: 'button', class: 'icon-button', 'aria-haspopup': 'menu', 'aria-expanded': 'false', ...properties }, icon(name));
  button.addEventListener('click', () => open(button, id, items()));
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown') return;
    event.preventDefault();
    open(button, id, items());
  });
  return button;
}

/** @param {HTMLButtonElement} button @param {string} id @param {Item[]} items */
function open(button, id, items) {
  const menu = element(
    'div',
    { id, class: 'menu', role: 'menu', popover: 'auto' },
    ...items.map((item) =>
      element(
        'button',
        {
          type: 'button',
          role: 'menuitem',
          tabIndex: -1,
          class: item.danger ? 'danger' : '',
          onclick: () => {
            menu.hidePopover();
            item.run();
          },
        },
        item.icon ? icon(item.icon) : null,
        element('span', { text: item.text }),
      ),
    ),
  );
  menu.setAttribute('aria-label', button.getAttribute('aria-label') ?? '');
  menu.addEventListener('toggle', ({ newState }) => {
    if (newState === 'open') return;
    button.setAttribute('aria-expanded', 'false');
    if (menu.contains(document.activeElement) || document.activeElement === document.body) button.focus();
    menu.remove();
  });
  menu.addEventListener('keydown', (event) => move(menu, event));
  button.after(menu);
  button.setAttribute('aria-expanded', 'true');
  menu.showPopover();
  place(menu, button);
  /** @type {HTMLElement | null} */ (menu.firstElementChild)?.focus();
}

/** @param {HTMLElement} menu @param {KeyboardEvent} event */
function move(menu, event) {
  const all = /** @type {HTMLElement[]} */ ([...menu.children]);
  const at = all.findIndex((item) => item === document.activeElement);
  /** @type {Record<string, number>} */
  const keys = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 };
  const to = keys[event.key];
  if (event.key === 'Tab') menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  all[to].focus();
}

/** Below the button where there is room, else above; never past the screen. @param {HTMLElement} menu @param {HTMLElement} button */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(Math.max(at.right - width, 8), innerWidth - width - 8);
  const below = at.bottom + 6 + height <= innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${below ? at.bottom + 6 : Math.max(at.top - height - 6, 8)}px`;
}
