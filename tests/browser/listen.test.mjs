// Listen, on the mock engine: the speech model is asked for once, a recording becomes text with times, which is searched, played from and
// saved; what goes wrong is said in words.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { gguf, ranged, startBrowser, startServer } from './harness.mjs';
import { leave, visit } from './visitor.mjs';
import { tones, wav } from './sound.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, routes: { '/files/hears-slow.gguf': ranged(gguf('hears slow')) } });
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

const recording = (name, parts) => ({ name, mimeType: 'audio/wav', buffer: wav(tones(parts)) });
const TALK = recording('talk.wav', [
  [1, 0],
  [5, 0.4],
  [3, 0],
  [3, 0.4],
  [1, 0],
]);

/** Takes a speech model by its address in the dialog. */
async function choose(name) {
  await page.fill('#speech-address', `${server.url}files/${name}`);
  await page.press('#speech-address', 'Enter');
}

const lines = () => page.locator('#transcript li').allTextContents();
const whole = () => page.waitForFunction(() => document.getElementById('transcript').ariaBusy === 'false' && document.getElementById('listen-status').hidden);

/** What a button saves. */
async function saved(button) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
  const parts = [];
  for await (const part of await download.createReadStream()) parts.push(part);
  return { name: download.suggestedFilename(), text: Buffer.concat(parts).toString() };
}

test('a recording becomes text with times, once a speech model is chosen; it is remembered, and models of another kind are refused in words', async () => {
  page = await visit(browser, server, 'listen');
  const loads = () => server.requests.filter(({ path }) => path.endsWith('.gguf') && path.startsWith('/files/')).length;
  await page.setInputFiles('#listen-file', TALK);
  await page.waitForSelector('#speech-chooser[open]');
  const rows = await page.locator('#speech-chooser .model').allTextContents();
  assert.match(rows[1], /^Whisper base.*Get · about 290 MB Whisper base$/);
  assert.equal(loads(), 0, 'nothing is fetched before the visitor says so');
  await choose('chat.gguf');
  await page.locator('#speech-chooser [role="alert"]', { hasText: 'chat.gguf works with texts: it cannot hear' }).waitFor();
  await choose('hears.gguf');
  await page.click('#speech-chooser .verdict-card .primary');
  await whole();
  assert.deepEqual(await lines(), ['0:01there was a small lamp on a stone wall above.', '0:09there was a small lamp on.']);
  assert.equal(await page.textContent('#listen-model'), 'hears.gguf writes it down.');

  await page.fill('#listen-search', 'LAMP');
  assert.deepEqual(await page.locator('#transcript mark').allTextContents(), ['lamp', 'lamp']);
  assert.equal(await page.textContent('#listen-matches'), '1 / 2');
  await page.press('#listen-search', 'Enter');
  assert.equal(await page.textContent('#listen-matches'), '2 / 2');
  await page.fill('#listen-search', 'nowhere');
  assert.equal(await page.textContent('#listen-matches'), 'Nothing found.');

  const srt = await saved('#listen-srt');
  assert.equal(srt.name, 'talk.srt');
  assert.match(srt.text, /^1\n00:00:01,000 --> 00:00:06,000\nthere was a small lamp on a stone wall above\.\n\n2\n00:00:09,000 --> /);
  assert.match((await saved('#listen-vtt')).text, /^WEBVTT\n\n00:00:01\.000 --> 00:00:06\.000\n/);
  assert.equal((await saved('#listen-txt')).text, 'there was a small lamp on a stone wall above.\nthere was a small lamp on.\n');

  await page.locator('#transcript .time').nth(1).click();
  assert.equal(await page.evaluate(() => Math.floor(document.getElementById('listen-player').currentTime)), 9);
  await page.locator('label:has(#listen-translate)').click();
  await page.locator('#transcript li', { hasText: 'THERE WAS A SMALL' }).first().waitFor();
  await whole();

  // The next visit knows the model.
  await page.reload();
  await page.setInputFiles('#listen-file', TALK);
  await page.locator('#transcript li').nth(1).waitFor();
  assert.equal(await page.locator('#speech-chooser').count(), 0);
});

test('a long recording is stopped, and goes on where it was; what is said in a file that was dropped on another view is heard too', async () => {
  page = await visit(browser, server, 'write');
  const long = recording(
    'long.wav',
    Array.from({ length: 7 }, () => [
      [1, 0.4],
      [2.5, 0],
    ]).flat(),
  );
  const transfer = await page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], 'long.wav', { type: 'audio/wav' }));
    return transfer;
  }, long.buffer.toString('base64'));
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await page.waitForSelector('#speech-chooser[open]');
  assert.equal(await page.getAttribute('html', 'data-view'), 'listen');
  await choose('hears-slow.gguf');
  await page.click('#speech-chooser .verdict-card .primary');
  await page.locator('#transcript li').nth(2).waitFor();
  assert.match(await page.textContent('#listen-progress'), /^0:\d\d of 0:24/);
  await page.click('#listen-stop');
  const before = (await lines()).length;
  assert.ok(before < 7);
  await page.click('#listen-on');
  await whole();
  assert.deepEqual(
    (await lines()).map((line) => line.slice(0, 4)),
    ['0:00', '0:03', '0:07', '0:10', '0:14', '0:17', '0:21'],
  );
});

test('what is no recording, has no sound, or in which nothing is said is told apart', async () => {
  page = await visit(browser, server, 'listen');
  const said = async (file) => {
    await page.setInputFiles('#listen-file', file);
    await page.locator('#listen-problem [role="alert"]', { hasText: file.name }).waitFor();
    return page.textContent('#listen-problem');
  };
  assert.match(
    await said({ name: 'notes.wav', mimeType: 'audio/wav', buffer: Buffer.from('no sound at all') }),
    /^notes\.wav is no recording that this browser can play/,
  );
  assert.equal(await said(recording('quiet.wav', [[4, 0]])), 'Nothing is said in quiet.wav.');
  assert.equal(await page.isHidden('#listen-result'), true);
});
