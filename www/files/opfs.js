// Small helpers over the origin private file system. Writing needs a worker: only there files open synchronously.

const FOLDER = 'cresset-models';
const LOCKED_TRIES = 20;
const LOCKED_WAIT_MS = 50;
const SILENCE_MS = 8000;

/** It has said nothing for so long that nobody waits for it any more, until it does. */
let silent = false;

/** Where models are kept; throws where the browser has no such place for this page, or one that does not answer. */
export async function openFolder() {
  const opened = navigator.storage.getDirectory().then((root) => root.getDirectoryHandle(FOLDER, { create: true }));
  const settled = () => {
    silent = false;
  };
  opened.then(settled, settled);
  let timer = 0;
  const silence = new Promise((_, reject) => {
    const give = () => {
      silent = true;
      reject(new Error('the browser’s file system does not answer'));
    };
    timer = setTimeout(give, silent ? 0 : SILENCE_MS);
  });
  try {
    return await Promise.race([opened, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** @typedef {FileSystemDirectoryHandle} Folder */

/** @param {Folder} folder @param {string} name @returns {Promise<File>} */
export async function readFile(folder, name) {
  return (await folder.getFileHandle(name)).getFile();
}

/** What a JSON file holds, or null. @param {Folder} folder @param {string} name */
export async function readJson(folder, name) {
  try {
    return JSON.parse(await (await readFile(folder, name)).text());
  } catch {
    return null;
  }
}

/** @param {Folder} folder @param {string} name @param {object} value */
export async function writeJson(folder, name, value) {
  const access = await openAccess(folder, name);
  try {
    access.truncate(0);
    write(access, new TextEncoder().encode(JSON.stringify(value)), 0);
    access.flush();
  } finally {
    access.close();
  }
}

/**
 * A file open for reading and writing, made if need be. A tab that has just been closed may hold it for a moment more.
 * @param {Folder} folder
 * @param {string} name
 */
export async function openAccess(folder, name) {
  const handle = await folder.getFileHandle(name, { create: true });
  for (let tries = 0; ; tries += 1) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (/** @type {any} */ error) {
      if (error.name !== 'NoModificationAllowedError' || tries >= LOCKED_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCKED_WAIT_MS));
    }
  }
}

/** Writes all of `bytes`, or throws. @param {FileSystemSyncAccessHandle} access @param {import('./types.d.ts').Bytes} bytes @param {number} at */
export function write(access, bytes, at) {
  if (access.write(bytes, { at }) !== bytes.length) throw new Error('the device stored only part of the data');
}

/**
 * Room for a file of so many bytes, or a QuotaExceededError. Browsers need not throw when there is none.
 * @param {FileSystemSyncAccessHandle} access
 * @param {number} bytes
 */
export function reserve(access, bytes) {
  access.truncate(bytes);
  if (access.getSize() !== bytes) throw new DOMException('the browser gives this site no more room', 'QuotaExceededError');
}
