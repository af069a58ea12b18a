// The card of a token: how likely it was, what could have stood in its place. It comes up where the pointer rests or the
// caret stands; a click on an alternative goes on from there.

import { byId, element } from '../dom.js';
import { percent } from '../format.js';
import { t } from '../text.js';

const REST_MS = 90; // before a card comes up under the pointer
const GRACE_MS = 260; // to get from the token to its card
const SAY_MS = 500; // a caret that stays so long is at a place of interest

export class TokenCard {
  #sheet;
  #choose;
  #card = byId('token-card');
  #area = byId('text');
  #index = -1;
  #timer = 0;
  #saying = 0;

  /** @param {import('./sheet.js').Sheet} sheet @param {(index: number, token: [string, number]) => void} choose */
  constructor(sheet, choose) {
    this.#sheet = sheet;
    this.#choose = choose;
    this.#area.addEventListener('pointermove', ({ clientX, clientY, pointerType }) => {
      if (pointerType === 'mouse') this.#soon(() => this.#show(sheet.tokenAt(clientX, clientY)), REST_MS);
    });
    this.#area.addEventListener('pointerleave', () => this.#soon(() => this.#atCaret(), GRACE_MS));
    this.#card.addEventListener('pointerenter', () => clearTimeout(this.#timer));
    this.#card.addEventListener('pointerleave', () => this.#soon(() => this.#atCaret(), GRACE_MS));
    document.addEventListener('selectionchange', () => {
      if (document.activeElement === this.#area) this.#soon(() => this.#atCaret(), REST_MS);
    });
    this.#area.addEventListener('blur', ({ relatedTarget }) => {
      if (!this.#card.contains(/** @type {Node | null} */ (relatedTarget))) this.hide();
    });
    this.#card.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget !== this.#area && !this.#card.contains(/** @type {Node | null} */ (relatedTarget))) this.hide();
    });
    for (const node of [this.#area, this.#card]) {
      node.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape' || this.#card.hidden) return;
        event.preventDefault();
        this.hide();
        this.#area.focus();
      });
    }
    addEventListener('scroll', () => this.hide(), { passive: true, capture: true }); // the page's, or the sheet's own
  }

  hide() {
    clearTimeout(this.#timer);
    this.#index = -1;
    this.#card.hidden = true;
    this.#sheet.mark(-1);
  }

  /** @param {() => void} deed @param {number} ms */
  #soon(deed, ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(deed, ms);
  }

  #atCaret() {
    if (this.#card.contains(document.activeElement)) return;
    const index = document.activeElement === this.#area ? this.#sheet.tokenAtCaret() : -1;
    this.#show(index);
    clearTimeout(this.#saying);
    if (index >= 0) this.#saying = setTimeout(() => this.#say(), SAY_MS);
  }

  /** @param {number} index */
  #show(index) {
    if (index === this.#index) return;
    if (index < 0) return this.hide();
    this.#index = index;
    const { text, logprob = 0, top = [] } = this.#sheet.inked.pieces[index];
    const others = top.filter(([other]) => other !== text);
    this.#card.replaceChildren(
      element(
        'p',
        { class: 'token-head' },
        element('q', { textContent: visible(text), dir: 'auto' }),
        element('strong', { class: 'numbers', textContent: percent(Math.exp(logprob)) }),
      ),
      element('p', { class: 'hint', id: 'token-hint', text: others.length ? 'write.instead' : top.length ? 'write.alone' : 'write.several' }),
      element('ul', {}, ...others.map((token) => element('li', {}, this.#option(token)))),
    );
    this.#card.hidden = false;
    this.#place(this.#sheet.rectOf(index));
    this.#sheet.mark(index);
  }

  /** @param {[string, number]} token */
  #option([text, logprob]) {
    const whole = text && !text.includes('\ufffd') && !/^<[|/]?\w+[|/]?>$/.test(text);
    const index = this.#index;
    const button = element(
      'button',
      {
        type: 'button',
        class: 'alternative',
        disabled: !whole,
        'aria-describedby': 'token-hint',
        onclick: () => {
          this.hide();
          this.#choose(index, [text, logprob]);
        },
      },
      element('span', {
        class: 'alternative-text',
        dir: 'auto',
        ...(whole ? { textContent: visible(text) } : { text: text.includes('\ufffd') ? 'write.partOfCharacter' : 'write.endOfText' }),
      }),
      ' ',
      element('span', { class: 'numbers', textContent: percent(Math.exp(logprob)) }),
    );
    button.style.setProperty('--share', String(Math.exp(logprob)));
    return button;
  }

  /** @param {DOMRect} rect */
  #place(rect) {
    const { offsetWidth: width, offsetHeight: height } = this.#card;
    const below = rect.bottom + 8 + height < innerHeight - 8;
    this.#card.style.left = `${Math.min(Math.max(rect.left - 12, 8), innerWidth - width - 8)}px`;
    this.#card.style.top = `${below ? rect.bottom + 8 : Math.max(rect.top - height - 8, 8)}px`;
  }

  #say() {
    const piece = this.#sheet.inked.pieces[this.#index];
    if (piece) byId('announcer').textContent = t('write.say', { token: visible(piece.text), share: percent(Math.exp(piece.logprob ?? 0)) });
  }
}

/** A token with its white space to be seen. @param {string} text */
export function visible(text) {
  return (
    text
      .replaceAll('\n', '⏎')
      .replaceAll('\t', '⇥')
      .replace(/^ +| +$/g, (spaces) => '·'.repeat(spaces.length)) || '·'
  );
}
