// What helps to mend a fault, as text to paste into a report: the error, the browser, the graphics adapter and how it computes.
// Nothing of what the visitor wrote or read is in it.

import { readVerdicts } from '../worker/verdicts.js';
import { session } from './session.js';

// Self-tests with other models' formats say little more.
const MOST_VERDICTS = 3;

/**
 * @param {import('./problems.js').Failure} error
 * @returns {Promise<string>}
 */
export async function reportOf(error) {
  const adapter = await describeAdapter();
  const names = typeof adapter === 'string' ? [] : [adapter.vendor, adapter.architecture];
  const isHere = (/** @type {{ key: string }} */ { key }) => names.every((name) => !name || key.includes(name));
  return write(error, {
    info: session.engine?.info ?? session.lastInfo ?? undefined,
    verdicts: (await readVerdicts()).filter(isHere).slice(0, MOST_VERDICTS),
    adapter,
    browser: navigator.userAgent,
    isolated: globalThis.crossOriginIsolated === true,
  });
}

/** As the browser names it, whatever the engine made of it. */
async function describeAdapter() {
  if (!navigator.gpu) return 'no WebGPU in this browser';
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return 'none';
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = adapter.info ?? {};
  return { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter, features: [...adapter.features].sort() };
}

/**
 * Knows no document. A line for each fact that is known.
 * @param {import('./problems.js').Failure} error
 * @param {object} known
 * @param {import('../cresset.js').EngineInfo} [known.info]
 * @param {unknown[]} known.verdicts
 * @param {unknown} known.adapter
 * @param {string} known.browser
 * @param {boolean} known.isolated
 */
export function write({ code, message, details = {} }, { info, verdicts, adapter, browser, isolated }) {
  const facts = {
    details: Object.keys(details).length > 0 ? details : undefined,
    browser,
    'cross-origin isolated': isolated,
    adapter,
    // The engine in use, or the last that was: a fault while another model is loaded is not its own.
    build: info?.build,
    device: info?.device,
    variants: info?.variants,
    model: info && {
      name: info.model.name,
      architecture: info.model.architecture,
      quantization: info.model.quantization,
      contextLength: info.model.contextLength,
    },
    memory: info?.memory,
    'self-tests': verdicts.length > 0 ? verdicts : undefined,
  };
  const text = (/** @type {unknown} */ fact) => (typeof fact === 'string' ? fact : JSON.stringify(fact));
  const lines = Object.entries(facts)
    .filter(([, fact]) => fact !== undefined)
    .map(([name, fact]) => `${name}: ${text(fact)}`);
  return [`${code}: ${message}`, ...lines].join('\n');
}
