// What a caller calls a recording → samples of one channel, 16,000 a second, which is what models hear. The platform decodes.

import { CressetError } from './errors.js';

const RATE = 16_000;

/** @param {string} field @param {string} reason */
const refusal = (field, reason) => new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });

/**
 * @param {any} file   a Blob with sound in a format that the browser plays, an AudioBuffer, or { samples, sample_rate }
 * @param {string} [field]   of the request
 * @returns {Promise<Float32Array<ArrayBuffer>>}
 */
export async function soundOf(file, field = 'file') {
  if (file instanceof Blob) return decode(file, field);
  if (globalThis.AudioBuffer && file instanceof AudioBuffer) return file.sampleRate === RATE ? mono(file) : resample(file, field);
  const { samples, sample_rate: rate } = file ?? {};
  if (!(samples instanceof Float32Array)) throw refusal(field, 'expected a Blob, an AudioBuffer, or { samples: Float32Array, sample_rate }');
  if (rate === RATE) return Float32Array.from(samples);
  if (!(rate >= 3000 && rate <= 768_000)) throw refusal(field, 'sample_rate must be a number of samples a second');
  if (samples.length === 0) return new Float32Array();
  const buffer = context(1, field).createBuffer(1, samples.length, rate);
  buffer.copyToChannel(Float32Array.from(samples), 0);
  return resample(buffer, field);
}

/** Whether a caller's recording is sound that goes on. @param {unknown} file @returns {file is MediaStream} */
export const isLive = (file) => Boolean(globalThis.MediaStream) && file instanceof MediaStream;

/** @param {Blob} file @param {string} field */
async function decode(file, field) {
  const bytes = await file.arrayBuffer();
  const { name = 'it' } = /** @type {{ name?: string }} */ (file);
  // What it decodes it brings to its own rate.
  const decoded = await context(1, field)
    .decodeAudioData(bytes)
    .catch(() => Promise.reject(refusal(field, `${name} is no recording that this browser can play`)));
  return mono(decoded);
}

/** The mean of all channels. @param {AudioBuffer} buffer */
function mono(buffer) {
  const sum = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < sum.length; i += 1) sum[i] += samples[i] / buffer.numberOfChannels;
  }
  return sum;
}

/** @param {AudioBuffer} buffer @param {string} field */
async function resample(buffer, field) {
  const offline = context(Math.max(1, Math.round(buffer.duration * RATE)), field);
  const source = offline.createBufferSource();
  source.buffer = buffer;
  source.connect(offline.destination);
  source.start();
  return mono(await offline.startRendering());
}

/** @param {number} length @param {string} field */
function context(length, field) {
  if (!globalThis.OfflineAudioContext) throw refusal(field, `a worker decodes no sound; give { samples, sample_rate: ${RATE} }`);
  return new OfflineAudioContext(1, length, RATE);
}
