// Makes one piece of a document equal another by changing only what differs: what a reader selected or is about to click
// stays.

/**
 * @param {Node} node   in the document
 * @param {Node} wanted   its children are what `node` shall have; they may be moved out of it
 */
export function morph(node, wanted) {
  const children = [...wanted.childNodes];
  children.forEach((child, i) => {
    const there = node.childNodes[i];
    if (!there) node.appendChild(child);
    else if (!become(there, child)) there.replaceWith(child);
  });
  while (node.childNodes.length > children.length) node.lastChild?.remove();
}

/** Makes a node like another one; false, and nothing is done, where they are of different kinds. @param {any} node @param {any} wanted */
export function become(node, wanted) {
  // A link that leads elsewhere is another link; as the same one it would be seen to jump.
  if (node.nodeName !== wanted.nodeName || node.href !== wanted.href) return false;
  if (node.nodeType === Node.TEXT_NODE) setText(node, wanted.data);
  else {
    for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    morph(node, wanted);
  }
  return true;
}

/** @param {Text} node @param {string} text */
function setText(node, text) {
  if (text === node.data) return;
  // Appending keeps a selection within the old text.
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}
