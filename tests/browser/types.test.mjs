// That types/usage.ts, which tsc checks, says something of every name in the library's types.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');

test('everything that the types declare is used where tsc looks', () => {
  const declared = ['../../www/cresset.d.ts', '../../www/cresset-chat.d.ts'].map(read).join('\n');
  const names = new Set(
    [...declared.matchAll(/\b([A-Za-z_]\w*)\??(?=[:(<])|\b(?:interface|type|const|class) (\w+)/g)].map(([, member, type]) => member ?? type),
  );
  // Of TypeScript itself, and of signatures.
  for (const other of [
    'Create',
    'Hear',
    'Promise',
    'Record',
    'AsyncIterable',
    'AsyncIterableIterator',
    'ReadableStream',
    'constructor',
    'Iterable',
    'ArrayLike',
    'Pick',
    'CustomEvent',
    'options',
    'request',
    'source',
    'ids',
    'type',
    'listener',
    'K',
    'this',
    'event',
    'HTMLElementTagNameMap',
    'Omit',
    'progress',
    'const',
  ])
    names.delete(other);
  const used = new Set(read('./types/usage.ts').match(/[\w-]+/g));
  assert.ok(names.size > 150, `${names.size} names`);
  assert.deepEqual(
    [...names].filter((name) => !used.has(name)),
    [],
  );
});
