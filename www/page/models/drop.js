// Files and folders dropped anywhere on the page: a model is loaded, a conversation is imported, a recording is written down, a picture
// is attached to the next message.

import { isPicture } from '../../chat/picture.js';
import { load } from '../downloads.js';
import { byId, element } from '../dom.js';
import { bytes } from '../format.js';
import { keepOwn, noteOwn } from '../own-files.js';
import { showQuestion, toast } from '../problems.js';
import { go, viewOf } from '../router.js';
import { t } from '../text.js';

const WEIGHTS = /\.(gguf|safetensors|bin)$/i;

/** What tells speech models and recordings from other files: fetched with the first of any. */
const kinds = () => import('../speech/models.js');

/** Loads files that make up a model, and asks whether they are to be kept. @param {File[]} files */
export async function loadFiles(files) {
  if (files.length === 0) return;
  const label = (files.find(({ name }) => WEIGHTS.test(name)) ?? files[0]).name;
  const { isSpeechModel } = await kinds();
  if (await isSpeechModel(files)) return useSpeech(files, label);
  if (!(await load(files, label))) return;
  const own = noteOwn(label, files);
  const keep = async () => toast(t((await keepOwn(own, files)) ? 'own.kept' : 'own.notKept', { name: label }));
  showQuestion(t('own.ask', { name: label, size: bytes(own.bytes) }), [{ label: 'own.keep', primary: true, run: keep }]);
}

/** Takes a speech model, where another one answers texts. @param {import('../../cresset.js').Model} model @param {string} label */
export async function useSpeech(model, label) {
  const { chooseSpeech } = await import('../speech/chooser.js');
  if (await chooseSpeech({ model, label })) go('listen');
}

/** Asks for files that were chosen before and not kept. @param {string} label */
export function askAgain(label) {
  const choose = () => {
    const input = element('input', { type: 'file', multiple: true });
    input.addEventListener('change', () => loadFiles([...(input.files ?? [])]));
    input.click();
  };
  showQuestion(t('own.again', { name: label }), [{ label: 'own.choose', primary: true, run: choose }]);
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
    if (files.length > 0 && !files.some(({ name }) => WEIGHTS.test(name)) && files.every(({ name }) => /\.(json|md)$/i.test(name)))
      return importTo('chat', files);
    if (files.some(isPicture) && !files.some(({ name }) => WEIGHTS.test(name))) return importTo('chat', files.filter(isPicture));
    const { isRecording } = await kinds();
    if (files.some(isRecording)) return importTo('listen', files.filter(isRecording));
    loadFiles(files);
  });
}

/** @param {string} view @param {File[]} files */
async function importTo(view, files) {
  await go(view);
  (await viewOf(view))?.importFiles?.(files);
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
