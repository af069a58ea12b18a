// The closed widget: a round button in a corner of the window, with the number of messages not yet read.

import { attribute, element, icon, styleSheet } from './dom.js';
import { LAUNCHER } from './launcher-style.js';
import { fill } from './words.js';

const FLAME = 'M12.4 2.2c.3 3 3.9 4.6 3.9 8.8 0 2.9-1.9 4.8-4.4 4.8S7.6 13.9 7.6 11.3c0-2 1-3.3 1.9-4.4.1 1.3.6 2.1 1.3 2.4-.4-2.5.3-5.2 1.6-7.1z';
const BASKET = ['M3.8 12.6h16.4', 'M5.2 12.6c.3 4.1 3 6.7 6.8 6.7s6.5-2.6 6.8-6.7', 'M12 19.3v2.5M9.6 21.8h4.8'];
const DOWN = 'm6 9.5 6 6 6-6';

let sheet;

export class Launcher {
  /** What the panel is put into. */
  root;
  #button;
  #badge;
  #trouble;

  /** @param {ShadowRoot} shadow @param {() => void} onPress */
  constructor(shadow, onPress) {
    sheet ??= styleSheet(LAUNCHER);
    shadow.adoptedStyleSheets = [sheet];
    this.#badge = element('span', { class: 'badge', part: 'badge', 'aria-hidden': 'true', hidden: true });
    const mark = icon(FLAME, ...BASKET);
    mark.setAttribute('class', 'mark');
    const down = icon(DOWN);
    down.setAttribute('class', 'down');
    this.#button = element('button', { type: 'button', class: 'launcher', part: 'launcher', 'aria-haspopup': 'dialog', onclick: onPress }, mark, down, this.#badge);
    this.#trouble = element('p', { class: 'trouble', part: 'trouble', role: 'alert', hidden: true });
    // An empty title keeps the element's own, the chat's name, from becoming a tooltip over everything.
    this.root = element('div', { class: 'root', part: 'root', title: '', popover: 'manual' }, this.#trouble, this.#button);
    shadow.appendChild(this.root);
  }

  /** Into the top layer, where no style of the page covers it or holds it elsewhere. */
  show() {
    // False where browsers have no popovers, true only while it is shown.
    if (this.root.showPopover && !this.root.matches(':popover-open')) this.root.showPopover();
  }

  /** @param {{ words: object, title: string | null, opened: boolean, unread: number, language: string }} state */
  update({ words, title, opened, unread, language }) {
    this.root.setAttribute('lang', language);
    const name = opened ? words.close : unread > 0 ? fill(words.unread, { count: unread }) : words.open;
    this.#button.setAttribute('aria-label', title ? `${title}: ${name}` : name);
    this.#button.setAttribute('aria-expanded', String(opened));
    this.#badge.textContent = unread > 9 ? '9+' : String(unread);
    attribute(this.#badge, 'hidden', opened || unread === 0);
    if (opened) attribute(this.#trouble, 'hidden', true);
  }

  busy(busy) {
    attribute(this.#button, 'aria-busy', busy ? 'true' : null);
  }

  /** Says why there is no chat. */
  trouble(text) {
    this.#trouble.textContent = text;
    attribute(this.#trouble, 'hidden', false);
  }
}
