// The floors of www/: which room may import which, that every import names a file, and that none leads round in a circle.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const WWW = fileURLToPath(new URL('../../www/', import.meta.url));

/** What lies at public addresses, and nothing else, is at the root. */
const ROOT = [
  'app.js',
  'bench.html',
  'cresset-chat.d.ts',
  'cresset-chat.js',
  'cresset.d.ts',
  'cresset.js',
  'index.html',
  'logo.svg',
  'manifest.webmanifest',
  'sw.js',
];

/** Each room with those that it may import, from the ground up; a file at the root is a room of its own. */
const MAY_IMPORT = {
  lib: [],
  files: ['lib', 'models'],
  worker: ['lib', 'files', 'engine'],
  'cresset.js': ['lib', 'files'],
  chat: ['lib', 'vendor'],
  widget: ['lib', 'chat', 'cresset.js'],
  'cresset-chat.js': ['widget', 'chat'],
  page: ['lib', 'worker', 'chat', 'vendor', 'cresset.js'],
  'page/write': ['page', 'chat', 'cresset.js'],
  'page/speech': ['page', 'lib', 'chat', 'cresset.js'],
  'page/models': ['page', 'page/speech', 'chat', 'models', 'cresset.js'],
  'page/listen': ['page', 'page/speech', 'lib', 'chat'],
  'page/chat': ['page', 'page/speech', 'page/models', 'chat', 'vendor'],
  'page/embed': ['page', 'page/speech', 'page/models', 'chat', 'cresset.js', 'cresset-chat.js'],
  'app.js': ['chat', 'page', 'page/chat', 'page/write', 'page/listen', 'page/models', 'page/embed', 'cresset.js'],
  bench: ['cresset.js'],
  'sw.js': [],
};

/** Imports whose module is an expression: the engine's second build, and the one that a page of another origin starts. */
const EXPRESSIONS = { 'worker/start-engine.js': 1, 'lib/start-worker.js': 1 };

/** What the build adds, by the room it is of. */
const ADDED = { engine: /^(threads\/)?cresset_engine(\.js|_bg\.wasm)$/, vendor: /^vendor\// };

/** @typedef {Map<string, string>} Tree   path → text, '' for what is no script */

/** @returns {Tree} */
function readTree() {
  const entries = readdirSync(WWW, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return [relative(WWW, path).split(sep).join('/'), path.endsWith('.js') ? codeOf(readFileSync(path, 'utf8')) : ''];
    }),
  );
}

const codeOf = (text) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
const scriptsOf = (tree) => [...tree.keys()].filter((file) => file.endsWith('.js'));
const pathFrom = (file, specifier) => posix.normalize(posix.join(posix.dirname(file), specifier));

/**
 * The files that a module imports, statically or when it comes to that; a name with a gap in it stands for all that fit, and
 * for itself where none does.
 * @param {Tree} tree
 * @param {string} file
 * @returns {string[]}
 */
function importsOf(tree, file) {
  const code = tree.get(file);
  const fixed = [...code.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'|(?:^|\n)import\s*'([^']+)'|\bimport\('([^']+)'/g)];
  const open = [...code.matchAll(/\bimport\(`([^`]+)`/g)].flatMap(([, text]) => {
    const path = pathFrom(file, text);
    const pattern = new RegExp(`^${path.replace(/[.*+?^()|[\]\\]/g, '\\$&').replace(/\$\{[^}]*\}/g, '[^/]+')}$`);
    const found = [...tree.keys()].filter((other) => pattern.test(other));
    return found.length > 0 ? found : [path];
  });
  return [...fixed.map(([, from, bare, dynamic]) => pathFrom(file, from ?? bare ?? dynamic)), ...open];
}

/** The room of a file: the deepest folder that has rules. */
function roomOf(file) {
  const added = Object.keys(ADDED).find((room) => ADDED[room].test(file));
  if (added) return added;
  const parts = file.split('/');
  if (parts.length === 1) return file;
  const inner = parts.slice(0, 2).join('/');
  return Object.hasOwn(MAY_IMPORT, inner) ? inner : parts[0];
}

/** Imports that lead nowhere, that lead into a room that they may not, and that this test cannot read. @param {Tree} tree */
function wrongImports(tree) {
  const faults = [];
  for (const file of scriptsOf(tree)) {
    const room = roomOf(file);
    if (!Object.hasOwn(MAY_IMPORT, room)) faults.push(`${file} is in no room`);
    for (const other of importsOf(tree, file)) {
      const theirs = roomOf(other);
      if (!tree.has(other) && !Object.hasOwn(ADDED, theirs)) faults.push(`${file} imports ${other}, which is not there`);
      else if (theirs !== room && !MAY_IMPORT[room]?.includes(theirs)) faults.push(`${file} imports ${other}: ${theirs} is not below ${room}`);
    }
    const unread = (tree.get(file).match(/\bimport\((?!['"`])/g) ?? []).length;
    if (unread !== (EXPRESSIONS[file] ?? 0)) faults.push(`${file} imports what is no fixed name`);
    for (const [, specifier] of tree.get(file).matchAll(/new URL\('(\.[^']*)', import\.meta\.url\)/g)) {
      const other = pathFrom(file, specifier);
      if (!tree.has(other) && !other.endsWith('/') && !Object.hasOwn(ADDED, roomOf(other))) faults.push(`${file} names ${other}, which is not there`);
    }
  }
  return faults;
}

/** Imports that lead round in a circle. @param {Tree} tree */
function circles(tree) {
  const found = [];
  const state = new Map(); // file → 'open' while what it imports is looked at, then 'done'
  const visit = (file, path) => {
    if (state.get(file) === 'done' || !file.endsWith('.js') || !tree.has(file)) return;
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const other of importsOf(tree, file)) visit(other, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of scriptsOf(tree)) visit(file, []);
  return found;
}

const www = readTree();

test('only public addresses lie at the root of www/', () => {
  assert.deepEqual([...www.keys()].filter((file) => !file.includes('/')).sort(), ROOT);
});

test('every import of www/ names a file, in a room that the importing one may know', () => {
  const count = scriptsOf(www).flatMap((file) => importsOf(www, file)).length;
  assert.ok(count > 200, `the scan found ${count} imports`);
  assert.deepEqual(wrongImports(www), []);
});

test('rooms are imported from above only', () => {
  const rooms = Object.keys(MAY_IMPORT);
  for (const [index, room] of rooms.entries()) {
    for (const other of MAY_IMPORT[room].filter((each) => rooms.includes(each)))
      assert.ok(rooms.indexOf(other) < index, `${room} may import ${other}, which stands above it`);
  }
});

test('no import of www/ leads round in a circle', () => {
  assert.deepEqual(circles(www), []);
});

test('the closed widget imports nothing of the chat but nodes and locales', () => {
  const fixed = (file) => importsOf(new Map([...www, [file, www.get(file).replace(/\bimport\([^)]*\)/g, '')]]), file);
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    fixed(file).forEach(visit);
  };
  visit('cresset-chat.js');
  assert.deepEqual([...seen].sort(), ['chat/dom.js', 'chat/locale.js', 'cresset-chat.js', 'widget/launcher-style.js', 'widget/launcher.js', 'widget/words.js']);
});

test('what is wrong is found', () => {
  const made = (files) => new Map(Object.entries(files));
  assert.deepEqual(wrongImports(made({ 'chat/a.js': "import { b } from '../page/b.js';", 'page/b.js': '' })), [
    'chat/a.js imports page/b.js: page is not below chat',
  ]);
  assert.deepEqual(wrongImports(made({ 'chat/a.js': "const { b } = await import('../widget/b.js');", 'widget/b.js': '' })), [
    'chat/a.js imports widget/b.js: widget is not below chat',
  ]);
  assert.deepEqual(wrongImports(made({ 'page/chat/a.js': 'await import(`../locales/${name}.json`);' })), [
    'page/chat/a.js imports page/locales/${name}.json, which is not there',
  ]);
  assert.deepEqual(wrongImports(made({ 'lib/a.js': "import './gone.js';" })), ['lib/a.js imports lib/gone.js, which is not there']);
  assert.deepEqual(wrongImports(made({ 'lib/a.js': 'await import(name);' })), ['lib/a.js imports what is no fixed name']);
  assert.deepEqual(wrongImports(made({ 'lib/a.js': "new URL('./gone.js', import.meta.url)" })), ['lib/a.js names lib/gone.js, which is not there']);
  assert.deepEqual(wrongImports(made({ 'attic/a.js': '' })), ['attic/a.js is in no room']);
  const circle = { 'lib/a.js': "import { b } from './b.js';", 'lib/b.js': "export {\n  c,\n} from './c.js';", 'lib/c.js': "const a = () => import('./a.js');" };
  assert.deepEqual(circles(made(circle)), ['lib/a.js → lib/b.js → lib/c.js → lib/a.js']);
  assert.deepEqual(circles(made({ ...circle, 'lib/c.js': codeOf("// import './a.js';") })), []);
});
