// The engine's own account of model, device and memory, and what a visitor should know about it.

import { formatBytes } from '../progress.js';
import { byId, element, sentence } from './dom.js';

const MEMORY_KINDS = { weights: 'Weights', kv: 'Context (KV cache)', activations: 'Working memory', other: 'Other' };

/** @param {import('../cresset.js').EngineInfo} info */
export function showFacts({ model, device, memory }) {
  const { total, ...kinds } = memory;
  const parts = Object.entries(kinds).filter(([, bytes]) => bytes > 0);
  const hint = honestLine(device);
  byId('facts').replaceChildren(...[
    rows([
      ['Device', device.backend === 'webgpu' ? 'Graphics adapter (WebGPU)' : 'Processor (WebAssembly)'],
      ['Name', describeAdapter(device)],
      ['Model', `${model.architecture}, ${formatCount(model.parameters)} parameters`],
      ['Format', model.quantization.toUpperCase()],
      ['Context', `${model.contextLength.toLocaleString('en')} tokens`],
      ['Memory', formatBytes(total)],
    ]),
    total > 0 ? element('ul', { class: 'memory' }, ...parts.map(([kind, bytes]) => memoryRow(kind, bytes, total))) : null,
    hint ? element('p', { class: 'hint honest', textContent: hint }) : null,
  ].filter(Boolean));
}

/** 15 M, 1.2 B */
export function formatCount(count) {
  const [value, unit] = count >= 1e9 ? [count / 1e9, ' B'] : count >= 1e6 ? [count / 1e6, ' M'] : count >= 1e3 ? [count / 1e3, ' k'] : [count, ''];
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)}${unit}`;
}

function honestLine(device) {
  if (device.software) return 'This adapter is software: the processor does the graphics work. A real graphics card is many times faster.';
  if (device.backend === 'cpu' && !navigator.gpu) return 'This browser offers no WebGPU, so the processor computes. A graphics card is many times faster.';
  if (device.reason) return sentence(device.reason);
  return null;
}

function describeAdapter({ vendor, architecture, description }) {
  return description || [vendor, architecture].filter(Boolean).join(' ') || 'not named by the browser';
}

function rows(pairs) {
  return element('dl', { class: 'rows' }, ...pairs.flatMap(([name, value]) => [
    element('dt', { textContent: name }), element('dd', { textContent: value }),
  ]));
}

function memoryRow(kind, bytes, total) {
  const bar = element('span', { class: 'share', 'aria-hidden': 'true' });
  bar.style.setProperty('--share', bytes / total);
  return element('li', {}, element('span', { textContent: MEMORY_KINDS[kind] ?? kind }), element('span', { textContent: formatBytes(bytes) }), bar);
}
