// Parts of the page that need no browser: trees of turns, blocks of Markdown, files of conversations, verdicts, messages.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Marked } from 'marked';
import sharedEnglish from '../../www/chat/locales/en.js';
import sharedChinese from '../../www/chat/locales/zh-CN.js';
import { isNamed, placeOf, safeUrl } from '../../www/chat/answer/address.js';
import { Blocks, MOST } from '../../www/chat/answer/blocks.js';
import { fromFile, toJson, toMarkdown } from '../../www/page/chat/transfer.js';
import { Tree, messagesOf, titleOf } from '../../www/chat/tree.js';
import { deviceWords, whyNot } from '../../www/page/reasons.js';
import { write } from '../../www/page/report.js';
import { attributesOf, policyOf, snippetOf } from '../../www/page/embed/snippet.js';
import { formatOf, matching, nameOf, pageOf, shortName } from '../../www/page/models/catalogue.js';
import { choose } from '../../www/page/models/suggestions.js';
import { judge, judgeRow } from '../../www/page/models/verdict.js';
import { Sentences, spoken } from '../../www/chat/answer/sentences.js';
import { Spoken, languageOfText } from '../../www/chat/answer/spoken.js';
import { joined } from '../../www/chat/dictation.js';
import { Inked, Tokens, kept } from '../../www/page/write/runs.js';
import { parse } from '../../www/files/sources.js';
import { WORDS } from './mock/answers.js';

const WWW = fileURLToPath(new URL('../../www/', import.meta.url));
const read = (path) => readFileSync(`${WWW}${path}`, 'utf8');
const hub = JSON.parse(read('models/hub.json'));

test('a tree shows one way through its turns, and steps between siblings', () => {
  const tree = new Tree();
  const question = tree.add({ parent: null, role: 'user', content: 'A?' });
  const first = tree.add({ parent: question.id, role: 'assistant', content: 'one' });
  const second = tree.add({ parent: question.id, role: 'assistant', content: 'two' });
  const follow = tree.add({ parent: second.id, role: 'user', content: 'And?' });
  const words = () => tree.path().map(({ content }) => content);
  assert.deepEqual(words(), ['A?', 'two', 'And?']);
  assert.deepEqual(tree.siblings(first.id), [first.id, second.id]);
  assert.equal(tree.step(second.id, 1), null);
  assert.equal(tree.step(second.id, -1).id, first.id);
  assert.deepEqual(words(), ['A?', 'one']);
  // What was chosen is found again, and what was said after a version comes back with it.
  const again = new Tree(tree.all(), tree.chosen);
  assert.deepEqual(
    again.path().map(({ content }) => content),
    ['A?', 'one'],
  );
  again.step(first.id, 1);
  assert.deepEqual(
    again.path().map(({ id }) => id),
    [question.id, second.id, follow.id],
  );
  assert.deepEqual(
    again.pathTo(second.id).map(({ id }) => id),
    [question.id, second.id],
  );
  again.remove(follow.id);
  assert.deepEqual(
    again.path().map(({ id }) => id),
    [question.id, second.id],
  );
});

test('a turn whose parent was lost is shown all the same', () => {
  const tree = new Tree([{ id: 'b', parent: 'gone', role: 'assistant', content: 'still here', created: 1 }]);
  assert.deepEqual(
    tree.path().map(({ content }) => content),
    ['still here'],
  );
});

test('a report holds the error, the adapter, and how it computes, a line each', () => {
  const variants = {
    kv: 'f16',
    matvec: 'workgroup 16×4',
    matmul: 'f32 ×4',
    f16: 'by bits',
    proven: true,
    demoted: [{ variant: 'f16, native', reason: 'its logits are 80% off in row 0' }],
  };
  const info = {
    build: '0.1.0-b',
    model: { name: 'M', architecture: 'llama', quantization: 'q4_k', contextLength: 512, vocabularySize: 9 },
    device: { backend: 'webgpu' },
    variants,
    memory: { total: 7 },
  };
  const error = { code: 'INTERNAL', message: 'a shader does not compile here', details: { kernel: 'matmul' } };
  const lines = write(error, { info, verdicts: [{ key: 'k' }], adapter: { vendor: 'intel' }, browser: 'B', isolated: false }).split('\n');
  assert.deepEqual(lines, [
    'INTERNAL: a shader does not compile here',
    'details: {"kernel":"matmul"}',
    'browser: B',
    'cross-origin isolated: false',
    'adapter: {"vendor":"intel"}',
    'build: 0.1.0-b',
    'device: {"backend":"webgpu"}',
    `variants: ${JSON.stringify(variants)}`,
    'model: {"name":"M","architecture":"llama","quantization":"q4_k","contextLength":512}',
    'memory: {"total":7}',
    'self-tests: [{"key":"k"}]',
  ]);
  // Before a model is loaded less is known.
  const least = write({ code: 'DOWNLOAD', message: 'm' }, { verdicts: [], adapter: 'none', browser: 'B', isolated: true });
  assert.equal(least, 'DOWNLOAD: m\nbrowser: B\ncross-origin isolated: true\nadapter: none');
});

test('messages begin with the system prompt and leave out what is empty', () => {
  const path = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: '  ' },
    { role: 'user', content: 'Hello?' },
  ];
  assert.deepEqual(
    messagesOf(path, ' Be brief. ').map(({ role }) => role),
    ['system', 'user', 'user'],
  );
  assert.deepEqual(
    messagesOf(path, '').map(({ content }) => content),
    ['Hi', 'Hello?'],
  );
  assert.equal(titleOf('  Why is\nthe sky blue?'), 'Why is');
  assert.ok(titleOf('word '.repeat(40)).length <= 60);
});

const MARKDOWN =
  'Intro *text*\n\n- a\n- b\n\n  more\n\n1. x\n2. y\n\n```js\ncode <b>\n\nmore\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n> more\n\n# Title\ntext\n\n***\nend [link][1]\n\n[1]: https://example.org\n';

test('a text that grows letter by letter has the same blocks as the whole', () => {
  const marked = new Marked({ gfm: true });
  const kinds = (tokens) => tokens.filter(({ type }) => type !== 'space').map(({ type, raw }) => [type, raw.trimEnd()]);
  const blocks = new Blocks((text) => marked.lexer(text));
  const settled = [];
  let open = null;
  for (let length = 1; length <= MARKDOWN.length; length += 1) {
    const grown = blocks.grow(MARKDOWN.slice(0, length));
    assert.equal(grown.restart, false);
    settled.push(...grown.settled);
    open = grown.open;
  }
  assert.deepEqual(kinds([...settled, open]), kinds(marked.lexer(MARKDOWN)));
  assert.equal(blocks.grow('something else').restart, true);
});

test('line ends of any system are those of the text', () => {
  const blocks = new Blocks((text) => new Marked().lexer(text));
  const settled = [];
  let open = null;
  const text = 'One\r\n\r\nTwo\rtwo\r\n\r\n- three';
  for (let length = 1; length <= text.length; length += 1) {
    const grown = blocks.grow(text.slice(0, length));
    settled.push(...grown.settled);
    ({ open } = grown);
  }
  assert.deepEqual(
    [...settled, open].map(({ raw }) => raw.trim()),
    ['One', 'Two\ntwo', '- three'],
  );
});

test('only the last block of a growing text is parsed again', () => {
  let parsed = 0;
  const marked = new Marked();
  const blocks = new Blocks((text) => {
    parsed = Math.max(parsed, text.length);
    return marked.lexer(text);
  });
  let text = '';
  for (let i = 0; i < 200; i += 1) blocks.grow((text += `Paragraph ${i} of some length.\n\n`));
  assert.ok(parsed < 100, `${parsed} of ${text.length} characters were parsed at once`);
});

/** Markdown that parsers read in time that grows with its square, or worse. @type {Record<string, (length: number) => string>} */
const COSTLY = {
  'nested quotes': (n) => '> '.repeat(n / 2),
  'nested lists': (n) => '- '.repeat(n / 2),
  'numbered lists': (n) => '1. '.repeat(n / 3),
  'lists set in': (n) => Array.from({ length: Math.sqrt(n) }, (_, i) => `${' '.repeat(2 * i)}- a\n`).join(''),
  'lists set in by tabs': (n) => Array.from({ length: Math.sqrt(2 * n) }, (_, i) => `${'\t'.repeat(i)}* a\n`).join(''),
  'many short items': (n) => '- a\n\n'.repeat(n / 5),
  underscores: (n) => '_a'.repeat(n / 2),
  stars: (n) => '*a**a'.repeat(n / 5),
  'emphasis that never ends': (n) => '**a *b '.repeat(n / 7),
  'the same in many lines of a quote': (n) => '> **a *b\n'.repeat(n / 9),
  'the same after paragraphs': (n) => `${'a\n\n'.repeat(n / 6)}${'**a *b '.repeat(n / 14)}`,
  'the same in the cells of a table': (n) => `|a|\n|-|\n${`|${'**a '.repeat(400)}|\n`.repeat(n / 1600)}`,
  'the same behind what looks like a fence': (n) => `<!--\n\`\`\`\n-->\n\n${'**a *b '.repeat(n / 7)}`,
  'the same behind a fence in a fence': (n) => `\`\`\`\`\n\`\`\`\n\`\`\`\`\n${'**a *b '.repeat(n / 7)}`,
  brackets: (n) => '['.repeat(n),
  images: (n) => '![['.repeat(n / 3),
  'half links': (n) => '[a](<'.repeat(n / 5),
  'runs of backticks': (n) => Array.from({ length: Math.sqrt(2 * n) }, (_, i) => `${'`'.repeat(i)}a`).join(''),
  tags: (n) => '<a '.repeat(n / 3),
  'addresses that never end': (n) => 'www._a'.repeat(n / 6),
  'addresses with marks': (n) => 'http://~'.repeat(n / 8),
  'mail that never ends': (n) => 'a@}'.repeat(n / 3),
  'exclamation marks': (n) => '!'.repeat(n),
  definitions: (n) => '[a]: /x\n'.repeat(n / 8),
  'a table of tiny rows': (n) => `|a|b|\n|-|-|\n${'|1|2|\n'.repeat(n / 6)}`,
};

test('Markdown of costly shapes is parsed in small pieces of few marks, up to a budget; all of it is shown', () => {
  const marked = new Marked({ gfm: true, breaks: true });
  for (const [name, make] of Object.entries(COSTLY)) {
    const text = make(200_000);
    let [parsed, most] = [0, 0];
    const blocks = new Blocks((piece) => {
      parsed += piece.length;
      most = Math.max(most, piece.length);
      assert.ok(piece.length <= MOST.table, `${name}: ${piece.length} characters at once`);
      // The lines of all its paragraphs together, whatever they are to a parser.
      const marks = Math.max(...piece.split(/\n[ \t]*(?:\n|(?=[-*+] |\d+\. ))/).map((paragraph) => (paragraph.match(/[*_~`[\]<>!]/g) ?? []).length));
      assert.ok(marks <= 1000, `${name}: ${marks} marks in a paragraph`);
      // From each beginning of an address the parser reads to the end of the word.
      const words = (piece.match(/[^\s<]{100,}/g) ?? []).map((word) => word.length * (word.match(/www|:\/\/|@/g) ?? []).length);
      assert.ok(Math.max(0, ...words) <= 1_000_000, `${name}: ${words} characters read`);
      assert.ok(!/^(?:[ \t]*(?:>|-|\d\.) ?){20}|^\s{42}\s*[*-]/m.test(piece), `${name}: too deep`);
      return marked.lexer(piece);
    });
    const { settled, open } = blocks.grow(text);
    assert.ok(parsed <= 3 * text.length, `${name}: ${parsed} characters parsed of ${text.length}`);
    assert.ok(settled.length < 8000, `${name}: ${settled.length} blocks`);
    const shown = [...settled, open].map((token) => token?.raw ?? '').join('');
    assert.equal(shown.replace(/\s+/g, '').length, text.replace(/\s+/g, '').length, name);
  }
});

test('a costly text that grows is parsed no more than its end at a time', () => {
  for (const [name, make] of Object.entries(COSTLY)) {
    const text = make(30_000);
    let parsed = 0;
    const blocks = new Blocks((piece) => {
      parsed += piece.length;
      return [{ type: 'paragraph', raw: piece }];
    });
    for (let length = 100; length <= text.length; length += 100) {
      parsed = 0;
      blocks.grow(text.slice(0, length));
      assert.ok(parsed <= 3 * MOST.window, `${name}: ${parsed} characters for 100 more`);
    }
  }
});

test('what people and models write is parsed as it was, however long', () => {
  const marked = new Marked({ gfm: true, breaks: true });
  const words = 'Some words with **weight**, a `name_of_it`, a [link](https://example.org) and an end. ';
  const code = `\`\`\`js\n${'const a_b = c[d_e] * f_g[`x`]; // <T>\n'.repeat(1500)}\`\`\`\n\n`;
  const table = `| name | what |\n|---|---|\n${'| **bold** name | `code_of_it` and *more* of it |\n'.repeat(300)}\n`;
  const list = `${Array.from({ length: 60 }, (_, i) => `${i + 1}. **Point ${i}**: ${words}\n    - and a part of it\n`).join('')}\n`;
  const text = `# Title\n\n${`${words.repeat(6)}\n\n`.repeat(30)}${code}${table}## Next\n\n${list}The end.\n`;
  const blocks = new Blocks((piece) => marked.lexer(piece));
  const { settled, open } = blocks.grow(text);
  const kinds = [...settled, open].map(({ type }) => type);
  assert.ok(!kinds.includes('plain'));
  assert.equal(kinds.filter((kind) => kind === 'code').length, 1);
  assert.equal(kinds.filter((kind) => kind === 'table').length, 1);
  assert.ok(kinds.filter((kind) => kind === 'list').length <= 3, `a long list is cut between its items: ${kinds}`);
  assert.equal(kinds.filter((kind) => kind === 'heading').length, 2);
  assert.equal(
    [...settled, open].reduce((sum, { raw }) => sum + raw.replace(/\s/g, '').length, 0),
    text.replace(/\s/g, '').length,
  );
});

test('the words of a link are believed only where they are its address, letter by letter', () => {
  const shown = (words, href) => {
    const url = safeUrl(href);
    return isNamed(words, url) ? '' : placeOf(url);
  };
  const named = (words, href) => assert.equal(shown(words, href), '', `${words} → ${href}`);
  for (const words of ['https://bank.com', 'http://bank.com/', 'bank.com', ' bank.com ', 'HTTPS://bank.com']) named(words, 'https://bank.com');
  named('https://bank.com/login?a=b#c', 'https://bank.com/login?a=b#c');
  named('www.bank.com', 'http://www.bank.com');
  named('bank.com:8080/x', 'https://bank.com:8080/x');
  named('me@bank.com', 'mailto:me@bank.com');
  named('mailto:me@bank.com', 'mailto:Me@bank.com?subject=Hi');
  const cyrillic = 'b\u0430nk.com';
  const like = [
    ...[
      'https://bank.com',
      'bank.com',
      'bank.com/login',
      'www.bank.com',
      'BANK.COM',
      'bank.com@evil.example',
      'https://bank.com@evil.example/',
      'bank.com:443',
    ],
    ...['evil.example.bank.com', 'bank.com.evil.example', 'bank.com/evil.example', 'bank.com?evil.example', 'bank.com#evil.example', 'bank.com evil.example'],
    ...[
      'evil.example (bank.com)',
      'bank.com\u200b',
      'ba\u00adnk.com',
      'bank\uff0ecom',
      'bank\u3002com',
      '\u202emoc.knab',
      'evil.example\u202e',
      cyrillic,
      '',
      ' ',
    ],
    ...[
      'evil.example\u2044bank.com',
      'evil\u2024example',
      'EVIL.EXAMPLE\u0000',
      'https:/\\evil.example',
      'evil.example\\bank.com',
      'evil.example%2fbank.com',
      'e\u0301vil.example',
    ],
  ];
  for (const words of like) assert.equal(shown(words, 'https://evil.example/'), 'evil.example', words);
  assert.equal(shown('bank.com', 'https://bank.com.evil.example'), 'bank.com.evil.example');
  assert.equal(shown('bank.com', 'https://bank.com@evil.example'), 'evil.example');
  assert.equal(shown('bank.com', 'https://bank.com:8443'), 'bank.com:8443');
  assert.equal(shown('paypaI.com', 'https://paypaI.com'), 'paypai.com', 'a capital I looks like an l');
  assert.equal(shown('me@paypaI.com', 'mailto:me@paypaI.com'), 'me@paypai.com');
  assert.equal(shown('github.com/you/yours', 'https://github.com/me/mine'), 'github.com');
  assert.equal(shown(cyrillic, `https://${cyrillic}`), 'xn--bnk-6cd.com');
  assert.equal(shown('bank.com', 'https://bank\uff0ecom'), '', 'the browser reads it as a dot');
  assert.equal(safeUrl('https://bank.com:pin@evil.example/x').href, 'https://evil.example/x', 'nobody signs in with a link');
  assert.equal(shown('me@bank.com', 'mailto:you@evil.example'), 'you@evil.example');
  assert.equal(shown('me@bank.com', 'mailto:me@bank.com?BCC=you@evil.example'), 'me@bank.com, you@evil.example');
  assert.equal(shown('me@bank.com', 'mailto:?to=you@evil.example'), 'you@evil.example');
  assert.equal(shown('me@bank.com', 'mailto:%ZZ@evil.example'), '%zz@evil.example');
  assert.match(shown(`me@${cyrillic}`, `mailto:me@${cyrillic}`), /^me@b%d0%b0nk\.com$/);
  for (const href of ['javascript:alert(1)', 'data:text/html,x', 'bank.com', '//bank.com', 'blob:https://bank.com/x', 'ftp://bank.com', ''])
    assert.equal(safeUrl(href), null, href);
});

test('whole sentences are spoken, each once, without the marks of Markdown', () => {
  const sentences = new Sentences();
  const said = [];
  for (const piece of 'The first **flame** climbed. Was it `hot`? It w'.match(/.{1,3}/g)) {
    sentences.add(piece);
    said.push(sentences.take());
  }
  assert.deepEqual(said.filter(Boolean), ['The first flame climbed.', 'Was it hot?']);
  assert.equal(sentences.finish(), 'It w');
  assert.equal(sentences.finish(), '');
  sentences.add('你好。今天');
  assert.equal(sentences.take(), '你好。');
  assert.equal(spoken('| a | b |\n|---|--:|\n| 1 | 2 |\n\n---\n\n```js\nx\n```'), 'a b 1 2 x');
  assert.equal(spoken('## Title\n\n- [a link](https://example.org) and ~~more~~'), 'Title a link and ~~more~~');
});

test('what is spoken is found in one go, whatever the text', { timeout: 120_000 }, () => {
  for (const text of ['['.repeat(400_000), '[a]('.repeat(100_000), '\n'.repeat(400_000), '.'.repeat(400_000), `-\n`.repeat(200_000), '!['.repeat(200_000)]) {
    assert.ok(spoken(text).length <= text.length);
    const sentences = new Sentences();
    sentences.add(`${text}x`);
    assert.ok((sentences.take() + sentences.finish()).length <= text.length + 2);
  }
});

test('what is read aloud has whole sentences, each once, without code and the ruling of tables, however it grows', () => {
  const text =
    '# Lamps\n\nA **lamp** burns. It [shines](https://a.example/x.y)! Then\n```js\nlight(1. 2);\n```\n- oil\n- *wick*\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n\n灯亮了。船回来了。Done';
  const sentences = ['Lamps', 'A lamp burns.', 'It shines!', 'Then', 'oil', 'wick', 'a, b', '1, 2', '灯亮了。', '船回来了。', 'Done'];
  assert.deepEqual(new Spoken().finish(text), sentences);
  for (const step of [1, 3, 7]) {
    const spoken = new Spoken();
    const said = [];
    for (let end = step; end < text.length; end += step) said.push(...spoken.take(text.slice(0, end)));
    assert.ok(said.length > 5 && said.includes('A lamp burns.'), `${step}: ${said}`);
    assert.deepEqual([...said, ...spoken.finish(text)], sentences, `${step} at a time`);
  }
});

test('a voice has the language of the letters, where they tell, else the page’s', () => {
  const of = (text, page) => languageOfText(text, page);
  assert.deepEqual(
    [of('The lamp.', 'en'), of('The lamp.', 'zh-CN'), of('灯亮了 OK', 'en'), of('ランプの光', 'zh-CN'), of('Лампа', 'en'), of('1 + 1', 'zh-CN')],
    ['en', 'en', 'zh-CN', 'ja', 'ru', 'zh-CN'],
  );
});

test('dictated words stand behind what is there as one would type them', () => {
  assert.equal(joined('', ' Hello.'), 'Hello.');
  assert.equal(joined('Note:', 'hello'), ' hello');
  assert.equal(joined('Note: ', ' hello'), 'hello');
  assert.equal(joined('Hello.', ' And'), ' And');
  assert.equal(joined('灯', '亮了'), '亮了');
  assert.equal(joined('Hello', ', you'), ', you');
});

test('conversations survive JSON and Markdown, under new ids', () => {
  const tree = new Tree();
  const question = tree.add({ parent: null, role: 'user', content: 'Why?\n\n## You\n\nnot a turn' });
  tree.add({ parent: question.id, role: 'assistant', content: 'Because.', model: 'tutor', finish: 'stop' });
  const second = tree.add({ parent: question.id, role: 'assistant', content: 'For **that** reason.', model: 'tutor', finish: 'stop' });
  const conversation = { id: 'x', title: 'A question', named: true, created: 5, updated: 6, system: 'Be kind.', chosen: tree.chosen };
  const [back] = fromFile(toJson([{ conversation, turns: tree.all() }]), 'x.json');
  assert.equal(back.turns.length, 3);
  assert.notEqual(back.conversation.id, 'x');
  assert.ok(!back.turns.some(({ id }) => id === question.id));
  assert.deepEqual(
    new Tree(back.turns, back.conversation.chosen).path().map(({ content }) => content),
    [question.content, second.content],
  );
  assert.deepEqual([back.conversation.title, back.conversation.system, back.conversation.updated], ['A question', 'Be kind.', 6]);
  const names = { system: 'System prompt', user: 'You', assistant: 'Model' };
  const markdown = toMarkdown('A question', tree.path(), 'Be kind.', names);
  assert.match(markdown, /^# A question\n/);
  const [read] = fromFile(markdown, 'x.md');
  assert.deepEqual(
    new Tree(read.turns).path().map(({ role, content, model }) => [role, content, model]),
    [
      ['user', question.content, undefined],
      ['assistant', second.content, 'tutor'],
    ],
  );
  assert.deepEqual([read.conversation.title, read.conversation.system], ['A question', 'Be kind.']);
});

test('files that are no conversations give none', () => {
  for (const text of [
    '{}',
    '{"format":"cresset-conversations"}',
    '{"format":"cresset-conversations","conversations":[{"turns":[{"role":"tool"}]}]}',
    '{broken',
    '# Just a text',
    '',
  ]) {
    assert.deepEqual(fromFile(text, 'x.json'), [], text);
  }
  const [odd] = fromFile(
    '{"format":"cresset-conversations","conversations":[{"title":7,"system":{},"chosen":{"":"q"},"turns":[{"id":"q","role":"user","content":"?","parent":"none","created":"x","extra":1}]}]}',
    'x.json',
  );
  assert.equal(odd.conversation.title, '');
  assert.deepEqual(Object.keys(odd.turns[0]).sort(), ['content', 'created', 'id', 'parent', 'role']);
});

test('an edited text keeps who wrote each part, and a token that was cut loses its probability', () => {
  const inked = new Inked([
    { by: 'visitor', text: 'Once ' },
    { by: 'model', text: 'upon', logprob: -1, top: [] },
    { by: 'model', text: ' a time', logprob: -2, top: [] },
  ]);
  inked.edit('Once upon one time');
  assert.deepEqual(
    inked.pieces.map(({ by, text, logprob }) => [by, text, logprob]),
    [
      ['visitor', 'Once ', undefined],
      ['model', 'upon', -1],
      ['model', ' ', undefined],
      ['visitor', 'one', undefined],
      ['model', ' time', undefined],
    ],
  );
  assert.deepEqual(inked.at(6), { index: 1, start: 5 });
  assert.equal(inked.at(99), null);
  inked.truncate(7);
  assert.equal(inked.text, 'Once up');
  inked.edit('');
  assert.deepEqual(inked.pieces, []);
  // What storage gives may be anything.
  assert.deepEqual(new Inked(kept([{ by: 'x', text: '5', logprob: 'y' }, {}, null, 7, { text: 6 }])).pieces, [{ by: 'visitor', text: '5' }]);
  const token = {
    by: 'model',
    text: ' a',
    logprob: -1,
    top: [
      [' a', -1],
      [' b', -2],
    ],
  };
  assert.deepEqual(kept([{ ...token, top: [...token.top, 7, ['c'], ['d', 'e']] }]), [token]);
  assert.equal(kept('nonsense'), null);
});

test('a character of several tokens is one piece, as likely as all of them', () => {
  const tokens = new Tokens();
  const chunk = (text, token, logprob) => ({
    text,
    logprobs: { tokens: [token], token_logprobs: [logprob], top_logprobs: [{ [token]: logprob, other: logprob - 1 }] },
  });
  assert.equal(tokens.add(chunk('', '\ufffd', -0.5)), null);
  assert.deepEqual(tokens.add(chunk('火', '\ufffd', -0.25)), { by: 'model', text: '火', logprob: -0.75, top: [] });
  assert.deepEqual(tokens.add(chunk(' a', ' a', -1)).top, [
    [' a', -1],
    ['other', -2],
  ]);
  assert.deepEqual(tokens.add({ text: 'x' }), { by: 'model', text: 'x' });
});

/** The names that a type of the library stands for; the engine's own tests hold that list to what it gives. */
const named = (type) => {
  const [, names] = new RegExp(`type ${type} =([^;]+);`).exec(read('cresset.d.ts'));
  return [...names.matchAll(/'([\w-]+)'/g)].map(([, name]) => name);
};

test('whatever the engine says against a model or a graphics adapter has words', () => {
  const has = (key, of) => assert.ok(key && Object.values(MESSAGES).every((messages) => messages[key]), `${of}: ${key}`);
  for (const code of named('ObstacleCode')) {
    for (const limit of named('MemoryLimit')) has(whyNot({ code, details: { limit } }), `${code} ${limit}`);
  }
  const obstacle = (code, details = {}) => whyNot({ code, details });
  assert.equal(obstacle('OUT_OF_MEMORY', { neededMegabytes: 5120, limit: 'page', limitMegabytes: 3072 }), 'verdict.why.cpu');
  assert.equal(obstacle('OUT_OF_MEMORY', { neededMegabytes: 512, limit: 'binding', limitMegabytes: 128 }), 'verdict.why.binding');
  assert.equal(obstacle('OUT_OF_MEMORY', { neededMegabytes: 90_000, limit: 'device' }), 'verdict.why.large');
  assert.equal(obstacle('MODEL_UNSUPPORTED'), 'verdict.why.unsupported');
  assert.equal(obstacle('MODEL_FORMAT', { tensor: 'output.weight' }), 'verdict.why.format');
  assert.equal(obstacle('INVALID_REQUEST', { field: 'contextLength' }), 'verdict.why.context');

  const words = (reasonCode, webGpu = true) => deviceWords({ backend: 'cpu', reasonCode }, webGpu);
  assert.equal(deviceWords({ backend: 'webgpu' }, true), null);
  assert.equal(deviceWords({ backend: 'webgpu', software: true }, true), 'device.software');
  assert.equal(words(undefined), 'device.cpu', 'the visitor chose it');
  assert.equal(words('unavailable', false), 'device.noWebGpu');
  assert.deepEqual(
    ['software', 'unavailable', 'wrong-results', 'slower'].map((code) => words(code)),
    ['device.softwareSkipped', 'device.noAdapter', 'device.wrong', 'device.slower'],
  );
  const codes = named('NoGpu').map((code) => words(code));
  codes.forEach((key, index) => has(key, named('NoGpu')[index]));
  assert.equal(new Set([...codes, 'device.cpu']).size, codes.length + 1, 'each has its own');
});

test('software adapters go by the same names before the engine starts and in it', () => {
  const names = ['worker/start-engine.js', '../src/device/web.js'].map((path) => /\/[\w|]+\/i(?=\.test\()/.exec(read(path))?.[0]);
  assert.ok(names[0] && names[0] === names[1], names.join(' '));
});

test('the snippet says what was chosen, and nothing else, safely', () => {
  const choices = {
    model: 'default',
    title: 'He said "hi" & <b>',
    position: 'bottom-right',
    theme: 'auto',
    consent: true,
    'local-only': false,
    accent: '#123456',
  };
  assert.deepEqual(attributesOf(choices), [
    ['model', 'default'],
    ['title', 'He said "hi" & <b>'],
    ['accent', '#123456'],
    ['consent', ''],
  ]);
  const voiced = (voice) => attributesOf({ model: 'default', voice }).filter(([name]) => name === 'voice');
  assert.deepEqual([voiced(''), voiced('aloud'), voiced('hf:o/r')], [[], [['voice', '']], [['voice', 'hf:o/r']]]);
  const snippet = snippetOf(choices, 'https://cdn.example/cresset/');
  assert.match(snippet, /^<script type="module" src="https:\/\/cdn\.example\/cresset\/cresset-chat\.js"><\/script>\n<cresset-chat model="default"\n/);
  assert.match(snippet, /title="He said &quot;hi&quot; &amp; &lt;b>"/);
  assert.match(snippet, / accent="#123456"\n\s+consent><\/cresset-chat>/);
  assert.doesNotMatch(snippet, /style=/, 'strict policies refuse it');
  assert.equal(
    policyOf({ model: 'default' }, 'https://a.example/x/', 'https://a.example/'),
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'",
  );
  assert.match(
    policyOf({ model: 'hf:o/r/f.gguf', endpoint: 'https://api.example/v1' }, 'https://cdn.example/', 'https://a.example/'),
    /script-src https:\/\/cdn\.example .*worker-src blob:; connect-src https:\/\/cdn\.example https:\/\/huggingface\.co .*https:\/\/api\.example/,
  );
  assert.match(policyOf({ model: 'default', voice: 'hf:o/r' }, 'https://a.example/x/', 'https://a.example/'), /connect-src 'self' https:\/\/huggingface\.co /);
  // An address that is still being typed.
  assert.match(policyOf({ model: 'https:', endpoint: 'https://' }, 'https://a.example/x/', 'https://a.example/'), /connect-src 'self'$/);
});

// What `Cresset.probe` gives: API.md, with the types of its fields.
const PROBE = { architecture: 'string', parameters: 'number', quantization: 'string', downloadBytes: 'number', deviceBytes: 'number' };

test('every row of the catalogue has what a probe would say, of a pinned file', () => {
  const registry = readdirSync(fileURLToPath(new URL('../../src/models/', import.meta.url))).map((name) => name.replace('.rs', ''));
  assert.ok(hub.length >= 20);
  assert.equal(new Set(hub.map(({ model }) => model)).size, hub.length);
  assert.ok(new Set(hub.map(({ maker }) => maker)).size >= 8, 'several makers');
  for (const row of hub) {
    for (const [field, type] of Object.entries(PROBE)) assert.equal(typeof row[field], type, `${row.name}: ${field}`);
    assert.match(row.model, /^hf:[\w.-]+\/[\w.-]+\/[\w./-]+\.gguf@[0-9a-f]{40}$/, row.name);
    assert.match(row.sha256, /^[0-9a-f]{64}$/, row.name);
    assert.ok(row.license && row.tasks.length > 0 && row.languages.length > 0, row.name);
    assert.ok(registry.includes(row.architecture), `${row.name}: ${row.architecture}`);
    assert.match(parse(row.model, 'https://x.example/').url, /^https:\/\/huggingface\.co\/[^@]+\/resolve\/[0-9a-f]{40}\/[^@]+\.gguf$/);
    assert.match(pageOf(row), /^https:\/\/huggingface\.co\/[\w.-]+\/[\w.-]+$/);
    // The shape explains the parameters (with the output matrix or without it), the format the bytes.
    const { dModel, nLayers, nHeads, nKvHeads, headDim, dFfn, vocabulary } = row.shape;
    const blocks = nLayers * dModel * (2 * headDim * (nHeads + nKvHeads) + 3 * dFfn);
    const error = Math.min(...[1, 2].map((tables) => Math.abs(blocks + tables * vocabulary * dModel - row.parameters) / row.parameters));
    assert.ok(error < 0.002, `${row.name}: ${blocks} weights in blocks, ${row.parameters} parameters`);
    const bits = (8 * row.downloadBytes) / row.parameters;
    assert.ok(bits > 4.5 && bits < 9, `${row.name}: ${bits} bits a weight`);
  }
});

test('the catalogue is filtered by task, size and maker', () => {
  assert.ok(matching(hub, { task: 'code' }).every(({ tasks }) => tasks.includes('code')));
  assert.ok(matching(hub, { size: 'small' }).every(({ downloadBytes }) => downloadBytes < 5e8));
  assert.deepEqual(
    matching(hub, { maker: 'Google', size: 'large' }).map(({ name }) => name),
    ['Gemma 3 4B'],
  );
  assert.equal(matching(hub, {}).length, hub.length);
  assert.equal(formatOf(hub.find(({ name }) => name === 'Qwen3 4B')), 'Q4_K_M');
  assert.equal(nameOf(hub[0].model, hub), hub[0].name);
  assert.equal(shortName('hf:o/r/sub/m%20x.gguf@refs/pr/1'), 'm x.gguf');
  assert.equal(shortName('https://a.example/m.gguf?download=true'), 'm.gguf');
});

test('a row is judged by what the engine says of it, and before that by its own bytes', () => {
  const row = hub.find(({ name }) => name === 'Qwen3 1.7B');
  assert.deepEqual(judgeRow(row, undefined, {}), { kind: 'fits', reason: null, deviceBytes: row.deviceBytes, speed: null });
  assert.equal(judgeRow(row, undefined, { memory: 1 }).reason, 'verdict.why.memory');
  const estimate = { fits: true, deviceBytes: 2e9, estimatedTokensPerSecond: 1.5 };
  assert.deepEqual(judgeRow(row, estimate, {}), { kind: 'slow', reason: 'verdict.why.slow', deviceBytes: 2e9, speed: 1.5 });
  const no = { fits: false, estimatedTokensPerSecond: null, errors: [{ code: 'INVALID_REQUEST', message: '', details: {} }] };
  assert.deepEqual(judgeRow(row, no, {}), { kind: 'no', reason: 'verdict.why.context', deviceBytes: row.deviceBytes, speed: null });
});

test('a verdict says what fits, why not, what it takes and how fast it is', () => {
  const fit = { fits: true, downloadBytes: 9e8, deviceBytes: 1e9, estimatedTokensPerSecond: 20, device: { backend: 'cpu' } };
  const words = (change, here) => Object.values(judge({ ...fit, ...change }, here)).slice(0, 2);
  assert.deepEqual(judge(fit, { memory: 8 }), { kind: 'fits', reason: null, deviceBytes: 1e9, speed: 20 });
  assert.deepEqual(words({}, { memory: 1 }), ['tight', 'verdict.why.memory']);
  assert.deepEqual(words({ deviceBytes: 2e9 }, { phone: true }), ['tight', 'verdict.why.phone']);
  assert.deepEqual(words({ estimatedTokensPerSecond: 0.4 }), ['slow', 'verdict.why.slow']);
  assert.deepEqual(words({ estimatedTokensPerSecond: null }), ['fits', null]);
  const no = { fits: false, estimatedTokensPerSecond: null };
  assert.deepEqual(words({ ...no, errors: [{ code: 'OUT_OF_MEMORY', message: '', details: { limit: 'page' } }] }), ['no', 'verdict.why.cpu']);
  assert.deepEqual(judge({ ...fit, ...no, deviceBytes: undefined, errors: [{ code: 'MODEL_UNSUPPORTED', message: '', details: {} }] }), {
    kind: 'no',
    reason: 'verdict.why.unsupported',
    deviceBytes: 9e8,
    speed: null,
  });
});

const TOO_LARGE = { code: 'OUT_OF_MEMORY', message: '', details: { limit: 'page' } };

test('suggestions are different models that fit and speak the language', () => {
  /** What an engine may say where each byte of a file takes so long. */
  const known = (seconds) =>
    new Map(
      hub.map(({ model, deviceBytes, downloadBytes }) => [
        model,
        { fits: deviceBytes < 3e9, errors: [TOO_LARGE], deviceBytes, estimatedTokensPerSecond: 1 / (seconds * downloadBytes) },
      ]),
    );
  const fast = known(1e-11);
  const names = (found) => found.map(({ kind, row }) => [kind, row.name]);
  const chosen = choose(hub, fast, 'en');
  assert.deepEqual(
    chosen.map(({ kind }) => kind),
    ['quick', 'good', 'best'],
  );
  const sizes = chosen.map(({ row }) => row.parameters);
  assert.deepEqual(
    sizes,
    [...new Set(sizes)].sort((a, b) => a - b),
    'each better than the one before',
  );
  assert.deepEqual(choose(hub, null, 'en'), [], 'nothing is promised before the device is measured');
  assert.ok(
    choose(hub, fast, 'zh').every(({ row }) => row.languages.includes('zh') || row.languages.includes('many')),
    JSON.stringify(names(choose(hub, fast, 'zh'))),
  );
  // A slow device is offered what it can run.
  const slow = choose(hub, known(1e-9), 'en');
  assert.ok(slow.length >= 1 && slow.every(({ verdict }) => verdict.kind === 'fits'));
  // On one that holds small models only, those are what is left.
  const small = new Map([...fast].map(([model, estimate]) => [model, { ...estimate, fits: estimate.deviceBytes < 5e8 }]));
  assert.deepEqual(names(choose(hub, small, 'en')), [['quick', 'Gemma 3 270M']]);
});

const SHARED = { en: sharedEnglish, 'zh-CN': sharedChinese };
const MESSAGES = Object.fromEntries(
  Object.keys(SHARED).map((code) => [
    code,
    Object.assign({}, SHARED[code], ...['', 'speech/', 'embed/'].map((part) => JSON.parse(read(`page/locales/${part}${code}.json`)))),
  ]),
);

/** A key without the ending of its plural, which only some languages have. */
const base = (key) => (`${key.replace(/\.(one|other)$/, '')}.one` in MESSAGES.en ? key.replace(/\.(one|other)$/, '') : key);

test('every message is there in every language, with the same parameters', () => {
  const bases = (code) => [...new Set(Object.keys(MESSAGES[code]).map(base))].sort();
  assert.deepEqual(bases('zh-CN'), bases('en'));
  const parameters = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();
  for (const [key, text] of Object.entries(MESSAGES['zh-CN'])) {
    assert.deepEqual(parameters(text), parameters(MESSAGES.en[key]), key);
    const english = MESSAGES.en[key].replace(/\{\w+\}|Top-k|Top-p|Min-p|https?:\S+/g, '');
    assert.ok(/\p{Script=Han}/u.test(text) || !/[a-z]{3}/i.test(english), `${key} is not in Chinese: ${text}`);
  }
});

test('no message is missing, and none is unused', () => {
  const sources = [...walk(`${WWW}page`), ...walk(`${WWW}chat`), `${WWW}app.js`, `${WWW}index.html`].map((path) => readFileSync(path, 'utf8')).join('\n');
  const keys = new Set(Object.keys(MESSAGES.en).map(base));
  const rooms = new Set([...keys].map((key) => key.split('.')[0]));
  const literals = new Set([...sources.matchAll(/['"]([a-z]\w*(?:\.[\w-]+)+)['"]/g)].map(([, key]) => key));
  const other = ['draft.new', 'problem.INTERNAL', 'problem.DOWNLOAD.offline']; // a name in localStorage, the beginning of keys
  const missing = [...literals].filter(
    (key) => rooms.has(key.split('.')[0]) && !keys.has(key) && !other.includes(key) && !/\.(js|json|css|html|gguf)$/.test(key),
  );
  assert.deepEqual(missing, []);
  // A key may be put together; then what stands for its variable parts is written somewhere in the sources or the data.
  const known = new Set(`${sources} ${read('models/hub.json')} ${read('lib/progress.js')} ${read('cresset.d.ts')}`.match(/[\w-]+/g));
  const patterns = [...sources.matchAll(/`([a-z]+\.[^`]*?\$\{[^`]*)`/g)].map(([, text]) => {
    const parts = text.split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/).map((part) => part.replace(/[.*+?^()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('([\\w-]+)')}$`);
  });
  const used = (key) =>
    literals.has(key) ||
    patterns.some((pattern) =>
      pattern
        .exec(key)
        ?.slice(1)
        .every((part) => known.has(part)),
    );
  const errors = /^problem\.([A-Z_]+)(?:\.(\w+))?\.(title|advice)$/; // problems.js puts these together of code and kind
  const errorUsed = (key) =>
    errors
      .exec(key)
      ?.slice(1, 3)
      .every((part) => part === undefined || known.has(part));
  assert.deepEqual(
    [...keys].filter((key) => !used(key) && !errorUsed(key)),
    [],
  );
});

test('every error of the library has words', () => {
  const codes = named('ErrorCode').filter((code) => code !== 'ABORTED');
  assert.ok(codes.length >= 12);
  for (const code of codes)
    assert.ok(
      Object.keys(MESSAGES.en).some((key) => key.startsWith(`problem.${code}.`) && key.endsWith('.advice')),
      code,
    );
});

test('the mock tells a story long enough for the tests that read it', () => {
  assert.equal(WORDS.length, 118);
});

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(`${folder}/${entry.name}`) : /\.(js|html)$/.test(entry.name) ? [`${folder}/${entry.name}`] : [],
  );
}
