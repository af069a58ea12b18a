// The widget's field and its button, which sends, or stops the answer that is being written.

import { Composer, fitHeight } from '../chat/composer.js';
import { attribute, element, icon } from '../chat/dom.js';

const SEND = ['M12 19.5V5', 'm5.5 11.5 6.5-6.5 6.5 6.5'];
const STOP = 'M7 7h10v10H7z';
const LINES = 6;

export class WidgetComposer extends Composer {
  form;
  #area;
  #button;
  #words;
  #writing = false;
  #holds = false; // pictures

  /**
   * @param {import('../chat/i18n.js').Translator} words
   * @param {{ onSend: (text: string) => boolean | Promise<boolean>, onStop: () => void, onDraft: () => void }} actions   `onSend` says whether it was taken
   */
  constructor(words, { onSend, onStop, onDraft }) {
    const area = /** @type {HTMLTextAreaElement} */ (element('textarea', { part: 'input', rows: '1', dir: 'auto', autocomplete: 'off', enterkeyhint: 'send' }));
    const button = element('button', { type: 'submit', class: 'send', part: 'send' }, icon(...SEND), icon(STOP));
    const form = /** @type {HTMLFormElement} */ (element('form', { class: 'composer', part: 'composer' }, area, button));
    super(form, area, {
      onSend: (text, key) => {
        if (!this.#writing) return (text !== '' || this.#holds) && onSend(text);
        // Enter sends, and there is nothing to send it to.
        if (!key) onStop();
        return false;
      },
      onDraft: () => {
        this.#showButton();
        onDraft();
      },
      grow: () => fitHeight(area, LINES),
    });
    this.form = form;
    this.#area = area;
    this.#button = button;
    this.#words = words;
    // A page's own shortcuts are not for what is typed here.
    for (const type of ['keydown', 'keyup', 'keypress'])
      form.addEventListener(type, (event) => {
        if (/** @type {KeyboardEvent} */ (event).key !== 'Escape') event.stopPropagation();
      });
    this.relabel(words, '');
  }

  /** @param {import('../chat/i18n.js').Translator} words @param {string} placeholder */
  relabel(words, placeholder) {
    this.#words = words;
    this.#area.setAttribute('placeholder', placeholder);
    this.#area.setAttribute('aria-label', placeholder);
    this.#changed();
  }

  /** The field itself. */
  get area() {
    return this.#area;
  }

  /** Another button, before the one that sends. @param {HTMLElement} tool */
  addTool(tool) {
    this.#button.before(tool);
  }

  /** Whether there is something to send beside the text. @param {boolean} holds */
  holds(holds) {
    this.#holds = holds;
    this.#showButton();
  }

  /** Whether an answer is being written: the button then stops it. @param {boolean} writing */
  writing(writing) {
    if (writing === this.#writing) return;
    this.#writing = writing;
    this.#changed();
  }

  #changed() {
    this.#showButton();
    fitHeight(this.#area, LINES);
  }

  #showButton() {
    const empty = this.#area.value.trim() === '' && !this.#holds;
    this.form.classList.toggle('writing', this.#writing);
    this.#button.setAttribute('aria-label', this.#words.t(this.#writing ? 'stop' : 'send'));
    // Announced as unavailable, but still to be found by keyboard.
    attribute(this.#button, 'aria-disabled', !this.#writing && empty ? 'true' : null);
  }
}
