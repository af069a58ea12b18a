// Where a message is typed. What is typed outlasts a reload, a failure and a change of conversation.

import { byId, element, memory } from '../dom.js';

/** Enter sends with a keyboard; on a touch screen it makes a new line, as people expect there. */
const touch = matchMedia('(pointer: coarse)');

export class Composer {
  #area = byId('message');
  #key = 'draft.new';
  #handlers;

  /** @param {{ send: (text: string) => boolean | Promise<boolean>, editLast: () => void }} handlers   `send` gives whether it was taken */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#area.addEventListener('input', () => this.#changed());
    this.#area.addEventListener('keydown', (event) => this.#typed(event));
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  /** Shows the draft of this conversation. */
  show(id) {
    this.#key = `draft.${id}`;
    this.value = memory.get(this.#key) ?? '';
  }

  get value() {
    return this.#area.value;
  }

  set value(text) {
    this.#area.value = text;
    this.#changed();
  }

  focus() {
    // Not on a touch screen: it would open the keyboard over the page.
    if (!touch.matches) this.#area.focus({ preventScroll: true });
  }

  async submit() {
    const text = this.#area.value.trim();
    if (!(await this.#handlers.send(text))) return;
    this.value = '';
  }

  /** Chips that fill the field. @param {string[]} keys   of messages */
  suggest(keys, host) {
    host.replaceChildren(...keys.map((key) => element('button', {
      type: 'button', class: 'chip', text: key,
      onclick: ({ currentTarget }) => {
        this.value = currentTarget.textContent;
        this.#area.focus();
        this.submit();
      },
    })));
  }

  #changed() {
    if (this.#area.value) memory.set(this.#key, this.#area.value);
    else memory.remove(this.#key);
    // Browsers without field-sizing: as tall as its text.
    if (!CSS.supports('field-sizing: content')) {
      this.#area.style.height = 'auto';
      this.#area.style.height = `${this.#area.scrollHeight}px`;
    }
  }

  #typed(event) {
    // An Enter that ends a word of an input method is not one that sends; 229 is how older engines say so.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'ArrowUp' && !this.#area.value && !event.altKey) {
      event.preventDefault();
      this.#handlers.editLast();
    }
    if (event.key !== 'Enter' || event.shiftKey || (touch.matches && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    this.submit();
  }
}
