// Whether a model is on this device, by the library's list of what it keeps.

/**
 * @param {readonly import('../cresset.js').StoredModel[]} stored
 * @param {import('../cresset.js').Model | null} model
 * @param {readonly import('../cresset.js').BundledModel[]} bundled   what comes with the library: another version of one is another model
 */
export function isKept(stored, model, bundled) {
  const row = bundled.find(({ id }, i) => id === model || (model === 'default' && i === 0));
  const hashes = row?.sha256 ? [row.sha256, row.hub?.sha256] : null;
  const name = row?.id ?? model;
  return stored.some((each) => each.model === name && (!hashes || each.files.some(({ sha256 }) => hashes.includes(sha256))));
}
