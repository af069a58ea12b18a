// Colours for code: text that is settled, and its language → the same characters in spans with the classes of highlight.js, which
// is fetched with the first of them. Where it cannot be had, code stays as it is.

import { adopt, element, styleSheet } from '../dom.js';

// Longer code would hold up the page.
const LONGEST = 20_000; // UTF-16 units
const PIECES = /<span class="([^"<>]*)">|(<\/span>)|&(amp|lt|gt|quot|#x27);|([^<&]+)/g;
/** @type {Record<string, string>} */
const CHARACTERS = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'" };

// `--soft` is the place's own.
const STYLE = `
.hljs-comment, .hljs-quote, .hljs-meta { color: var(--soft); }
.hljs-keyword, .hljs-selector-tag, .hljs-built_in, .hljs-name, .hljs-tag, .hljs-deletion { color: light-dark(#8a2506, #ff9d6b); }
.hljs-string, .hljs-regexp, .hljs-addition, .hljs-selector-attr { color: light-dark(#1f531f, #a5cf8a); }
.hljs-number, .hljs-literal, .hljs-symbol, .hljs-bullet { color: light-dark(#67298c, #cda6f0); }
.hljs-title, .hljs-section, .hljs-selector-class, .hljs-selector-id { color: light-dark(#164c70, #8cc4ec); }
.hljs-attr, .hljs-attribute, .hljs-variable, .hljs-template-variable, .hljs-type, .hljs-params { color: light-dark(#5f4300, #e3c078); }
`;

/** @type {Promise<typeof import('../../vendor/highlight.min.js').default | null> | null} */
let library = null;
/** @type {CSSStyleSheet | null} */
let sheet = null;
/** One piece of code after the other, each in a task of its own. */
let last = Promise.resolve();

/** Colours the code within a block that changes no more. @param {ChildNode | null} block */
export function colour(block) {
  if (!(block instanceof Element)) return;
  const figures = block.matches('figure.code') ? [block] : [...block.querySelectorAll('figure.code')];
  for (const figure of figures) last = last.then(() => paint(figure)).catch(() => {});
}

/** @param {Element} figure */
async function paint(figure) {
  const language = figure.querySelector('figcaption span')?.textContent ?? '';
  const code = figure.querySelector('pre code');
  const text = code?.textContent ?? '';
  if (!code || !language || text.length > LONGEST || code.childElementCount > 0) return;
  library ??= import('../../vendor/highlight.min.js').then((module) => module.default).catch(() => null);
  const highlighter = await library;
  if (!highlighter?.getLanguage(language)) return;
  await new Promise((resolve) => {
    setTimeout(resolve);
  });
  if (code.textContent !== text) return; // it goes on, and comes again
  const { value } = highlighter.highlight(text, { language, ignoreIllegals: true });
  const nodes = nodesOf(value);
  if (nodes.textContent !== text) return;
  sheet ??= styleSheet(STYLE);
  adopt(code, sheet);
  code.replaceChildren(nodes);
}

/**
 * What the highlighter writes, as nodes: spans with a class, and text.
 * @param {string} value
 */
export function nodesOf(value) {
  const root = document.createDocumentFragment();
  /** @type {Node[]} */
  const within = [root];
  for (const [, name, end, character, text] of value.matchAll(PIECES)) {
    const parent = /** @type {Node} */ (within.at(-1));
    if (name !== undefined) within.push(parent.appendChild(element('span', { class: name })));
    else if (end) within.length > 1 && within.pop();
    else parent.appendChild(document.createTextNode(text ?? CHARACTERS[character]));
  }
  root.normalize();
  return root;
}
