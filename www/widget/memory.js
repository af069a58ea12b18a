// The conversation over a site's pages, where the site wants it (`remember`): in this tab, until it is closed.

import { pictures, withPictures } from '../chat/picture.js';
import { flag, list, object, oneOf, text } from '../chat/shapes.js';

// Messages, and characters of one.
const MOST_MESSAGES = 10_000;
const MOST_WORDS = 1_000_000;

const words = text(MOST_WORDS);
const message = object({ role: oneOf(/** @type {const} */ (['user', 'assistant'])), content: words }, { pictures });
const shape = object({ messages: list(message, MOST_MESSAGES) }, { opened: flag, draft: words });

export class Memory {
  #key;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#key = `cresset-chat ${host.id || host.getAttribute('model') || 'default'}`;
  }

  /** @returns {{ messages: import('../chat/types.d.ts').Message[], opened: boolean, draft: string } | null} */
  read() {
    try {
      const kept = shape(JSON.parse(sessionStorage.getItem(this.#key) ?? 'null'));
      return kept && { opened: false, draft: '', ...kept };
    } catch {
      return null; // no storage here, or not ours
    }
  }

  /** @param {{ messages: import('../chat/types.d.ts').Message[], opened: boolean, draft: string }} kept */
  write({ messages, opened, draft }) {
    const list = (/** @type {boolean} */ whole) =>
      messages.map(({ role, content, pictures: shown }) => ({ role, content, ...withPictures(whole ? shown : []) }));
    // Where there is no room for the pictures, there may be for the words.
    for (const whole of [true, false]) {
      try {
        sessionStorage.setItem(this.#key, JSON.stringify({ messages: list(whole), opened, draft }));
        return;
      } catch {
        // Full or forbidden: at last it lasts as long as the page.
      }
    }
  }
}
