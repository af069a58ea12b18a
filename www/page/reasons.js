// Why a model does not run here, and why the processor does the work: what the engine says in English, as keys of the
// page's words where the case is known. Its own sentences are for the details. Knows no document.

/**
 * What stands in a model's way.
 * @param {import('../cresset.js').Fit} fit   with `fits: false`
 * @returns {string} key of a message
 */
export function whyNot({ reason = '', device }) {
  if (!isTooLarge(reason)) return 'verdict.why.unsupported';
  if (/in one piece$/.test(reason)) return 'verdict.why.binding';
  return device?.backend === 'cpu' ? 'verdict.why.cpu' : 'verdict.why.large';
}

/** Whether memory is what is missing. @param {string} reason */
export function isTooLarge(reason = '') {
  return /\bneeds \d+ [MG]B\b/.test(reason);
}

/**
 * What is worth knowing about a device that is not a graphics adapter.
 * @param {import('../cresset.js').DeviceFacts} device
 * @param {boolean} webGpu   whether the browser has it at all
 * @returns {string | null} key of a message
 */
export function deviceWords({ software, backend, reason = '' }, webGpu) {
  if (software) return 'device.software';
  if (backend !== 'cpu') return null;
  if (!webGpu) return 'device.noWebGpu';
  if (/computes on the CPU/.test(reason)) return 'device.softwareSkipped';
  if (/^WebGPU is not available/.test(reason)) return 'device.noAdapter';
  if (/ is not used: /.test(reason)) return 'device.wrong';
  return 'device.cpu';
}
