// Files and folders dropped anywhere on the page: a model is loaded, a conversation is imported.

import { load } from '../downloads.js';
import { byId } from '../dom.js';
import { go, viewOf } from '../router.js';

const WEIGHTS = /\.(gguf|safetensors)$/i;

/** Loads files that make up a model. @param {File[]} files */
export function loadFiles(files) {
  if (files.length > 0) load(files, (files.find(({ name }) => WEIGHTS.test(name)) ?? files[0]).name);
}

/** Listens on the whole page. */
export function setUpDrop() {
  const veil = byId('drop');
  let depth = 0; // dragenter and dragleave also fire for every element within
  const hasFiles = (/** @type {DragEvent} */ event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const show = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  addEventListener('dragenter', (event) => {
    if (hasFiles(event)) show(1);
  });
  addEventListener('dragleave', (event) => {
    if (hasFiles(event)) show(-1);
  });
  addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener('drop', async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(0);
    const files = await filesOf(/** @type {DataTransfer} */ (event.dataTransfer));
    if (files.length > 0 && !files.some(({ name }) => WEIGHTS.test(name)) && files.every(({ name }) => /\.(json|md)$/i.test(name))) return importAll(files);
    loadFiles(files);
  });
}

/** @param {File[]} files */
async function importAll(files) {
  await go('chat');
  (await viewOf('chat'))?.importFiles?.(files);
}

/** The files that were dropped, those in folders too. @param {DataTransfer} transfer */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.some(({ isDirectory }) => isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function walk(entry) {
  if (entry.isFile)
    return [
      await new Promise((resolve, reject) => {
        /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject);
      }),
    ];
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {File[]} */
  const found = [];
  for (;;) {
    // it gives a hundred at a time
    /** @type {FileSystemEntry[]} */
    const batch = await new Promise((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0) return found;
    found.push(...(await Promise.all(batch.map(walk))).flat());
  }
}
