// Workers from wherever these files lie. A browser starts them only from the page's own origin: from another one, a blob
// imports the module instead.

import { CressetError } from './errors.js';

/**
 * @param {URL} url   of a module
 * @param {string} name   for developer tools
 */
export function startWorker(url, name) {
  demandBrowser();
  // The page's real origin: that of a sandboxed frame is 'null', whatever its address says.
  const { origin } = globalThis;
  try {
    if (url.origin === origin) return new Worker(trusted(url.href), { type: 'module', name });
    const blob = URL.createObjectURL(new Blob([bootstrap(url.href)], { type: 'text/javascript' }));
    // Without an origin of its own a page may not read its blobs as modules.
    const worker = new Worker(trusted(blob), { type: origin === 'null' ? 'classic' : 'module', name });
    // The worker has fetched its script by the time it answers anything; a minute is ample.
    setTimeout(() => URL.revokeObjectURL(blob), 60_000);
    return worker;
  } catch (error) {
    throw new CressetError('INTERNAL', `the engine's worker could not be started: ${/** @type {Error} */ (error).message}`, {}, { cause: error });
  }
}

/** Servers import what pages use, to render them; nothing can be loaded there. */
export function demandBrowser() {
  if (globalThis.Worker) return;
  const advice = 'call it where only the browser runs your code: in useEffect, in onMounted, or in a listener';
  throw new CressetError('INVALID_REQUEST', `Cresset runs in pages and their workers, not on a server or in a service worker; ${advice}`, { field: 'Worker' });
}

// A dynamic import, because browsers hold a worker's static imports to worker-src, dynamic ones to script-src. What is
// sent before the module listens is handed on to it.
/** @param {string} url */
function bootstrap(url) {
  return `const early = [];
const keep = ({ data }) => early.push(data);
addEventListener('message', keep);
import(${JSON.stringify(url)}).then(() => {
  removeEventListener('message', keep);
  for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
}, (error) => setTimeout(() => { throw error; }));`;
}

/** @type {{ createScriptURL: (text: string) => any } | null | undefined} */
let policy;

/** What sites with `require-trusted-types-for 'script'` want; they name the policy in `trusted-types cresset`. @param {string} url */
function trusted(url) {
  policy ??= makePolicy() ?? { createScriptURL: (text) => text };
  return policy.createScriptURL(url);
}

function makePolicy() {
  try {
    return globalThis.trustedTypes?.createPolicy('cresset', { createScriptURL: (text) => text });
  } catch {
    return null; // not allowed here: the browser says why when the worker starts
  }
}
