// Making nodes. Text goes in as text only: nothing here parses markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]   `on…` are listeners, `text` is the text, booleans are there or not, all
 *   else are attributes; null and undefined are left out
 * @param {...(Node | string | null | undefined)} children
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const name of Object.keys(properties)) set(node, name, properties[name]);
  for (const child of children) if (child !== null && child !== undefined) node.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
  return node;
}

/** @param {HTMLElement} node @param {string} name @param {any} value */
function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === 'text') node.textContent = value;
  else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else node.setAttribute(name, value === true ? '' : value);
}

/** Sets or, with null, removes an attribute. @param {Element} node @param {string} name @param {any} value */
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? '' : value);
}

/** A picture of paths on a 24 × 24 grid, drawn with the text's colour. @param {...string} paths */
export function icon(...paths) {
  const picture = document.createElementNS(SVG, 'svg');
  picture.setAttribute('viewBox', '0 0 24 24');
  picture.setAttribute('aria-hidden', 'true');
  for (const d of paths) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    picture.appendChild(path);
  }
  return picture;
}

/** A style sheet that strict policies allow: it is no inline style. @param {string} text */
export function styleSheet(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}

/** Gives the tree that a node is in this style, once. @param {Node} node @param {CSSStyleSheet} sheet */
export function adopt(node, sheet) {
  const root = /** @type {Document | ShadowRoot} */ (node.getRootNode());
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
