// Model files kept on this device, in the origin private file system.
//
// A file is kept as four, named by the SHA-256 of its key: `.bin`, its bytes; `.sums`, the SHA-256 of each chunk of them,
// one after the other; `.json`, what is known about it, written last, so that an entry counts only when it is whole; and
// until then `.part`, what a later download needs to go on (part.js writes them). Every function works without the file
// system too: it then finds nothing and stores nothing. `begin` belongs to a worker; the rest runs anywhere.

import { aborted } from '../lib/errors.js';
import { LOCK_MS } from './backoff-times.js';
import { openAccess, openFolder, readFile, readJson, write, writeJson } from './opfs.js';
import { Part, removePart, sumsFit } from './part.js';
import { sha256Text } from './sha256.js';

/**
 * @typedef {import('./types.d.ts').Bytes} Bytes
 * @typedef {import('./types.d.ts').Entry} Entry
 * @typedef {import('./opfs.js').Folder} Folder
 * @typedef {{ folder: Folder, hash: string, entry: Entry, complete: boolean, total: number | null }} Kept   whole or in part
 */

/**
 * A whole file, or null.
 * @param {string} key
 * @returns {Promise<{ file: File, sums: Bytes, entry: Entry } | null>}
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

/** @typedef {'unavailable' | 'busy' | 'full'} Refusal */

/** @type {Record<string, Refusal>} */
const REFUSALS = { NoModificationAllowedError: 'busy', QuotaExceededError: 'full' };

/**
 * Begins an entry, or goes on with one that was left unfinished.
 * @param {string} key
 * @param {import('./part.js').OnKept} onKept
 * @returns {Promise<Part | { refused: Refusal }>}
 */
export async function begin(key, onKept) {
  try {
    return await Part.open(await openFolder(), sha256Text(key), key, onKept);
  } catch (/** @type {any} */ error) {
    // Locked by a tab that does not know of locks, without room for anything, or not there at all.
    return { refused: REFUSALS[error.name] ?? 'unavailable' };
  }
}

/** Bytes that the browser would still let this site keep; Infinity where it does not say. */
export async function room() {
  const { quota = Infinity, usage = 0 } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return Math.max(quota - usage, 0);
}

/**
 * Runs `use` while no other tab downloads this key. Null where one holds it and gives no sign that it does.
 * @template T
 * @param {string} key
 * @param {() => Promise<T>} use
 * @param {{ signal?: AbortSignal, onWait: (heard: () => void) => (() => void) }} options   `onWait`: another tab does; it calls
 *   `heard` at each sign of that, and gives what ends the wait
 * @returns {Promise<T | null>}
 */
export async function exclusively(key, use, { signal, onWait }) {
  const locks = globalThis.navigator?.locks;
  if (!locks) return use();
  const name = `cresset-model ${sha256Text(key)}`;
  const none = Symbol('taken');
  let entered = false;
  const enter = (/** @type {Lock | null} */ lock) => {
    entered = lock !== null;
    return entered ? use() : none;
  };
  let endWait = () => {};
  const silence = new AbortController();
  let timer = 0;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), LOCK_MS);
  };
  try {
    const result = await locks.request(name, { ifAvailable: true }, enter);
    if (result !== none) return /** @type {T} */ (result);
    endWait = onWait(heard);
    heard();
    return /** @type {T} */ (
      await locks.request(name, { signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal }, (lock) => {
        clearTimeout(timer);
        endWait();
        return enter(lock);
      })
    );
  } catch (error) {
    if (entered) throw error;
    if (signal?.aborted) throw aborted(signal);
    if (silence.signal.aborted) return null;
    // A page that may not use locks (an opaque origin) has no file system to share either.
    return use();
  } finally {
    clearTimeout(timer);
    endWait();
  }
}

/** Writes down that a file's hash was checked. @param {string} key @param {string} sha256 */
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

/** Puts right bytes of a whole file; gives the file as it is then. @param {string} key @param {number} offset @param {Bytes} bytes */
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

/** Removes one key, whole or in part. @param {string} key */
export async function remove(key) {
  const folder = await openFolder().catch(() => null);
  if (folder) await removeHash(folder, sha256Text(key));
}

/**
 * Stored models, newest first. Models whose download was not finished are among them on request.
 * @param {{ partial?: boolean }} [options]
 * @returns {Promise<import('../cresset.js').StoredModel[]>}
 */
export async function list({ partial = false } = {}) {
  /** @type {Map<string, import('../cresset.js').StoredModel>} */
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

/** Bytes of one key that are here: all of it, or what an unfinished download left. @param {string} key */
export async function kept(key) {
  const found = (await entries()).find(({ entry }) => entry.key === key);
  return { bytes: found?.entry.bytes ?? 0, complete: found?.complete ?? false, total: found?.total ?? null };
}

/** Deletes a model by the name it was loaded with, or a file by its URL; says whether there was one. @param {string} model */
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
  const sum = (/** @type {Kept[]} */ some) => some.reduce((bytes, { entry }) => bytes + entry.bytes, 0);
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
  /** @type {Kept[]} */
  const found = [];
  if (!folder) return found;
  const names = new Set();
  for await (const name of folder.keys()) names.add(name);
  for (const name of names) {
    const [hash, kind] = name.split('.');
    if (kind === 'json') {
      const entry = await readJson(folder, name);
      if (isEntry(entry)) found.push({ folder, hash, entry, complete: true, total: entry.bytes });
    } else if (kind === 'part' && !names.has(`${hash}.json`)) {
      const part = await readJson(folder, name);
      const { bytes: total = null, ...facts } = part ?? {};
      const entry = { ...facts, bytes: await Part.length(folder, hash) };
      if (isEntry(entry) && (total === null || isLength(total))) found.push({ folder, hash, entry, complete: false, total });
    }
  }
  return found;
}

const isLength = (/** @type {unknown} */ bytes) => Number.isSafeInteger(bytes) && Number(bytes) >= 0;

/** Whether what a file says is an entry: it may be of another version, or damaged. @param {any} entry @returns {entry is Entry} */
function isEntry(entry) {
  const { key, model, url, name, stored, bytes } = entry ?? {};
  return (
    [key, model, url, name].every((text) => typeof text === 'string') && typeof stored === 'string' && !Number.isNaN(Date.parse(stored)) && isLength(bytes)
  );
}

/** The entry goes first: without it the bytes do not count, whatever happens next. @param {Folder} folder @param {string} hash */
async function removeHash(folder, hash) {
  await folder.removeEntry(`${hash}.json`).catch(() => {});
  await removePart(folder, hash);
}
