// Whether a model runs here, why not, and how well: from what the engine says of its file or of its row in the catalogue.

import { whyNot } from '../reasons.js';

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
 * @param {import('../../cresset.js').Estimate & { downloadBytes: number }} fit   of a file, or of a row of hub.json
 * @param {Here} here
 * @returns {Verdict}
 */
export function judge(fit, here = {}) {
  const { deviceBytes = fit.downloadBytes, estimatedTokensPerSecond: speed } = fit;
  /** @type {[Verdict['kind'], string | null]} */
  const [kind, reason] = fit.fits ? comfort(deviceBytes, speed, here) : ['no', fit.errors ? whyNot(fit.errors[0]) : null];
  return { kind, reason, deviceBytes, speed };
}

/**
 * Of a row; without an estimate, before the device is measured, as if nothing stood in its way on a graphics card.
 * @param {import('../types.d.ts').CatalogueRow} row
 * @param {import('../../cresset.js').Estimate | undefined} estimate
 * @param {Here} [here]
 */
export function judgeRow(row, estimate, here) {
  return judge({ ...row, ...(estimate ?? { fits: true, estimatedTokensPerSecond: null }) }, here);
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

/** @returns {Here} */
export function thisDevice() {
  return { memory: navigator.deviceMemory, phone: navigator.userAgentData?.mobile ?? /Android|iPhone|iPad/.test(navigator.userAgent) };
}
