#!/usr/bin/env node
// The scripts and the style of www/ → few files in dist/, so that a first visit asks for few. What stands at public addresses, the
// page's views and the widget share what is in parts/; a worker is one file, and so are the page's style and the engine's glue.
//
//   node tools/bundle.mjs            parts/, the workers, index.html
//   node tools/bundle.mjs FOLDER     the engine's glue in this folder

import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [FROM, TO] = [join(ROOT, 'www'), join(ROOT, 'dist')];
const IMPORT = /^(?:import|export)\s[^;]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'/gm;

/** Scripts at addresses of their own: the public ones, and those that tests look into. */
const ENTRIES = ['cresset-chat.js', 'cresset.js', 'app.js', 'page/session.js', 'page/service-worker.js'];
const WORKERS = ['worker/worker.js', 'widget/remote-worker.js'];

/** Scripts that stay as they are: words, which come by their language, and what is loaded by itself. */
const ALONE = /^(sw|page\/theme|page\/embed\/preview|bench\/bench|worker\/(thread|capture))\.js$|\/locales\//;

/** What this makes of www/. @param {string} name   below dist/ */
export const isMade = (name) => /^parts\/|^style\/all\.css$|^index\.html$/.test(name) || ENTRIES.includes(name) || WORKERS.includes(name);

/** What it takes of www/, so that it is not in dist/ beside. @param {string} name   below www/ */
export const isTaken = (name) => isMade(name) || (/\.js$/.test(name) && !ALONE.test(name)) || /^style\//.test(name);

/** Each part with what it is made of: all that these import, and theirs, without what the parts before it have. */
const PARTS = {
  closed: ['cresset-chat.js'],
  library: ['cresset.js'],
  talk: [
    'chat/conversation.js',
    'chat/transcript.js',
    'chat/composer.js',
    'chat/turn-words.js',
    'chat/fit-prompt.js',
    'chat/request.js',
    'chat/sampling.js',
    'chat/kept.js',
    'chat/save-data.js',
    'chat/shapes.js',
    'chat/problems.js',
    'chat/format.js',
    'chat/i18n.js',
    'chat/answer/speaker.js',
  ],
  page: ['app.js', 'page/session.js', 'page/service-worker.js'],
  models: ['page/models/suggestions.js', 'page/models/rows.js', 'page/models/view.js'],
};
/** Runs where it is imported, so it is in no part. */
const APART = ['app.js', 'cresset-chat.js'];

/** What is beside all parts and workers, as deep below dist/ as these. @type {import('rolldown').Plugin} */
const beside = {
  name: 'beside',
  resolveId: (source) => (/^(\.\.\/)+(vendor\/|cresset_engine\.js$)/.test(source) ? { id: source.replace(/^(\.\.\/)+/, '../'), external: 'absolute' } : null),
};

/** @type {import('rolldown').InputOptions} */
const INPUT = {
  plugins: [beside],
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message);
  },
};
/** @type {import('rolldown').OutputOptions} */
const OUTPUT = { format: 'esm', comments: false, minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } } };

/**
 * The files that these reach by imports, themselves among them.
 * @param {string} folder
 * @param {string[]} names   below it
 * @param {RegExp} imports   what they import is in the first group that matches
 * @returns {Promise<Set<string>>}
 */
export async function reached(folder, names, imports) {
  const found = new Set();
  const queue = [...names];
  for (let name = queue.pop(); name; name = queue.pop()) {
    if (found.has(name) || /^vendor\//.test(name)) continue;
    found.add(name);
    if (!name.endsWith('.js')) continue;
    const script = await readFile(join(folder, name), 'utf8');
    for (const [, from, alone] of script.matchAll(imports)) queue.push(posix.join(posix.dirname(name), from ?? alone));
  }
  return found;
}

/** Writes parts/ and the scripts that begin with them. @returns {Promise<string[]>} the files that a first visit begins with */
async function bundleParts() {
  /** @type {Map<string, string>} */
  const partOf = new Map();
  for (const [part, names] of Object.entries(PARTS)) for (const name of await reached(FROM, names, IMPORT)) if (!partOf.has(name)) partOf.set(name, part);
  for (const name of APART) partOf.delete(name);
  const bundle = await rolldown({ ...INPUT, input: ENTRIES.map((name) => join(FROM, name)) });
  const { output } = await bundle.generate({
    ...OUTPUT,
    dir: join(TO, 'parts'),
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    codeSplitting: {
      groups: Object.keys(PARTS).map((name, i, all) => ({
        name,
        test: (/** @type {string} */ id) => partOf.get(relative(FROM, id).split(sep).join('/')) === name,
        priority: all.length - i,
      })),
    },
  });
  await rm(join(TO, 'parts'), { recursive: true, force: true });
  await mkdir(join(TO, 'parts'));
  for (const chunk of output) {
    const entry = ENTRIES.find((name) => chunk.isEntry && chunk.facadeModuleId === join(FROM, name));
    // What is at an address of its own looks for its parts from there.
    const way = entry?.includes('/') ? '../parts/' : './parts/';
    checkAddresses(entry ?? `parts/${chunk.fileName}`, chunk.code);
    const code = entry ? chunk.code.replaceAll(/(from|import|import\()(["'`])\.\//g, `$1$2${way}`) : chunk.code;
    await writeFile(join(TO, entry ?? `parts/${chunk.fileName}`), code);
  }
  const importsOf = (name) => output.find(({ fileName }) => fileName === name).imports.filter((other) => !other.startsWith('.'));
  const begins = new Set();
  const queue = importsOf('app.js');
  for (let name = queue.pop(); name; name = queue.pop()) {
    if (!begins.has(name)) queue.push(...importsOf(name));
    begins.add(name);
  }
  return [...begins].map((name) => `parts/${name}`).sort();
}

/**
 * The addresses that a script makes from its own must lead somewhere from where it comes to lie: what is in parts/ writes them as
 * from any folder beside, `../widget/x.js`.
 * @param {string} name   below dist/
 * @param {string} code
 */
function checkAddresses(name, code) {
  for (const [, from] of code.matchAll(/new URL\(\s*["'`](\.[^"'`]+)["'`],\s*import\.meta\.url\s*\)/g)) {
    const path = posix.join(posix.dirname(name), from);
    if (/^(threads\/)?cresset_engine\.js$/.test(path) || existsSync(join(FROM, path))) continue;
    throw new Error(`${name} looks for ${path}, which is not in www/`);
  }
}

/** A script with all that it imports in one file. @param {string} from @param {string} to */
async function bundleAlone(from, to) {
  const bundle = await rolldown({ ...INPUT, input: from });
  await bundle.write({ ...OUTPUT, file: to, codeSplitting: false });
}

/** index.html with one style, and what the page begins with announced. @param {string[]} begins */
async function writePage(begins) {
  const styles = /(?: *<link rel="stylesheet" href="([^"]+)">\n)/g;
  const page = await readFile(join(FROM, 'index.html'), 'utf8');
  const names = [...page.matchAll(styles)].map(([, name]) => name);
  const texts = await Promise.all(names.map((name) => readFile(join(FROM, name), 'utf8')));
  await writeFile(join(TO, 'style', 'all.css'), texts.join('\n'));
  let first = true;
  const links = ['  <link rel="stylesheet" href="style/all.css">', ...begins.map((name) => `  <link rel="modulepreload" href="${name}">`)];
  await writeFile(
    join(TO, 'index.html'),
    page.replace(styles, () => {
      const text = first ? `${links.join('\n')}\n` : '';
      first = false;
      return text;
    }),
  );
}

/** The engine's glue with the scripts beside it in one file. @param {string} folder */
async function bundleGlue(folder) {
  const glue = join(folder, 'cresset_engine.js');
  const script = await readFile(glue, 'utf8').catch(() => '');
  if (/\/snippets\//.test(script)) await bundleAlone(glue, glue);
  await rm(join(folder, 'snippets'), { recursive: true, force: true });
}

async function main() {
  await mkdir(join(TO, 'style'), { recursive: true });
  await writePage(await bundleParts());
  for (const name of WORKERS) {
    await bundleAlone(join(FROM, name), join(TO, name));
    checkAddresses(name, await readFile(join(TO, name), 'utf8'));
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder] = process.argv.slice(2);
  await (folder ? bundleGlue(resolve(folder)) : main());
}
