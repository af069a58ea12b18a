// Pictures as files for the tests: a PNG of two colours, a GIF of several frames, and files that are none.

import { crc32, deflateSync } from 'node:zlib';

const chunk = (name, data) => {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
};

/** A gradient from the left, with a disc of another colour in its middle. @param {[number, number, number]} [colour] */
export function png(width, height, colour = [214, 94, 42]) {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const within = Math.hypot(x - width / 2, y - height / 2) < Math.min(width, height) / 3;
      for (const i of [0, 1, 2]) rows[y * (1 + 3 * width) + 1 + 3 * x + i] = within ? colour[i] : Math.round((200 * x) / width) + 20 * i;
    }
  }
  return file(width, height, deflateSync(rows));
}

function file(width, height, data) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A PNG that says it is far larger than what is in it. */
export const bomb = () => file(60_000, 60_000, deflateSync(Buffer.alloc(1000)));

/** A GIF of one pixel, of so many frames. */
export function gif(frames) {
  const head = Buffer.from([...Buffer.from('GIF89a'), 1, 0, 1, 0, 0x80, 0, 0, 200, 60, 20, 255, 255, 255]);
  const frame = Buffer.from([0x21, 0xf9, 4, 0, 10, 0, 0, 0, 0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
}
