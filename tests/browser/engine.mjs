// The real engine in a page, for tests: golden files to serve, and a page that has loaded it.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { STRICT_CSP, builtText, newPage, script, startServer } from './harness.mjs';

export const TESTS = fileURLToPath(new URL('../', import.meta.url));
export const GOLDEN = `${TESTS}golden`;
export const SHARED = `${process.env.CRESSET_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))}/data/weights`;
export const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
export const DEVICES = ['cpu', 'webgpu'];

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The file of the model that comes with every build. */
export const STORY_MODEL = readJson(fileURLToPath(new URL('../../www/models/catalogue.json', import.meta.url))).find(({ id }) => id === 'stories').file;

/** Routes to scripts that the build has within its bundles, for who looks into them. */
export const WITHIN = Object.fromEntries(
  ['worker/subgroups.js', 'worker/verdicts.js', 'worker/start-engine.js', 'lib/errors.js', 'lib/start-worker.js'].map((name) => [
    `/${name}`,
    script(builtText(name)),
  ]),
);

/** Serves dist/ with the golden files beside it, and what else lies in `roots` or is in `routes`. */
export function serveEngine(roots = [], routes = {}) {
  assert.ok(existsSync(`${DIST}/cresset_engine_bg.wasm`), 'dist/ has no engine: run ./build.sh first');
  return startServer({
    extraRoots: [TESTS, ...roots].filter(existsSync),
    headers: { 'Content-Security-Policy': STRICT_CSP },
    routes: { ...WITHIN, ...routes },
  });
}

/**
 * A page with the library as `Cresset`, and the wasm engine itself, which gives logits; the library does not. Engines that the page
 * itself loads share a graphics device.
 */
export async function newEnginePage(browser, server, options) {
  const page = await newPage(browser, options);
  await openEngine(page, server);
  return page;
}

/** The same in a page that is there, as at a new visit. */
export async function openEngine(page, server) {
  await page.goto(`${server.url}blank.html`);
  await page.evaluate(shareDevice);
  await page.evaluate(async () => {
    await import('/worker/subgroups.js');
    const { default: init, Engine } = await import('/cresset_engine.js');
    await init();
    window.Cresset = (await import('/cresset.js')).Cresset;
    window.outcome = (promise) =>
      promise.then(
        (value) => ({ value }),
        ({ name, code, message }) => ({ name, code, message }),
      );
    window.filesAt = (paths) =>
      Promise.all(
        paths.map(async (path) => {
          const blob = await (await fetch(path)).blob();
          return { name: path.split('/').pop(), size: blob.size, read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()) };
        }),
      );
    window.loadBare = async (paths, options) => Engine.load(await filesAt(paths), JSON.stringify(options), () => {});
  });
}

/**
 * Has the engines of a page use one graphics device, which keeps the pipelines that it compiled: most of them serve the next model
 * too, and a graphics adapter in software takes half a second for each.
 */
function shareDevice() {
  const devices = new Map();
  const pipelines = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function (wanted) {
    const key = JSON.stringify(wanted);
    if (!devices.has(key)) devices.set(key, requestDevice.call(this, wanted));
    return devices.get(key);
  };
  GPUDevice.prototype.destroy = () => {}; // the next engine needs it
  for (const method of ['createComputePipeline', 'createComputePipelineAsync']) {
    const create = GPUDevice.prototype[method];
    GPUDevice.prototype[method] = function (...descriptor) {
      const pipeline = create.apply(this, descriptor);
      pipelines.push(pipeline);
      return pipeline;
    };
  }
}

/** The files that make a model of a golden folder, for the weights file `name`. */
export function filesOf(folder, name) {
  if (name.endsWith('.gguf')) return [`/golden/${folder}/${name}`];
  const wanted = readdirSync(`${GOLDEN}/${folder}`).filter((file) => file.endsWith('.json') && file !== 'expected.json' && !file.endsWith('.index.json'));
  const weights = name.endsWith('.index.json') ? [name, ...new Set(Object.values(readJson(`${GOLDEN}/${folder}/${name}`).weight_map))] : [name];
  return [...weights, ...wanted].map((file) => `/golden/${folder}/${file}`);
}

/** The largest difference between two lists of numbers. */
export function gap(a, b) {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}
