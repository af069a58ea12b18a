// The write view as a visitor uses it, on the mock engine: writing on, stopping, and the alternatives to every token.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { newPage, startBrowser, startServer, watchRewriting } from './harness.mjs';
import { behind, drop, inFront, leave, ready, visit } from './visitor.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, bundled: '' });
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

const open = async (options) => {
  page = await visit(browser, server, 'write', options);
};
const text = () => page.inputValue('#text');
const written = async () => {
  await page.waitForSelector('#ink .by-model');
  await ready(page);
};

/** Writes `tokens` tokens after `beginning`. */
async function write(beginning, tokens) {
  await page.fill('#text', beginning);
  if (tokens)
    await page.locator('#write-max_tokens').evaluate((field, tokens) => {
      // which is in a drawer, on a phone
      field.value = tokens;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }, tokens);
  await page.press('#text', 'Control+Enter');
  await written();
}

test('a first visit writes with one click', async () => {
  await open();
  await page.click('#starters .chip');
  await written();
  assert.match(await text(), /^Once upon a time there was a small lamp/);
  assert.equal(await page.textContent('#count'), '118');
  assert.match(await page.textContent('#speed'), /^\d+$/);
  assert.match(await page.textContent('#first-token'), /^0\.\d+s$/);
  assert.match(await page.textContent('#write-end'), /add a few words|ended the text/);
});

test('who wrote what is shown, and edits keep it', async () => {
  await open();
  await write('A lamp:', 3);
  assert.equal(await page.textContent('#write-end'), 'Done: the length you set is reached.');
  await page.locator('#text').press('End');
  await page.keyboard.type('!');
  const parts = await page.locator('#ink span:not(.end)').evaluateAll((all) => all.map((node) => [node.className.split(' ')[0], node.textContent]));
  assert.deepEqual(parts, [
    ['by-visitor', 'A lamp:'],
    ['by-model', ' there'],
    ['by-model', ' was'],
    ['by-model', ' a'],
    ['by-visitor', '!'],
  ]);
});

test('pointing at a token shows how likely it was and what else was likely', async () => {
  await open();
  await write('A lamp:', 6);
  const box = await page.locator('#ink .token').nth(2).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector('#token-card:not([hidden])');
  assert.match(await page.textContent('#token-card .token-head'), /·a62%/);
  assert.equal(await page.locator('#token-card .alternative').count(), 5);
  assert.equal(await page.locator('#ink .marked').textContent(), ' a');
  await page.mouse.move(5, 5);
  await page.waitForSelector('#token-card[hidden]', { state: 'attached' });
});

test("with the system's own colours the words are the text field's, and can still be pointed at", async () => {
  await open({ forcedColors: 'active' });
  await write('A lamp:', 6);
  const style = (selector, property) => page.locator(selector).evaluate((node, property) => getComputedStyle(node)[property], property);
  assert.equal(await style('#ink', 'opacity'), '0');
  assert.match(await style('#text', 'color'), /^rgb\(/); // not transparent
  const box = await page.locator('#ink .token').nth(2).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector('#token-card:not([hidden])');
  assert.match(await page.textContent('#token-card .token-head'), /·a62%/);
});

test('an alternative goes on from there, and can be taken back', async () => {
  await open();
  await write('A lamp:', 6);
  const before = await text();
  const box = await page.locator('#ink .token').nth(1).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector('#token-card:not([hidden])');
  const other = (await page.locator('#token-card .alternative-text').first().textContent()).replace('·', ' ');
  await page.locator('#token-card .alternative').first().click();
  await page.waitForFunction((start) => document.getElementById('text').value.startsWith(start), `A lamp: there${other} there was`);
  await ready(page);
  assert.equal(await page.locator('#ink .token').count(), 8);
  await page.click('#write-undo');
  assert.equal(await text(), before);
});

test('with the keyboard: the caret shows the card, Tab goes into it, Escape comes back', async () => {
  await open();
  await write('A lamp:', 6);
  await page.focus('#text');
  await page.keyboard.press('Control+Home');
  for (let i = 0; i < 'A lamp: the'.length; i += 1) await page.keyboard.press('ArrowRight');
  await page.waitForSelector('#token-card:not([hidden])');
  assert.match(await page.textContent('#token-card .token-head'), /·there/);
  await page.waitForFunction(() => document.getElementById('announcer').textContent.includes('Tab for alternatives'));
  await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => document.activeElement.matches('#token-card .alternative')));
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  assert.ok(await page.isHidden('#token-card'));
});

test('alternatives that are no text cannot be chosen', async () => {
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
  await page.evaluate(() =>
    localStorage.setItem(
      'cresset.text',
      JSON.stringify([
        { by: 'visitor', text: 'A' },
        {
          by: 'model',
          text: ' b',
          logprob: -0.1,
          top: [
            [' b', -0.1],
            ['\ufffd', -3],
            ['<|endoftext|>', -4],
            [' c', -5],
          ],
        },
      ]),
    ),
  );
  await page.goto(`${server.url}#/write`);
  await ready(page);
  await page.focus('#text');
  await page.keyboard.press('Control+End');
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('#token-card:not([hidden])');
  const options = await page
    .locator('.alternative')
    .evaluateAll((all) => all.map((node) => [node.querySelector('.alternative-text').textContent, node.disabled]));
  assert.deepEqual(options, [
    ['part of a character', true],
    ['end of the text', true],
    ['·c', false],
  ]);
});

test('without alternatives none are asked for, and nothing is shown', async () => {
  await open();
  await page.uncheck('#inspect');
  await write('A lamp:', 3);
  assert.equal(await page.locator('#ink .token').count(), 0);
  assert.equal(await page.locator('#ink .by-model').textContent(), ' there was a');
});

test('the less likely, the warmer', async () => {
  await open();
  await page.check('#tint');
  await write('A lamp:', 3);
  const token = page.locator('#ink .token').first();
  assert.equal(await token.evaluate((node) => node.style.getPropertyValue('--p')), '0.620');
  assert.notEqual(await token.evaluate((node) => getComputedStyle(node).backgroundColor), 'rgba(0, 0, 0, 0)');
});

test('take back and try another work on the model’s last turn', async () => {
  await open();
  await write('Start', 2);
  await page.click('#write-again');
  await written();
  assert.equal(await text(), 'Start there was');
  await page.click('#write-undo');
  assert.equal(await text(), 'Start');
  assert.ok(await page.isDisabled('#write-undo'));
  await page.click('#write-clear');
  await page.click('#write-undo');
  assert.equal(await text(), 'Start');
  // What was offered as a beginning is one.
  await page.click('#write-clear');
  await page.click('#starters .chip');
  await written();
  await page.click('#write-again');
  await written();
  assert.match(await text(), /^Once upon a time there was( \S+)*$/);
  assert.equal((await text()).split('Once upon a time').length, 2);
});

test('the sheet’s two layers break lines alike', async () => {
  await open();
  for (const words of [
    `${'Words of several lengths, extraordinarily arranged; '.repeat(60)}\n\nunbreakable${'x'.repeat(300)}\n`,
    '你好，世界。今天我们来写一个很长的故事。'.repeat(40),
    'السماء زرقاء لأن الهواء يشتت الضوء. '.repeat(40),
  ]) {
    await page.fill('#text', words);
    const heights = await page.evaluate(() => ['text', 'ink'].map((id) => document.getElementById(id).scrollHeight));
    assert.ok(Math.abs(heights[0] - heights[1]) <= 2, `textarea ${heights[0]}, ink ${heights[1]}`);
  }
});

test('a text that goes round in circles is stopped, and that is said', async () => {
  await open();
  await drop(page, 'loops.gguf', 'fast loops');
  await write('Round', 50);
  assert.equal(await page.textContent('#write-end'), 'Stopped: the text repeated itself over and over.');
});

test('Escape stops; the text so far stays, and goes on', async () => {
  await open();
  await drop(page, 'slow.gguf', 'slow');
  await page.fill('#text', 'Keys');
  await page.press('#text', 'Control+Enter');
  await page.waitForFunction(() => document.getElementById('text').value.split(' ').length > 3);
  assert.match(await page.textContent('#write-go'), /^Stop/);
  await page.hover('#write-go');
  const [words, behind] = await page.locator('#write-go').evaluate((node) => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]);
  assert.notEqual(words, behind, 'readable under the pointer');
  await page.keyboard.press('Escape');
  await ready(page);
  const stopped = await text();
  assert.match(stopped, /^Keys there was/);
  assert.equal(await page.textContent('#write-end'), 'Stopped.');
  await page.click('#write-go');
  await page.waitForFunction((length) => document.getElementById('text').value.length > length, stopped.length);
  await page.click('#write-go');
  await ready(page);
  assert.ok((await text()).startsWith(stopped));
});

test('a text longer than the context is continued from its end, and the page says so', async () => {
  await open();
  await write('many words '.repeat(200), 3); // the mock has a token per byte and a context of 1024
  assert.match(await page.textContent('#write-end'), /read the end of the text only: its context holds 1,024 tokens/);
});

test('an empty text asks for a beginning', async () => {
  await open();
  await page.click('#write-go');
  await page.waitForFunction(() => document.getElementById('announcer').textContent.includes('Write a few words first'));
  assert.equal(await page.locator('.problem').count(), 0);
});

test('a panic is shown with a way on, and the words stay', async () => {
  await open();
  await drop(page, 'panic.gguf', 'panic');
  await page.fill('#text', 'Careful');
  await page.click('#write-go');
  await page.waitForSelector('.problem');
  assert.match(await page.textContent('.problem'), /Something went wrong in Cresset.*is being loaded again.*INTERNAL/s);
  assert.match(await text(), /^Careful there was a/);
  await ready(page);
  await page.click('.problem button:has-text("Try again")');
  // It breaks again: now the visitor says whether another one is to be loaded.
  await page.waitForFunction(() => /Loading the model again usually helps/.test(document.querySelector('.problem')?.textContent));
  assert.match(await text(), /^Careful there was a.*there was a/);
  await page.click('.problem button:has-text("Load the model again")');
  await ready(page);
  page.problems = [];
});

test('text, settings and the tokens’ numbers are remembered', async () => {
  await open();
  await write('Remember', 3);
  const asked = await page.evaluate(async () => (await (await import('/page/session.js')).session.engine.stats()).last_request);
  assert.deepEqual([asked.temperature, asked.top_k, asked.max_tokens > 0], [undefined, undefined, true], 'the engine knows what is best for its model');
  await page.fill('#write-temperature', '1.3');
  await page.press('#write-temperature', 'Tab');
  await page.fill('#write-top_p', '7');
  await page.press('#write-top_p', 'Tab');
  assert.equal(await page.inputValue('#write-top_p'), '1');
  await page.reload();
  await ready(page);
  assert.equal(await text(), 'Remember there was a');
  assert.equal(await page.locator('#ink .token').count(), 3);
  assert.equal(await page.inputValue('#write-temperature'), '1.3');
  await page.click('.sampling button:has-text("Back to the defaults")');
  assert.equal(await page.inputValue('#write-temperature'), '0.5', 'the model’s own');
});

for (const [where, options] of Object.entries({
  'a desktop': { viewport: { width: 1360, height: 820 } },
  'a phone': { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
})) {
  test(`nothing jumps while the model writes, and what is there is not written again, on ${where}`, async (t) => {
    await open(options);
    await drop(page, 'fast.gguf', 'fast long');
    await page.evaluate(() => {
      window.shifts = [];
      // A word whose first token fits a line and whose second does not goes to the next line, and Arabic turns as it grows:
      // a single token may do so, by a line at most. Nothing else may move.
      const settles = ([moved, ...others]) =>
        !others.length && moved?.node?.parentElement?.matches('#ink .token') && Math.abs(moved.currentRect.top - moved.previousRect.top) < 40;
      new PerformanceObserver((list) =>
        window.shifts.push(
          ...list
            .getEntries()
            .filter(({ hadRecentInput, sources }) => !hadRecentInput && !settles(sources))
            .map(({ value, sources }) => `${value.toFixed(5)} ${sources.map(({ node }) => node?.id || node?.className || node?.textContent).join(', ')}`),
        ),
      ).observe({ type: 'layout-shift' });
    });
    const places = () =>
      page.evaluate(() =>
        ['write-go', 'write-again', 'write-undo', 'speed', 'count', 'write-end'].map((id) => {
          const { left, top, width } = document.getElementById(id).getBoundingClientRect();
          return `${id} ${[left, top, id === 'write-go' ? width : 0].map(Math.round)}`;
        }),
      );
    await page.fill('#text', 'A lamp:');
    const before = await places();
    const rewritten = await watchRewriting(await page.$('#ink'));
    await write('A lamp:', 900);
    const most = await rewritten();
    t.diagnostic(`${most} characters written again in one go at most`);
    // Each token is drawn once.
    assert.ok(most < 100, `${most} characters`);
    assert.equal(await page.textContent('#count'), '900');
    assert.deepEqual(await places(), before);
    assert.deepEqual(await page.evaluate(() => window.shifts), []);
    const end = await page.evaluate(
      () =>
        [...document.querySelectorAll('#ink .token')].at(-1).getBoundingClientRect().bottom - document.querySelector('#sheet').getBoundingClientRect().bottom,
    );
    assert.ok(end < 0 && end > -80, `the end stays in view: ${end}`);
  });
}

test('the sheet follows its end, unless the reader has scrolled away', async () => {
  await open({ viewport: { width: 1360, height: 700 } });
  await drop(page, 'long.gguf', 'long');
  const fromEnd = () =>
    page.evaluate(() => {
      const { scrollHeight, scrollTop, clientHeight } = document.getElementById('sheet');
      return scrollHeight - scrollTop - clientHeight;
    });
  await page.fill('#text', Array.from({ length: 40 }, (_, i) => `Line ${i}`).join('\n'));
  await page.focus('#text');
  await page.keyboard.press('Control+Home');
  await page.waitForFunction(() => document.getElementById('sheet').scrollTop < 40);
  // Whoever lets the model write wants to see it; whoever types sees the caret.
  await page.fill('#write-max_tokens', '2000');
  await page.press('#text', 'Control+Enter');
  await page.waitForFunction(() => document.querySelectorAll('#ink .token').length > 60);
  assert.ok((await fromEnd()) < 2);
  await page.hover('#text');
  await page.mouse.wheel(0, -300);
  await page.waitForFunction(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById('sheet');
    return scrollHeight - scrollTop - clientHeight > 200;
  });
  const at = await page.evaluate(() => document.getElementById('sheet').scrollTop);
  const count = await page.locator('#ink .token').count();
  await page.waitForFunction((count) => document.querySelectorAll('#ink .token').length > count + 60, count);
  assert.equal(await page.evaluate(() => document.getElementById('sheet').scrollTop), at);
  await page.keyboard.press('Escape');
  await ready(page);
  await page.press('#text', 'Control+End');
  for (let i = 0; i < 8; i += 1) await page.keyboard.press('Enter');
  await page.keyboard.type('And then');
  assert.ok((await fromEnd()) < 2);
});

test('in a tab behind others the model writes on, and all of it is there when the visitor comes back', async () => {
  await open();
  await page.fill('#text', 'Meanwhile');
  await page.press('#text', 'Control+Enter');
  await behind(page, '#ink', 'Meanwhile there was a'.length);
  const drawn = await page.locator('#ink .token').count();
  assert.ok(drawn < 118);
  await page.waitForFunction(() => document.documentElement.dataset.state === 'ready', null, { polling: 50 });
  assert.match(await text(), /^Meanwhile there was a small lamp .*only a coat\.”$/);
  await inFront(page);
  assert.equal(await page.locator('#ink .token').count(), 118);
  assert.equal(await page.locator('#ink').evaluate((node) => node.textContent.replace('\u200b', '')), await text());
  assert.equal(await page.textContent('#count'), '118');
  await page.reload();
  await ready(page);
  assert.match(await text(), /only a coat\.”$/);
});
