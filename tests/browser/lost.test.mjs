// A graphics device that is lost while the real engine answers on it: the answer goes on, on another device.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DIST, STORY_MODEL, serveEngine } from './engine.mjs';
import { injectFaults } from './faults.mjs';
import { newPage, startBrowser } from './harness.mjs';

/** To the channel that `injectFaults` listens to: ends the devices at once. */
const LOSS = ['loss', 0];

// The bundled model with a template, so that it chats: it goes on with what was said.
const CHATTING = withTemplate(readFileSync(`${DIST}/models/${STORY_MODEL}`), "{% for m in messages %}{{ m.content + ' ' }}{% endfor %}");

/** A GGUF file with one more key: as long as some of its alignments, so that its tensors stay where they are. */
function withTemplate(bytes, template) {
  const key = 'tokenizer.chat_template';
  const [valueAt, padding] = [8 + key.length + 4, '{# #}'.length];
  const length = Math.ceil((valueAt + 8 + template.length + padding) / 32) * 32 - valueAt - 8;
  const entry = Buffer.alloc(valueAt + 8 + length, ' ');
  entry.writeBigUInt64LE(BigInt(key.length), 0);
  entry.write(key, 8);
  entry.writeUInt32LE(8, 8 + key.length); // a string
  entry.writeBigUInt64LE(BigInt(length), valueAt);
  // What fills it up is a comment.
  entry.write(`${template}{#`, valueAt + 8);
  entry.write('#}', entry.length - 2);
  const head = Buffer.from(bytes.subarray(0, 24));
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16);
  return Buffer.concat([head, entry, bytes.subarray(24)]);
}

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await serveEngine();
  page = await newPage(browser);
  await injectFaults(page.context());
  await page.goto(`${server.url}blank.html`);
  await page.evaluate(async (loss) => {
    window.Cresset = (await import('/cresset.js')).Cresset;
    const faults = new BroadcastChannel('faults');
    // The text of an answer whose device is lost after each of these numbers of pieces.
    window.write = async (engine, losses, request = {}) => {
      let text = '';
      let pieces = 0;
      const options = { prompt: 'Once upon a time', max_tokens: 24, temperature: 1, seed: 3, ignore_eos: true, stream: true };
      for await (const { choices } of await engine.completions.create({ ...options, ...request })) {
        text += choices[0]?.text ?? '';
        pieces += 1;
        if (losses.includes(pieces)) faults.postMessage(loss);
      }
      return text;
    };
  }, LOSS);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('the answer goes on where it was, twice, and the engine is as before; a model that was not kept is read again from where it was', async () => {
  const { undisturbed, disturbed, rebuilds, after } = await page.evaluate(async () => {
    const engine = await Cresset.load('stories', { device: 'webgpu', cache: false });
    const undisturbed = await write(engine, []);
    const disturbed = await write(engine, [2, 9], { cache_prompt: false });
    const { rebuilds } = await engine.stats();
    const after = await write(engine, [], { cache_prompt: false });
    await engine.unload();
    return { undisturbed, disturbed, rebuilds, after };
  });
  assert.ok(undisturbed.length > 40, undisturbed);
  assert.equal(disturbed, undisturbed);
  assert.equal(rebuilds, 2);
  assert.equal(after, undisturbed);
});

test('where the model cannot be read again the error says why, and a load mends it', async () => {
  const { error, text } = await page.evaluate(async () => {
    const engine = await Cresset.load('stories', { device: 'webgpu', selfTest: false });
    await Cresset.cache.clear();
    const error = await write(engine, [3]).catch(({ code, message }) => ({ code, message }));
    await engine.unload();
    const next = await Cresset.load('stories', { device: 'cpu' });
    const text = await write(next, []);
    await next.unload();
    return { error, text };
  });
  assert.equal(error.code, 'DEVICE_LOST');
  assert.match(error.message, /lost.*could not be put on another.*load the model again/s);
  assert.ok(text.length > 40, text);
});

test('a visitor sees a text go on, then an answer, and the conversation is kept', async () => {
  const visitor = await page.context().newPage();
  const ready = () => visitor.waitForFunction(() => document.documentElement.dataset.state === 'ready' && document.getElementById('progress').hidden);
  await visitor.goto(`${server.url}#/models`);
  await ready();
  // What comes with the page was loaded on the processor, since the adapter is software.
  await visitor.evaluate(async () => ((await import('/page/session.js')).session.device = 'webgpu'));
  await visitor.setInputFiles('#file', { name: 'chatting.gguf', mimeType: 'application/octet-stream', buffer: CHATTING });
  await visitor.waitForFunction(() => document.getElementById('model-name').textContent === 'chatting.gguf');
  await ready();
  const lose = () => visitor.evaluate((loss) => new BroadcastChannel('faults').postMessage(loss), LOSS);

  await visitor.click('.views [data-view=write]');
  await visitor.fill('#text', 'Once upon a time');
  await visitor.press('#text', 'Control+Enter');
  await visitor.waitForFunction(() => document.querySelectorAll('#ink .by-model').length > 0);
  await lose();
  const ink = async () => (await visitor.textContent('#ink')).replace(/\u200b$/, '');
  const written = await ink();
  await visitor.waitForFunction((length) => document.querySelector('#ink').textContent.length > length + 60, written.length);
  assert.ok((await ink()).startsWith(written));
  assert.equal(await visitor.locator('#notices .problem').count(), 0);
  await visitor.keyboard.press('Escape');
  await ready();

  await visitor.click('.views [data-view=chat]');
  const rebuilds = () => visitor.evaluate(async () => (await (await import('/page/session.js')).session.engine.stats()).rebuilds);
  const ask = async (text) => {
    await visitor.fill('#message', text);
    await visitor.press('#message', 'Enter');
    await visitor.waitForFunction(() => document.querySelector('.turn.assistant.writing .words')?.textContent.length > 8);
  };
  const answered = () =>
    visitor.waitForFunction(() => document.documentElement.dataset.state === 'ready' && document.querySelector('#turns > :last-child.assistant:not(.writing)'));
  // That the adapter is software is said already.
  const problems = () => visitor.locator('#notices .problem, #chat-end .problem').allTextContents();
  const known = await problems();
  const turns = async () => (await visitor.locator('#turns .words').allTextContents()).map((text) => text.trim());

  await ask('Once upon a time there was a little fox who lived in the');
  const [begun] = (await turns()).slice(-1);
  await lose();
  // It says that it writes, and more of it comes.
  await visitor.waitForFunction((length) => document.querySelector('.turn.assistant.writing .words')?.textContent.length > length + 60, begun.length);
  assert.equal(await visitor.getAttribute('html', 'data-state'), 'running');
  await answered();
  assert.equal(await rebuilds(), 2);
  const [question, answer, ...more] = await turns();
  assert.match(question, /^Once upon a time/);
  assert.ok(answer.startsWith(begun), `${begun} … ${answer}`);
  assert.deepEqual(more, []);
  assert.match(await visitor.textContent('.turn.assistant .turn-facts'), /chatting\.gguf · [\d.]+ tokens\/s/);
  assert.deepEqual(await problems(), known);

  // The next one has the same engine, and after a reload both are there.
  await visitor.fill('#message', 'The fox was');
  await visitor.press('#message', 'Enter');
  await answered();
  assert.equal((await turns()).length, 4);
  const said = await turns();
  await visitor.reload();
  await visitor.waitForFunction(() => document.querySelectorAll('#turns .words').length === 4);
  assert.deepEqual(await turns(), said);
  await visitor.close();
});
