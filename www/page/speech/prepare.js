// What the parts of the page that hear have in common, fetched with the first of them: their words and their style.

import { addStyle } from '../style.js';
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
