// Small helpers for the page. Text reaches the document only as text nodes.

import { say } from './text.js';

/**
 * @typedef {import('./types.d.ts').Ids} Ids
 * @typedef {import('./types.d.ts').Place} Place
 */

/** @type {string[]} */
const PLACES = ['text', 'label', 'hint', 'placeholder'];

/** The element with this id. @template {string} I @param {I} id @returns {I extends keyof Ids ? Ids[I] : HTMLElement} */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * A new element. Properties by name (`class`, `for`, `data-…` and `aria-…` as attributes); `text`, `label`, `hint` and
 * `placeholder` are messages of the page's language (a key, or a key with parameters). Children are nodes or text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {import('./types.d.ts').Properties<HTMLElementTagNameMap[T]>} [properties]
 * @param {...import('./types.d.ts').Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, properties = {}, ...children) {
  /** @type {any} */
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(/** @type {Record<string, any>} */ (properties))) {
    if (value === undefined || value === null) continue;
    if (PLACES.includes(name)) say(node, /** @type {Place} */ (name), value);
    else if (name === 'class' || name === 'for' || name === 'role' || name.includes('-')) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** What the page remembers on this device; nothing where storage is blocked. */
export const memory = {
  /** Null where there is nothing of this shape. @template T @param {string} key @param {import('../chat/shapes.js').Shape<T>} shape @returns {T | null} */
  get(key, shape) {
    try {
      return shape(JSON.parse(localStorage.getItem(`cresset.${key}`) ?? 'null'));
    } catch {
      return null;
    }
  },
  /** Gives whether it was kept. @param {string} key @param {unknown} value */
  set(key, value) {
    try {
      localStorage.setItem(`cresset.${key}`, JSON.stringify(value));
      return true;
    } catch {
      return false; // blocked or full: the page works, it only forgets
    }
  },
  /** @param {string} key */
  remove(key) {
    try {
      localStorage.removeItem(`cresset.${key}`);
    } catch {
      // It was never kept.
    }
  },
};

/** Says something to screen readers, once. @param {string} text */
export function announce(text) {
  byId('announcer').textContent = text;
}

/**
 * Copies a text; gives whether the browser allowed it.
 * @param {string | Promise<string>} text   a promise is handed on as it is: a browser may want the call within the click
 */
export async function copy(text) {
  try {
    if (typeof text === 'string') await navigator.clipboard.writeText(text);
    else await navigator.clipboard.write([new ClipboardItem({ 'text/plain': text.then((text) => new Blob([text], { type: 'text/plain' })) })]);
    return true;
  } catch {
    return false; // an insecure origin, or no permission
  }
}

/** Offers a text as a file. @param {string} name @param {string} type @param {string} text */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A message of the library as a sentence; one that begins with a file's or field's name keeps it as it is. @param {string} message */
export function sentence(message) {
  const text = message.trim();
  const start = /^[a-z’']+[ ,]/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${start}${text.slice(1)}${/[.!?。]$/.test(text) ? '' : '.'}`;
}
