// Makes one piece of the document equal another by changing only what differs: what the visitor selected, opened or is
// about to click stays.

/**
 * @param {Node} node   in the document
 * @param {Node} wanted   its children are what `node` shall have; they may be moved out of it
 */
export function morph(node, wanted) {
  const have = [...node.childNodes];
  const want = [...wanted.childNodes];
  for (const [i, child] of want.entries()) {
    if (!have[i]) node.append(child);
    else if (!alike(have[i], child)) have[i].replaceWith(child);
    else if (child.nodeType === Node.TEXT_NODE) setText(have[i], child.data);
    else {
      setAttributes(have[i], child);
      morph(have[i], child);
    }
  }
  for (const surplus of have.slice(want.length)) surplus.remove();
}

/** Whether one can become the other. A link that leads elsewhere is another link. */
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.className === b.className && a.href === b.href;

function setText(node, text) {
  // Appending keeps a selection within the old text.
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

function setAttributes(node, wanted) {
  for (const { name, value } of [...wanted.attributes]) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name) && name !== 'open') node.removeAttribute(name);
}
