// The page in the preview: an outline of a site with the widget in it. The form's page says what the widget shall be.

const page = globalThis.parent;
/** @type {HTMLElement | null} */
let widget = null;

/** @param {{ attributes: [string, string][], language: string, missing: string }} wanted */
async function show({ attributes, language, missing }) {
  document.documentElement.lang = language;
  try {
    await import('../../cresset-chat.js');
  } catch {
    // This copy of the page came without the widget: the lines are right all the same.
    const note = /** @type {HTMLElement} */ (document.getElementById('missing'));
    note.textContent = missing;
    note.hidden = false;
    return;
  }
  // Attributes may change at any time: only what differs is touched, so that a conversation in the preview stays.
  const wanted = new Map(attributes);
  if (!widget) widget = document.createElement('cresset-chat');
  for (const { name } of [...widget.attributes]) if (!wanted.has(name)) widget.removeAttribute(name);
  for (const [name, value] of wanted) if (widget.getAttribute(name) !== value) widget.setAttribute(name, value);
  if (!widget.isConnected) document.body.append(widget);
}

addEventListener('message', ({ source, origin, data }) => {
  if (source === page && origin === location.origin) show(data);
});
page.postMessage('cresset-preview-ready', location.origin);
