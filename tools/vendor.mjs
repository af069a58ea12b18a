#!/usr/bin/env node
// Libraries that the page ships: files of npm packages, and their licences, → vendor/ of the page. Unchanged, so that they
// can be compared with what their makers publish.
//
//   node tools/vendor.mjs FOLDER

import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../node_modules/', import.meta.url));

/** By name in vendor/: where it lies below node_modules/. */
export const VENDORED = {
  'highlight.min.js': '@highlightjs/cdn-assets/es/highlight.min.js', // BSD-3-Clause
  'highlight.LICENSE.txt': '@highlightjs/cdn-assets/LICENSE',
  'marked.esm.js': 'marked/lib/marked.esm.js', // MIT
  'marked.LICENSE.txt': 'marked/LICENSE',
  'purify.min.js': 'dompurify/dist/purify.min.js', // Apache-2.0 or MPL-2.0; taken under Apache-2.0
  'purify.LICENSE.txt': 'dompurify/LICENSE',
};

/** The path of a vendored file. */
export const pathOf = (name) => join(PACKAGES, VENDORED[name]);

async function main([folder]) {
  if (!folder) throw new Error('usage: node tools/vendor.mjs FOLDER');
  await mkdir(join(folder, 'vendor'), { recursive: true });
  for (const name of Object.keys(VENDORED)) {
    const to = join(folder, 'vendor', name);
    const [from, old] = await Promise.all([
      readFile(pathOf(name)),
      stat(to).then(
        () => readFile(to),
        () => null,
      ),
    ]);
    if (!old?.equals(from)) await copyFile(pathOf(name), to);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
