// Files of the visitor's own that are a model: kept in the browser where they say so, else remembered by name, so that they can be
// asked for again.

import { list, number, object, flag, text } from '../chat/shapes.js';
import { memory } from './dom.js';

/** What stands for them where a model's name is remembered. */
export const OWN = 'own files';

const FOLDER = 'cresset-own-files';
const NAME = 10_000;
const MOST = 1000;

/** @typedef {{ label: string, names: string[], bytes: number, kept: boolean }} Own */

/** The last ones. @returns {Own | null} */
export function ownFiles() {
  return memory.get('own-files', object({ label: text(NAME), names: list(text(NAME), MOST), bytes: number(0), kept: flag }));
}

/** They are in use. @param {string} label @param {File[]} files @returns {Own} */
export function noteOwn(label, files) {
  const own = { label, names: files.map(({ name }) => name), bytes: files.reduce((sum, { size }) => sum + size, 0), kept: false };
  memory.set('own-files', own);
  memory.set('model', { model: OWN, label });
  return own;
}

/** Copies them into the browser's storage, in place of those before; gives whether all are there. @param {Own} own @param {File[]} files */
export async function keepOwn(own, files) {
  await removeOwn();
  memory.set('own-files', own);
  memory.set('model', { model: OWN, label: own.label });
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
    for (const file of files) {
      const handle = await folder.getFileHandle(encodeURIComponent(file.name), { create: true });
      await file.stream().pipeTo(await handle.createWritable());
    }
    return memory.set('own-files', { ...own, kept: true });
  } catch {
    await removeFolder(); // half a model is none
    return false;
  }
}

/** Those that are kept, or null where they are not all there. @param {Own} own @returns {Promise<File[] | null>} */
export async function keptOwn({ names, kept }) {
  if (!kept) return null;
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
    return await Promise.all(
      names.map(async (name) => {
        const file = await (await folder.getFileHandle(encodeURIComponent(name))).getFile();
        return new File([file], name);
      }),
    );
  } catch {
    return null;
  }
}

/** Gives their room back. */
export async function removeOwn() {
  memory.remove('own-files');
  await removeFolder();
}

async function removeFolder() {
  try {
    await (await navigator.storage.getDirectory()).removeEntry(FOLDER, { recursive: true });
  } catch {
    // There is none.
  }
}
