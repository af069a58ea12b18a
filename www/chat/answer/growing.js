// A Markdown text that grows, as nodes. Blocks that are settled are made once; only the last one is made anew, and of it
// only what changed reaches the document, so that a selection in it stays.

import { Blocks, isModest } from './blocks.js';
import { colour } from './colours.js';
import { blocksOf, renderBlock } from './markdown.js';
import { become, morph } from './morph.js';

// What a link refers to may stand below it.
const DEFINITION = /^ {0,3}\[[^\]\n]{1,200}\]:/m;

export class GrowingText {
  #box;
  #around;
  #text = '';
  #blocks = new Blocks(blocksOf);
  /** @type {number[]} */
  #outline = []; // depths of the headings that the settled blocks stand below
  /** @type {ChildNode | null} */
  #open = null; // node of the block that may still change

  /** @param {HTMLElement} box @param {import('../types.d.ts').RenderOptions} around */
  constructor(box, around) {
    this.#box = box;
    this.#around = around;
  }

  /** @param {string} text   all of it, mostly what was there and more */
  set(text) {
    if (text === this.#text) return;
    this.#text = text;
    const { restart, settled, open } = this.#blocks.grow(text);
    if (restart) this.#clear();
    for (const token of settled) {
      this.#show(token, this.#outline);
      colour(this.#open);
      this.#open = null;
    }
    if (open) this.#show(open, [...this.#outline]);
  }

  /** The whole text, once nothing follows: a link may be explained after it was used. @param {string} text */
  finish(text) {
    this.set(text);
    colour(this.#open);
    if (!DEFINITION.test(text) || !isModest(text, blocksOf)) return;
    const whole = document.createDocumentFragment();
    /** @type {number[]} */
    const outline = [];
    let last = null;
    for (const token of blocksOf(text)) {
      if (token.type === 'space') continue;
      this.#outline = [...outline];
      last = renderBlock(token, this.#around, outline);
      if (last) whole.appendChild(last);
    }
    morph(this.#box, whole);
    this.#box.childNodes.forEach(colour);
    // It may go on all the same.
    this.#open = last && this.#box.lastChild;
  }

  /** The same text, now that its surroundings are others: in another language, say. */
  renew() {
    const text = this.#text;
    this.#text = '';
    this.#blocks = new Blocks(blocksOf);
    this.#clear();
    this.finish(text);
  }

  /** @param {import('../../vendor/marked.esm.js').Token} token @param {number[]} outline */
  #show(token, outline) {
    const node = renderBlock(token, this.#around, outline);
    if (node && this.#open && become(this.#open, node)) return;
    if (!node) this.#open?.remove();
    else if (this.#open) this.#open.replaceWith(node);
    else this.#box.appendChild(node);
    this.#open = node;
  }

  #clear() {
    this.#outline = [];
    this.#open = null;
    this.#box.replaceChildren();
  }
}
