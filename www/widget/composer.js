// Where the visitor types. Enter sends, but not the Enter that ends a composition; Shift+Enter begins a line.

import { attribute, element, icon } from '../chat/dom.js';

const SEND = ['M12 19.5V5', 'm5.5 11.5 6.5-6.5 6.5 6.5'];
const STOP = 'M7 7h10v10H7z';
const LINES = 6;

export class Composer {
  form;
  #area;
  #button;
  #words;
  #writing = false;

  /**
   * @param {Record<string, string>} words
   * @param {{ onSend: (text: string) => boolean, onStop: () => void, onDraft: () => void }} actions   `onSend` says whether it was taken
   */
  constructor(words, { onSend, onStop, onDraft }) {
    this.#words = words;
    this.#area = element('textarea', { part: 'input', rows: '1', dir: 'auto', autocomplete: 'off', enterkeyhint: 'send' });
    this.#button = element('button', { type: 'submit', class: 'send', part: 'send' }, icon(...SEND), icon(STOP));
    this.form = element('form', { class: 'composer', part: 'composer' }, this.#area, this.#button);
    const send = () => {
      const text = this.#area.value.trim();
      if (!text || this.#writing || !onSend(text)) return;
      this.draft = '';
    };
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#writing) onStop();
      else send();
    });
    this.#area.addEventListener('keydown', (event) => {
      // 229: Safari ends the composition before it tells of the key.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      send();
    });
    this.#area.addEventListener('input', () => {
      this.#changed();
      onDraft();
    });
    // A page's own shortcuts are not for what is typed here.
    for (const type of ['keydown', 'keyup', 'keypress']) this.form.addEventListener(type, (event) => { if (event.key !== 'Escape') event.stopPropagation(); });
    this.relabel(words, '');
  }

  get draft() { return this.#area.value; }
  set draft(text) {
    this.#area.value = text;
    this.#changed();
  }

  relabel(words, placeholder) {
    this.#words = words;
    this.#area.setAttribute('placeholder', placeholder);
    this.#area.setAttribute('aria-label', placeholder);
    this.#changed();
  }

  /** Whether an answer is being written: the button then stops it. */
  writing(writing) {
    if (writing === this.#writing) return;
    this.#writing = writing;
    this.#changed();
  }

  focus() {
    this.#area.focus({ preventScroll: true });
  }

  #changed() {
    const empty = this.#area.value.trim() === '';
    this.form.classList.toggle('writing', this.#writing);
    this.#button.setAttribute('aria-label', this.#writing ? this.#words.stop : this.#words.send);
    // Announced as unavailable, but still to be found by keyboard.
    attribute(this.#button, 'aria-disabled', !this.#writing && empty ? 'true' : null);
    this.#fit();
  }

  // As tall as its lines, up to a few.
  #fit() {
    const { style } = this.#area;
    style.height = 'auto';
    const line = Number.parseFloat(getComputedStyle(this.#area).lineHeight) || 24;
    const padding = this.#area.offsetHeight - line * Math.max(1, Math.round(this.#area.clientHeight / line));
    if (this.#area.scrollHeight > 0) style.height = `${Math.min(this.#area.scrollHeight, LINES * line + Math.max(padding, 0))}px`;
  }
}
