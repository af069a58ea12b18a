// Messages that wait until the answer before them is written, or the model is here.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../text.js';

export class Queue {
  #host;
  #onTakeBack;
  /** @type {string[]} */
  #texts = [];

  /** @param {HTMLElement} host @param {(text: string) => void} onTakeBack   what was taken out goes back to where it was typed */
  constructor(host, onTakeBack) {
    this.#host = host;
    this.#onTakeBack = onTakeBack;
    this.#show();
  }

  get size() {
    return this.#texts.length;
  }

  /** @param {string} text */
  add(text) {
    this.#texts.push(text);
    this.#show();
  }

  /** The one that has waited longest. */
  take() {
    const text = this.#texts.shift();
    this.#show();
    return text;
  }

  /** All of them, as one text. */
  takeAll() {
    const text = this.#texts.join('\n\n');
    this.#texts = [];
    this.#show();
    return text;
  }

  #show() {
    this.#host.hidden = this.size === 0;
    this.#host.replaceChildren(
      ...this.#texts.map((text, i) =>
        element(
          'li',
          {},
          element('span', { class: 'queued-name', text: 'chat.queued' }),
          element('span', { class: 'queued-text', textContent: text, dir: 'auto' }),
          element(
            'button',
            {
              type: 'button',
              class: 'icon-button small',
              'aria-label': t('chat.queued.back'),
              title: t('chat.queued.back'),
              onclick: () => {
                this.#texts.splice(i, 1);
                this.#show();
                this.#onTakeBack(text);
              },
            },
            icon('close'),
          ),
        ),
      ),
    );
  }
}
