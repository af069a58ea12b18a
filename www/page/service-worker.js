// Makes the page, and every page beside it, work without a network after the first visit, and installable (sw.js).
//
//   import { registerOffline } from './page/service-worker.js';
//   registerOffline({ onUpdate: (apply) => showButton('A new version is there', apply) });

const CHECK_MS = 3_600_000;

/**
 * @param {object} [options]
 * @param {(apply: () => Promise<boolean>) => void} [options.onUpdate]   a new version is there; it comes by itself with a later
 *   visit, or at once with `apply`, which reloads the page: false while other tabs still show the old one
 * @returns {Promise<ServiceWorkerRegistration | null>} null where the browser gives this page none (an insecure address, a
 *   private window, another origin than this file's)
 */
export async function registerOffline({ onUpdate = () => {} } = {}) {
  const { serviceWorker } = globalThis.navigator ?? {};
  if (!serviceWorker) return null;
  const script = new URL('../sw.js', import.meta.url);
  try {
    const registration = await serviceWorker.register(script, { scope: new URL('./', script).pathname, updateViaCache: 'none' });
    watch(registration, serviceWorker, () => onUpdate(() => takeOver(registration, serviceWorker)));
    return registration;
  } catch {
    return null;
  }
}

/** @param {ServiceWorkerRegistration} registration @param {ServiceWorkerContainer} serviceWorker @param {() => void} onWaiting */
function watch(registration, serviceWorker, onWaiting) {
  const follow = (/** @type {ServiceWorker | null} */ worker) =>
    worker?.addEventListener('statechange', () => {
      // Without a controller it is the first one: there is no older version.
      if (worker.state === 'installed' && serviceWorker.controller) onWaiting();
    });
  if (registration.waiting && serviceWorker.controller) onWaiting();
  follow(registration.installing);
  registration.addEventListener('updatefound', () => follow(registration.installing));
  // Browsers look for a new version when a page is opened; this one may stay open for days.
  let checked = Date.now();
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || Date.now() - checked < CHECK_MS) return;
    checked = Date.now();
    registration.update().catch(() => {});
  });
}

/** @param {ServiceWorkerRegistration} registration @param {ServiceWorkerContainer} serviceWorker @returns {Promise<boolean>} */
async function takeOver({ waiting }, serviceWorker) {
  if (!waiting) return false;
  const { port1, port2 } = new MessageChannel();
  /** @type {Promise<boolean>} */
  const alone = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
  });
  serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
  waiting.postMessage('take over', [port2]);
  return alone;
}
