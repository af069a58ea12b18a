// The closed widget: a round button in a corner of the window, with the number of messages not yet read.

import { attribute, element, icon, styleSheet } from '../chat/dom.js';
import { LAUNCHER } from './launcher-style.js';

const FLAME = 'M12.4 5.9c.2 2 2.6 3.1 2.6 6 0 2-1.3 3.3-3 3.3s-3-1.3-3-3.1c0-1.3.7-2.2 1.3-3 .1.9.4 1.4.9 1.7-.3-1.8.2-3.7 1.2-4.9z';
const BUBBLE = 'M12 3c5.2 0 9.3 3.5 9.3 7.9s-4.1 7.9-9.3 7.9c-1.1 0-2.2-.2-3.2-.5L4.4 20.5l1-3.8c-1.7-1.4-2.7-3.5-2.7-5.8C2.7 6.5 6.8 3 12 3z';
const DOWN = 'm6 9.5 6 6 6-6';

let sheet;

export class Launcher {
  /** What the panel is put into. */
  root;
  #button;
  #badge;
  #trouble;
  #colours = styleSheet('.root {}'); // this element's own

  /** @param {ShadowRoot} shadow @param {() => void} onPress */
  constructor(shadow, onPress) {
    sheet ??= styleSheet(LAUNCHER);
    shadow.adoptedStyleSheets = [sheet, this.#colours];
    this.#badge = element('span', { class: 'badge', part: 'badge', 'aria-hidden': 'true', hidden: true });
    const mark = icon(FLAME, BUBBLE);
    mark.setAttribute('class', 'mark');
    const down = icon(DOWN);
    down.setAttribute('class', 'down');
    this.#button = element(
      'button',
      { type: 'button', class: 'launcher', part: 'launcher', 'aria-haspopup': 'dialog', onclick: onPress },
      mark,
      down,
      this.#badge,
    );
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

  /** @param {{ words: Record<string, string>, locale: string, title: string | null, accent: string | null, opened: boolean, unread: number }} state */
  update({ words, locale, title, accent, opened, unread }) {
    this.root.setAttribute('lang', locale);
    this.#colour((accent ?? '').trim());
    const name = opened ? words.close : unread > 0 ? words.unread.replace('{count}', String(unread)) : words.open;
    this.#button.setAttribute('aria-label', title ? `${title}: ${name}` : name);
    this.#button.setAttribute('aria-expanded', String(opened));
    this.#badge.textContent = unread > 9 ? '9+' : String(unread);
    attribute(this.#badge, 'hidden', opened || unread === 0);
    if (opened) attribute(this.#trouble, 'hidden', true);
  }

  // What a style sheet of the site says goes first. What is no colour is left out.
  /** @param {string} accent */
  #colour(accent) {
    const { style } = /** @type {CSSStyleRule} */ (this.#colours.cssRules[0]);
    if (accent && CSS.supports('color', accent)) style.setProperty('--accent', `var(--cresset-accent, ${accent})`);
    else style.removeProperty('--accent');
  }

  /** @param {boolean} busy */
  busy(busy) {
    attribute(this.#button, 'aria-busy', busy ? 'true' : null);
  }

  /** Says why there is no chat. @param {string} text */
  trouble(text) {
    this.#trouble.textContent = text;
    attribute(this.#trouble, 'hidden', false);
  }
}
