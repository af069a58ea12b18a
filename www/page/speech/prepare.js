// What the parts of the page that hear have in common, fetched with the first of them: their words and their style.

import { element } from '../dom.js';
import { addWords } from '../text.js';

/** @type {Promise<unknown> | null} */
let prepared = null;

/** Fetches both, once. */
export function prepareSpeech() {
  prepared ??= Promise.all([addWords('speech'), addStyle('page/speech/speech.css')]).catch((error) => {
    prepared = null;
    throw error;
  });
  return prepared;
}

/** @param {string} href @returns {Promise<unknown>} once it holds */
function addStyle(href) {
  return new Promise((resolve, reject) => {
    const link = element('link', { rel: 'stylesheet', href });
    link.addEventListener('load', resolve);
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(`${href} could not be fetched`));
    });
    document.head.append(link);
  });
}
