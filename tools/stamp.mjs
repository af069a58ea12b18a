#!/usr/bin/env node
// Writes into dist/sw.js what the build consists of: the files that work offline, and those that are kept only once a page has
// used them, each with its SHA-256, and a stamp of all contents, by which a browser knows a new build.
//
//   node tools/stamp.mjs [folder]        folder: dist

import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const LINE = /^const BUILD = .*$/m;

// Weights are kept by the library; types, cards and licences are for people.
const LEFT_OUT = /^sw\.js$|\.(gguf|safetensors|d\.ts|md|LICENSE\.txt)$/;
// The second engine, which few pages can use.
const ON_USE = /^threads\//;

/**
 * The service worker for what these folders serve; the first that has a file wins.
 * @param {string[]} folders
 * @returns {Promise<string>}
 */
export async function stampedWorker(folders) {
  const files = new Map();
  for (const folder of folders.toReversed()) {
    for (const path of await filesIn(folder)) files.set(relative(folder, path).split(sep).join('/'), path);
  }
  const names = [...files.keys()].filter((name) => !LEFT_OUT.test(name)).sort();
  const worker = await readFile(files.get('sw.js'), 'utf8');
  const stamp = createHash('sha256').update(worker.replace(LINE, ''));
  const build = { stamp: '', files: {}, onUse: {} };
  for (const name of names) {
    const hash = createHash('sha256')
      .update(await readFile(files.get(name)))
      .digest('base64');
    build[ON_USE.test(name) ? 'onUse' : 'files'][name] = hash;
    stamp.update(`${name}\0${hash}\0`);
  }
  build.stamp = stamp.digest('hex').slice(0, 16);
  if (!LINE.test(worker)) throw new Error('sw.js has no line that begins with "const BUILD ="');
  return worker.replace(LINE, () => `const BUILD = ${JSON.stringify(build)};`);
}

async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

async function main(folder) {
  const path = join(folder, 'sw.js');
  const worker = await stampedWorker([folder]);
  // An unchanged one keeps its date.
  if (worker !== (await readFile(path, 'utf8'))) await writeFile(path, worker);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main(resolve(process.argv[2] ?? join(root, 'dist')));
