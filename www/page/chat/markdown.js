// A model's Markdown → document nodes that can do no harm. Markup in the text is shown as text; images are not fetched;
// links say where they lead. marked parses, DOMPurify lets through only what is listed here.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { Blocks } from './blocks.js';
import { morph } from './morph.js';

const ALLOWED = {
  ALLOWED_TAGS: ['a', 'blockquote', 'br', 'code', 'del', 'em', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 'span', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul'],
  ALLOWED_ATTR: ['align', 'class', 'href', 'start'],
  ADD_URI_SAFE_ATTR: ['align', 'start'], // no addresses: the next line is not about them
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};
// Each of these takes its direction from its own first letter.
const OWN_DIRECTION = 'p, h3, h4, h5, h6, li, td, th, blockquote';

let library = null;

/** Fetches the libraries; null where they cannot be had, and answers are then shown as plain text. */
export function loadMarkdown() {
  library ??= Promise.all([import('../../vendor/marked.esm.js'), import('../../vendor/purify.min.js')])
    .then(([{ Marked }]) => ({ marked: new Marked({ gfm: true, breaks: true, renderer: renderer() }), purify: globalThis.DOMPurify }))
    .catch(() => {
      library = null;
      return null;
    });
  return library;
}

/** Shows a text that may grow. */
export class MarkdownView {
  #node;
  #tools = null;
  #blocks = null;
  #open = null; // the element of the block that may still change
  #plain = null;

  /** @param {HTMLElement} node @param {Awaited<ReturnType<typeof loadMarkdown>>} tools */
  constructor(node, tools) {
    this.#node = node;
    this.#tools = tools;
    if (tools) this.#blocks = new Blocks((text) => tools.marked.lexer(text));
  }

  /** @param {string} text   all of it */
  update(text) {
    if (!this.#tools) return this.#showPlain(text);
    const { restart, settled, open } = this.#blocks.grow(text);
    if (restart) {
      this.#node.replaceChildren();
      this.#open = null;
    }
    for (const token of settled) {
      this.#render(token);
      this.#open = null;
    }
    if (open) this.#render(open);
  }

  /** The whole text, once nothing follows. */
  finish(text) {
    this.update(text);
    // A link may be explained after it was used: only the whole text has both.
    if (!this.#tools || !/^ {0,3}\[[^\]]+\]:/m.test(text)) return;
    const tokens = this.#tools.marked.lexer(text).filter(({ type }) => type !== 'space');
    morph(this.#node, element('div', {}, ...tokens.map((token) => this.#block(token))));
  }

  #render(token) {
    const block = this.#block(token);
    if (this.#open) return morph(this.#open, block);
    this.#open = block;
    this.#node.append(block);
  }

  #block(token) {
    const { marked, purify } = this.#tools;
    const fragment = purify.sanitize(marked.parser([token]).trimEnd(), ALLOWED);
    dress(fragment);
    const block = element('div', { class: 'block' });
    block.append(fragment);
    return block;
  }

  #showPlain(text) {
    if (!this.#plain) this.#node.append(this.#plain = element('p', { class: 'plain', dir: 'auto' }));
    this.#plain.textContent = text;
  }
}

function renderer() {
  return {
    html: ({ text }) => escape(text),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // below the page's own
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
    checkbox: ({ checked }) => `<span class="box">${checked ? '☑' : '☐'}</span> `,
    code: ({ text, lang }) => `<pre><code class="language-${escape(lang?.match(/^[\w+#.-]+/)?.[0] ?? '')}">${escape(text)}\n</code></pre>`,
  };
}

function escape(text) {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Adds what the page needs around a model's words: copy buttons, marks on links, directions, scroll boxes. */
function dress(fragment) {
  for (const node of fragment.querySelectorAll(OWN_DIRECTION)) node.dir = 'auto';
  for (const link of fragment.querySelectorAll('a')) {
    if (!link.hasAttribute('href')) continue;
    Object.assign(link, { target: '_blank', rel: 'noopener noreferrer nofollow', className: 'outside', title: link.href });
  }
  for (const table of fragment.querySelectorAll('table')) {
    const box = element('div', { class: 'scroller', tabIndex: 0, role: 'group', label: 'chat.table' });
    table.replaceWith(box);
    box.append(table);
  }
  for (const pre of fragment.querySelectorAll('pre')) {
    const code = pre.querySelector('code');
    const language = /^language-(.+)$/.exec(code?.className ?? '')?.[1] ?? '';
    Object.assign(pre, { tabIndex: 0, dir: 'ltr' });
    const figure = element('figure', { class: 'code', dir: 'ltr' },
      element('figcaption', {}, element('span', { class: 'code-language', textContent: language }),
        element('button', { type: 'button', class: 'quiet small copy-code' }, icon('copy'), element('span', { text: 'common.copy' }))));
    pre.replaceWith(figure);
    figure.append(pre);
  }
}
