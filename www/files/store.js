// Model files kept on this device, in the origin private file system.
//
// A file is kept as four, named by the SHA-256 of its key: `.bin`, its bytes; `.sums`, the SHA-256 of each chunk of them,
// one after the other; `.json`, what is known about it, written last, so that an entry counts only when it is whole; and
// until then `.part`, what a later download needs to go on (part.js writes them). Every function works without the file
// system too: it then finds nothing and stores nothing. `begin` belongs to a worker; the rest runs anywhere.

import { aborted } from '../lib/errors.js';
import { openAccess, openFolder, readFile, readJson, write, writeJson } from './opfs.js';
import { Part, removePart, sumsFit } from './part.js';
import { sha256Text } from './sha256.js';

/**
 * What is known about a file. `bytes` of a part are those that are here.
 * @typedef {object} Entry
 * @property {string} key
 * @property {string} model      name for people
 * @property {string} url
 * @property {string} name
 * @property {number} bytes
 * @property {string} [sha256]   of the whole file, where that was checked
 * @property {string} stored     a date
 */

/**
 * A whole file, or null.
 * @param {string} key
 * @returns {Promise<{ file: File, sums: Uint8Array, entry: Entry } | null>}
 */
export async function open(key) {
  try {
    const folder = await openFolder();
    const hash = sha256Text(key);
    const entry = await readJson(folder, `${hash}.json`);
    if (entry?.key !== key) return null;
    const file = await readFile(folder, `${hash}.bin`);
    const sums = new Uint8Array(await (await readFile(folder, `${hash}.sums`)).arrayBuffer());
    return file.size === entry.bytes && sumsFit(sums, entry.bytes) ? { file, sums, entry } : null;
  } catch {
    return null;
  }
}

/**
 * Begins an entry, or goes on with one that was left unfinished.
 * @param {string} key
 * @param {(part: { bytes: Uint8Array, length: number }) => void} onKept   gets the bytes that are here, in order
 * @returns {Promise<Part | { refused: 'unavailable' | 'busy' | 'full', reason: string }>}
 */
export async function begin(key, onKept) {
  try {
    return await Part.open(await openFolder(), sha256Text(key), key, onKept);
  } catch (error) {
    // Locked by a tab that does not know of locks, without room for anything, or not there at all.
    const refused = { NoModificationAllowedError: 'busy', QuotaExceededError: 'full' }[error.name] ?? 'unavailable';
    return { refused, reason: error.message };
  }
}

/** Bytes that the browser would still let this site keep; Infinity where it does not say. */
export async function room() {
  const { quota = Infinity, usage = 0 } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return Math.max(quota - usage, 0);
}

/**
 * Runs `use` while no other tab downloads this key.
 * @template T
 * @param {string} key
 * @param {() => Promise<T>} use
 * @param {{ signal?: AbortSignal, onWait: () => (() => void) }} options   `onWait`: another tab does; gives what ends the wait
 * @returns {Promise<T>}
 */
export async function exclusively(key, use, { signal, onWait }) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return use();
  const name = `cresset-model ${sha256Text(key)}`;
  const none = Symbol('taken');
  let entered = false;
  /** @returns {any} */
  const enter = (lock) => {
    entered = lock !== null;
    return entered ? use() : none;
  };
  let endWait = () => {};
  try {
    const result = await locks.request(name, { ifAvailable: true }, enter);
    if (result !== none) return result;
    endWait = onWait();
    return await locks.request(name, signal ? { signal } : {}, (lock) => {
      endWait();
      return enter(lock);
    });
  } catch (error) {
    if (entered) throw error;
    if (signal?.aborted) throw aborted(signal);
    // A page that may not use locks (an opaque origin) has no file system to share either.
    return use();
  } finally {
    endWait();
  }
}

/** Writes down that a file's hash was checked. */
export async function noteHash(key, sha256) {
  try {
    const folder = await openFolder();
    const name = `${sha256Text(key)}.json`;
    const entry = await readJson(folder, name);
    if (entry) await writeJson(folder, name, { ...entry, sha256 });
  } catch {
    // It is checked again next time.
  }
}

/** Puts right bytes of a whole file; gives the file as it is then. */
export async function repair(key, offset, bytes) {
  const folder = await openFolder();
  const name = `${sha256Text(key)}.bin`;
  const access = await openAccess(folder, name);
  try {
    write(access, bytes, offset);
    access.flush();
  } finally {
    access.close();
  }
  return readFile(folder, name);
}

/** Removes one key, whole or in part. */
export async function remove(key) {
  const folder = await openFolder().catch(() => null);
  if (folder) await removeHash(folder, sha256Text(key));
}

/**
 * Stored models, newest first: `{ model, bytes, stored, files: Entry[], complete }`. Models whose download was not
 * finished are among them on request: theirs have `total` too, null where the server did not say.
 */
export async function list({ partial = false } = {}) {
  const models = new Map();
  for (const { entry, complete, total } of await entries()) {
    if (!complete && !partial) continue;
    const model = models.get(entry.model) ?? { model: entry.model, bytes: 0, stored: entry.stored, files: [], complete: true };
    model.bytes += entry.bytes;
    model.files.push(entry);
    model.complete &&= complete;
    if (partial) model.total = total === null || model.total === null ? null : (model.total ?? 0) + total;
    if (entry.stored > model.stored) model.stored = entry.stored;
    models.set(entry.model, model);
  }
  return [...models.values()].sort((a, b) => b.stored.localeCompare(a.stored));
}

/** Bytes of one key that are here: all of it, or what an unfinished download left. */
export async function kept(key) {
  const found = (await entries()).find(({ entry }) => entry.key === key);
  return { bytes: found?.entry.bytes ?? 0, complete: found?.complete ?? false, total: found?.total ?? null };
}

/** Deletes a model by the name it was loaded with, or a file by its URL; says whether there was one. */
export async function deleteModel(model) {
  let found = false;
  for (const { folder, hash, entry } of await entries()) {
    if (entry.model !== model && entry.url !== model) continue;
    await removeHash(folder, hash);
    found = true;
  }
  return found;
}

/** Deletes everything, unfinished files too; a file that another tab is writing stays. */
export async function clear() {
  const folder = await openFolder().catch(() => null);
  if (!folder) return;
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  for (const name of names) await folder.removeEntry(name).catch(() => {});
}

/**
 * Bytes of whole and of unfinished models, and the browser's own account of this site: `quota` and `origin` are null
 * where it gives none; `persisted` says that it will not clear them by itself.
 */
export async function usage() {
  const sum = (some) => some.reduce((bytes, { entry }) => bytes + entry.bytes, 0);
  const all = await entries();
  const storage = globalThis.navigator?.storage;
  const estimate = await storage?.estimate?.().catch(() => null);
  return {
    models: sum(all.filter(({ complete }) => complete)),
    partial: sum(all.filter(({ complete }) => !complete)),
    origin: estimate?.usage ?? null,
    quota: estimate?.quota ?? null,
    persisted: (await storage?.persisted?.().catch(() => false)) ?? false,
  };
}

/** Asks the browser not to clear this site's models when the device runs short; some browsers ask the visitor. */
export async function persist() {
  return (await globalThis.navigator?.storage?.persist?.().catch(() => false)) ?? false;
}

async function entries() {
  const folder = await openFolder().catch(() => null);
  const found = [];
  if (!folder) return found;
  const names = new Set();
  for await (const name of folder.keys()) names.add(name);
  for (const name of names) {
    const [hash, kind] = name.split('.');
    if (kind === 'json') {
      const entry = await readJson(folder, name);
      if (entry) found.push({ folder, hash, entry, complete: true, total: entry.bytes });
    } else if (kind === 'part' && !names.has(`${hash}.json`)) {
      const part = await readJson(folder, name);
      const { bytes: total = null, ...facts } = part ?? {};
      if (part) found.push({ folder, hash, entry: { ...facts, bytes: await Part.length(folder, hash) }, complete: false, total });
    }
  }
  return found;
}

// The entry goes first: without it the bytes do not count, whatever happens next.
async function removeHash(folder, hash) {
  await folder.removeEntry(`${hash}.json`).catch(() => {});
  await removePart(folder, hash);
}
