// Speaking and listening in Chat, on the mock engine with Chromium's fake microphone: words come into the message field while they are said,
// and answers are read aloud by voices of this device.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startServer } from './harness.mjs';
import { answered, drop, leave, say, turns, visit } from './visitor.mjs';
import { startBrowserThatHears } from './sound.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowserThatHears([
    [0.5, 0],
    [3, 0.5],
    [90, 0],
  ]);
  server = await startServer({ mock: true });
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

/** A visit to Chat by one who has chosen a speech model before. */
async function come(prepare = () => {}) {
  page = await visit(browser, server, 'chat');
  await page.evaluate(async (model) => {
    const { Cresset } = await import('/cresset.js');
    await (await Cresset.load(model)).unload();
    localStorage.setItem('cresset.speech', JSON.stringify({ model, label: 'Ears' }));
  }, `${server.url}files/hears.gguf`);
  await page.addInitScript(prepare);
  await page.reload();
  await drop(page, 'echo.gguf', 'chat echo fast');
}

const pressed = (value) => page.waitForSelector(`#dictate[aria-pressed="${value}"]`);
const listening = () => page.locator('#dictation', { hasText: 'Listening…' }).waitFor();

test('what is said comes into the message field while it is said; Escape stops, and the question is sent with its last words', async () => {
  await come();
  assert.equal(await page.isVisible('#dictation'), false);
  await page.fill('#message', 'Note:');
  await page.click('#dictate');
  await listening();
  assert.equal(await page.getAttribute('#dictate', 'aria-label'), 'Stop listening');
  await page.locator('.dictation-open', { hasText: 'there was' }).waitFor();
  await page.waitForFunction(() => document.getElementById('message').value.endsWith('.'));
  assert.match(await page.inputValue('#message'), /^Note: there was a [a-z ]+\./);
  await page.press('#message', 'Escape');
  await pressed(false);
  assert.equal(await page.isVisible('#dictation'), false);
  assert.equal(await page.getAttribute('#dictate', 'aria-label'), 'Speak instead of typing');

  // Sending ends it, with what was said until then.
  await page.fill('#message', '');
  await page.click('#dictate');
  await listening();
  await page.fill('#message', 'Typed');
  await page.press('#message', 'Enter');
  await answered(page);
  const [question, answer] = await turns(page);
  assert.match(question, /^Typed/); // and what was said by then
  assert.equal(answer, question);
  await pressed(false);
});

test('a microphone that may not be used, or is not there, is told of in words', async () => {
  await come(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', window.refusal));
  });
  for (const [name, words] of [
    ['NotAllowedError', /does not let this page use the microphone/],
    ['NotFoundError', /No microphone was found/],
  ]) {
    await page.evaluate((name) => (window.refusal = name), name);
    await page.click('#dictate');
    await page.locator('#dictation [role="alert"]', { hasText: words }).waitFor();
    await pressed(false);
  }
  // A question of the browser's that nobody answers can be taken back.
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => new Promise(() => {});
  });
  await page.click('#dictate');
  await page.locator('#dictation', { hasText: 'Getting ready…' }).waitFor();
  await page.click('#dictate');
  await pressed(false);
});

test('who has no speech model, or has deleted it, is asked for one when the button is pressed, not before', async () => {
  page = await visit(browser, server, 'chat');
  await page.evaluate((model) => localStorage.setItem('cresset.speech', JSON.stringify({ model, label: 'Gone' })), `${server.url}files/hears.gguf`);
  await page.reload();
  await page.click('#dictate');
  await page.waitForSelector('#speech-chooser[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#speech-chooser', { state: 'detached' });
  await pressed(false);
  assert.ok(!page.addresses.some((address) => address.endsWith('hears.gguf')));
});

/** A platform with voices, which notes what is said. */
function voices() {
  window.said = [];
  const voice = (lang, localService) => ({ lang, localService, default: false, name: lang });
  const synthesis = Object.assign(new EventTarget(), {
    getVoices: () => [voice('en-US', true), voice('zh-CN', false), voice('en-GB', false)],
    speak: (utterance) => {
      window.said.push(`${utterance.voice.lang}: ${utterance.text}`);
      setTimeout(() => utterance.onend(), window.slow ?? 0);
    },
    cancel: () => window.said.push('cancelled'),
  });
  Object.defineProperty(window, 'speechSynthesis', { configurable: true, value: synthesis });
  window.SpeechSynthesisUtterance = class {
    constructor(text) {
      this.text = text;
    }
  };
}

test('answers are read aloud sentence by sentence, without marks and code, by voices of this device; a second press stops', async () => {
  await come(voices);
  const said = () => page.evaluate(() => window.said.splice(0));
  await say(page, 'A **lamp**. And\n\n```js\nlight();\n```\n\n| oil | wick |\n|---|---|\n| 1 | 2 |\n\na `wick`.');
  assert.deepEqual(await said(), [], 'off by default');
  const button = page.locator('.turn.assistant .aloud');
  assert.equal(await button.getAttribute('aria-label'), 'Read aloud');
  await button.click();
  await page.waitForFunction(() => window.said.length === 5);
  assert.deepEqual(await said(), ['en-US: A lamp.', 'en-US: And', 'en-US: oil, wick', 'en-US: 1, 2', 'en-US: a wick.']);
  await page.locator('.turn.assistant .aloud[aria-label="Read aloud"]').waitFor();

  await page.evaluate(() => (window.slow = 60_000));
  await button.click();
  await page.locator('.turn.assistant .aloud[aria-label="Stop reading"]').waitFor();
  await said();
  await button.click();
  assert.deepEqual(await said(), ['cancelled']);

  // While they are written, for who wants that; a new question ends the answer before.
  await page.click('#settings-button');
  await page.locator('#setting-aloud label').nth(1).click();
  await page.keyboard.press('Escape');
  await say(page, 'One. Two');
  await page.waitForFunction(() => window.said.length === 2);
  assert.deepEqual(await said(), ['en-US: One.', 'en-US: Two']);
  await say(page, '灯塔。');
  await page.locator('.toast', { hasText: 'no voice of its own for this language' }).waitFor();
  assert.deepEqual(await said(), ['cancelled'], 'a voice that is a server’s is not used');
});
