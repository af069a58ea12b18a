// What an answer may be that a model was talked into: links that pretend, Markdown that is costly to read. Rendered as page and
// widget do, on a page of its own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPage, startBrowser, startServer } from './harness.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true });
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
  await page.evaluate(async () => {
    const [{ GrowingText }] = await Promise.all([import('/chat/answer/growing.js'), import('/vendor/purify.min.js')]);
    const options = {
      say: (key, { text = '', host = '' } = {}) => `${key} ${text}${host}`,
      level: 2,
      copyButton: () => document.createElement('button'),
      check: (node) => node,
    };
    window.render = (text) => {
      const box = document.createElement('div');
      new GrowingText(box, options).finish(text);
      return box;
    };
    window.Growing = (box) => new GrowingText(box, options);
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('a link says where it leads, whatever its words are made of', async () => {
  const links = (markdown) =>
    page.evaluate(
      (markdown) => [...window.render(markdown).querySelectorAll('a')].map((link) => [link.href, link.querySelector('.place bdi')?.textContent ?? null]),
      markdown,
    );
  const to = async (markdown) => (await links(markdown)).map(([, place]) => place);
  assert.deepEqual(
    await to(
      [
        '[bank.com](https://evil.example)',
        '[**bank**.com](https://evil.example)',
        '[`https://bank.com`](https://evil.example)',
        '[bank.com][1]',
        '![bank.com](https://evil.example)',
        '![evil.example](https://evil.example)',
        '[![bank.com](https://bank.com/logo.png)](https://evil.example)',
        '[see evil.example](https://evil.example)',
        '[me@bank.com](mailto:you@evil.example)',
        '[me](mailto:%ZZ@evil.example)',
        '[bank.com](https://bank.com&#46;evil.example)',
        '[\u202ebank.com](https://evil.example)',
        '',
        '[1]: https://evil.example "bank.com"',
      ].join('\n\n'),
    ),
    [
      'evil.example',
      'evil.example',
      'evil.example',
      'evil.example',
      'evil.example',
      'evil.example',
      'evil.example',
      'evil.example',
      'you@evil.example',
      '%zz@evil.example',
      'bank.com.evil.example',
      'evil.example',
    ],
  );
  assert.deepEqual(
    await to('https://example.org/a and www.example.org and <https://example.org> and me@example.org and [*example*.org](https://example.org)'),
    [null, null, null, null, null],
  );
  assert.deepEqual(await links('[bank.com](https://bank.com@evil.example)'), [['https://evil.example/', 'evil.example']]);
  // DOMPurify, the page's second lock, leaves what keeps the directions apart.
  const isolated = await page.evaluate(async () => {
    const { loadMarkdown } = await import('/page/chat/markdown.js');
    const box = document.createElement('div');
    (await loadMarkdown())(box).finish('[\u202emoc.knab](https://evil.example)');
    return [...box.querySelectorAll('a bdi')].map(({ textContent, dir }) => [textContent, dir]);
  });
  assert.deepEqual(isolated, [
    ['\u202emoc.knab', ''],
    ['evil.example', 'ltr'],
  ]);
});

test('an answer of costly Markdown is shown whole, in few nodes, none deep, and as fast as it comes', { timeout: 300_000 }, async () => {
  const shapes = {
    quotes: '> '.repeat(40_000),
    lists: '- '.repeat(40_000),
    items: '- a\n\n'.repeat(40_000),
    marks: '**a *b '.repeat(30_000),
    underscores: '_a'.repeat(100_000),
    brackets: '['.repeat(200_000),
    images: '![['.repeat(70_000),
    tags: '<a '.repeat(70_000),
    rows: `|a|b|\n|-|-|\n${'|1|2|\n'.repeat(30_000)}`,
    definitions: '[a]: /x\n'.repeat(25_000),
    uses: `[a]: /x\n\n${'[a]'.repeat(60_000)}`,
    lines: 'a\n \n'.repeat(40_000),
  };
  for (const [name, text] of Object.entries(shapes)) {
    const { nodes, depth, shown } = await page.evaluate((text) => {
      const box = window.render(text);
      const depthOf = (node) => 1 + Math.max(0, ...[...node.children].slice(0, 50).map(depthOf));
      return { nodes: box.querySelectorAll('*').length, depth: depthOf(box), shown: box.textContent.length };
    }, text);
    assert.ok(nodes < 40_000, `${name}: ${nodes} elements`);
    assert.ok(depth < 60, `${name}: ${depth} deep`);
    assert.ok(name === 'definitions' || shown > text.length / 8, `${name}: ${shown} of ${text.length} characters`);
  }
  // While it grows, what is drawn anew with each step stays within a few windows of text.
  const most = await page.evaluate(
    async (text) => {
      const box = document.createElement('div');
      const growing = window.Growing(box);
      let most = 0;
      for (let length = 500; length <= text.length; length += 500) {
        const before = new Set(box.children);
        growing.set(text.slice(0, length));
        const fresh = [...box.children].filter((node) => !before.has(node));
        most = Math.max(
          most,
          fresh.reduce((sum, node) => sum + node.textContent.length, 0),
        );
      }
      return most;
    },
    shapes.marks.slice(0, 60_000),
  );
  assert.ok(most < 20_000, `${most} characters drawn anew for 500 more`);
});
