// A model's Markdown → document nodes that can do no harm. Markup in the text is shown as text; images are not fetched;
// links say where they lead. marked parses, DOMPurify lets through only what is listed here.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { Blocks } from './blocks.js';
import { morph } from './morph.js';

const ALLOWED = {
  ALLOWED_TAGS: ['a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 'span', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul'],
  ALLOWED_ATTR: ['align', 'class', 'href', 'start'],
  ADD_URI_SAFE_ATTR: ['align', 'start'], // no addresses: the next line is not about them
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};
// Each of these takes its direction from its own first letter.
const OWN_DIRECTION = 'p, h2, h3, h4, h5, h6, li, td, th, blockquote';

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
  #outline = []; // depths of the headings that the settled blocks stand below
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
      this.#outline = [];
    }
    for (const token of settled) {
      this.#render(token, this.#outline);
      this.#open = null;
    }
    if (open) this.#render(open, [...this.#outline]);
  }

  /** The whole text, once nothing follows. */
  finish(text) {
    this.update(text);
    // A link may be explained after it was used: only the whole text has both.
    if (!this.#tools || !/^ {0,3}\[[^\]]+\]:/m.test(text)) return;
    const tokens = this.#tools.marked.lexer(text).filter(({ type }) => type !== 'space');
    const outline = [];
    morph(this.#node, element('div', {}, ...tokens.map((token) => this.#block(token, outline))));
  }

  #render(token, outline) {
    const block = this.#block(token, outline);
    if (this.#open) return morph(this.#open, block);
    this.#open = block;
    this.#node.append(block);
  }

  /** @param {number[]} outline   is brought up to what follows the block */
  #block(token, outline) {
    const { marked, purify } = this.#tools;
    const fragment = purify.sanitize(marked.parser([token]).trimEnd(), ALLOWED);
    order(fragment, outline);
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
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
    checkbox: ({ checked }) => `<span class="box">${checked ? '☑' : '☐'}</span> `,
    code: ({ text, lang }) => `<pre><code class="language-${escape(lang?.match(/^[\w+#.-]+/)?.[0] ?? '')}">${escape(text)}\n</code></pre>`,
  };
}

function escape(text) {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Headings below the page's own, one level at a time, whatever levels the model skips; they look as it wrote them. */
function order(fragment, outline) {
  for (const heading of fragment.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const depth = Number(heading.nodeName[1]);
    while (outline.at(-1) >= depth) outline.pop();
    outline.push(depth);
    const ordered = element(`h${Math.min(outline.length + 1, 6)}`, { class: `depth-${depth}` });
    ordered.append(...heading.childNodes);
    heading.replaceWith(ordered);
  }
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
