// A file → the copy of its picture that a conversation keeps. The platform decodes it; what a file says beside the picture, such
// as where it was taken, is left behind.

import { MOST, nameOf } from './picture.js';

/** Of a file that is opened at all: bytes, pixels. */
export const LARGEST = { bytes: 50_000_000, pixels: 100_000_000 };

const QUALITIES = [0.9, 0.75, 0.6];
const SMALLER = 0.7;
// Formats whose pictures are more often drawn than photographed: their edges stay sharp, if there is room.
const DRAWN = ['image/png', 'image/gif', 'image/bmp'];

/**
 * @param {File} file
 * @returns {Promise<{ picture: import('./types.d.ts').Picture, moves: boolean } | { problem: 'large' | 'broken' }>}
 */
export async function pictureOf(file) {
  if (file.size > LARGEST.bytes) return { problem: 'large' };
  const bytes = new DataView(await file.arrayBuffer());
  const size = sizeIn(bytes);
  if (size && size[0] * size[1] > LARGEST.pixels) return { problem: 'large' };
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: file.type }));
  } catch {
    return { problem: 'broken' };
  }
  try {
    const { width, height, blob } = await copyOf(bitmap, DRAWN.includes(file.type));
    return { picture: { name: nameOf(file.name), url: await addressOf(blob), width, height }, moves: movesIn(bytes) };
  } finally {
    bitmap.close();
  }
}

/** A copy within the limits; what is transparent is white, as models see it. @param {ImageBitmap} bitmap @param {boolean} isDrawn */
async function copyOf(bitmap, isDrawn) {
  let scale = Math.min(1, MOST.edge / Math.max(bitmap.width, bitmap.height));
  for (;;) {
    const [width, height] = [bitmap.width, bitmap.height].map((edge) => Math.max(1, Math.round(edge * scale)));
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, width, height);
    const ways = [...(isDrawn ? [{ type: 'image/png' }] : []), ...QUALITIES.map((quality) => ({ type: 'image/jpeg', quality }))];
    for (const way of ways) {
      const blob = await canvas.convertToBlob(way);
      if (blob.size <= MOST.bytes) return { width, height, blob };
    }
    scale *= SMALLER;
  }
}

/** @param {Blob} blob @returns {Promise<string>} */
function addressOf(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Whether bytes at a place are this text. @param {DataView} bytes @param {number} at @param {string} text */
const has = (bytes, at, text) => at + text.length <= bytes.byteLength && [...text].every((sign, i) => bytes.getUint8(at + i) === sign.charCodeAt(0));

/**
 * [width, height] as the file says, before anything is decoded: a few bytes may be a picture that fills the memory. Null where the
 * format is another one.
 * @param {DataView} bytes
 * @returns {[number, number] | null}
 */
export function sizeIn(bytes) {
  const end = bytes.byteLength;
  if (end >= 24 && has(bytes, 1, 'PNG')) return [bytes.getUint32(16), bytes.getUint32(20)];
  if (end >= 10 && has(bytes, 0, 'GIF8')) return [bytes.getUint16(6, true), bytes.getUint16(8, true)];
  const [low, lower] = [0xffffff, 0x3fff];
  if (end >= 30 && has(bytes, 8, 'WEBPVP8X')) return [(bytes.getUint32(24, true) & low) + 1, (bytes.getUint32(26, true) >>> 8) + 1];
  if (end >= 30 && has(bytes, 8, 'WEBPVP8L')) return [(bytes.getUint32(21, true) & lower) + 1, ((bytes.getUint32(21, true) >>> 14) & lower) + 1];
  if (end >= 4 && bytes.getUint16(0) === 0xffd8) return sizeInJpeg(bytes);
  return null;
}

/** That of the frame header: ITU-T T.81, B.2.2. @param {DataView} bytes @returns {[number, number] | null} */
function sizeInJpeg(bytes) {
  const others = [0xc4, 0xc8, 0xcc]; // within the range of frame headers
  for (let at = 2; at + 9 <= bytes.byteLength && bytes.getUint8(at) === 0xff; at += 2 + bytes.getUint16(at + 2)) {
    const marker = bytes.getUint8(at + 1);
    if (marker >= 0xc0 && marker <= 0xcf && !others.includes(marker)) return [bytes.getUint16(at + 7), bytes.getUint16(at + 5)];
  }
  return null;
}

/** Whether there are more frames than the first. @param {DataView} bytes */
export function movesIn(bytes) {
  if (has(bytes, 8, 'WEBPVP8X')) return (bytes.getUint8(20) & 2) > 0;
  if (has(bytes, 0, 'GIF8')) return framesIn(bytes) > 1;
  if (!has(bytes, 1, 'PNG')) return false;
  for (let at = 8; at + 8 <= bytes.byteLength && !has(bytes, at + 4, 'IDAT'); at += 12 + bytes.getUint32(at)) if (has(bytes, at + 4, 'acTL')) return true;
  return false;
}

/** Frames of a GIF, as far as they are whole: GIF89a, 19 to 24. @param {DataView} bytes */
function framesIn(bytes) {
  const end = bytes.byteLength;
  const byte = (/** @type {number} */ at) => (at < end ? bytes.getUint8(at) : 0);
  const table = (/** @type {number} */ flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const passed = (/** @type {number} */ at) => {
    while (byte(at) > 0) at += 1 + byte(at);
    return at + 1;
  };
  let frames = 0;
  for (let at = 13 + table(byte(10)); at < end;) {
    if (byte(at) === 0x21) at = passed(at + 2);
    else if (byte(at) === 0x2c) {
      frames += 1;
      at = passed(at + 11 + table(byte(at + 9)));
    } else break;
  }
  return frames;
}
