// The page's words in the visitor's language. An element that shows a message remembers its key, so that a change of language
// reaches everything at once.

import { Translator } from '../chat/i18n.js';
import { localeOf } from '../chat/locale.js';

/**
 * @typedef {import('./types.d.ts').Place} Place
 * @typedef {import('./types.d.ts').Values} Values
 */

/**
 * Where a message can stand in an element: the attribute that remembers its key → how it is shown.
 * @type {Record<Place, (node: HTMLElement, words: string) => void>}
 */
const PLACES = {
  text: (node, words) => {
    node.textContent = words;
  },
  label: (node, words) => node.setAttribute('aria-label', words),
  hint: (node, words) => {
    node.title = words;
  },
  placeholder: (node, words) => {
    /** @type {HTMLInputElement} */ (node).placeholder = words;
  },
};

/** What stands in an element's messages. @type {WeakMap<HTMLElement, Partial<Record<Place, Values>>>} */
const parameters = new WeakMap();
let translator = new Translator(localeOf());
/** Parts of the page whose words came when they were opened: tables of `locales/PART/`. @type {Set<string>} */
const parts = new Set();
/** @type {Promise<unknown>} */
let changing = Promise.resolve();

/** Dispatches `change` when another language holds. */
export const words = new EventTarget();

/** The messages of the language in use. */
export const translation = () => translator;

/** The locale in use. */
export const currentLanguage = () => translator.locale;

/** What `lang` says of a locale's text. @param {string} locale */
export const langOf = (locale) => (locale === 'zh-CN' ? 'zh-Hans' : locale);

/** Loads the first of these languages that there is, and shows it everywhere. @param {...(string | null | undefined)} tags */
export async function useLanguage(...tags) {
  const locale = localeOf(...tags);
  const tables = await Promise.all([
    import(`../chat/locales/${locale}.js`),
    import(`../page/locales/${locale}.json`, { with: { type: 'json' } }),
    ...[...parts].map((part) => import(`../page/locales/${part}/${locale}.json`, { with: { type: 'json' } })),
  ]);
  translator = new Translator(locale, ...tables.map((table) => table.default));
  document.documentElement.lang = langOf(locale);
  for (const place of /** @type {Place[]} */ (Object.keys(PLACES))) {
    for (const node of document.querySelectorAll(`[data-${place}]`)) show(/** @type {HTMLElement} */ (node), place);
  }
  words.dispatchEvent(new Event('change'));
}

/** Loads the words of a part of the page, in the language in use and in those that come after it. @param {string} part */
export function addWords(part) {
  if (parts.has(part)) return changing;
  parts.add(part);
  changing = useLanguage(translator.locale).catch((error) => {
    parts.delete(part);
    throw error;
  });
  return changing;
}

/**
 * The message of this key, with `{name}` replaced by the parameter of that name: see chat/i18n.js.
 * @param {string} key
 * @param {Values} [params]   numbers are written as the language does
 */
export function t(key, params) {
  return translator.t(key, params);
}

/**
 * Shows a message in an element, now and after every change of language.
 * @param {HTMLElement} node
 * @param {Place} place
 * @param {import('./types.d.ts').Message} message
 */
export function say(node, place, message) {
  const [key, params] = Array.isArray(message) ? message : [message];
  node.dataset[place] = key;
  if (params) parameters.set(node, { ...parameters.get(node), [place]: params });
  show(node, place);
}

/** @param {HTMLElement} node @param {Place} place */
function show(node, place) {
  PLACES[place](node, t(node.dataset[place] ?? '', parameters.get(node)?.[place]));
}
