// What a caller calls a picture → pixels, which is what models see. The platform decodes: it knows the formats, and which way up.

import { CressetError } from './errors.js';
import { each, replaceParts } from './parts.js';
import { own } from './requests.js';

// A photograph of 16 megapixels is more than any model looks at; a larger one is made smaller first.
const MOST_PIXELS = 1 << 24;
const MOST_EDGE = 16_384;

/** @typedef {import('./types.d.ts').Pixels} Pixels */

/** @param {string} field @param {string} reason */
const refusal = (field, reason) => new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });

/**
 * A request whose pictures are numbers, in a chat `image_url: { picture: n }`, as input of embeddings `{ image: n }`, and the pictures
 * of these numbers.
 * @param {any} body
 * @returns {Promise<{ body: any, pictures: Pixels[] }>}
 */
export async function takePictures(body) {
  /** @type {Pixels[]} */
  const pictures = [];
  const take = async (/** @type {any} */ picture, /** @type {string} */ field) => pictures.push(await pixelsOf(picture, field)) - 1;
  const told = { ...own(body) };
  if (told.messages !== undefined) {
    told.messages = await replaceParts(told.messages, 'image_url', async (part, field) => {
      const picture = await take(given(part), field);
      return { type: 'image_url', image_url: { picture } };
    });
  }
  const image = async (/** @type {any} */ item, /** @type {string} */ field) =>
    item?.image === undefined ? item : { image: await take(item.image, `${field}.image`) };
  const { input } = told;
  if (input !== undefined) told.input = Array.isArray(input) ? await each(input, (item, i) => image(item, `input[${i}]`)) : await image(input, 'input');
  return { body: told, pictures };
}

/**
 * A chat's messages whose pictures are their sizes: `image_url: { width, height }`.
 * @param {any} messages
 * @returns {Promise<any>}
 */
export const measurePictures = (messages) =>
  replaceParts(messages, 'image_url', async (part, field) => ({ type: 'image_url', image_url: await open(given(part), field, shownSize) }));

/** The picture of a part. @param {any} part */
function given({ image_url: picture }) {
  return typeof picture === 'object' && picture?.url !== undefined ? picture.url : picture;
}

/** @param {any} picture @param {string} field @returns {Promise<Pixels>} */
const pixelsOf = (picture, field) => open(picture, field, (shown) => (globalThis.ImageData && shown instanceof ImageData ? shown : drawn(shown, field)));

/**
 * What `look` finds in a picture.
 * @template T
 * @param {any} picture   a Blob, an address (data:, blob:, of this site, or of one that allows it), an ImageData, or an ImageBitmap
 * @param {string} field
 * @param {(shown: any) => T} look   an ImageData or an ImageBitmap
 * @returns {Promise<T>}
 */
async function open(picture, field, look) {
  if (globalThis.ImageData && picture instanceof ImageData) return look(picture);
  if (globalThis.ImageBitmap && picture instanceof ImageBitmap) return look(picture);
  const blob = picture instanceof Blob ? picture : await fetched(picture, field);
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' }).catch(() => {
    throw refusal(field, `${/** @type {File} */ (blob).name ?? 'it'} is no picture that this browser can show`);
  });
  try {
    return look(bitmap);
  } finally {
    bitmap.close();
  }
}

/** The size that a picture is looked at in. @param {{ width: number, height: number }} picture */
function shownSize({ width, height }) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)), MOST_EDGE / Math.max(width, height));
  const [columns, rows] = [width, height].map((edge) => Math.max(1, Math.floor(edge * scale)));
  return { width: columns, height: rows };
}

/** @param {any} url @param {string} field */
async function fetched(url, field) {
  if (typeof url !== 'string') throw refusal(field, 'expected a Blob, the address of a picture, an ImageData or an ImageBitmap');
  if (/^data:/i.test(url)) return inside(url, field);
  const response = await fetch(url).catch(() => {
    throw refusal(field, `${url} cannot be read; its server must be there, and allow this page (CORS)`);
  });
  if (!response.ok) throw refusal(field, `${url} cannot be read (HTTP ${response.status})`);
  return response.blob();
}

/** What a `data:` address holds. A page's policy may keep it from fetching one. @param {string} url @param {string} field */
function inside(url, field) {
  const comma = url.indexOf(',');
  const [head, body] = [url.slice(5, comma), url.slice(comma + 1)];
  try {
    if (comma < 0) throw new TypeError('no data');
    const text = decodeURIComponent(body);
    const bytes = /;\s*base64\s*$/i.test(head) ? Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)) : new TextEncoder().encode(text);
    return new Blob([bytes], { type: head.split(';')[0] });
  } catch {
    throw refusal(field, 'the data: address is broken');
  }
}

/** @param {ImageBitmap} bitmap @param {string} field @returns {Pixels} */
function drawn(bitmap, field) {
  const { width, height } = shownSize(bitmap);
  if (!globalThis.OffscreenCanvas) throw refusal(field, 'this browser has no OffscreenCanvas, which pictures are read with; give an ImageData');
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw refusal(field, 'there is no memory to read it with');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
