#!/usr/bin/env node
// Libraries that the page and the widget use, from node_modules to dist/vendor/, each with its licence.
//
//   node tools/vendor.mjs [folder]        folder: dist

import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Names in vendor/, and where the files are in node_modules. */
export const LIBRARIES = { 'marked.esm.js': 'marked/lib/marked.esm.js' };

export async function vendor(folder) {
  const target = join(folder, 'vendor');
  await mkdir(target, { recursive: true });
  for (const [name, path] of Object.entries(LIBRARIES)) {
    const from = join(root, 'node_modules', path);
    await copyFile(from, join(target, name));
    const [library] = path.split('/');
    const licence = (await readdir(join(root, 'node_modules', library))).find((file) => /^licen[cs]e/i.test(file));
    await copyFile(join(root, 'node_modules', library, licence), join(target, `${library}.LICENSE.txt`));
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await vendor(resolve(process.argv[2] ?? join(root, 'dist')));
