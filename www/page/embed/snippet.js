// What was chosen in the form → the lines for a site's page. Knows no document.

// Attributes of <cresset-chat>, in the order they are written. `flag`: there or not.
const ATTRIBUTES = [
  { name: 'model', usual: 'default' },
  { name: 'title' },
  { name: 'greeting' },
  { name: 'placeholder' },
  { name: 'system' },
  { name: 'position', usual: 'bottom-right' },
  { name: 'theme', usual: 'auto' },
  { name: 'accent' },
  { name: 'lang', usual: '' },
  { name: 'endpoint' },
  { name: 'consent', flag: true },
  { name: 'local-only', flag: true },
];

/** The attributes that say something: what is the widget's own default is left out, but for the model. @returns {[string, string][]} */
export function attributesOf(choices) {
  return ATTRIBUTES.flatMap(({ name, usual, flag }) => {
    const value = choices[name];
    if (flag) return value ? [[name, '']] : [];
    const text = String(value ?? '').trim();
    return text && (text !== usual || name === 'model') ? [[name, text]] : [];
  });
}

/**
 * @param {Record<string, string | boolean>} choices
 * @param {string} base   address of the folder with cresset-chat.js
 */
export function snippetOf(choices, base) {
  const lines = attributesOf(choices).map(([name, value]) => (value === '' ? name : `${name}="${escape(value)}"`));
  const tag = `<cresset-chat ${lines.join('\n              ')}></cresset-chat>`;
  return `<script type="module" src="${escape(new URL('cresset-chat.js', base).href)}"></script>\n${tag}\n`;
}

/** The directives that a site with a content security policy adds for it. */
export function policyOf(choices, base, page) {
  const { origin } = new URL(base);
  const own = origin === new URL(page).origin;
  const hub = /^hf:/.test(choices.model ?? '') ? ' https://huggingface.co https://*.hf.co' : '';
  const model = /^https?:/.test(choices.model ?? '') ? ` ${new URL(choices.model).origin}` : '';
  const server = /^https?:/.test(choices.endpoint ?? '') ? ` ${new URL(choices.endpoint).origin}` : '';
  return [
    `script-src ${own ? "'self'" : origin} 'wasm-unsafe-eval'`,
    `worker-src ${own ? "'self'" : 'blob:'}`,
    `connect-src ${own ? "'self'" : origin}${hub}${model}${server}`,
  ].join('; ');
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
