// What was chosen in the form → the lines for a site's page. Knows no document.

/**
 * What was chosen, by attribute.
 * @typedef {Record<string, string | boolean>} Choices
 */

/** Of the attribute `voice`: answers can be read aloud, and no more; it is written without a value. */
export const ALOUD = 'aloud';

/** Attributes of <cresset-chat>, in the order they are written. `flag`: there or not, or with a word for not. @type {{ name: string, usual?: string, flag?: boolean, off?: string }[]} */
const ATTRIBUTES = [
  { name: 'model', usual: 'default' },
  { name: 'title' },
  { name: 'greeting' },
  { name: 'placeholder' },
  { name: 'system' },
  { name: 'voice' },
  { name: 'images', flag: true },
  { name: 'position', usual: 'bottom-right' },
  { name: 'theme', usual: 'auto' },
  { name: 'accent' },
  { name: 'lang', usual: '' },
  { name: 'endpoint' },
  { name: 'consent', flag: true, off: 'false' },
  { name: 'local-only', flag: true },
];

/**
 * The attributes that say something: what is the widget's own default is left out, but for the model.
 * @param {Choices} choices
 * @returns {[string, string][]}
 */
export function attributesOf(choices) {
  return ATTRIBUTES.filter(({ name, usual, flag, off }) => {
    const text = textOf(choices, name);
    return flag ? choices[name] || off : text && (text !== usual || name === 'model');
  }).map(({ name, flag, off = '' }) => [name, flag ? (choices[name] ? '' : off) : name === 'voice' && choices.voice === ALOUD ? '' : textOf(choices, name)]);
}

/**
 * @param {Choices} choices
 * @param {string} base   address of the folder with cresset-chat.js
 */
export function snippetOf(choices, base) {
  const lines = attributesOf(choices).map(([name, value]) => (value === '' ? name : `${name}="${escape(value)}"`));
  const tag = `<cresset-chat ${lines.join('\n              ')}></cresset-chat>`;
  return `<script type="module" src="${escape(new URL('cresset-chat.js', base).href)}"></script>\n${tag}\n`;
}

/** The directives that a site with a content security policy adds for it. @param {Choices} choices @param {string} base @param {string} page */
export function policyOf(choices, base, page) {
  const { origin } = new URL(base);
  const own = origin === new URL(page).origin;
  const [model, endpoint, voice] = ['model', 'endpoint', 'voice'].map((name) => textOf(choices, name));
  const hub = [model, voice].some((name) => /^hf:/.test(name)) ? ' https://huggingface.co https://*.hf.co' : '';
  const hosts = [model, endpoint].map((address) => (/^https?:/.test(address) && URL.canParse(address) ? ` ${new URL(address).origin}` : ''));
  return [
    `script-src ${own ? "'self'" : origin} 'wasm-unsafe-eval'`,
    `worker-src ${own ? "'self'" : 'blob:'}`,
    `connect-src ${own ? "'self'" : origin}${hub}${hosts.join('')}`,
  ].join('; ');
}

/** @param {Choices} choices @param {string} name */
const textOf = (choices, name) => String(choices[name] ?? '').trim();

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
