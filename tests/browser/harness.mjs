// A server and a browser for the tests in this folder.
//
// `mock: true` lays mock/ over www/: the client and the page without a model. Otherwise dist/ is served: run build.sh first.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { withoutComments } from '../../tools/copy.mjs';
import { serve } from '../../tools/serve.mjs';
import { stampedWorker } from '../../tools/stamp.mjs';
import { VENDORED, pathOf } from '../../tools/vendor.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Where screenshots go; git does not see it. */
export const SCREENSHOTS = `${ROOT}target/screenshots`;

/** How long a test waits for what must come, in ms: on a busy machine everything comes late, and that is no failure. */
export const PATIENCE = 600_000;

/** What strict sites send: nothing inline, no eval but wasm's. */
export const STRICT_CSP =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'";

export const MODELS = {
  '/models/catalogue.json': json([
    {
      id: 'ember',
      name: 'Ember',
      file: 'ember.gguf',
      bytes: 2_097_156,
      description: 'A small storyteller for tests.',
      starters: ['Once upon a time', 'The lighthouse keeper', 'On the first day of winter'],
    },
  ]),
  '/models/ember.gguf': ranged(gguf('', 2_097_152)),
  '/files/chat.gguf': ranged(gguf('chat')),
  '/files/reads.gguf': ranged(gguf('chat fast reads')),
  '/files/loops.gguf': ranged(gguf('chat fast loops')),
  '/files/sees.gguf': ranged(gguf('chat echo sees')),
  '/files/echo.gguf': ranged(gguf('chat echo')),
  '/files/quick.gguf': ranged(gguf('chat echo fast')),
  '/files/drowsy.gguf': ranged(gguf('chat drowsy')),
  '/files/slow-chat.gguf': ranged(gguf('chat slow')),
  '/files/hears.gguf': ranged(gguf('hears')),
  '/files/lora.gguf': ranged(gguf('')),
  '/files/lora/adapter_model.safetensors': ranged(gguf('')),
  '/files/lora/adapter_config.json': json({ r: 8, lora_alpha: 16 }),
  '/files/slow.gguf': ranged(gguf('slow')),
  '/files/panic.gguf': ranged(gguf('panic')),
  '/files/overflow.gguf': ranged(gguf('overflow')),
  '/files/stuck.gguf': ranged(gguf('stuck')),
  '/files/plodding.gguf': ranged(gguf('plodding')),
  '/files/panic-chat.gguf': ranged(gguf('chat panic')),
  '/files/oom.gguf': ranged(gguf('oom')),
  '/files/foreign.gguf': ranged(gguf('foreign')),
  '/files/lost.gguf': ranged(gguf('lost')),
  '/files/norange.gguf': (request, response) => response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(gguf('')),
  '/files/unsized.gguf': (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    response.write(gguf('', 2_097_152));
    response.end(Buffer.alloc(2_097_152));
  },
  '/files/broken.gguf': ranged(Buffer.from('this is not a model at all')),
  '/files/page.gguf': (request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Sign in</title>'),
  '/files/hidden-page.gguf': (request, response) =>
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end('<!doctype html><title>Sign in</title>'),
  '/files/teapot.gguf': (request, response) => response.writeHead(503).end(),
  '/files/cut.gguf': (request, response) => {
    response.writeHead(200, { 'Content-Length': 5_000_000 });
    response.write(gguf(''));
    setTimeout(() => response.destroy(), 50);
  },
};

/** A file of www/ or vendor/ as the build gives it to visitors at most: without comments, before it is bundled. */
export function builtText(name) {
  if (name.startsWith('vendor/')) return readFileSync(pathOf(name.slice('vendor/'.length)), 'utf8');
  const text = readFileSync(`${ROOT}www/${name}`, 'utf8');
  return name.endsWith('.js') ? withoutComments(text) : text;
}

/** Gives a page `Cresset`, and `outcome`: what comes of a promise as plain data. */
export function exposeLibrary(page) {
  return page.evaluate(async () => {
    window.Cresset = (await import('/cresset.js')).Cresset;
    window.outcome = (promise) =>
      promise.then(
        (value) => ({ value }),
        ({ name, code, message, details }) => ({ name, code, message, details }),
      );
  });
}

/** Bytes that the mock engine takes for a model with these traits. */
export function gguf(traits, padding = 4096) {
  return Buffer.concat([Buffer.from(`GGUF ${traits} `), Buffer.alloc(padding)]);
}

/** @param {{ mock?: boolean, bundled?: string, headers?: object, routes?: object, extraRoots?: string[] }} [options]   `bundled`: traits of the model that comes along */
export async function startServer({ mock, bundled, headers, routes, extraRoots = [] } = {}) {
  const roots = [...(mock ? [`${ROOT}tests/browser/mock`, `${ROOT}www`] : [`${ROOT}dist`]), ...extraRoots];
  return serve({
    roots,
    headers,
    routes: {
      ...(mock ? { ...MODELS, ...vendored() } : {}),
      ...(bundled === undefined ? {} : { '/models/ember.gguf': ranged(gguf(bundled)) }),
      '/blank.html': blank,
      '/favicon.ico': nothing,
      ...routes,
    },
  });
}

/** The service worker of what `mock: true` serves: the folders, and a list of models of the tests' own. */
export async function mockWorker() {
  const worker = await stampedWorker([`${ROOT}tests/browser/mock`, `${ROOT}www`]);
  let list = '';
  const response = { writeHead: () => ({ end: (text) => (list = text) }) };
  MODELS['/models/catalogue.json']({}, response);
  return withFile(worker, 'models/catalogue.json', list);
}

/** A service worker whose build has another text in a file's place. */
export function withFile(worker, name, text) {
  const hash = createHash('sha256').update(text).digest('base64');
  const at = worker.indexOf(`"${name}":"`);
  assert.ok(at >= 0, `the build has no ${name}`);
  const from = at + `"${name}":"`.length;
  return worker.slice(0, from) + hash + worker.slice(worker.indexOf('"', from));
}

/** What Playwright turns off; of two such lists Chromium reads the last. */
const OFF_BY_PLAYWRIGHT = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'TcpPortRandomizationWin',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];

/** The address bar's lists are pages of their own, which every window renders anew: a quarter of what a visit costs. */
const ADDRESS_BAR = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'];

/** @param {string[]} [more]   of its arguments */
export async function startBrowser(more = []) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--disable-features=${[...OFF_BY_PLAYWRIGHT, ...ADDRESS_BAR]}`,
      ...more,
    ],
  });
  const open = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await open(options);
    context.setDefaultTimeout(PATIENCE);
    return context;
  };
  return browser;
}

/** Notes what goes wrong on a page in its `problems`: uncaught errors, errors in the console, requests of fields without effect. */
export function noteProblems(page) {
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.text().startsWith('Cresset: ')) page.problems.push(message.text());
  });
}

/** A page that notes its problems and what it says in passing (`window.toasted`), and keeps the addresses it asked for. */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  noteProblems(page);
  await page.addInitScript(() => {
    window.toasted = [];
    addEventListener('DOMContentLoaded', () => {
      const toasts = document.getElementById('toasts');
      if (!toasts) return;
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) window.toasted.push(...[...addedNodes].map(({ textContent }) => textContent));
      }).observe(toasts, { childList: true });
    });
  });
  page.addresses = [];
  context.on('request', (request) => page.addresses.push(request.url()));
  return page;
}

/**
 * Watches how an element's text comes to be there, and gives a function that says how much was written again in one go at
 * most: characters that were there already. A page that redraws more, the longer a text is, blocks itself at last; how fast
 * the machine is, or how much comes at once, makes no difference to this number.
 * @param {import('playwright-core').ElementHandle<HTMLElement>} root
 * @returns {Promise<() => Promise<number>>}
 */
export async function watchRewriting(root) {
  const watch = await root.evaluateHandle((root) => {
    let length = root.textContent.length;
    const watch = { most: 0 };
    const observer = new MutationObserver((records) => {
      const changed = new Set(records.flatMap(({ type, target, addedNodes }) => (type === 'characterData' ? [target] : [...addedNodes])));
      const isWithin = (node) => node !== root && (changed.has(node.parentNode) || (node.parentNode && isWithin(node.parentNode)));
      const written = [...changed].filter((node) => root.contains(node) && !isWithin(node)).reduce((sum, node) => sum + node.textContent.length, 0);
      const now = root.textContent.length;
      watch.most = Math.max(watch.most, written - Math.max(now - length, 0));
      length = now;
    });
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    return watch;
  });
  return () => watch.evaluate(({ most }) => most);
}

function blank(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><html lang="en"><title>blank</title></html>');
}

/** The page's libraries, where build.sh would put them. */
function vendored() {
  return Object.fromEntries(
    Object.keys(VENDORED)
      .filter((name) => name.endsWith('.js'))
      .map((name) => [`/vendor/${name}`, script(readFileSync(pathOf(name)))]),
  );
}

/** A route that gives a script. */
export function script(text) {
  return (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(text);
}

function nothing(request, response) {
  response.writeHead(204).end();
}

/** A route that gives a value as JSON. */
export function json(value) {
  return (request, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

/** A route that gives bytes, whole or by range. */
export function ranged(bytes) {
  return (request, response) => {
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [start, end] = match ? [Number(match[1]), Math.min(Number(match[2]), bytes.length - 1)] : [0, bytes.length - 1];
    response.writeHead(match ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': end - start + 1,
      ...(match ? { 'Content-Range': `bytes ${start}-${end}/${bytes.length}` } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end + 1));
  };
}
