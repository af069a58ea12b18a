// Model files kept on this device, in the origin private file system.
//
// An entry is two files: `<hash>.bin`, the bytes, and `<hash>.json`, written last, so that an entry counts only when it
// is whole; its size is compared again when it is opened. Every function works without the file system too: it
// then finds nothing and stores nothing. `create` and its writer belong to a worker; the rest runs anywhere.

import { sha256Text } from './sha256.js';

const FOLDER = 'cresset-models';

/**
 * What is known about a stored file.
 * @typedef {{ key: string, model: string, url: string, name: string, bytes: number, sha256?: string, stored: string }} Entry
 */

/** The stored file of this key with its entry, or null. */
export async function open(key) {
  try {
    const folder = await openFolder();
    const entry = await readEntry(folder, `${sha256Text(key)}.json`);
    if (entry?.key !== key) return null;
    const file = await (await folder.getFileHandle(`${sha256Text(key)}.bin`)).getFile();
    return file.size === entry.bytes ? { file, entry } : null;
  } catch {
    return null;
  }
}

/**
 * Begins an entry, replacing one of the same key; null where it cannot be stored (no file system, no room, another
 * tab is writing it).
 * @param {string} key
 * @param {number | null} bytes   expected size
 */
export async function create(key, bytes) {
  try {
    const { quota = Infinity, usage = 0 } = (await navigator.storage.estimate?.()) ?? {};
    if (bytes !== null && bytes > quota - usage) return null;
    const folder = await openFolder();
    const hash = sha256Text(key);
    await folder.removeEntry(`${hash}.json`).catch(() => {});
    const handle = await folder.getFileHandle(`${hash}.bin`, { create: true });
    const access = await handle.createSyncAccessHandle();
    access.truncate(0);
    return new Writer(folder, hash, handle, access);
  } catch {
    return null;
  }
}

/** The bytes of an entry being written. `write` throws when the device refuses; call `abort` then. */
class Writer {
  #folder;
  #hash;
  #handle;
  #access;
  #written = 0;

  constructor(folder, hash, handle, access) {
    this.#folder = folder;
    this.#hash = hash;
    this.#handle = handle;
    this.#access = access;
  }

  /** @param {Uint8Array} chunk */
  write(chunk) {
    const count = this.#access.write(chunk, { at: this.#written });
    if (count !== chunk.length) throw new Error('the device stored only part of the data');
    this.#written += count;
  }

  /** Makes the entry valid, and gives its file. @param {Omit<Entry, 'bytes' | 'stored'>} facts */
  async commit(facts) {
    this.#access.flush();
    this.#access.close();
    const entry = { ...facts, bytes: this.#written, stored: new Date().toISOString() };
    const handle = await this.#folder.getFileHandle(`${this.#hash}.json`, { create: true });
    const access = await handle.createSyncAccessHandle();
    try {
      access.truncate(0);
      access.write(new TextEncoder().encode(JSON.stringify(entry)), { at: 0 });
      access.flush();
    } finally {
      access.close();
    }
    return this.#handle.getFile();
  }

  /** Drops what was written. */
  async abort() {
    try {
      this.#access.close();
      await this.#folder.removeEntry(`${this.#hash}.bin`);
    } catch {
      // Half-written bytes without an entry are never read, and `clear` and the next `create` remove them.
    }
  }
}

/** Removes one key. */
export async function remove(key) {
  await removeHash(await openFolder(), sha256Text(key)).catch(() => {});
}

/** Stored models, newest first: `{ model, bytes, stored, files: Entry[] }`. */
export async function list() {
  const models = new Map();
  for (const { entry } of await entries()) {
    const model = models.get(entry.model) ?? { model: entry.model, bytes: 0, stored: entry.stored, files: [] };
    model.bytes += entry.bytes;
    model.files.push(entry);
    if (entry.stored > model.stored) model.stored = entry.stored;
    models.set(entry.model, model);
  }
  return [...models.values()].sort((a, b) => b.stored.localeCompare(a.stored));
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

/** Deletes everything, half-written files too; a file that another tab is writing stays. */
export async function clear() {
  const folder = await openFolder().catch(() => null);
  if (!folder) return;
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  for (const name of names) await folder.removeEntry(name).catch(() => {});
}

/** Bytes: of stored models, and the browser's own account of this origin (`quota` is null where it gives none). */
export async function usage() {
  const models = (await entries()).reduce((sum, { entry }) => sum + entry.bytes, 0);
  const estimate = await globalThis.navigator?.storage?.estimate?.().catch(() => null);
  return { models, origin: estimate?.usage ?? null, quota: estimate?.quota ?? null };
}

async function openFolder() {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

async function entries() {
  const folder = await openFolder().catch(() => null);
  const found = [];
  if (!folder) return found;
  for await (const name of folder.keys()) {
    const entry = name.endsWith('.json') ? await readEntry(folder, name) : null;
    if (entry) found.push({ folder, hash: name.slice(0, -'.json'.length), entry });
  }
  return found;
}

async function readEntry(folder, name) {
  try {
    return JSON.parse(await (await (await folder.getFileHandle(name)).getFile()).text());
  } catch {
    return null;
  }
}

// The entry goes first: without it the bytes do not count, whatever happens next.
async function removeHash(folder, hash) {
  await folder.removeEntry(`${hash}.json`);
  await folder.removeEntry(`${hash}.bin`);
}
