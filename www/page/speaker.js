// Reads an answer to screen readers while it is written. They queue what a polite live region gains, so it gains sentences,
// at most every few seconds: often enough to follow, seldom enough not to stutter.

import { byId, element } from './dom.js';
import { Sentences } from './sentences.js';

const PAUSE_MS = 2500;
const KEPT = 6; // sentences stay a while, for readers that look later

export class Speaker {
  #sentences = new Sentences();
  #timer = null;
  #spoke = false;

  /** @param {string} text   what is new */
  add(text) {
    this.#sentences.add(text);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#say(this.#sentences.take());
    }, this.#spoke ? PAUSE_MS : PAUSE_MS / 2);
  }

  /** @param {string} [end]   what is said after the last sentence */
  finish(end = '') {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#say([this.#sentences.finish(), end].filter(Boolean).join(' '));
  }

  #say(text) {
    if (!text) return;
    this.#spoke = true;
    const region = byId('speaker');
    region.append(element('p', { textContent: text }));
    while (region.children.length > KEPT) region.firstChild.remove();
  }
}
