// Errors in a visitor's words: what happened, and what to do.

/**
 * @param {import('../lib/errors.js').CressetError} error
 * @returns {{ key: string, values: object }} keys `problem.<key>.title` and `.advice`
 */
export function explain({ code, details }) {
  if (details?.endpoint) return { key: 'SERVER', values: { host: details.endpoint } };
  if (code === 'DOWNLOAD') {
    if (globalThis.navigator?.onLine === false) return { key: 'offline', values: {} };
    if (details?.status === 401 || details?.status === 403) return { key: 'refused', values: {} };
    if (details?.status >= 429) return { key: 'busy', values: {} };
  }
  if (code === 'STORAGE' && details?.moved) return { key: 'moved', values: {} };
  if (code === 'STORAGE' && details?.damaged === undefined) return { key: 'unkept', values: {} };
  return { key: KNOWN.has(code) ? code : 'INTERNAL', values: {} };
}

const KNOWN = new Set(['DOWNLOAD', 'MODEL_NOT_FOUND', 'MODEL_FORMAT', 'MODEL_UNSUPPORTED', 'OUT_OF_MEMORY',
  'WEBGPU_UNAVAILABLE', 'DEVICE_LOST', 'CONTEXT_OVERFLOW', 'INTEGRITY', 'STORAGE']);
