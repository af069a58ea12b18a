// Whether a model of the catalogue runs here, why not, what it takes and how fast it will be: from its row and this
// device's measure, before anything is downloaded. `Cresset.probe` has the last word when its file is looked at.

import { estimate } from './yardstick.js';

const DEFAULT_CONTEXT = 4096;
const CPU_MOST = 3 * 2 ** 30; // what a page has for a model on the processor
const PHONE_MOST = 1.2e9;
const SLOW = 2; // tokens a second
const SHARE = 0.6; // of the memory a browser admits to

/**
 * @typedef {object} Verdict
 * @property {'fits' | 'tight' | 'slow' | 'no'} kind
 * @property {string | null} reason      key of a message: why it may not work, or will not
 * @property {number} deviceBytes
 * @property {number | null} speed       tokens a second
 */

/**
 * @param {object} row   of hub.json
 * @param {import('./yardstick.js').Measure | null} measure
 * @param {{ contextLength?: number | null, memory?: number, phone?: boolean }} here   `memory`: gigabytes, as the browser says
 * @returns {Verdict}
 */
export function judge(row, measure, { contextLength, memory, phone } = {}) {
  const deviceBytes = bytesOnDevice(row, contextLength ?? DEFAULT_CONTEXT);
  const speed = estimate(measure, row.shape, row.quantization);
  const verdict = (kind, reason) => ({ kind, reason, deviceBytes, speed });
  if (measure?.device.backend === 'cpu' && deviceBytes > CPU_MOST) return verdict('no', 'verdict.why.cpu');
  const widest = 4 * Math.max(row.shape.width, row.shape.hidden);
  if (widest > (measure?.device.limits?.maxBindingBytes ?? Infinity)) return verdict('no', 'verdict.why.binding');
  if (memory && deviceBytes > memory * 1e9 * SHARE) return verdict('tight', 'verdict.why.memory');
  if (phone && deviceBytes > PHONE_MOST) return verdict('tight', 'verdict.why.phone');
  if (speed !== null && speed < SLOW) return verdict('slow', 'verdict.why.slow');
  return verdict('fits', null);
}

/** Weights as in the file, the KV cache, room to work in. */
export function bytesOnDevice({ downloadBytes, contextLength: most, shape }, contextLength) {
  const { layers, kvHeads, headWidth, width, hidden, vocabulary } = shape;
  const cache = 2 * layers * kvHeads * headWidth * 2 * Math.min(contextLength, most);
  const work = 64 * 4 * vocabulary + 256 * 4 * (6 * width + 3 * hidden);
  return Math.round(downloadBytes * 1.02 + cache + work);
}

/** What the browser says about this device's memory and kind. */
export function thisDevice(contextLength) {
  return { contextLength, memory: navigator.deviceMemory, phone: navigator.userAgentData?.mobile ?? /Android|iPhone|iPad/.test(navigator.userAgent) };
}
