// Sound for tests: a tone where something is said, silence elsewhere, as a WAV file.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBrowser } from './harness.mjs';

const RATE = 16_000;

/** A Chromium whose microphone hears these tones, once from each time that it is opened. @param {Parameters<typeof tones>[0]} parts */
export async function startBrowserThatHears(parts) {
  const folder = await mkdtemp(join(tmpdir(), 'cresset-'));
  const file = join(folder, 'microphone.wav');
  await writeFile(file, wav(tones(parts)));
  const microphone = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${file}%noloop`];
  const browser = await startBrowser(microphone);
  browser.on('disconnected', () => void rm(folder, { recursive: true, force: true }));
  return browser;
}

/**
 * @param {[seconds: number, loudness: number][]} parts   one after the other; loudness 0 is silence
 * @returns {Float32Array}
 */
export function tones(parts) {
  const count = ([seconds]) => Math.round(seconds * RATE);
  const samples = new Float32Array(parts.reduce((sum, part) => sum + count(part), 0));
  let at = 0;
  for (const part of parts) for (const end = at + count(part); at < end; at += 1) samples[at] = part[1] * Math.sin((2 * Math.PI * 440 * at) / RATE);
  return samples;
}

/** One channel of 16 bits. @param {Float32Array} samples */
export function wav(samples) {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + 2 * samples.length, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(2 * RATE, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((x, i) => bytes.writeInt16LE(Math.round(32767 * x), 44 + 2 * i));
  return bytes;
}
