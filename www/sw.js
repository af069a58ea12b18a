// The page and the library without a network. Keeps the files of one build, all or none of them, and answers from there;
// what few pages use is kept once it is used, and models are not among them, the library keeps those itself (store.js). A
// new build is fetched beside the old one and takes over when no page of the old one is open any more, or on the reload of
// the only one. A page never gets files of two builds, nor what a network between puts in their place: what comes is held to
// the SHA-256 in the build's list.
//
// tools/stamp.mjs writes what a build consists of into the next line; without it nothing is kept.
const BUILD = { stamp: '', files: {}, onUse: {} };

const PREFIX = `cresset ${registration.scope} `;
const NAME = PREFIX + BUILD.stamp;
const FILES = byAddress(BUILD.files);
const ON_USE = byAddress(BUILD.onUse);
const PAGE = addressOf('');
FILES.set(PAGE, FILES.get(addressOf('index.html')) ?? '');

/** What browsers want of the types of files that they execute, apply or show. */
const TYPES = { js: /^\w+\/(x-)?(java|ecma)script\b/i, json: /^\w+\/(\w+\+)?json\b/i, css: /^text\/css\b/i, html: /^text\/html\b/i };

/** What came is not this build's. */
class Foreign extends Error {}

/** This worker has given up its build: the network answers. */
let retired = false;

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
  if (request.method !== 'GET' || BUILD.stamp === '' || retired) return;
  const address = request.url.split(/[?#]/)[0];
  if (request.mode === 'navigate' && [PAGE, `${PAGE}index.html`].includes(address)) event.respondWith(openPage());
  else if (FILES.has(address) && !request.headers.has('range')) event.respondWith(fromBuild(address));
  else if (ON_USE.has(address) && !request.headers.has('range')) event.respondWith(fromBuild(address));
});

async function keepBuild() {
  const was = await caches.has(NAME);
  const cache = await caches.open(NAME);
  try {
    await Promise.all([...FILES.keys()].map(async (address) => cache.put(address, await fetched(address))));
  } catch (error) {
    // A build that was taken back and put up again is kept already, and in use.
    if (!was) await caches.delete(NAME);
    throw error;
  }
}

/**
 * A file of this build from the server, which may have another one by now, or be out of reach behind something that answers for it.
 * @param {string} address
 */
async function fetched(address) {
  // Asked for anew: the browser's own cache may still hold it as it was in an older build.
  const response = await fetch(address, { cache: 'no-cache' });
  const { status, type, headers } = response;
  if (status !== 200 || type !== 'basic') throw new Foreign(`${address}: HTTP ${status}, ${type}`);
  const kind = headers.get('content-type') ?? '';
  const wanted = TYPES[/** @type {keyof typeof TYPES} */ (address === PAGE ? 'html' : (address.split('.').pop() ?? ''))];
  if (wanted && !wanted.test(kind)) throw new Foreign(`${address}: its type is ${kind}`);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer()));
  if (btoa(String.fromCharCode(...hash)) !== (FILES.get(address) ?? ON_USE.get(address))) throw new Foreign(`${address}: not as this build has it`);
  // A page may not be opened with an answer that was redirected, as hosts with addresses of their own liking give them.
  return response.redirected ? new Response(await response.blob(), { headers }) : response;
}

async function openPage() {
  if (registration.waiting && (await isAlone())) {
    registration.waiting.postMessage('take over');
    return reload();
  }
  try {
    return await fromBuild(PAGE);
  } catch (error) {
    if (!(error instanceof Foreign)) throw error;
    // The browser has dropped this build, and the server has it no more: what is there now does without this worker.
    retired = true;
    await registration.unregister();
    return reload();
  }
}

/** Comes back, to another worker or to none. */
function reload() {
  return new Response('', { headers: { Refresh: '0', 'Content-Type': 'text/html' } });
}

/** @param {string} address */
async function fromBuild(address) {
  const cache = await caches.open(NAME);
  const kept = await cache.match(address, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetched(address);
  await cache.put(address, response.clone()).catch(() => {}); // no room: it works all the same
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

/** @param {Record<string, string>} hashes   by file @returns {Map<string, string>} */
function byAddress(hashes) {
  return new Map(Object.entries(hashes).map(([file, hash]) => [addressOf(file), hash]));
}

/** @param {string} file */
function addressOf(file) {
  return new URL(file, registration.scope).href;
}
