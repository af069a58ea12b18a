// Whether a model of the catalogue runs here, why not, what it takes and how fast it will be: from its row and this
// device's measure, before anything is downloaded; of a file whose header was read, from `Cresset.probe`.

import { whyNot } from '../reasons.js';
import { estimate } from './speed-test.js';

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

/** @typedef {import('../types.d.ts').Here} Here */

/**
 * @param {import('../types.d.ts').CatalogueRow} row
 * @param {import('./speed-test.js').Measure | null} measure
 * @param {Here} here
 * @returns {Verdict}
 */
export function judge(row, measure, here = {}) {
  const deviceBytes = bytesOnDevice(row, here.contextLength ?? DEFAULT_CONTEXT);
  const speed = estimate(measure, row.shape, row.quantization);
  const verdict = (/** @type {Verdict['kind']} */ kind, /** @type {string | null} */ reason) => ({ kind, reason, deviceBytes, speed });
  if (measure?.device.backend === 'cpu' && deviceBytes > CPU_MOST) return verdict('no', 'verdict.why.cpu');
  const widest = 4 * Math.max(row.shape.width, row.shape.hidden);
  if (widest > (measure?.device.limits?.maxBindingBytes ?? Infinity)) return verdict('no', 'verdict.why.binding');
  return verdict(...comfort(deviceBytes, speed, here));
}

/**
 * The same of a file that was looked at.
 * @param {import('../../cresset.js').Fit} fit
 * @param {Here} here
 * @returns {Verdict}
 */
export function judgeFile(fit, here = {}) {
  const { deviceBytes = fit.downloadBytes, estimatedTokensPerSecond: speed } = fit;
  /** @type {[any, string | null]} */
  const [kind, reason] = fit.fits ? comfort(deviceBytes, speed, here) : ['no', fit.errors ? whyNot(fit.errors[0]) : null];
  return { kind, reason, deviceBytes, speed };
}

/**
 * How well what runs here will run: what kind of verdict, and why.
 * @param {number} deviceBytes
 * @param {number | null} speed
 * @param {Here} here
 * @returns {[Verdict['kind'], string | null]}
 */
function comfort(deviceBytes, speed, { memory, phone }) {
  if (memory && deviceBytes > memory * 1e9 * SHARE) return ['tight', 'verdict.why.memory'];
  if (phone && deviceBytes > PHONE_MOST) return ['tight', 'verdict.why.phone'];
  if (speed !== null && speed < SLOW) return ['slow', 'verdict.why.slow'];
  return ['fits', null];
}

/** Weights as in the file, the KV cache, room to work in. @param {import('../types.d.ts').CatalogueRow} row @param {number} contextLength */
export function bytesOnDevice({ downloadBytes, contextLength: most, shape }, contextLength) {
  const { layers, kvHeads, headWidth, width, hidden, vocabulary } = shape;
  const cache = 2 * layers * kvHeads * headWidth * 2 * Math.min(contextLength, most);
  const work = 64 * 4 * vocabulary + 256 * 4 * (6 * width + 3 * hidden);
  return Math.round(downloadBytes * 1.02 + cache + work);
}

/** What the browser says about this device's memory and kind. @param {number | null} [contextLength] */
export function thisDevice(contextLength) {
  return { contextLength, memory: navigator.deviceMemory, phone: navigator.userAgentData?.mobile ?? /Android|iPhone|iPad/.test(navigator.userAgent) };
}
