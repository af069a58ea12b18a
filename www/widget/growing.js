// A Markdown text that grows. Blocks that are whole are made once; only the last one is made anew, and of it only what
// changed reaches the document, so that a selection in it stays.

import { blocksOf, renderBlock } from './markdown.js';

export class GrowingText {
  #box;
  #around;
  #text = '';
  #whole = 0; // length of the text whose blocks are final
  #last = null; // node of the block that still grows

  /** @param {HTMLElement} box @param {import('./markdown.js').Surroundings} around */
  constructor(box, around) {
    this.#box = box;
    this.#around = around;
  }

  /** @param {string} text   mostly what was there and more */
  set(text) {
    if (text === this.#text) return;
    if (!text.startsWith(this.#text)) this.#reset();
    this.#text = text;
    const tokens = blocksOf(text.slice(this.#whole));
    const growing = tokens.findLastIndex(({ type }) => type !== 'space');
    for (const token of tokens.slice(0, Math.max(growing, 0))) {
      this.#show(token);
      this.#last = null;
      this.#whole += token.raw.length;
    }
    if (growing >= 0) this.#show(tokens[growing]);
  }

  /** The same text in other surroundings, another language say. @param {import('./markdown.js').Surroundings} around */
  renew(around) {
    const text = this.#text;
    this.#around = around;
    this.#reset();
    this.set(text);
  }

  #show(token) {
    const node = renderBlock(token, this.#around);
    if (!node) return;
    if (!this.#last) this.#box.appendChild(node);
    else if (!becomes(this.#last, node)) this.#last.replaceWith(node);
    else return;
    this.#last = node;
  }

  #reset() {
    this.#text = '';
    this.#whole = 0;
    this.#last = null;
    this.#box.replaceChildren();
  }
}

/** Makes a node like another one by changing what differs; false where it is of another kind. */
function becomes(node, wanted) {
  // A link that leads elsewhere is another link; as the same one it would be seen to jump.
  if (node.nodeName !== wanted.nodeName || node.href !== wanted.href) return false;
  if (node.nodeType === Node.TEXT_NODE) {
    const [old, now] = [node.data, wanted.data];
    if (now.startsWith(old)) { if (now.length > old.length) node.appendData(now.slice(old.length)); }
    else node.data = now;
    return true;
  }
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  const children = [...wanted.childNodes];
  children.forEach((child, i) => {
    const there = node.childNodes[i];
    if (!there) node.appendChild(child);
    else if (!becomes(there, child)) there.replaceWith(child);
  });
  while (node.childNodes.length > children.length) node.lastChild.remove();
  return true;
}
