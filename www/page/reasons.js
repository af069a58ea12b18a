// Why a model does not run here, and why the processor does the work: the engine's codes as keys of the page's words. Its
// own sentences are for the details. Knows no document.

/** @type {Record<string, (details: any) => string>} */
const OBSTACLES = {
  MODEL_UNSUPPORTED: () => 'verdict.why.unsupported',
  MODEL_FORMAT: () => 'verdict.why.format',
  INVALID_REQUEST: () => 'verdict.why.context', // the only thing that is asked of a model beforehand
  OUT_OF_MEMORY: ({ limit }) => LIMITS[limit],
};

/** @type {Record<string, string>} */
const LIMITS = {
  page: 'verdict.why.cpu',
  binding: 'verdict.why.binding',
  device: 'verdict.why.large',
  memory: 'verdict.why.large',
  platform: 'verdict.why.large',
};

/** @type {Record<string, string>} */
const NO_GPU = {
  software: 'device.softwareSkipped',
  unavailable: 'device.noAdapter',
  'wrong-results': 'device.wrong',
  slower: 'device.slower',
};

/**
 * What stands in a model's way.
 * @param {import('../cresset.js').Obstacle} obstacle
 * @returns {string} key of a message
 */
export function whyNot({ code, details }) {
  return OBSTACLES[code](details);
}

/**
 * What is worth knowing about a device that is not a graphics adapter.
 * @param {import('../cresset.js').DeviceFacts} device
 * @param {boolean} webGpu   whether the browser has it at all
 * @returns {string | null} key of a message
 */
export function deviceWords({ software, backend, reasonCode }, webGpu) {
  if (software) return 'device.software';
  if (backend !== 'cpu') return null;
  if (!webGpu) return 'device.noWebGpu';
  return NO_GPU[reasonCode ?? ''] ?? 'device.cpu';
}
