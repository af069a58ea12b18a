// A panel beside the view that a button shows and hides: next to it where there is room, over it where there is not.

import { flag } from '../chat/shapes.js';
import { memory } from './dom.js';

/**
 * @param {HTMLElement} panel
 * @param {HTMLElement} button
 * @param {{ wide: string, name: string, open: boolean }} how   `wide`: media query of a screen with room; `name`: what its
 *   state is remembered under; `open`: its state on a wide screen at first
 */
export function setUpDrawer(panel, button, { wide, name, open }) {
  const room = matchMedia(wide);
  const mark = (/** @type {boolean} */ shown) => button.setAttribute('aria-expanded', String(shown));
  const fit = () => {
    if (room.matches) {
      panel.removeAttribute('popover');
      panel.hidden = !(memory.get(name, flag) ?? open);
      mark(!panel.hidden);
    } else {
      panel.hidden = false;
      panel.setAttribute('popover', 'auto');
      mark(false);
    }
  };
  button.setAttribute('aria-controls', panel.id);
  button.addEventListener('click', () => {
    if (!room.matches) return panel.togglePopover({ source: button });
    panel.hidden = !panel.hidden;
    memory.set(name, !panel.hidden);
    mark(!panel.hidden);
  });
  panel.addEventListener('toggle', ({ newState }) => mark(newState === 'open'));
  room.addEventListener('change', fit);
  fit();
  return {
    /** Shows it, wherever it is. */
    open() {
      if (room.matches ? panel.hidden : !panel.matches(':popover-open')) button.click();
    },
    /** Takes it away where it lies over the view. */
    close() {
      if (!room.matches && panel.matches(':popover-open')) panel.hidePopover();
    },
  };
}
