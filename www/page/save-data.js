// Where data is to be saved, nothing large is fetched unasked: neither the engine, nor a model, nor this page for later
// visits. The first model that the visitor asks for is the permission.

import { savesData } from '../chat/save-data.js';

let agreed = false;
let allow = () => {};

/** Resolves once large files may be fetched: at once where no data is to be saved. @type {Promise<void>} */
export const allowed = new Promise((resolve) => {
  allow = resolve;
});
if (!savesData()) allow();

/** The visitor wants a model, whatever it weighs. */
export function agree() {
  agreed = true;
  allow();
}

/** Whether large files may be fetched now. */
export function mayFetch() {
  return agreed || !savesData();
}
