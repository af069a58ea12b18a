// Messages that wait until the answer before them is written, or the model is here.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../text.js';

/**
 * @typedef {import('../../chat/types.d.ts').Picture} Picture
 * @typedef {{ text: string, pictures: Picture[] }} Waiting
 */

export class Queue {
  #host;
  #onTakeBack;
  /** @type {Waiting[]} */
  #waiting = [];

  /** @param {HTMLElement} host @param {(message: Waiting) => void} onTakeBack   what was taken out goes back to where it was typed */
  constructor(host, onTakeBack) {
    this.#host = host;
    this.#onTakeBack = onTakeBack;
    this.#show();
  }

  get size() {
    return this.#waiting.length;
  }

  /** @param {Waiting} message */
  add(message) {
    this.#waiting.push(message);
    this.#show();
  }

  /** The one that has waited longest. */
  take() {
    const message = this.#waiting.shift();
    this.#show();
    return message;
  }

  /** All of them, as one. @returns {Waiting} */
  takeAll() {
    const all = this.#waiting;
    this.#waiting = [];
    this.#show();
    return {
      text: all
        .map(({ text }) => text)
        .filter(Boolean)
        .join('\n\n'),
      pictures: all.flatMap(({ pictures }) => pictures),
    };
  }

  #show() {
    this.#host.hidden = this.size === 0;
    this.#host.replaceChildren(
      ...this.#waiting.map((message, i) =>
        element(
          'li',
          {},
          element('span', { class: 'queued-name', text: 'chat.queued' }),
          message.pictures.length > 0
            ? element(
                'span',
                { class: 'queued-pictures' },
                icon('picture'),
                element('span', { textContent: message.pictures.map(({ name }) => name).join(', ') }),
              )
            : null,
          element('span', { class: 'queued-text', textContent: message.text, dir: 'auto' }),
          element(
            'button',
            {
              type: 'button',
              class: 'icon-button small',
              'aria-label': t('chat.queued.back'),
              title: t('chat.queued.back'),
              onclick: () => {
                this.#waiting.splice(i, 1);
                this.#show();
                this.#onTakeBack(message);
              },
            },
            icon('close'),
          ),
        ),
      ),
    );
  }
}
