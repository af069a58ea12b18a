// What visitors' own data may be, where it comes from a file, a database or the browser's storage: anything.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tree } from '../../www/chat/tree.js';
import { MOST, conversationOf, nameOf, turnOf, turnsOf } from '../../www/page/chat/rows.js';
import { IMPORTED, fromFile } from '../../www/page/chat/transfer.js';

const file = (...conversations) => fromFile(JSON.stringify({ format: 'cresset-conversations', conversations }), 'x.json');
const asked = (turn) => ({ id: 'q', role: 'user', content: '?', ...turn });

test('what a file brings is clamped to what can be shown: dates, lengths, ids, ways up', () => {
  const year = 31_536_000_000;
  for (const time of [1e300, -1e300, 8.64e15 + 1, -1, null, '2020', Number.MAX_SAFE_INTEGER]) {
    const [{ conversation, turns }] = file({ title: 'Odd', created: time, updated: time, turns: [asked({ created: time })] });
    for (const moment of [conversation.created, conversation.updated, turns[0].created]) {
      assert.ok(moment >= 0 && moment < Date.now() + year, `${time}: ${moment}`);
      assert.doesNotThrow(() => new Date(moment).toISOString());
    }
  }
  // What is no id is nobody's, and neither ends the others' import.
  const odd = file(
    { title: 'A', turns: [asked({ id: { toString: 1 } }), asked({})] },
    { title: 'B', turns: [asked({ parent: { toString: 1 } })], chosen: 'text' },
  );
  assert.deepEqual(
    odd.map(({ conversation, turns, missing }) => [conversation.title, turns.length, missing]),
    [
      ['A', 1, 1],
      ['B', 1, 0],
    ],
  );
  const [long] = file({ title: 'T'.repeat(1e6), system: 'S'.repeat(2e6), turns: [asked({ content: 'w'.repeat(2e6) })] });
  assert.deepEqual(
    [long.conversation.title.length, long.conversation.system.length, long.turns[0].content.length, long.missing],
    [MOST.title, IMPORTED.words, IMPORTED.words, 1],
  );
  const [many] = file({ title: 'Many', turns: Array.from({ length: IMPORTED.turns + 5 }, (_, i) => asked({ id: i, parent: i - 1 })) });
  assert.deepEqual([many.turns.length, many.missing], [IMPORTED.turns, 5]);
  assert.equal(new Tree(many.turns, many.conversation.chosen).path().length, IMPORTED.turns);
});

test('turns that go round in a circle, or share an id, are a tree all the same', () => {
  const turn = (id, parent) => ({ id, parent, role: 'user', content: id, created: 1 });
  const shown = (turns) => {
    const tree = new Tree(turns);
    return [tree.path().length, tree.size, ...tree.all().map(({ id }) => tree.pathTo(id).length)];
  };
  assert.deepEqual(shown([turn('a', 'b'), turn('b', 'a')]), [2, 2, 2, 1]);
  assert.deepEqual(shown([turn('a', 'a')]), [1, 1, 1]);
  assert.deepEqual(shown([turn('a', null), turn('a', 'a')]), [1, 1, 1]);
  assert.deepEqual(shown([turn('', null), turn('b', '')]), [1, 1, 1]);
  const [{ turns }] = file({ turns: [asked({ id: 'a', parent: 'b' }), asked({ id: 'b', parent: 'a' }), asked({ id: 'b', parent: 'a', content: 'again' })] });
  assert.equal(new Tree(turns).path().length, 3);
  assert.equal(new Tree(turns).size, 3);
});

test('a row is a conversation or a turn, whatever is in it, or is told apart', () => {
  const row = { id: 'c', title: 'T', named: true, created: 1, updated: 2, system: '', chosen: { '': 'q' } };
  assert.deepEqual(conversationOf(row), row);
  assert.deepEqual(conversationOf({ ...row, more: 1, chosen: { a: 7, b: 'q' } }), { ...row, chosen: { b: 'q' } });
  for (const [time, shown] of [
    [1e300, 8.64e15],
    [Infinity, 8.64e15],
    [NaN, 0],
    [-5, 0],
  ]) {
    assert.equal(conversationOf({ ...row, updated: time }).updated, shown);
    assert.doesNotThrow(() => new Date(conversationOf({ ...row, updated: time }).updated).toISOString());
  }
  const turn = {
    id: 'q',
    parent: 'p',
    role: 'assistant',
    content: 'x',
    created: 1,
    model: 'M',
    finish: 'stop',
    usage: { total_tokens: 3, extra: { cached_tokens: 1 } },
  };
  assert.deepEqual(turnOf({ ...turn, conversation: 'c' }), turn);
  assert.deepEqual(turnOf({ ...turn, parent: 5, model: {}, finish: [], usage: { total_tokens: '3', extra: 7 } }), {
    id: 'q',
    parent: null,
    role: 'assistant',
    content: 'x',
    created: 1,
    usage: {},
  });
  const anything = [undefined, null, NaN, 7, '', 'x'.repeat(300), true, [], {}, [{}], { toString: 1 }, Object.create(null), new Date(NaN), 5n];
  for (const value of anything) {
    assert.equal(conversationOf(value), null);
    assert.equal(turnOf(value), null);
    assert.equal(typeof nameOf(value), 'string');
  }
  // In place of one field: all that is not of its type.
  const wrong = (field, isRight) => anything.filter((value) => !isRight(value)).map((value) => ({ [field]: value }));
  const isText = (value) => typeof value === 'string';
  const isName = (value) => isText(value) && value.length > 0 && value.length < 300;
  const isNumber = (value) => typeof value === 'number';
  const isTable = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
  for (const odd of [...wrong('id', isName), ...wrong('role', () => false), ...wrong('content', isText), ...wrong('created', isNumber)])
    assert.equal(turnOf({ ...turn, ...odd }), null, Object.keys(odd)[0]);
  for (const odd of [
    ...wrong('id', isName),
    ...wrong('title', isText),
    ...wrong('updated', isNumber),
    ...wrong('chosen', isTable),
    ...wrong('named', (value) => value === true),
  ])
    assert.equal(conversationOf({ ...row, ...odd }), null, Object.keys(odd)[0]);
  assert.equal(turnOf({ ...turn, content: 'x'.repeat(MOST.words + 1) }), null);
  assert.deepEqual(turnsOf([turn, null, { ...turn, content: 7 }]), { turns: [turn], unreadable: 2 });
  assert.deepEqual([nameOf({ title: ' My talk ', id: 'x' }), nameOf({ id: 'x', title: 5 }), nameOf({ id: 5 })], ['My talk', 'x', '']);
});
