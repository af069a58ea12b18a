// The page and the library without a network. Keeps the files of one build, all or none of them, and answers from there;
// what few pages use is kept once it is used, and models are not among them, the library keeps those itself (store.js). A
// new build is fetched beside the old one and takes over when no page of the old one is open any more, or on the reload of
// the only one: a page never gets files of two builds.
//
// tools/stamp.mjs writes what a build consists of into the next line; without it nothing is kept.
const BUILD = { stamp: '', files: [], onUse: {} };

const PREFIX = `cresset ${registration.scope} `;
const NAME = PREFIX + BUILD.stamp;
const FILES = new Set(BUILD.files.map(addressOf));
const ON_USE = new Map(Object.entries(BUILD.onUse).map(([file, integrity]) => [addressOf(file), integrity]));
const PAGE = addressOf('');

addEventListener('install', (event) => event.waitUntil(keepBuild()));

addEventListener('activate', (event) =>
  event.waitUntil(
    (async () => {
      const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
      await Promise.all(old.map((name) => caches.delete(name)));
      await clients.claim();
    })(),
  ),
);

addEventListener('message', (event) => {
  if (event.data === 'take over') /** @type {MessageEvent & ExtendableEvent} */ (event).waitUntil(takeOver(event.ports[0]));
});

addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || BUILD.files.length === 0) return;
  const address = request.url.split(/[?#]/)[0];
  if (request.mode === 'navigate' && [PAGE, `${PAGE}index.html`].includes(address)) event.respondWith(openPage(request));
  else if (FILES.has(address) && !request.headers.has('range')) event.respondWith(fromBuild(address, request));
  else if (ON_USE.has(address) && !request.headers.has('range')) event.respondWith(fromBuildOnUse(address));
});

async function keepBuild() {
  const cache = await caches.open(NAME);
  // Asked for anew: the browser's own cache may still hold some of them as they were in an older build.
  await Promise.all(
    [PAGE, ...FILES].map(async (address) => {
      const response = await fetch(address, { cache: 'no-cache' });
      if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
      await cache.put(address, await plain(response));
    }),
  );
}

// A page may not be opened with an answer that was redirected, as hosts with addresses of their own liking give them.
/** @param {Response} response */
async function plain(response) {
  return response.redirected ? new Response(await response.blob(), { headers: response.headers }) : response;
}

/** @param {Request} request */
async function openPage(request) {
  if (registration.waiting && (await isAlone())) {
    registration.waiting.postMessage('take over');
    // Comes back to the new build's worker.
    return new Response('', { headers: { Refresh: '0', 'Content-Type': 'text/html' } });
  }
  return fromBuild(PAGE, request);
}

/** @param {string} address @param {Request} request */
async function fromBuild(address, request) {
  const cache = await caches.open(NAME);
  return (await cache.match(address, { ignoreVary: true })) ?? fetch(request);
}

/** @param {string} address */
async function fromBuildOnUse(address) {
  const cache = await caches.open(NAME);
  const kept = await cache.match(address, { ignoreVary: true });
  if (kept) return kept;
  // The server may have a newer build's by now, which must not meet the rest of this one.
  const response = await fetch(address, { cache: 'no-cache', integrity: ON_USE.get(address) });
  if (response.ok) await cache.put(address, await plain(response.clone())).catch(() => {}); // no room: it works all the same
  return response;
}

/** Whether at most one tab shows a page of ours. */
async function isAlone() {
  const windows = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  return windows.filter(({ frameType }) => frameType !== 'nested').length <= 1;
}

/** @param {MessagePort} [port] */
async function takeOver(port) {
  const alone = await isAlone();
  port?.postMessage(alone);
  if (alone) await skipWaiting();
}

/** @param {string} file */
function addressOf(file) {
  return new URL(file, registration.scope).href;
}
