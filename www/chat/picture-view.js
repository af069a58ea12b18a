// Pictures as they are seen: drawn, since many a page's policy lets no image be of a `data:` address.

import { element } from './dom.js';

/** @typedef {import('./types.d.ts').Picture} Picture */

/** Pixels of the edge that is drawn of a picture among the turns, twice what it takes of a usual screen. */
const SEEN = 640;

/**
 * A picture, of at most so many pixels an edge; nothing but its name where it cannot be shown.
 * @param {Picture} picture
 * @param {string} alt
 * @param {number} [most]
 */
export function drawingOf({ url, width = 1, height = 1 }, alt, most = SEEN) {
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = /** @type {HTMLCanvasElement} */ (
    element('canvas', { role: 'img', 'aria-label': alt, width: String(Math.ceil(width * scale)), height: String(Math.ceil(height * scale)) })
  );
  draw(canvas, url, most).catch(() => canvas.replaceWith(element('span', { class: 'unseen-picture', text: alt })));
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @param {string} url @param {number} most */
async function draw(canvas, url, most) {
  const bitmap = await createImageBitmap(blobOf(url));
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.ceil(bitmap.width * scale);
  canvas.height = Math.ceil(bitmap.height * scale);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}

/** @param {string} url   data:, in base64 */
function blobOf(url) {
  const bytes = atob(url.slice(url.indexOf(',') + 1));
  return new Blob([Uint8Array.from(bytes, (sign) => sign.charCodeAt(0))], { type: url.slice(5, url.indexOf(';')) });
}

/**
 * Shows the pictures of a turn: each a button that opens it.
 * @param {HTMLElement} box
 * @param {Picture[]} pictures
 * @param {(key: string, values?: Record<string, string | number>) => string} t
 */
export function showPictures(box, pictures, t) {
  box.replaceChildren(
    ...pictures.map((picture) =>
      element(
        'button',
        { type: 'button', class: 'picture', part: 'picture', title: t('pictures.open', { name: picture.name }), onclick: () => openPicture(box, picture, t) },
        drawingOf(picture, t('pictures.alt', { name: picture.name })),
      ),
    ),
  );
}

/** As large as there is room, until a click or Escape. @param {HTMLElement} box @param {Picture} picture @param {(key: string, values?: Record<string, string | number>) => string} t */
function openPicture(box, picture, t) {
  const alt = t('pictures.alt', { name: picture.name });
  const close = element('button', { type: 'button', class: 'picture-close', 'aria-label': t('pictures.close'), title: t('pictures.close') }, '×');
  const dialog = /** @type {HTMLDialogElement} */ (
    element('dialog', { class: 'picture-dialog', 'aria-label': alt }, drawingOf(picture, alt, Number.MAX_SAFE_INTEGER), close)
  );
  dialog.addEventListener('click', () => dialog.close());
  // What it is opened from is not closed by the same key.
  for (const type of ['keydown', 'cancel', 'close']) dialog.addEventListener(type, (event) => event.stopPropagation());
  dialog.addEventListener('close', () => dialog.remove());
  box.append(dialog);
  dialog.showModal();
}
