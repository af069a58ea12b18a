// Where a message is typed. What is typed outlasts a reload, a failure and a change of conversation.

import { Composer, fitHeight } from '../../chat/composer.js';
import { text } from '../../chat/shapes.js';
import { byId, element, memory } from '../dom.js';
import { MOST } from './rows.js';

/** Enter sends with a keyboard; on a touch screen it makes a new line, as people expect there. */
const touch = matchMedia('(pointer: coarse)');

export class PageComposer extends Composer {
  #key = 'draft.new';

  /** @param {{ send: (text: string, key: boolean) => boolean | Promise<boolean>, editLast: () => void }} handlers   `send` gives whether it was taken */
  constructor({ send, editLast }) {
    super(byId('composer'), byId('message'), {
      onSend: send,
      onDraft: (draft) => this.#keep(draft),
      onUp: editLast,
      breaksLines: () => touch.matches,
      grow: CSS.supports('field-sizing: content') ? undefined : (area) => fitHeight(area),
    });
  }

  /** Shows the draft of this conversation. @param {string} id */
  show(id) {
    this.#key = `draft.${id}`;
    this.draft = memory.get(this.#key, text(MOST.words)) ?? '';
  }

  focus() {
    // Not on a touch screen: it would open the keyboard over the page.
    if (!touch.matches) super.focus();
  }

  /** Chips that say something. @param {string[]} keys   of messages @param {HTMLElement} host */
  suggest(keys, host) {
    host.replaceChildren(
      ...keys.map((key) =>
        element('button', {
          type: 'button',
          class: 'chip',
          text: key,
          onclick: ({ currentTarget }) => {
            this.draft = currentTarget.textContent;
            super.focus();
            this.send(false);
          },
        }),
      ),
    );
  }

  /** @param {string} draft */
  #keep(draft) {
    if (draft) memory.set(this.#key, draft);
    else memory.remove(this.#key);
  }
}
