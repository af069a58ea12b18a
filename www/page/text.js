// The page's words in the visitor's language. A message is looked up by its key; an element that shows one remembers the
// key, so that a change of language reaches everything at once.

/** Languages that are complete, by code, each under its own name. */
export const LANGUAGES = { en: 'English', zh: '简体中文' };

// Where a message can stand in an element: the attribute that remembers its key → how it is shown.
const PLACES = {
  text: (node, words) => { node.textContent = words; },
  label: (node, words) => node.setAttribute('aria-label', words),
  hint: (node, words) => { node.title = words; },
  placeholder: (node, words) => { node.placeholder = words; },
};

const parameters = new WeakMap(); // element → place → what stands in its message
let messages = {};
let language = 'en';
let plural = new Intl.PluralRules('en');
let number = new Intl.NumberFormat('en');

/** Dispatches `change` when another language holds. */
export const words = new EventTarget();

/** The code of the language in use. */
export const currentLanguage = () => language;

/** Loads a language and shows it everywhere. */
export async function useLanguage(code) {
  const chosen = Object.hasOwn(LANGUAGES, code) ? code : 'en';
  ({ default: messages } = await import(`./messages/${chosen}.json`, { with: { type: 'json' } }));
  language = chosen;
  plural = new Intl.PluralRules(chosen);
  number = new Intl.NumberFormat(chosen);
  document.documentElement.lang = chosen === 'zh' ? 'zh-Hans' : chosen;
  for (const place of Object.keys(PLACES)) {
    for (const node of document.querySelectorAll(`[data-${place}]`)) show(node, place);
  }
  words.dispatchEvent(new Event('change'));
}

/**
 * The message of this key, with `{name}` replaced by the parameter of that name. One with a `count` may have a form for
 * each plural of the language (`key.one`, `key.other`).
 * @param {string} key
 * @param {Record<string, string | number>} [params]   numbers are written as the language does
 */
export function t(key, params = {}) {
  const forms = typeof params.count === 'number' ? [`${key}.${plural.select(params.count)}`, `${key}.other`] : [];
  const message = [...forms, key].map((name) => messages[name]).find((text) => text !== undefined) ?? key;
  return message.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    return typeof value === 'number' ? number.format(value) : value ?? whole;
  });
}

/**
 * Shows a message in an element, now and after every change of language.
 * @param {Element} node
 * @param {'text' | 'label' | 'hint' | 'placeholder'} place   its text, its name for assistive technology, tooltip, placeholder
 * @param {string | [string, object]} message   a key, alone or with parameters
 */
export function say(node, place, message) {
  const [key, params] = Array.isArray(message) ? message : [message];
  node.dataset[place] = key;
  if (params) parameters.set(node, { ...parameters.get(node), [place]: params });
  show(node, place);
}

function show(node, place) {
  PLACES[place](node, t(node.dataset[place], parameters.get(node)?.[place]));
}
