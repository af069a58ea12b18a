// Small helpers for the page. Text reaches the document only as text nodes.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element: properties by name (`class`, `data-…` and `aria-…` as attributes), children as nodes or text.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string | null)} children
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'class' || name === 'for' || name.includes('-')) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null));
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
  set(key, value) {
    try {
      localStorage.setItem(`cresset.${key}`, JSON.stringify(value));
    } catch {
      // Blocked or full: the page works, it only forgets.
    }
  },
};

/** Says something to screen readers, once. */
export function announce(text) {
  byId('announcer').textContent = text;
}

/** A message of the library as a sentence; one that begins with a file's or field's name keeps it as it is. */
export function sentence(message) {
  const text = message.trim();
  const start = /^[a-z’']+[ ,]/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${start}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
