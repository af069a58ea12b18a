// A transcript as it stands on the page: a line for each passage, with the time that plays it, and what was searched for marked.

import { element } from '../dom.js';
import { matchesOf, timeOf } from './formats.js';

/** @typedef {import('./formats.js').Passage} Passage */

export class Sheet {
  #list;
  #play;
  /** @type {Passage[]} */
  #passages = [];
  /** Of each passage. @type {HTMLElement[]} */
  #words = [];
  #wanted = '';
  /** Of the marks, the one that was gone to. */
  #at = 0;

  /** @param {HTMLElement} list @param {{ play: (seconds: number) => void }} actions */
  constructor(list, { play }) {
    this.#list = list;
    this.#play = play;
  }

  clear() {
    this.#list.replaceChildren();
    this.#passages = [];
    this.#words = [];
    this.#at = 0;
  }

  /** More is there. @param {Passage[]} passages   all of them */
  grow(passages) {
    for (const passage of passages.slice(this.#words.length)) {
      const time = timeOf(passage.start);
      const words = element('p', { dir: 'auto' });
      this.#words.push(words);
      this.#passages.push(passage);
      const play = element(
        'button',
        { type: 'button', class: 'time numbers', label: ['listen.play', { time }], onclick: () => this.#play(passage.start) },
        time,
      );
      this.#list.append(element('li', {}, play, words));
      this.#mark(this.#words.length - 1);
    }
  }

  /** Shows which passage is played. @param {number} seconds */
  playing(seconds) {
    const at = this.#passages.findLastIndex(({ start }) => start <= seconds + 0.05);
    [...this.#list.children].forEach((line, i) => line.classList.toggle('playing', i === at && seconds > 0));
  }

  /** Marks where a text stands, and goes to the first. @param {string} wanted */
  search(wanted) {
    this.#wanted = wanted;
    this.#at = 0;
    this.#words.forEach((_, i) => this.#mark(i));
    this.step(0);
  }

  /** To another match. @param {number} by */
  step(by) {
    const marks = this.#marks();
    if (marks.length === 0) return;
    this.#at = (this.#at + by + marks.length) % marks.length;
    marks.forEach((mark, i) => mark.classList.toggle('current', i === this.#at));
    marks[this.#at].scrollIntoView({ block: 'nearest' });
  }

  /** Which match of how many was gone to; null where nothing is searched for. @returns {{ at: number, of: number } | null} */
  get found() {
    if (!this.#wanted.trim()) return null;
    const of = this.#marks().length;
    return { at: of === 0 ? 0 : this.#at + 1, of };
  }

  #marks() {
    return [...this.#list.querySelectorAll('mark')];
  }

  /** @param {number} i */
  #mark(i) {
    const { text } = this.#passages[i];
    /** @type {(string | Node)[]} */
    const parts = [];
    let end = 0;
    for (const [from, to] of matchesOf(text, this.#wanted)) {
      parts.push(text.slice(end, from), element('mark', { textContent: text.slice(from, to) }));
      end = to;
    }
    this.#words[i].replaceChildren(...parts, text.slice(end));
  }
}
