// The pictures of a conversation as data: how large they may be, their shape, and how messages have them in OpenAI's form.

import { list, number, object, text } from './shapes.js';

/**
 * @typedef {import('./types.d.ts').Picture} Picture
 * @typedef {import('./types.d.ts').Message} Message
 */

/** Pictures of a message; of the copy that is kept of one and sent: pixels of its longer edge, bytes. */
export const MOST = { pictures: 8, edge: 2048, bytes: 1_000_000 };

const MOST_NAME = 200;
const MOST_URL = 30 + 4 * Math.ceil(MOST.bytes / 3);
const DATA = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** An address that holds a picture. @type {import('./shapes.js').Shape<string>} */
const url = (value) => {
  const right = text(MOST_URL)(value);
  return right !== null && DATA.test(right) ? right : null;
};
const edge = number(1, MOST.edge);

/** The pictures of a message; those that are none are left out. @type {import('./shapes.js').Shape<Picture[]>} */
export const pictures = list(object({ name: text(MOST_NAME), url }, { width: edge, height: edge }), MOST.pictures);

/** The name of a file, as it is kept. @param {string} name */
export const nameOf = (name) => name.slice(-MOST_NAME);

/** What a message says, as requests have it: its text, or parts where it has pictures. @param {Pick<Message, 'content' | 'pictures'>} message */
export function contentOf({ content, pictures: shown = [] }) {
  if (shown.length === 0) return content;
  const parts = shown.map(({ url }) => ({ type: /** @type {const} */ ('image_url'), image_url: { url } }));
  return content ? [...parts, { type: /** @type {const} */ ('text'), text: content }] : parts;
}

/** A message of that form; of its pictures, those that are in its text itself. @param {{ role: any, content: any }} given @returns {Message} */
export function messageOf({ role, content }) {
  if (!Array.isArray(content)) return { role, content: String(content) };
  const texts = content.filter(({ type, text }) => type === 'text' && typeof text === 'string').map(({ text }) => text);
  const given = content.filter(({ type }) => type === 'image_url').map(({ image_url: of }, i) => ({ name: `${i + 1}`, url: of?.url ?? of }));
  return { role, content: texts.join('\n\n'), ...withPictures(pictures(given) ?? []) };
}

/** The property of a turn or a message that has pictures. @param {Picture[]} [shown] @returns {{ pictures?: Picture[] }} */
export const withPictures = (shown = []) => (shown.length > 0 ? { pictures: shown } : {});

const NAMES = /\.(png|jpe?g|webp|gif|avif|bmp|heic|heif|tiff?|svg)$/i;

/** Whether a file is a picture, by what it says of itself. @param {File} file */
export const isPicture = ({ type, name }) => type.startsWith('image/') || (type === '' && NAMES.test(name));

/** Pictures that are pasted. What a table or a text editor copies is a text, with a picture of it. @param {DataTransfer | null} data */
export const pasted = (data) => (data && !data.types.includes('text/plain') ? [...data.files].filter(isPicture) : []);
