// Reads an answer to screen readers while it is written. They queue what a polite live region gains, so it gains whole
// sentences, at most every few seconds: often enough to follow, seldom enough not to stutter. The conversation itself is
// not a live region, because a reader would begin anew with every word.

import { element } from '../dom.js';
import { Sentences } from './sentences.js';

const PAUSE_MS = 2500;
const KEPT = 6; // lines stay a while, for readers that look later

export class Speaker {
  #region;
  /** What is being read. @type {object | null} */
  #of = null;
  #text = '';
  #sentences = new Sentences();
  /** @type {number | undefined} */
  #timer;
  #spoke = false;

  /** @param {HTMLElement} region   polite, of additions */
  constructor(region) {
    this.#region = region;
  }

  /** Says a line of its own. @param {string} line */
  say(line) {
    if (!line) return;
    this.#region.appendChild(element('p', { text: line }));
    while (this.#region.children.length > KEPT) this.#region.firstElementChild?.remove();
  }

  /**
   * More of a text is there.
   * @param {object} of   what it is the text of: another one is read from its beginning
   * @param {string} text   all of it, in Markdown
   */
  grow(of, text) {
    if (of !== this.#of || !text.startsWith(this.#text)) this.hush();
    this.#of = of;
    this.#sentences.add(text.slice(this.#text.length));
    this.#text = text;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#read(this.#sentences.take());
      },
      this.#spoke ? PAUSE_MS : PAUSE_MS / 2,
    );
  }

  /** Reads the rest. @param {string} [line]   what is said after it */
  end(line = '') {
    this.#halt();
    this.#read([this.#sentences.finish(), line].filter(Boolean).join(' '));
    this.#spoke = false;
  }

  /** Leaves the rest unread. */
  hush() {
    this.#halt();
    this.#sentences = new Sentences();
    this.#text = '';
    this.#spoke = false;
  }

  /** @param {string} text */
  #read(text) {
    if (text) this.#spoke = true;
    this.say(text);
  }

  #halt() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
