// The widget's attribute `voice`, on the mock engine with Chromium's fake microphone: without it nothing of it is fetched, permission and the
// speech model are asked for when the microphone is pressed, and answers are read aloud by a button.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { gguf, ranged } from './harness.mjs';
import { startSites, widgetOn } from './sites.mjs';
import { startBrowserThatHears } from './sound.mjs';

let browser, site, page;

before(async () => {
  browser = await startBrowserThatHears([
    [0.5, 0],
    [3, 0.5],
    [90, 0],
  ]);
  site = await startSites({ routes: { '/files/large-ears.gguf': ranged(gguf('hears', 12_000_000)) } });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

afterEach(async () => {
  const problems = page?.problems ?? [];
  await page?.context().close();
  page = null;
  assert.deepEqual(problems, []);
});

async function chatWith(attributes, prepare = () => {}) {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.asked = 0;
    navigator.mediaDevices.getUserMedia = (...how) => {
      window.asked += 1;
      return ask(...how);
    };
  });
  await context.addInitScript(prepare);
  page = await site.visit(browser, `<cresset-chat model="/files/echo.gguf" ${attributes}></cresset-chat>`, { context });
  const widget = widgetOn(page);
  await widget.open();
  await widget.ready();
  return { ...widget, mic: widget.inside('.mic'), hearing: widget.inside('.hearing'), read: widget.inside('.read') };
}

test('without the attribute nothing of it is there or fetched; empty, answers can be read aloud and no microphone is shown', async () => {
  const widget = await chatWith('');
  await widget.say('Hi');
  await widget.answered();
  assert.deepEqual([await widget.mic.count(), await widget.read.count()], [0, 0]);
  assert.ok(!page.addresses.some((address) => /voice|microphone|dictation|aloud/.test(address)));
  await page.evaluate(() => document.querySelector('cresset-chat').setAttribute('voice', ''));
  await widget.read.waitFor();
  assert.equal(await widget.mic.count(), 0);
  await page.evaluate(() => document.querySelector('cresset-chat').setAttribute('voice', '/files/hears.gguf'));
  await widget.mic.waitFor();
  await page.evaluate(() => document.querySelector('cresset-chat').removeAttribute('voice'));
  await widget.mic.waitFor({ state: 'detached' });
  await widget.read.waitFor({ state: 'detached' });
});

test('the speech model is asked for with its megabytes when the microphone is pressed; then what is said is typed, and sent with its last words', async () => {
  const widget = await chatWith('voice="/files/large-ears.gguf"');
  const fetched = () => page.addresses.filter((address) => address.includes('large-ears')).length;
  assert.equal(await widget.mic.getAttribute('aria-label'), 'Speak');
  assert.deepEqual([fetched(), await page.evaluate(() => window.asked)], [0, 0]);
  await widget.mic.click();
  await widget.card.filter({ hasText: /Speak instead of typing.*your voice goes nowhere.*12 MB/ }).waitFor();
  await widget.inside('.card .quiet').click();
  await widget.card.waitFor({ state: 'detached' });
  assert.equal(await widget.mic.getAttribute('aria-pressed'), 'false');
  assert.equal(await page.evaluate(() => window.asked), 0, 'the microphone is not asked for before the model is there');

  await widget.mic.click();
  await widget.primary.click();
  await widget.hearing.filter({ hasText: 'Listening…' }).waitFor();
  assert.equal(await page.evaluate(() => window.asked), 1);
  await widget.inside('.open', { hasText: 'there was' }).first().waitFor();
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('textarea').value.endsWith('.'));
  await widget.input.press('Enter');
  await widget.answered();
  assert.match((await widget.questions.allTextContents()).join(), /^there was a [a-z .]+\.$/);
  assert.equal(await widget.mic.getAttribute('aria-pressed'), 'false');

  // Escape stops what is said, and leaves the chat open.
  await widget.mic.click();
  await widget.hearing.filter({ hasText: 'Listening…' }).waitFor();
  await widget.input.press('Escape');
  await widget.inside('.mic[aria-pressed="false"]').waitFor();
  assert.equal(await widget.panel.evaluate((dialog) => dialog.open), true);
});

test('a microphone that is refused, and a model that cannot hear, are told of in words', async () => {
  const widget = await chatWith('voice="/files/echo.gguf"', () => {
    const ask = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = (how) => (window.allowed ? ask(how) : Promise.reject(new DOMException('no', 'NotAllowedError')));
  });
  await widget.mic.click();
  await widget.hearing.filter({ hasText: 'does not let this page use the microphone' }).waitFor();
  await page.evaluate(() => (window.allowed = true));
  await widget.mic.click();
  await widget.card.filter({ hasText: 'This model cannot hear' }).waitFor();
  assert.equal(await widget.mic.getAttribute('aria-pressed'), 'false');
});

test('a button reads an answer aloud, and stops; leaving stops as well', async () => {
  const widget = await chatWith('voice', () => {
    window.said = [];
    const synthesis = Object.assign(new EventTarget(), {
      getVoices: () => [{ lang: 'en-US', localService: true, default: true, name: 'here' }],
      speak: ({ text }) => window.said.push(text),
      cancel: () => window.said.push('cancelled'),
    });
    Object.defineProperty(window, 'speechSynthesis', { configurable: true, value: synthesis });
    window.SpeechSynthesisUtterance = class {
      constructor(text) {
        this.text = text;
      }
    };
  });
  const said = () => page.evaluate(() => window.said.splice(0));
  await widget.say('One **lamp**. Two.');
  await widget.answered();
  await widget.inside('.read[aria-label="Read aloud"]').click();
  await widget.inside('.read[aria-label="Stop reading"]').waitFor();
  assert.deepEqual(await said(), ['One lamp.', 'Two.']);
  await widget.inside('.read').click();
  await widget.inside('.read[aria-label="Read aloud"]').click();
  await page.evaluate(() => document.querySelector('cresset-chat').close());
  assert.deepEqual(await said(), ['cancelled', 'One lamp.', 'Two.', 'cancelled']);
});
