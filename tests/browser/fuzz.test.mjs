// Odd input by the thousand, from numbered cases: streams of servers, imported files, rows of the database. Each is read or
// refused in words. CRESSET_FUZZ_CASES says how many, CRESSET_FUZZ_CASE runs one alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from '../../www/widget/sse.js';
import { MOST, conversationOf, turnOf } from '../../www/page/chat/rows.js';
import { fromFile, toJson, toMarkdown } from '../../www/page/chat/transfer.js';

/** mulberry32 (Ettinger, 2017), in whole numbers below a bound. */
function randomOf(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b9);
  const random = (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
  return Object.assign(random, { pick: (list) => list[random(list.length)] });
}

function cases(usual, run) {
  const { CRESSET_FUZZ_CASES: count = usual, CRESSET_FUZZ_CASE: one } = process.env;
  const [from, to] = one === undefined ? [0, Number(count)] : [Number(one), Number(one) + 1];
  for (let number = from; number < to; number++) {
    try {
      run(randomOf(number));
    } catch (error) {
      throw new Error(`case ${number} failed; CRESSET_FUZZ_CASE=${number} runs it alone`, { cause: error });
    }
  }
}

test('a server’s events are the same wherever their bytes are cut, or are refused as too large', () => {
  const PIECES = [
    'data:',
    'data: ',
    'event: x',
    ': note',
    'id',
    'a',
    'é',
    '😀',
    ' ',
    '\n',
    '\n\n',
    '\r',
    '\r\n',
    '\r\r',
    '\ufeff',
    '\0',
    '{"x":1}',
    '[DONE]',
    'x'.repeat(40),
  ];
  const LIMIT = 120;
  cases(3000, (random) => {
    const bytes = Buffer.from(Array.from({ length: random(60) }, () => random.pick(PIECES)).join(''));
    // Bytes that are no UTF-8 as well.
    for (let i = random(3); i > 0 && bytes.length; i--) bytes[random(bytes.length)] = random(256);
    const read = (step) => {
      const parser = new EventParser(LIMIT);
      try {
        const events = [];
        for (let at = 0; at < bytes.length;) {
          const next = at + step();
          events.push(...parser.push(bytes.subarray(at, next)));
          at = next;
        }
        return [...events, ...parser.end()];
      } catch ({ message }) {
        return message;
      }
    };
    const whole = read(() => bytes.length);
    assert.deepEqual(
      read(() => 1 + random(9)),
      whole,
    );
    if (typeof whole === 'string') assert.match(whole, /^an event of more than 120 characters$/);
    else for (const event of whole) assert.ok(event.length <= LIMIT);
  });
});

const VALUES = [
  null,
  true,
  0,
  -1,
  1e300,
  8.64e15 + 1,
  NaN,
  '',
  'a',
  '\u0000',
  '__proto__',
  'user',
  'system',
  '😀'.repeat(300),
  [],
  {},
  [[]],
  { role: 'user' },
  '2026-01-01',
  -0,
];

/** Changes one place of a value made of JSON. */
function changed(value, random) {
  if (value === null || typeof value !== 'object' || random(8) === 0) return random.pick(VALUES);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  const key = keys.length ? random.pick(keys) : 'id';
  // As JSON's parser does: `__proto__` is a name like others.
  const set = (/** @type {string} */ name, /** @type {unknown} */ to) =>
    Object.defineProperty(copy, name, { value: to, enumerable: true, configurable: true, writable: true });
  switch (random(10)) {
    case 0:
      delete copy[key];
      break;
    case 1:
      set(random.pick(['id', 'title', '__proto__', 'constructor', 'parent', key]), random.pick(VALUES));
      break;
    default:
      set(key, changed(copy[key], random));
  }
  return copy;
}

const TURNS = [
  { id: 't1', parent: null, role: 'user', content: 'Hello', created: 1 },
  {
    id: 't2',
    parent: 't1',
    role: 'assistant',
    content: 'Hi.',
    created: 2,
    model: 'M',
    finish: 'stop',
    usage: { prompt_tokens: 3, extra: { cached_tokens: 1 } },
  },
  { id: 't3', parent: 't1', role: 'assistant', content: 'Yes?', created: 3, edited: true },
];
const CONVERSATION = { id: 'c', title: 'A', named: false, created: 1, updated: 3, system: '', chosen: { '': 't1', t1: 't2' } };

/** The conversations are of the shape that the page relies on. */
function areConversations(all) {
  for (const { conversation, turns } of all) {
    assert.deepEqual(conversationOf(structuredClone(conversation)), conversation);
    assert.ok(turns.length <= MOST.turns);
    for (const turn of turns) {
      assert.deepEqual(turnOf(structuredClone(turn)), turn);
      assert.ok(turn.parent === null || turns.some(({ id }) => id === turn.parent), `${turn.parent} is no turn`);
    }
  }
}

test('imported files are conversations of the page’s shape, or are refused in words', () => {
  const json = toJson([{ conversation: CONVERSATION, turns: TURNS }]);
  const markdown = toMarkdown('A', TURNS, 'Be kind.', { system: 'System', user: 'You', assistant: 'Model' });
  areConversations(fromFile(json, 'x.json'));
  cases(3000, (random) => {
    let file = JSON.parse(json);
    for (let i = 1 + random(4); i > 0; i--) file = changed(file, random);
    areConversations(fromFile(JSON.stringify(file) ?? '', 'x.json'));
    const text = random.pick([json, markdown]);
    const [from, to] = [random(text.length), random(text.length)];
    for (const name of ['x.json', 'x.md']) areConversations(fromFile(text.slice(0, from) + random.pick(VALUES) + text.slice(to), name));
  });
});

test('rows of the database are of the page’s shape, or none', () => {
  cases(3000, (random) => {
    const conversation = conversationOf(changed(CONVERSATION, random));
    const turn = turnOf(changed(random.pick(TURNS), random));
    if (conversation) assert.deepEqual(conversationOf(structuredClone(conversation)), conversation);
    if (turn) assert.deepEqual(turnOf(structuredClone(turn)), turn);
  });
});
