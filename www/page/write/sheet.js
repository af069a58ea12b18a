// The sheet of paper: a textarea that holds and edits the text, over a layer that shows the same text in ink, token by
// token. Both must break lines alike.

import { byId, element } from '../dom.js';

/** @typedef {import('./runs.js').Piece} Piece */

const NEAR_PX = 60; // so near the end a reader follows it

export class Sheet {
  #inked;
  #scroller = byId('sheet');
  #area = byId('text');
  #ink = byId('ink');
  /** @type {number | null} */
  #frame = null;
  /** Pieces that are not drawn yet. @type {Piece[]} */
  #fresh = [];
  #writing = false;
  #begin = 0; // where the model's turn begins
  #following = true;

  /** @param {import('./runs.js').Inked} inked @param {{ edited: () => void }} handlers */
  constructor(inked, { edited }) {
    this.#inked = inked;
    this.#area.addEventListener('input', () => {
      this.#inked.edit(this.#area.value);
      this.draw();
      // The browser looked for the caret when the sheet had not grown yet.
      if (this.#area.selectionEnd === this.#area.value.length) this.#toEnd();
      edited();
    });
    // The reader wins at once, even if a token arrives before the first pixel has moved.
    this.#scroller.addEventListener(
      'wheel',
      ({ deltaY }) => {
        if (deltaY < 0 && this.#scroller.scrollTop > 0) this.#following = false;
      },
      { passive: true },
    );
    this.#scroller.addEventListener(
      'scroll',
      () => {
        this.#following = this.#atEnd();
      },
      { passive: true },
    );
    // Another window, a keyboard, the beginnings that go: who was at the end stays there.
    new ResizeObserver(() => {
      if (this.#following) this.#toEnd();
    }).observe(this.#scroller);
    this.draw();
  }

  get inked() {
    return this.#inked;
  }

  /** Another text. */
  set inked(inked) {
    this.#inked = inked;
    this.draw();
  }

  /** Whether the model writes now. @param {boolean} writing */
  set writing(writing) {
    this.#writing = writing;
    this.#area.readOnly = writing;
    this.#drawFresh();
    const {
      value: { length },
      selectionStart,
      selectionEnd,
    } = this.#area;
    if (writing) {
      this.#begin = length;
      this.#toEnd();
    } else if (selectionStart === this.#begin && selectionEnd === this.#begin) {
      this.#area.setSelectionRange(length, length); // the caret was at the end, and still is
    }
  }

  /** The model wrote this: drawn with the next frame. @param {Piece} piece */
  add(piece) {
    this.#inked.append(piece);
    this.#fresh.push(piece);
    this.#frame ??= requestAnimationFrame(() => this.#drawFresh());
  }

  /** Everything anew. */
  draw() {
    cancelAnimationFrame(this.#frame ?? 0);
    this.#frame = null;
    this.#fresh = [];
    const { text, pieces } = this.#inked;
    if (this.#area.value !== text) this.#area.value = text;
    this.#ink.replaceChildren(...pieces.map(span), this.#end());
  }

  /** The index of the token at this point of the screen, or -1. @param {number} x @param {number} y */
  tokenAt(x, y) {
    // The textarea lies over the ink: look through it.
    this.#area.style.pointerEvents = 'none';
    this.#ink.classList.add('reachable');
    const node = document.elementFromPoint(x, y);
    this.#ink.classList.remove('reachable');
    this.#area.style.pointerEvents = '';
    return node?.parentNode === this.#ink ? this.#indexOf(node) : -1;
  }

  /** The index of the token that the caret is in or before, or -1. At the end of the text it is in none. */
  tokenAtCaret() {
    const { selectionStart, selectionEnd } = this.#area;
    if (selectionStart !== selectionEnd || this.#writing) return -1;
    const { index = -1 } = this.#inked.at(selectionStart) ?? {};
    return this.#inked.pieces[index]?.logprob === undefined ? -1 : index;
  }

  /** Where a token is on the screen: its last line. @param {number} index */
  rectOf(index) {
    const node = this.#ink.children[index];
    return [...node.getClientRects()].at(-1) ?? node.getBoundingClientRect();
  }

  /** Marks one token, or none (-1). @param {number} index */
  mark(index) {
    this.#ink.querySelector('.marked')?.classList.remove('marked');
    this.#ink.children[index]?.classList.add('marked');
  }

  /** @param {Element} node */
  #indexOf(node) {
    const index = [...this.#ink.children].indexOf(node);
    return this.#inked.pieces[index]?.logprob === undefined ? -1 : index;
  }

  #drawFresh() {
    cancelAnimationFrame(this.#frame ?? 0);
    this.#frame = null;
    const pieces = this.#fresh;
    this.#fresh = [];
    const end = this.#area.value.length;
    this.#area.setRangeText(pieces.map(({ text }) => text).join(''), end, end);
    this.#ink.lastChild?.remove();
    for (const piece of pieces) {
      const last = this.#ink.lastElementChild;
      if (piece.logprob === undefined && last?.className === `by-${piece.by}`) last.append(piece.text);
      else this.#ink.append(span(piece));
    }
    // A new one each time: an end that moves on is nothing that has jumped.
    this.#ink.append(this.#end());
    // The last line stays in sight, unless the reader has scrolled away from it.
    if (this.#following) this.#toEnd();
  }

  #toEnd() {
    this.#following = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    return scrollTop + clientHeight >= scrollHeight - NEAR_PX;
  }

  /** A last line of its own height, and the caret while the model writes. */
  #end() {
    return element('span', { class: this.#writing ? 'caret' : 'end', textContent: '\u200b' });
  }
}

/** @param {Piece} piece */
function span({ by, text, logprob }) {
  const node = element('span', { class: `by-${by}${logprob === undefined ? '' : ' token'}`, textContent: text });
  if (logprob !== undefined) node.style.setProperty('--p', Math.exp(logprob).toFixed(3));
  return node;
}
