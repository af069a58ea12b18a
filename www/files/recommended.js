// The sampling parameters that a catalogue recommends for a model, whose files may recommend none.

import { models } from './sources.js';

/**
 * Null where there are none.
 * @param {import('./types.d.ts').Source} source
 * @returns {Promise<import('../cresset.js').Recommendation | null>}
 */
export async function recommended({ id, name }) {
  if (id !== undefined) return models.find((row) => row.id === id)?.sampling ?? null;
  if (!name.startsWith('hf:')) return null;
  const sameFile = (/** @type {string} */ model) => model.replace(/@.*/, '');
  try {
    const { default: rows } = await import('../models/hub.json', { with: { type: 'json' } });
    const row = rows.find(({ model }) => sameFile(model) === sameFile(name));
    return row && 'sampling' in row ? (row.sampling ?? null) : null;
  } catch {
    return null; // a site that left the list out
  }
}
