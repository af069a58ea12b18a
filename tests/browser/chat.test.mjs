// The chat view as a visitor uses it, on the mock engine: answers, versions, the list, files, the keyboard, the screen reader.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { startBrowser, startServer, watchRewriting } from './harness.mjs';
import { answered, behind, drop, dropFiles, inFront, leave, ready, say, toasted, turns, visit } from './visitor.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, bundled: 'chat seeded' });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  const left = page;
  page = null;
  await leave(left);
});

/** Characters of a block in the mock's answers, at most. */
const LONGEST_BLOCK = 600;

const open = async (options) => {
  page = await visit(browser, server, 'chat', options);
};
const button = (name, turn = '.assistant') => page.locator(`.turn${turn} button[aria-label="${name}"]`).last();

test('a question is answered, and its words are never markup', async () => {
  await open();
  await say(page, 'Hello <b>you</b>');
  const [question, answer] = await turns(page);
  assert.equal(question, 'Hello <b>you</b>');
  assert.equal(answer.split(' ').length, 118);
  assert.match(await page.locator('.turn.assistant .turn-facts').textContent(), /^Ember · \d+ tokens\/s · first after /);
  assert.equal(await page.inputValue('#message'), '');
  assert.equal(await page.title(), 'Hello <b>you</b> – Cresset');
});

test('Markdown comes as blocks, with a copy button on code, directions, and links that say where they lead', async () => {
  await open({ permissions: ['clipboard-read', 'clipboard-write'] });
  await drop(page, 'tutor.gguf', 'chat markdown thinks');
  await say(page, 'Why is the sky blue?');
  const words = page.locator('.turn.assistant .words');
  assert.deepEqual(await words.locator('h2.depth-3').allTextContents(), ['What happens on the way']);
  assert.equal(await words.locator('ol > li').count(), 3);
  assert.equal(await words.locator('ol ul > li').count(), 2);
  assert.equal(await words.locator('td.align-right').first().textContent(), '700 nm');
  assert.equal(await words.locator('p[dir=auto]').evaluateAll((all) => all.filter((node) => getComputedStyle(node).direction === 'rtl').length), 1);
  const link = words.locator('a');
  assert.deepEqual(
    [await link.getAttribute('href'), await link.getAttribute('target'), await link.getAttribute('rel')],
    ['https://example.org/rayleigh', '_blank', 'noopener noreferrer nofollow ugc'],
  );
  await words.locator('.copy-code').click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^def scattered\(.*red"\)$/s);
  assert.equal(await words.locator('.copy-code').textContent(), 'Copied');
  const thought = page.locator('.turn.assistant .thought');
  assert.equal(await thought.locator('summary').textContent(), 'Thought about it');
  assert.match(await thought.locator('p').textContent(), /I should be brief and kind\.$/);
});

test('code has colours, its words stay what they are; a table scrolls instead of breaking words', async () => {
  await open({ viewport: { width: 390, height: 800 } });
  await drop(page, 'md.gguf', 'chat markdown');
  await say(page, 'Why?');
  await page.waitForSelector('figure.code .hljs-keyword');
  const code = page.locator('figure.code pre code');
  assert.match(await code.textContent(), /^def scattered\(wavelength, reference=700\):\n {4}# Rayleigh: the fourth.*\n {4}return \(reference \/ wavelength\)/);
  const colours = await code.locator('span').evaluateAll((spans) => new Set(spans.map((span) => getComputedStyle(span).color)).size);
  assert.ok(colours > 3, `${colours} colours`);
  const heads = page.locator('.words th');
  const lines = await heads.evaluateAll((all) => all.map((cell) => cell.getClientRects().length && cell.offsetHeight));
  assert.ok(
    lines.every((height) => height === lines[0] && height < 50),
    lines.join(),
  );
});

test('another language reaches what Markdown was made into', async () => {
  await open();
  await drop(page, 'tutor.gguf', 'chat markdown');
  await say(page, 'Why is the sky blue?');
  const pre = page.locator('.turn.assistant pre');
  assert.equal(await pre.getAttribute('aria-label'), 'Code, python');
  await page.click('#settings-button');
  await page.click('#setting-language label:has-text("简体中文")');
  await page.locator('.turn.assistant pre[aria-label="代码，python"]').waitFor();
  assert.equal(await page.locator('.copy-code').textContent(), '复制');
  assert.match(await page.locator('.turn.assistant .words a').textContent(), /在新标签页打开 example\.org/);
});

test('a text that was whole can go on', async () => {
  await open();
  const shown = await page.evaluate(async () => {
    const { GrowingText } = await import('/chat/answer/growing.js');
    const box = document.createElement('div');
    const text = new GrowingText(box, { say: (key) => key, level: 2, copyButton: () => document.createElement('button'), check: (node) => node });
    const begun = '# Title\n\n[1]: https://example.org\n\nSee [this][1], and';
    text.set(begun.slice(0, 12));
    const [title] = box.children;
    text.finish(begun);
    const whole = box.innerHTML;
    text.set(`${begun} more.\n\n## Part\n\nEnd`);
    return { whole, kept: box.firstChild === title, texts: [...box.children].map(({ localName, textContent }) => `${localName} ${textContent}`) };
  });
  assert.match(shown.whole, /<a href="https:\/\/example\.org\/"/);
  assert.deepEqual(shown.texts, ['h2 Title', 'p See [this][1], and more.', 'h3 Part', 'p End']);
  assert.equal(shown.kept, true);
});

test('what a hostile model writes is shown as text, fetches nothing and runs nothing', async () => {
  await open();
  await drop(page, 'hostile.gguf', 'chat hostile');
  await say(page, 'Go on');
  const words = page.locator('.turn.assistant .words');
  assert.match(await words.textContent(), /<script>window\.hacked = 1<\/script><img src=x/);
  assert.equal(await words.locator('script, img, iframe, svg:not(.icon, a > svg), style').count(), 0);
  assert.deepEqual(await words.locator('a[href]').evaluateAll((all) => all.map((link) => link.getAttribute('href'))), [
    'https://tracker.example/pixel.png',
    'https://example.org/x',
  ]);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(
    page.addresses.filter((address) => !address.startsWith(server.url) && !address.startsWith('blob:')),
    [],
  );
});

test('regenerating and editing keep every version, with arrows between them', async () => {
  await open();
  await say(page, 'Tell me');
  const [, first] = await turns(page);
  await button('Regenerate').click();
  await answered(page);
  const [, second] = await turns(page);
  assert.notEqual(second, first);
  assert.equal(await page.locator('.turn.assistant .siblings').textContent(), '2 / 2');
  await button('Previous version').click();
  await page.waitForFunction((first) => document.querySelector('.turn.assistant .words').textContent === first, first);
  assert.ok(await button('Previous version').isDisabled());
  await page.hover('.turn.user');
  await page.locator('.turn.user button[aria-label^="Edit"]').click();
  await page.fill('.edit-area', 'Tell me more');
  await page.click('.edit button:has-text("Send")');
  await answered(page);
  assert.equal((await turns(page))[0], 'Tell me more');
  await page.locator('.turn.user button[aria-label="Previous version"]').click();
  await page.waitForFunction((first) => document.querySelector('.turn.assistant .words')?.textContent === first, first);
  assert.deepEqual(await turns(page), ['Tell me', first]);
  // And they are there after a reload.
  await page.reload();
  await ready(page);
  await page.waitForSelector('.turn.assistant');
  assert.deepEqual(await turns(page), ['Tell me', first]);
  assert.equal(await page.locator('.turn.assistant .siblings').textContent(), '1 / 2');
});

test('an answer can be put in the visitor’s words', async () => {
  await open();
  await say(page, 'Tell me');
  await button('Edit the answer').click();
  await page.fill('.edit-area', 'A **better** answer');
  await page.press('.edit-area', 'Control+Enter');
  await page.waitForSelector('.turn.assistant strong');
  assert.equal((await turns(page))[1], 'A better answer');
  assert.match(await page.locator('.turn.assistant .turn-facts').textContent(), /^edited by you/);
});

test('stopped is not lost: the answer goes on where it was', async () => {
  await open();
  await drop(page, 'slow.gguf', 'chat slow');
  await page.fill('#message', 'Slowly');
  await page.press('#message', 'Enter');
  await page.waitForFunction(() => document.querySelector('.turn.assistant .words')?.textContent.split(' ').length > 3);
  await page.keyboard.press('Escape');
  await answered(page);
  const [, stopped] = await turns(page);
  assert.match(await page.locator('.turn.assistant .turn-facts').textContent(), /^stopped/);
  await page.click('.turn button:has-text("Go on")');
  await page.waitForFunction((length) => document.querySelector('.turn.assistant .words').textContent.length > length + 10, stopped.length);
  await page.click('#chat-go');
  await answered(page);
  assert.ok((await turns(page))[1].startsWith(stopped));
});

test('conversations are listed, searched, renamed, reopened and deleted', async () => {
  await open();
  await say(page, 'About lamps');
  await page.click('#new-chat');
  await say(page, 'About ships');
  const titles = () => page.locator('#conversations .title').allTextContents();
  assert.deepEqual(await titles(), ['About ships', 'About lamps']);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('lamps');
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 1);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.turn.user .words')?.textContent === 'About lamps');
  await page.fill('#conversation-search', 'harbour');
  await page.waitForFunction(() => document.querySelectorAll('#conversations .found').length === 2);
  await page.fill('#conversation-search', '');
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 2 && !document.querySelector('#conversations .found'));
  const row = page.locator('#conversations li', { hasText: 'About ships' });
  await row.hover();
  await row.locator('button').click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Rename');
  await page.keyboard.press('Enter');
  await page.keyboard.type('Vessels');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#conversations').textContent.includes('Vessels'));
  const renamed = page.locator('#conversations li', { hasText: 'Vessels' });
  await renamed.hover();
  await renamed.locator('button').click();
  await page.click('.menu button:has-text("Delete")');
  await page.click('.confirm button:has-text("Delete")');
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 1);
  await page.reload();
  await ready(page);
  await page.waitForSelector('#conversations li');
  assert.deepEqual(await titles(), ['About lamps']);
});

test('a title that is being written outlasts an answer that ends, and so does a question whether to delete', async () => {
  await open();
  await say(page, 'About lamps');
  const choose = async (name) => {
    await page.hover('#conversations li');
    await page.click('#conversations li button');
    await page.click(`.menu button:has-text("${name}")`);
  };
  const answersWhile = async (deed) => {
    await page.fill('#message', 'And?');
    await page.press('#message', 'Enter');
    await page.waitForSelector('.assistant.writing');
    await deed();
    await page.waitForFunction(() => document.documentElement.dataset.state === 'ready');
    // A redraw at the end of the answer would wait for the store's rows, as this does.
    await page.evaluate(async () => (await import('/page/chat/store.js')).rows());
  };
  await answersWhile(async () => {
    await choose('Rename');
    await page.keyboard.type('Lan');
  });
  await page.keyboard.type('terns');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#conversations .title')?.textContent === 'Lanterns');
  await answersWhile(() => choose('Delete'));
  await page.click('.confirm button:has-text("Delete")');
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 0);
});

test('conversations go to files and come back', async () => {
  await open();
  await say(page, 'Keep this');
  const [, answer] = await turns(page);
  const save = async (name) => {
    await page.hover('#conversations li');
    await page.click('#conversations li button');
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(`.menu button:has-text("${name}")`)]);
    return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
  };
  const json = await save('JSON');
  const markdown = await save('Markdown');
  assert.deepEqual([json.name, markdown.name], ['Keep this.json', 'Keep this.md']);
  assert.ok(markdown.bytes.toString().includes(answer));
  await page.setInputFiles('#import', { name: json.name, mimeType: 'application/json', buffer: json.bytes });
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 2);
  await dropFiles(page, [markdown]);
  await page.waitForFunction(() => document.querySelectorAll('#conversations li').length === 3);
  await page.waitForSelector('.turn.assistant');
  assert.deepEqual(await turns(page), ['Keep this', answer]);
  await page.setInputFiles('#import', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"a":1}') });
  await toasted(page, 'no conversation in this file');
});

test('what is typed outlasts a reload, another conversation and a model that cannot chat', async () => {
  await open();
  await page.fill('#message', 'Half a thou');
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue('#message'), 'Half a thou');
  await drop(page, 'writer.gguf', '');
  await page.press('#message', 'Enter');
  assert.match(await page.textContent('#notices .problem'), /No model that can chat is loaded/);
  assert.equal(await page.inputValue('#message'), 'Half a thou');
  // An edit that was begun is there too.
  await drop(page, 'tutor.gguf', 'chat');
  await page.press('#message', 'Enter');
  await answered(page);
  await page.press('#message', 'ArrowUp');
  await page.fill('.edit-area', 'Half a thought');
  await page.reload();
  await ready(page);
  await page.waitForSelector('.turn.user');
  await page.hover('.turn.user');
  await page.locator('.turn.user button[aria-label^="Edit"]').click();
  assert.equal(await page.inputValue('.edit-area'), 'Half a thought');
});

test('a failed answer says why, keeps the question, and can be had again', async () => {
  await open({ permissions: ['clipboard-read', 'clipboard-write'] });
  await drop(page, 'lost.gguf', 'chat lost');
  await page.fill('#message', 'Still there?');
  await page.press('#message', 'Enter');
  await page.waitForSelector('#chat-end .problem');
  assert.match(await page.textContent('#chat-end .problem'), /The graphics adapter went away.*is being loaded again/s);
  await page.locator('.turn.assistant .words', { hasText: 'there was a' }).waitFor();
  assert.deepEqual(await turns(page), ['Still there?', 'there was a']);
  await page.click('#chat-end summary');
  await page.click('#chat-end button:has-text("Copy details")');
  await page.waitForSelector('.toast:has-text("Copied")');
  const report = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(report, /^DEVICE_LOST: .*\nbrowser: .*Chrome.*\nadapter: .*\n(build: .*\n)?device: \{.*\}\nvariants: \{.*\}\nmodel: /s);
  assert.doesNotMatch(report, /Still there|there was a/, 'nothing of the conversation');
  // Another engine comes by itself, and is lost as well: then the visitor says whether to go on.
  await ready(page);
  await page.click('#chat-end button:has-text("Try again")');
  await page.waitForSelector('#chat-end .problem button:has-text("Load the model again")');
  assert.equal((await turns(page))[0], 'Still there?');
  await page.click('#chat-end button:has-text("Load the model again")');
  await ready(page);
  page.problems = [];
});

test('a model that reads each message by itself says so, and suggests no questions', async () => {
  await open();
  await drop(page, 'translator.gguf', 'chat translates');
  await page.waitForFunction(() => document.querySelector('#chat-empty h2').textContent === 'translator.gguf');
  assert.match(await page.textContent('#chat-empty'), /another text of each message.*every one by itself/);
  assert.equal(await page.locator('#chat-empty .tries').count(), 0);
  await say(page, 'Good morning');
  await page.click('#new-chat');
  await drop(page, 'tutor.gguf', 'chat');
  await page.waitForSelector('#chat-empty .tries');
});

test('a conversation longer than the context leaves out its oldest turns, and says so', async () => {
  await open();
  await drop(page, 'short.gguf', 'chat loses-context');
  await say(page, `First ${'words '.repeat(60)}`);
  await say(page, 'Second');
  await toasted(page, 'oldest message');
  assert.equal((await turns(page)).length, 4);
  await page.fill('#message', 'x'.repeat(1200));
  await page.press('#message', 'Enter');
  await page.waitForSelector('#chat-end .problem');
  assert.match(await page.textContent('#chat-end .problem'), /longer than the model’s context/);
  // What to do about it: a shorter text, which is there to be changed, or more room, in which the same question is answered.
  await page.click('#chat-end button:has-text("Shorten the text")');
  await page.waitForSelector('.turn.user .edit-area:focus');
  assert.equal((await page.inputValue('.turn.user .edit-area')).length, 1200);
  await page.keyboard.press('Escape');
  await page.click('#chat-end button:has-text("Get an answer")');
  await page.click('#chat-end button:has-text("Larger context")');
  await answered(page);
  assert.equal((await turns(page)).at(-2).length, 1200);
  assert.equal(await page.evaluate(() => localStorage.getItem('cresset.context')), '2048');
});

test('a template without a place for the system prompt gets it with the first question', async () => {
  await open();
  await drop(page, 'plain.gguf', 'chat no-system');
  await page.click('#panel-button');
  await page.fill('#system', 'Be kind.');
  await say(page, 'Hello');
  assert.equal((await turns(page)).length, 2);
  assert.equal(await page.locator('.problem').count(), 0);
});

test('an Enter that ends a word of an input method does not send', async () => {
  await open();
  await page.focus('#message');
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
  await page.evaluate(() =>
    document.getElementById('message').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })),
  );
  await page.evaluate(() =>
    document.getElementById('message').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true })),
  );
  assert.equal(await page.locator('.turn').count(), 0);
  await devtools.send('Input.insertText', { text: '日本' });
  assert.equal(await page.inputValue('#message'), '日本');
  await page.press('#message', 'Shift+Enter');
  await page.keyboard.type('2');
  await page.press('#message', 'Enter');
  await answered(page);
  assert.equal((await turns(page))[0], '日本\n2');
});

test('the keyboard alone does it all', async () => {
  await open();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'message');
  await page.keyboard.type('By keys');
  await page.keyboard.press('Enter');
  await answered(page);
  const [, first] = await turns(page);
  await page.keyboard.press('Alt+ArrowUp');
  assert.ok(await page.evaluate(() => document.activeElement.matches('.turn.assistant')));
  await page.keyboard.press('r');
  await answered(page);
  await page.waitForFunction(() => document.querySelector('.siblings')?.textContent === '2 / 2');
  await page.locator('.turn.assistant').focus();
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(
    (first) => document.querySelector('.turn.assistant .words').textContent === first && document.activeElement.matches('.turn.assistant'),
    first,
  );
  await page.keyboard.press('Alt+ArrowUp');
  assert.ok(await page.evaluate(() => document.activeElement.matches('.turn.user')));
  await page.keyboard.press('e');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'edit-area');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Alt+ArrowDown');
  await page.keyboard.press('Alt+ArrowDown');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'message');
  await page.keyboard.press('Control+Shift+o');
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 0);
  await page.keyboard.press('Control+/');
  assert.match(await page.textContent('#shortcuts'), /Search conversations.*Ctrl|Ctrl.*Search conversations/s);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.getElementById('shortcuts'));
});

test('a screen reader hears sentences, not tokens', async () => {
  await open();
  await page.evaluate(() => {
    window.heard = [];
    new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => window.heard.push(node.textContent)))).observe(
      document.getElementById('speaker'),
      { childList: true },
    );
  });
  assert.equal(await page.getAttribute('#chat-scroll', 'aria-live'), 'off');
  await drop(page, 'tutor.gguf', 'chat');
  await say(page, 'Tell me');
  const heard = await page.evaluate(() => window.heard);
  assert.ok(heard.length <= 4, `${heard.length} announcements of 118 tokens`);
  assert.ok(
    heard.slice(0, -1).every((text) => /[.!?”]$/.test(text)),
    JSON.stringify(heard),
  );
  const [, answer] = await turns(page);
  assert.equal(heard.join(' '), `${answer} End of the answer.`);
});

test('two tabs show the same conversations', async () => {
  await open();
  const other = await page.context().newPage();
  await other.goto(`${server.url}#/chat`);
  await ready(other);
  await say(page, 'From the first tab');
  await other.waitForFunction(() => document.querySelector('#conversations').textContent.includes('From the first tab'));
  await other.click('#conversations a');
  await other.waitForSelector('.turn.assistant');
  await say(page, 'And again');
  await other.waitForFunction(() => document.querySelectorAll('.turn').length === 4);
});

test('without a database conversations last as long as the tab, and the page says so', async () => {
  page = await visit(browser, server, 'write');
  await page.addInitScript(() => {
    Object.defineProperty(window, 'indexedDB', {
      value: {
        open() {
          throw new DOMException('no', 'SecurityError');
        },
      },
    });
  });
  await page.reload();
  await ready(page);
  await page.evaluate(() => {
    location.hash = '#/chat';
  });
  await toasted(page, 'until the tab is closed');
  await say(page, 'Unkept');
  await page.click('#new-chat');
  await page.click('#conversations a');
  await page.waitForSelector('.turn.assistant');
  assert.equal((await turns(page))[0], 'Unkept');
});

test('nothing jumps while tokens arrive, and what is there is not written again', async (t) => {
  await open();
  await drop(page, 'fast.gguf', 'chat long fast');
  await page.evaluate(() => {
    window.shifts = [];
    new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(({ value }) => value))).observe({ type: 'layout-shift' });
  });
  const rewritten = await watchRewriting(await page.$('#turns'));
  await say(page, 'At length');
  const most = await rewritten();
  t.diagnostic(`${most} characters written again in one go at most`);
  // The last block may become another one with each token; the blocks before it are done.
  assert.ok(most < LONGEST_BLOCK, `${most} characters`);
  const { shifts, end } = await page.evaluate(() => {
    const scroller = document.getElementById('chat-scroll');
    return { shifts: window.shifts, end: scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight };
  });
  // A line that turns out to be a table's head, or a link, may move by itself: nothing else does.
  assert.ok(shifts.reduce((sum, value) => sum + value, 0) < 0.002, `layout shifts: ${shifts.join(', ')}`);
  assert.ok(end < 2, 'the end stays in view');
  assert.ok((await turns(page))[1].length > 4000);
  // That this can fail: the same answer drawn anew.
  await page.evaluate(() => {
    const words = document.querySelector('.turn.assistant .words');
    words.replaceChildren(...[...words.childNodes].map((node) => node.cloneNode(true)));
  });
  assert.ok((await rewritten()) > 4000);
});

test('on a phone, in Chinese, what an empty chat says ends its lines at punctuation', async () => {
  for (const width of [320, 390]) {
    await open({ viewport: { width, height: 780 }, isMobile: true, hasTouch: true, locale: 'zh-CN' });
    await page.waitForSelector('#chat-empty .soft');
    // Where no font has the characters, narrow boxes stand for them: then there is less room until a line has to break.
    const lines = await page.evaluate(() => {
      const broken = ({ firstChild: text }) => {
        const range = document.createRange();
        const lines = [];
        let top = -Infinity;
        for (let i = 0; i < text.length; i += 1) {
          range.setStart(text, i);
          range.setEnd(text, i + 1);
          const box = range.getBoundingClientRect();
          if (box.top > top + box.height / 2) [top] = [box.top, lines.push('')];
          lines[lines.length - 1] += text.data[i];
        }
        return lines.slice(0, -1);
      };
      for (let room = innerWidth; room > 100; room -= 10) {
        const lines = [...document.querySelectorAll('#chat-empty :is(h2, .soft)')].flatMap(broken);
        if (lines.length > 0) return lines;
        document.getElementById('chat-empty').style.maxWidth = `${room}px`;
      }
      return [];
    });
    assert.ok(lines.length > 0);
    for (const line of lines) assert.match(line, /[，。；？]$/, `${width} px`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
    await page.context().close();
    page = null;
  }
});

test('on a phone the row below an answer is one line, in either language', async () => {
  await open({ viewport: { width: 360, height: 780 }, isMobile: true, hasTouch: true, locale: 'zh-CN' });
  await drop(page, 'a-model-with-a-rather-long-name-instruct-q4_k_m.gguf', 'chat slow seeded');
  await page.fill('#message', '你好');
  await page.click('#chat-go');
  for (const turn of ['1', '2']) {
    await page.waitForFunction(() => document.querySelector('.turn.assistant .words')?.textContent.length > 10);
    await page.click('#chat-go');
    await answered(page);
    if (turn === '1') await button('重新生成').click();
  }
  const [place, row, facts] = await Promise.all(
    ['.siblings > span', '.turn-row', '.turn-facts'].map((part) =>
      page.locator(`.turn.assistant ${part}`).evaluate((node) => ({
        text: node.textContent,
        lines: node.getBoundingClientRect().height / parseFloat(getComputedStyle(node).fontSize),
        over: node.getBoundingClientRect().right - innerWidth,
        cut: node.scrollWidth > node.clientWidth,
      })),
    ),
  );
  assert.equal(place.text, '2 / 2');
  assert.ok(place.lines < 2 && facts.lines < 2, `${place.lines}, ${facts.lines}`);
  assert.ok(row.over <= 0 && facts.cut);
});

test('in a tab behind others an answer goes on, and is whole when the visitor comes back', async () => {
  await open();
  await drop(page, 'tutor.gguf', 'chat');
  const shown = () => document.querySelector('.turn.assistant .words')?.textContent.trim().split(' ').length ?? 0;
  await page.fill('#message', 'Take your time');
  await page.press('#message', 'Enter');
  await behind(page, '.turn.assistant.writing .words', 10);
  assert.ok((await page.evaluate(shown)) < 118);
  await page.waitForFunction(() => document.documentElement.dataset.state === 'ready', null, { polling: 50 });
  await inFront(page);
  await answered(page);
  assert.equal(await page.evaluate(shown), 118);
  // Who comes back in the middle sees what came meanwhile, and the rest.
  await drop(page, 'slow.gguf', 'chat slow');
  await page.fill('#message', 'Again');
  await page.press('#message', 'Enter');
  const last = () => page.evaluate(() => [...document.querySelectorAll('.turn.assistant .words')].at(-1).textContent.length);
  await behind(page, '.turn.assistant.writing .words', 5);
  const before = await last();
  await page.waitForTimeout(500);
  assert.ok((await last()) - before < 12, 'a hidden tab draws nothing');
  await inFront(page);
  await page.waitForFunction((length) => [...document.querySelectorAll('.turn.assistant .words')].at(-1).textContent.length > length + 20, before);
  await page.click('#chat-go');
  await answered(page);
});

test('all conversations go to one file, and come back from it', async () => {
  await open();
  await say(page, 'About lamps');
  await page.click('#new-chat');
  await say(page, 'About ships');
  const [, answer] = await turns(page);
  const [file] = await Promise.all([page.waitForEvent('download'), page.click('#export-all:has-text("Export all")')]);
  assert.equal(file.suggestedFilename(), 'cresset-conversations.json');
  const buffer = readFileSync(await file.path());
  const other = await visit(browser, server, 'chat');
  await other.setInputFiles('#import', { name: 'cresset-conversations.json', mimeType: 'application/json', buffer });
  await toasted(other, '2 conversations were imported');
  await other.waitForFunction(() => document.querySelectorAll('#conversations .title').length === 2);
  assert.deepEqual((await other.locator('#conversations .title').allTextContents()).sort(), ['About lamps', 'About ships']);
  await other.click('#conversations a:has-text("About ships")');
  await other.waitForFunction((answer) => document.querySelector('.turn.assistant .words')?.textContent.trim() === answer, answer);
  assert.deepEqual(other.problems, []);
  await other.context().close();
});

test('a conversation that is gone by now is not exported, and nothing breaks', async () => {
  await open();
  await say(page, 'About lamps');
  await page.waitForSelector('#conversations .title:has-text("About lamps")');
  // As another tab deletes it, before this one has heard of it.
  await page.evaluate(async () => {
    const store = await import('/page/chat/store.js');
    for (const { id } of await store.list()) await store.remove(id);
  });
  await page.click('#conversations .icon-button');
  await page.click('[role=menuitem]:has-text("Markdown")');
  await page.waitForTimeout(500);
});
