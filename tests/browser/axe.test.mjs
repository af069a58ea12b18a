// axe-core finds nothing, in any view, in what opens over the views, and in what comes and goes: in both languages, light,
// dark and in high contrast. One page walks through all of it, and changes its colours at each stop.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { FlakyFile, modelBytes } from './flaky.mjs';
import { startBrowser, startServer } from './harness.mjs';
import { png } from './photos.mjs';
import { drop, ready, say, visit } from './visitor.mjs';
import { tones, wav } from './sound.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MIB = 1 << 20;
const WIDE = { width: 1360, height: 900 };
const TALK = {
  name: 'talk.wav',
  mimeType: 'audio/wav',
  buffer: wav(
    tones([
      [2, 0.4],
      [2.5, 0],
      [2, 0.4],
    ]),
  ),
};
const PHONE = { width: 390, height: 844 };

let browser, server, page;
let trickling, breaking;

before(async () => {
  browser = await startBrowser();
  server = await startServer({
    mock: true,
    bundled: '',
    routes: {
      '/files/paused.gguf': (...call) => trickling.route(...call),
      '/files/running.gguf': (...call) => trickling.route(...call),
      '/files/broken-off.gguf': (...call) => breaking.route(...call),
    },
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Begins a download, and waits until some of it is here. */
async function get(name) {
  await page.fill('#address', `${server.url}files/${name}`);
  await page.press('#address', 'Enter');
  await page.locator('#fit h3', { hasText: name }).waitFor();
  await page.click('#fit .primary');
}

const transfer = (name) => page.locator('#transfers .model', { hasText: name });

/** Brings every view, and what comes over it or goes again, into a state with something in it. */
const SCENES = {
  'chat, empty': async () => {
    await page.goto(`${server.url}#/chat`);
    await page.waitForSelector('#view-chat h1');
  },
  'chat, with an answer': async () => {
    await drop(page, 'tutor.gguf', 'chat markdown thinks fast');
    await say(page, 'Why is the sky blue?');
    await page.click('.turn.assistant button[aria-label="Regenerate"], .turn.assistant button[aria-label="重新生成"]');
    await page.waitForFunction(() => document.querySelector('.siblings') && document.documentElement.dataset.state === 'ready');
    if (await page.isHidden('#chat-panel')) await page.click('#panel-button');
  },
  'chat, a conversation’s menu': async () => {
    await page.hover('#conversations li');
    await page.click('#conversations li button');
    await page.waitForSelector('.menu');
  },
  'chat, deleting': async () => {
    await page.click('.menu .danger');
    await page.waitForSelector('#conversations .confirm');
  },
  'chat, renaming': async () => {
    await page.click('#conversations .confirm .quiet');
    await page.hover('#conversations li');
    await page.click('#conversations li button');
    await page.click('.menu button');
    await page.waitForSelector('#conversations .rename');
  },
  'chat, editing': async () => {
    await page.keyboard.press('Escape');
    await page.locator('.turn.user').focus();
    await page.keyboard.press('e');
    await page.waitForSelector('.edit');
  },
  'chat, pictures attached, one refused, and a model that only reads': async () => {
    await page.keyboard.press('Escape');
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.click('#attach')]);
    await chooser.setFiles([
      { name: 'harbour.png', mimeType: 'image/png', buffer: png(64, 48) },
      { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no') },
      { name: 'boat.png', mimeType: 'image/png', buffer: png(48, 64) },
    ]);
    await page.waitForFunction(() => document.querySelectorAll('.attachment').length === 2 && !document.querySelector('.attachment-note').hidden);
  },
  'chat, a question with pictures': async () => {
    await drop(page, 'sees.gguf', 'chat sees echo fast');
    await say(page, 'What is this?');
    await page.waitForSelector('.turn.user canvas');
  },
  'chat, a picture opened': async () => {
    await page.click('.turn.user .picture');
    await page.waitForSelector('.picture-dialog[open]');
  },
  'chat, the list over a phone': async () => {
    await page.keyboard.press('Escape');
    await page.setViewportSize(PHONE);
    await page.click('#list-button');
    await page.waitForSelector('#chat-list:popover-open');
  },
  'chat, the panel over a phone': async () => {
    await page.keyboard.press('Escape');
    await page.click('#panel-button');
    await page.waitForSelector('#chat-panel:popover-open');
  },
  'write, the panel over a phone': async () => {
    await page.keyboard.press('Escape');
    await page.goto(`${server.url}#/write`);
    await page.click('#write-panel-button');
    await page.waitForSelector('#write-panel:popover-open');
  },
  'write, with alternatives': async () => {
    await page.keyboard.press('Escape');
    await page.setViewportSize(WIDE);
    await drop(page, 'writer.gguf', 'fast');
    await page.check('#tint');
    await page.fill('#text', 'A lamp:');
    await page.press('#text', 'Control+Enter');
    await page.waitForSelector('#ink .token');
    await ready(page);
    await page.press('#text', 'Control+Home');
    for (let i = 0; i < 12; i += 1) await page.press('#text', 'ArrowRight');
    await page.waitForSelector('#token-card:not([hidden])');
  },
  'models, with a verdict and a problem': async () => {
    await page.goto(`${server.url}#/models`);
    await page.fill('#address', `${server.url}files/foreign.gguf`);
    await page.press('#address', 'Enter');
    await page.waitForSelector('#fit .verdict');
    await page.click('#fit summary');
    await page.waitForFunction(() => /tokens|词元/.test(document.querySelector('#catalogue .verdict').textContent));
    await page.setInputFiles('#file', { name: 'broken.gguf', mimeType: 'application/octet-stream', buffer: Buffer.from('no model') });
    await page.waitForSelector('#notices .problem');
    await page.click('#notices summary');
  },
  'models, downloads that broke off, are paused, go on here and in another tab': async () => {
    await page.click('#notices .problem-actions button:last-child');
    await get('broken-off.gguf');
    await page.waitForSelector('#notices .problem');
    await page.click('#notices .problem-actions button:last-child');
    for (const name of ['paused.gguf', 'running.gguf']) {
      await get(name);
      await page.waitForFunction(
        (name) => [...document.querySelectorAll('#transfers .model')].find((row) => row.textContent.includes(name))?.querySelector('progress')?.value > 0,
        name,
      );
      if (name === 'paused.gguf') await transfer(name).locator('.outline').click();
    }
    // A tab that tells of a download, and does not go.
    await page.evaluate(
      () =>
        new Promise((held) => {
          const tab = new BroadcastChannel('cresset-transfers');
          navigator.locks.request('cresset-transfer other', () => {
            tab.postMessage({ id: 'other', transfer: { model: 'other', label: 'other.gguf', loaded: 1_200_000, total: 4_000_000 } });
            held();
            return new Promise(() => {});
          });
        }),
    );
    for (const name of ['paused.gguf', 'running.gguf', 'other.gguf']) await transfer(name).waitFor();
  },
  'listen, choosing a speech model': async () => {
    await transfer('running.gguf').locator('.icon-button').click();
    await page.goto(`${server.url}#/listen`);
    await page.setInputFiles('#listen-file', TALK);
    await page.waitForSelector('#speech-chooser[open]');
    await page.fill('#speech-address', `${server.url}files/hears.gguf`);
    await page.press('#speech-address', 'Enter');
    await page.waitForSelector('#speech-chooser .verdict-card');
  },
  'listen, with a transcript': async () => {
    await page.click('#speech-chooser .verdict-card .primary');
    await page.waitForFunction(() => document.querySelectorAll('#transcript li').length === 2 && document.getElementById('listen-status').hidden);
    await page.fill('#listen-search', 'lamp');
  },
  'chat, without a microphone': async () => {
    await page.goto(`${server.url}#/chat`);
    await page.click('#dictate');
    await page.waitForSelector('#dictation [role="alert"]');
  },
  embed: async () => {
    await page.goto(`${server.url}#/embed`);
    await page.waitForSelector('#snippet');
  },
  settings: async () => page.click('#settings-button'),
  shortcuts: async () => page.click('#settings .wide'),
};

// What a scene adds to the one before: colours are looked at there alone.
const PARTS = {
  'chat, a conversation’s menu': '.menu',
  'chat, deleting': '#conversations',
  'chat, renaming': '#conversations',
  'chat, editing': '#turns',
  'chat, the list over a phone': '#chat-list',
  'chat, the panel over a phone': '#chat-panel',
  'write, the panel over a phone': '#write-panel',
  'models, downloads that broke off, are paused, go on here and in another tab': '#transfers-section',
  'listen, choosing a speech model': '#speech-chooser',
  'chat, without a microphone': '#composer',
  settings: '#settings',
  shortcuts: '#shortcuts',
};

// The views are built alike whatever the colours, and coloured alike in both languages: all rules hold once in each of them, those
// about colours in each look.
const ENHANCED = ['color-contrast', 'link-in-text-block', 'color-contrast-enhanced']; // the last is WCAG's AAA
const look = (colorScheme, contrast, rules) => ({ media: { colorScheme, contrast }, rules });
const VISITS = {
  English: { locale: 'en-GB', looks: [look('light', 'no-preference'), look('dark', 'more', ENHANCED)] },
  Chinese: { locale: 'zh-CN', looks: [look('dark', 'no-preference'), look('light', 'more', ENHANCED)] },
};

for (const [language, { locale, looks }] of Object.entries(VISITS)) {
  test(`axe-core finds nothing in any view, nor in what comes and goes (${language})`, async (t) => {
    trickling = Object.assign(new FlakyFile(modelBytes(4 * MIB, 'chat')), { delayMs: 400, peekDelayMs: 0 });
    breaking = Object.assign(new FlakyFile(modelBytes(2 * MIB, 'chat')), { cutAfter: MIB / 2, ranges: false, delayMs: 20 });
    page = await visit(browser, server, '', { locale, viewport: WIDE, bypassCSP: true });
    t.after(() => page.context().close());
    await page.evaluate(AXE);
    const found = {};
    for (const [scene, prepare] of Object.entries(SCENES)) {
      await prepare();
      for (const { media, rules } of looks) {
        await page.emulateMedia(media);
        await page.waitForFunction((more) => document.documentElement.dataset.contrast === more, media.contrast === 'more' ? 'more' : 'usual');
        const violations = await page.evaluate(
          async ([rules, part]) => {
            // What comes, comes in full.
            await Promise.all(
              document
                .getAnimations()
                .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)
                .map(({ finished }) => finished.catch(() => {})),
            );
            const { violations } = await globalThis.axe.run(part, { resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) });
            return violations.map(
              ({ id, nodes }) =>
                `${id}: ${nodes
                  .slice(0, 5)
                  .map(({ html }) => html.slice(0, 160))
                  .join(' | ')}`,
            );
          },
          [rules, (rules && PARTS[scene]) || 'html'],
        );
        if (violations.length > 0) found[`${scene} (${media.colorScheme}, ${media.contrast})`] = violations;
      }
    }
    assert.deepEqual(found, {});
    assert.deepEqual(
      page.problems.filter((problem) => !/ERR_INCOMPLETE_CHUNKED|ERR_CONTENT_LENGTH|ERR_EMPTY|Failed to load resource/.test(problem)),
      [],
    );
  });
}
