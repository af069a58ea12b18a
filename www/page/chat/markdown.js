// How the page shows a model's Markdown: in its own words, and with DOMPurify as a second lock, behind answer/markdown.js
// that makes no other nodes than these. Fetched with the first answer; where it cannot be had, answers are plain text.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { t } from '../text.js';

const PLAIN_ATTRIBUTES = ['class', 'd', 'dir', 'part', 'rel', 'role', 'scope', 'start', 'tabindex', 'target', 'title', 'type', 'viewbox'];
const ALLOWED = {
  ALLOWED_TAGS: [
    'a',
    'bdi',
    'blockquote',
    'br',
    'button',
    'code',
    'del',
    'div',
    'em',
    'figcaption',
    'figure',
    'h2',
    'h3',
    'h4',
    'h5',
    'h6',
    'hr',
    'li',
    'ol',
    'p',
    'path',
    'pre',
    'span',
    'strong',
    'svg',
    'table',
    'tbody',
    'td',
    'th',
    'thead',
    'tr',
    'ul',
  ],
  ALLOWED_ATTR: [...PLAIN_ATTRIBUTES, 'href'],
  ADD_URI_SAFE_ATTR: PLAIN_ATTRIBUTES, // no addresses: the next line is not about them
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  IN_PLACE: true,
};

/** @typedef {(box: HTMLElement) => import('../../chat/types.d.ts').Text} MakeText */

/** @type {Promise<MakeText> | null} */
let library = null;

/** Fetches what it takes. */
export function loadMarkdown() {
  library ??= Promise.all([import('../../chat/answer/growing.js'), import('../../vendor/purify.min.js')])
    .then(
      ([{ GrowingText }]) =>
        (/** @type {HTMLElement} */ box) =>
          new GrowingText(box, SURROUNDINGS),
    )
    .catch(() => {
      library = null;
      return (/** @type {HTMLElement} */ box) => new PlainText(box);
    });
  return library;
}

/** @type {import('../../chat/types.d.ts').RenderOptions} */
const SURROUNDINGS = {
  say: (key, values) => t(`answer.${key}`, values),
  level: 2,
  copyButton: () => element('button', { type: 'button', class: 'quiet small copy-code' }, icon('copy'), element('span', { text: 'common.copy' })),
  check: (node) => /** @type {any} */ (globalThis.DOMPurify.sanitize(node, ALLOWED)),
};

class PlainText {
  #node = element('p', { class: 'plain', dir: 'auto' });

  /** @param {HTMLElement} box */
  constructor(box) {
    box.append(this.#node);
  }

  /** @param {string} text */
  set(text) {
    this.#node.textContent = text;
  }

  /** @param {string} text */
  finish(text) {
    this.set(text);
  }

  renew() {}
}
