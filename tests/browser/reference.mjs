#!/usr/bin/env node
// Pictures of every view in both themes, both languages and three widths, and in a system's own colours →
// tests/browser/reference/, for people to look at when the page changes; no test compares them. They show the mock engine,
// and the fonts of the machine that made them (best with a system font and one for Chinese).
//
//   node tests/browser/reference.mjs [BEGINNING…]        only pictures whose names begin so: write embed-dark

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gguf, json, ranged, startBrowser, startServer } from './harness.mjs';
import { picture } from './pictures.mjs';
import { answered, drop, ready, visit } from './visitor.mjs';
import { tones, wav } from './sound.mjs';

const FOLDER = fileURLToPath(new URL('reference/', import.meta.url));

const WIDTHS = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  tablet: { viewport: { width: 820, height: 1080 } },
  desktop: { viewport: { width: 1360, height: 860 } },
};
const SCHEMES = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  forced: { colorScheme: 'dark', forcedColors: 'active' }, // the system's own few colours
};
const TALK = {
  name: 'the keeper, a talk.wav',
  mimeType: 'audio/wav',
  buffer: wav(
    tones(
      [4, 9, 6, 3, 8, 5].flatMap((seconds) => [
        [seconds, 0.4],
        [1.5, 0],
      ]),
    ),
  ),
};
const QUESTION = { 'en-GB': 'Why is the sky blue?', 'zh-CN': '天空为什么是蓝色的？' };

/** Brings each view into a state worth looking at. */
const VIEWS = {
  async 'chat-empty'(page, { server }) {
    await page.goto(`${server.url}#/chat`);
    await page.waitForFunction(() => /tokens|词元/.test(document.querySelector('.suggestion.quick .hint')?.textContent ?? ''));
  },
  async chat(page, { server, locale }) {
    await page.goto(`${server.url}#/chat`);
    await use(page, 'Qwen3 1.7B', 'chat markdown thinks fast');
    await page.fill('#message', QUESTION[locale]);
    await page.click('#chat-go');
    await page.waitForSelector('.turn.assistant');
    await answered(page);
    await page.locator('.turn.assistant .turn-row button').nth(2).click();
    await page.waitForFunction(() => document.querySelector('.siblings') && document.documentElement.dataset.state === 'ready');
  },
  async write(page, { server, narrow }) {
    await page.goto(`${server.url}#/write`);
    await use(page, 'Cresset Stories 4M', 'fast');
    await page.locator('#starters .chip').first().click();
    await page.waitForSelector('#ink .token', { state: 'attached' }); // forced colours hide it
    await ready(page);
    if (narrow) return;
    // A token that stands on one line.
    const [x, y] = await page.evaluate(() => {
      const { left, width, top, height } = [...document.querySelectorAll('#ink .token')]
        .slice(28)
        .map((node) => node.getClientRects())
        .find(({ length }) => length === 1)[0];
      return [left + width / 2, top + height / 2];
    });
    await page.mouse.move(x, y);
    await page.waitForSelector('#token-card:not([hidden])');
  },
  async listen(page, { server }) {
    await page.goto(`${server.url}#/listen`);
    await page.setInputFiles('#listen-file', TALK);
    await page.fill('#speech-address', `${server.url}files/hears.gguf`);
    await page.press('#speech-address', 'Enter');
    await page.click('#speech-chooser .verdict-card .primary');
    await page.waitForFunction(() => document.getElementById('transcript').childElementCount > 0 && document.getElementById('listen-status').hidden);
    await page.fill('#listen-search', 'wall');
    await page.evaluate(() => document.activeElement.blur());
  },
  async models(page, { server }) {
    await page.goto(`${server.url}#/models`);
    await page.waitForFunction(() => /tokens|词元/.test(document.querySelector('#catalogue .verdict')?.textContent ?? ''));
    await page.evaluate(() => document.getElementById('catalogue-title').scrollIntoView());
  },
  async embed(page, { server, wide }) {
    await page.goto(`${server.url}#/embed`);
    await page.waitForSelector('#snippet');
    await page.evaluate(() => scrollTo(0, 0));
    const preview = page.frameLocator('#preview').locator('cresset-chat');
    await preview.locator('button.launcher').waitFor({ state: 'attached' });
    if (!wide) return;
    await preview.locator('button.launcher').click();
    await preview.locator('dialog[data-state^="asking"]').waitFor(); // for its megabytes
    await page.mouse.move(0, 0);
    await page.evaluate(() => scrollTo(0, 0));
  },
};

const browser = await startBrowser();
const server = await startServer({
  mock: true,
  bundled: '',
  routes: {
    '/models/chat.gguf': ranged(gguf('chat')),
    '/models/catalogue.json': json([
      {
        id: 'default',
        name: 'SmolLM2 135M',
        tasks: ['chat'],
        file: 'chat.gguf',
        bytes: 98_362_432,
        hub: { model: 'hf:bartowski/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct-Q8_0.gguf@09816acd5d99df7be770d85ea30822623dab342c', bytes: 144_811_360 },
      },
      {
        id: 'stories',
        tasks: ['stories'],
        name: 'Cresset Stories 4M',
        file: 'ember.gguf',
        bytes: 4_100_000,
        starters: ['Once upon a time', 'The lighthouse keeper', 'On the first day of winter'],
      },
    ]),
  },
});
const converter = await browser.newPage();
// The widget's pictures, which lie there too, are its own tests' to take.
const beginnings = process.argv.slice(2);
const wanted = (name) => !name.startsWith('widget-') && (beginnings.length === 0 || beginnings.some((beginning) => name.startsWith(beginning)));
for (const name of await readdir(FOLDER).catch(() => [])) if (name.endsWith('.webp') && wanted(name)) await rm(`${FOLDER}${name}`);
await mkdir(FOLDER, { recursive: true });
let bytes = 0;
for (const locale of ['en-GB', 'zh-CN']) {
  for (const scheme of ['light', 'dark']) for (const width of Object.keys(WIDTHS)) await views(locale, scheme, width);
}
await views('en-GB', 'forced', 'desktop');
// What opens over the views, once.
const page = await visit(browser, server, 'models', { ...WIDTHS.desktop, colorScheme: 'light', locale: 'en-GB' });
await page.setInputFiles('#file', { name: 'holiday.gguf', mimeType: 'application/octet-stream', buffer: Buffer.from('not a model') });
await page.waitForSelector('#notices .problem');
await page.waitForTimeout(350);
bytes += await keep('problem-light-en-desktop', await page.screenshot());
await page.locator('#notices .problem-actions button').last().click();
await page.click('#settings-button');
await page.waitForTimeout(250);
bytes += await keep('settings-light-en-desktop', await page.screenshot());
await page.click('#settings .wide');
await page.waitForTimeout(250);
bytes += await keep('shortcuts-light-en-desktop', await page.screenshot());
console.log(`· ${(bytes / 1e6).toFixed(2)} MB of pictures in tests/browser/reference/`);
await browser.close();
await server.close();

/** Loads a file of the visitor's own, and leaves it at that when the page asks whether to keep it. */
async function use(page, name, traits) {
  await drop(page, name, traits);
  await page.locator('#notices .question button').last().click();
}

/** Pictures of every view. */
async function views(locale, scheme, width) {
  const page = await visit(browser, server, 'write', { ...WIDTHS[width], ...SCHEMES[scheme], locale });
  for (const [view, prepare] of Object.entries(VIEWS)) {
    const name = `${view}-${scheme}-${locale.slice(0, 2)}-${width}`;
    if (!wanted(name)) continue;
    await prepare(page, { server, locale, narrow: width === 'phone', wide: width === 'desktop' });
    await page.waitForTimeout(350);
    bytes += await keep(name, await page.screenshot());
  }
  await page.context().close();
}

/** A PNG picture as WebP; gives its size. */
async function keep(name, png) {
  if (!wanted(name)) return 0;
  const webp = await picture(converter, png);
  await writeFile(`${FOLDER}${name}.webp`, webp);
  return webp.length;
}
