// Small helpers for the page. Text reaches the document only as text nodes.

import { say } from './text.js';

/** @type {any[]} */
const PLACES = ['text', 'label', 'hint', 'placeholder'];

/** The element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. Properties by name (`class`, `for`, `data-…` and `aria-…` as attributes); `text`, `label`, `hint` and
 * `placeholder` are messages of the page's language (a key, or a key with parameters). Children are nodes or text.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(/** @type {Record<string, any>} */ (properties))) {
    if (value === undefined || value === null) continue;
    if (PLACES.includes(name)) say(node, /** @type {any} */ (name), value);
    else if (name === 'class' || name === 'for' || name === 'role' || name.includes('-')) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  return node;
}

/** What the page remembers on this device; nothing where storage is blocked. */
export const memory = {
  get(key) {
    try {
      return JSON.parse(localStorage.getItem(`cresset.${key}`));
    } catch {
      return null;
    }
  },
  /** Gives whether it was kept. */
  set(key, value) {
    try {
      localStorage.setItem(`cresset.${key}`, JSON.stringify(value));
      return true;
    } catch {
      return false; // blocked or full: the page works, it only forgets
    }
  },
  remove(key) {
    try {
      localStorage.removeItem(`cresset.${key}`);
    } catch {
      // It was never kept.
    }
  },
};

/** Says something to screen readers, once. */
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

/** Offers a text as a file. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A message of the library as a sentence; one that begins with a file's or field's name keeps it as it is. */
export function sentence(message) {
  const text = message.trim();
  const start = /^[a-z’']+[ ,]/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${start}${text.slice(1)}${/[.!?。]$/.test(text) ? '' : '.'}`;
}
