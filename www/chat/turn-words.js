// The words of an answer while it grows: what was only thought, folded away, and what is said. Drawn once a frame, however
// fast they come; a hidden tab has no frames, and draws what came meanwhile when it is seen again.

import { partsOf } from './answer/thought.js';

import { element } from './dom.js';

/**
 * @typedef {import('./types.d.ts').Text} Text
 * @typedef {import('./types.d.ts').Thought} Thought
 */

export class TurnWords {
  #box;
  #text;
  #t;
  #makeThought;
  #onDrawn;
  /** @type {Thought | null} */
  #thought = null;
  /** Says how far the prompt is read. @type {HTMLElement | null} */
  #reading = null;
  #content = '';
  #ended = false;
  #frame = 0; // that is asked for

  /**
   * @param {HTMLElement} box   of what is said
   * @param {object} options
   * @param {(box: HTMLElement) => Text} options.makeText
   * @param {() => Thought} options.makeThought   its place is before the box
   * @param {(key: string) => string} options.t
   * @param {() => void} [options.onDrawn]
   */
  constructor(box, { makeText, makeThought, t, onDrawn = () => {} }) {
    this.#box = box;
    this.#text = makeText(box);
    this.#makeThought = makeThought;
    this.#t = t;
    this.#onDrawn = onDrawn;
  }

  /** Before the first word: how far the prompt is read; null: no more. @param {string | null} line */
  read(line) {
    if (line === null) {
      this.#reading?.remove();
      this.#reading = null;
      return;
    }
    if (!this.#reading) {
      this.#reading = element('p', { class: 'hint reading' });
      this.#box.before(this.#reading);
    }
    this.#reading.textContent = line;
    this.#onDrawn();
  }

  /** The text grew: shown with the next frame. @param {string} content */
  grow(content) {
    this.#content = content;
    this.#ended = false;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
      this.#onDrawn();
    });
  }

  /** The text is whole. @param {string} content */
  end(content) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#content = content;
    this.#ended = true;
    this.#draw();
  }

  /** Another language holds. */
  renew() {
    this.#text.renew();
    this.#draw();
  }

  #draw() {
    const { thought, thinking, answer } = partsOf(this.#content);
    if (thought || this.#thought) this.#showThought(thought, thinking && !this.#ended);
    // A mark of a thought that never came to one is what was said.
    const said = (this.#ended && !thought && !answer ? this.#content : answer).trimStart();
    this.#box.classList.toggle('empty', !said);
    if (this.#ended) this.#text.finish(said);
    else this.#text.set(said);
  }

  /** @param {string} text @param {boolean} thinking */
  #showThought(text, thinking) {
    if (!this.#thought) {
      this.#thought = this.#makeThought();
      this.#box.before(this.#thought.node);
    }
    const { node, name, words } = this.#thought;
    node.hidden = !text;
    node.classList.toggle('thinking', thinking);
    name.textContent = this.#t(thinking ? 'answer.thinking' : 'answer.thought');
    if (text.startsWith(words.textContent)) words.append(text.slice(words.textContent.length));
    else words.textContent = text;
  }
}
