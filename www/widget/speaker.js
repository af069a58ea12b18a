// What screen readers hear: whole sentences as they come, each once. The conversation itself is not a live region, because
// a reader would begin anew with every word.

import { element } from './dom.js';

const SENTENCE = /[\s\S]*?(?:[.!?…]["”’)]*\s|[。！？][”’」』)]*|\n)/y;

export class Speaker {
  #region;
  #text = '';
  #said = 0; // length of the growing text that was said

  /** @param {HTMLElement} region   polite, of additions */
  constructor(region) {
    this.#region = region;
  }

  /** Says a line of its own. */
  say(text) {
    this.#region.replaceChildren(element('p', { text }));
  }

  /** A new text begins to grow. */
  begin() {
    this.#text = '';
    this.#said = 0;
    this.#region.replaceChildren();
  }

  /** Says what has become whole of it. @param {string} text */
  grow(text) {
    let end = this.#said;
    for (SENTENCE.lastIndex = end; SENTENCE.exec(text); end = SENTENCE.lastIndex);
    this.#text = text;
    this.#sayTo(end);
  }

  /** Says the rest. */
  end() {
    this.#sayTo(this.#text.length);
  }

  #sayTo(end) {
    const whole = this.#text.slice(this.#said, end).trim();
    this.#said = Math.max(this.#said, end);
    if (whole) this.#region.appendChild(element('p', { text: whole }));
  }
}
