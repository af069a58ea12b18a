#!/usr/bin/env node
// www/ → dist/: what changed and is no part of a bundle (bundle.mjs), and what is gone from www/ goes from dist/ too, but for what the
// rest of the build puts there.
// Scripts travel without their comments, a quarter of what a page would fetch otherwise; each line stays where it is, so that a
// place in a stack is the source's. Types of no one but this repository stay at home.
//
//   node tools/copy.mjs

import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse } from 'acorn';
import { isMade, isTaken } from './bundle.mjs';

const SCRIPT = fileURLToPath(import.meta.url);
const ROOT = resolve(dirname(SCRIPT), '..');
const BUILT = /^(cresset_engine|threads\/|vendor\/)/;
const LEFT_OUT = /\/types\.d\.ts$/;

/** A script without its comments; what follows one in its line is still in that line. @param {string} script */
export function withoutComments(script) {
  const comments = [];
  parse(script, { ecmaVersion: 'latest', sourceType: 'module', onComment: comments });
  let text = '';
  let at = 0;
  for (const { start, end } of comments) {
    const isBetween = /\S/.test(script[start - 1] ?? ' ') && /\S/.test(script[end] ?? ' ');
    text += script.slice(at, start) + (isBetween ? ' ' : '') + script.slice(start, end).replace(/[^\n]/g, '');
    at = end;
  }
  return (text + script.slice(at)).replace(/[ \t]+$/gm, '');
}

async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return paths.map((path) => relative(folder, path).split(sep).join('/'));
}

const dateOf = (path) =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => -Infinity,
  );

async function main() {
  const [from, to] = [join(ROOT, 'www'), join(ROOT, 'dist')];
  await mkdir(to, { recursive: true });
  const names = new Set((await filesIn(from)).filter((name) => !LEFT_OUT.test(name) && !isTaken(name)));
  const models = JSON.parse(await readFile(join(from, 'models', 'catalogue.json'), 'utf8'));
  const fetched = new Set(models.filter(({ hub }) => hub).map(({ file }) => `models/${file}`));
  for (const name of await filesIn(to)) if (!names.has(name) && !fetched.has(name) && !BUILT.test(name) && !isMade(name)) await rm(join(to, name));
  const ours = await dateOf(SCRIPT);
  let copied = 0;
  for (const name of names) {
    const [source, target] = [join(from, name), join(to, name)];
    if ((await dateOf(target)) >= Math.max(await dateOf(source), ours)) continue;
    const contents = await readFile(source);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, name.endsWith('.js') ? withoutComments(contents.toString()) : contents);
    copied += 1;
  }
  if (copied > 0) console.log(`· copied ${copied} files of www/`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
