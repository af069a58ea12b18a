// The catalogue of models on the hub: rows of hub.json, how they are named here, and how they are filtered.

import { Cresset } from '../../cresset.js';

/**
 * @typedef {import('../types.d.ts').CatalogueRow} Row
 * @typedef {{ task?: string, size?: string, maker?: string }} Filter
 */

/** @type {Promise<Row[]> | null} */
let rows = null;

/** The smallest first. */
export function catalogue() {
  rows ??= import('../../models/hub.json', { with: { type: 'json' } }).then((module) => [...module.default].sort((a, b) => a.downloadBytes - b.downloadBytes));
  return rows;
}

/** Sizes a person thinks in, by the bytes to download. @type {Record<string, [number, number]>} */
export const SIZES = { small: [0, 5e8], medium: [5e8, 1.5e9], large: [1.5e9, Infinity] };

/** Rows that match every filter that is set. @param {Row[]} rows @param {Filter} filter */
export function matching(rows, { task, size, maker }) {
  const [least, most] = SIZES[size ?? ''] ?? [0, Infinity];
  return rows.filter((row) => (!task || row.tasks.includes(task)) && (!maker || row.maker === maker) && row.downloadBytes >= least && row.downloadBytes < most);
}

/** What a model is called: its name here or in the catalogue, or the last part of its address. @param {string} model @param {Row[]} rows */
export function nameOf(model, rows) {
  return Cresset.models.find((row) => row.id === model)?.name ?? rows.find((row) => row.model === model)?.name ?? shortName(model);
}

/** The last part of a URL or of a hub name, without its revision. @param {string} model */
export function shortName(model) {
  const path = model.split(/[?#]/)[0].replace(/^(hf:.*)@[\w./-]+$/, '$1');
  try {
    return decodeURIComponent(path).split('/').filter(Boolean).pop() ?? model;
  } catch {
    return path;
  }
}

/** How the file calls its format: Q4_K_M, Q8_0, … @param {Pick<Row, 'model' | 'quantization'>} row */
export function formatOf({ model, quantization }) {
  return (/[._-](i?q\d\w*|b?f16|f32)\.gguf/i.exec(model)?.[1] ?? quantization).toUpperCase();
}

/** Where people read about a model on the hub. @param {Pick<Row, 'model'>} row */
export function pageOf({ model }) {
  const [, repo] = /^hf:([^/]+\/[^/@]+)/.exec(model) ?? [];
  return `https://huggingface.co/${repo}`;
}

/** What `load` is given for a row. @param {{ sha256?: string }} row */
export const integrityOf = ({ sha256 }) => (sha256 ? `sha256-${sha256}` : undefined);
