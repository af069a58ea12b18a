#!/usr/bin/env node
// dist/ → an npm package, target/cresset-VERSION.tgz: the library, its types, the engine and the models.
//
//   node tools/pack.mjs VERSION
//
// The page itself, and what only it needs, stays out.

import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reached } from './bundle.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const folder = join(root, 'target', 'npm');
const version = process.argv[2];
if (!/^\d+\.\d+\.\d+/.test(version ?? '')) throw new Error('usage: node tools/pack.mjs VERSION');

const page = new Set(['app.js', 'bench', 'bench.html', 'icons', 'index.html', 'logo.svg', 'manifest.webmanifest', 'page', 'style', 'sw.js']);
const papers = ['README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'LICENSE-APACHE'];
// The chat model is the site's: installed, the library takes it from the hub.
const separate = JSON.parse(await readFile(join(dist, 'models', 'catalogue.json'), 'utf8'))
  .filter(({ hub }) => hub)
  .map(({ file }) => join(dist, 'models', file));
// What the library, the widget and their workers reach of parts/: the others are the page's.
const scripts = ['cresset.js', 'cresset-chat.js', 'worker/worker.js', 'widget/remote-worker.js'];
const ours = await reached(dist, scripts, /\b(?:from|import)\s*\(?["'`](\.{1,2}\/[^"'`$]+)["'`]/g);
const isOurs = (/** @type {string} */ path) => !separate.includes(path) && (dirname(path) !== join(dist, 'parts') || ours.has(`parts/${basename(path)}`));
const entries = (await readdir(dist)).filter((name) => !page.has(name)).sort();

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const name of entries) await cp(join(dist, name), join(folder, name), { recursive: true, filter: isOurs });
for (const name of papers) await cp(join(root, name), join(folder, name));

await writeFile(
  join(folder, 'package.json'),
  `${JSON.stringify(
    {
      name: 'cresset',
      version,
      description: "Language models that run inside any web page, on the visitor's own GPU.",
      license: 'MIT OR Apache-2.0',
      type: 'module',
      main: './cresset.js',
      types: './cresset.d.ts',
      exports: {
        '.': { types: './cresset.d.ts', default: './cresset.js' },
        './chat': { types: './cresset-chat.d.ts', default: './cresset-chat.js' },
        './*': './*',
      },
      files: [...entries, ...papers],
    },
    null,
    2,
  )}\n`,
);

const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', join(root, 'target')], { cwd: folder }));
console.log(`· packed target/${packed.filename}: ${packed.files.length} files, ${(packed.size / 1e6).toFixed(2)} MB`);
