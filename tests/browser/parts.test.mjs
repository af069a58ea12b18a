// The parts of a chat's messages that are no text, in the library on the mock engine: recordings are written down by a speech model
// beside, pictures are counted by their size.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { STRICT_CSP, exposeLibrary, newPage, startBrowser, startServer } from './harness.mjs';
import { png } from './photos.mjs';
import { tones, wav } from './sound.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, headers: { 'Content-Security-Policy': STRICT_CSP } });
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
  await exposeLibrary(page);
});

after(async () => {
  assert.deepEqual(page.problems, []);
  await browser?.close();
  await server?.close();
});

/** Said twice: the mock writes down where it is loud. */
const TALK = wav(
  tones([
    [1, 0.5],
    [2, 0],
    [1, 0.5],
  ]),
).toString('base64');

test('a recording in a message becomes the text that a speech model writes down', async () => {
  const { refused, found, given, blob, sound, broken, silent, format } = await page.evaluate(async (data) => {
    const chat = await Cresset.load('/files/echo.gguf');
    const of = (part) => [{ role: 'user', content: [{ type: 'text', text: 'It says:' }, part] }];
    const ask = async (engine, part, more = {}) => {
      const answer = await outcome(engine.chat.completions.create({ messages: of(part), ...more }));
      return answer.value ? (await engine.stats()).last_request.messages[0].content : answer;
    };
    const part = { type: 'input_audio', input_audio: { data, format: 'wav' } };
    const file = new Blob([Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0))], { type: 'audio/wav' });
    const refused = await ask(chat, part);
    const ears = await Cresset.load('/files/hears.gguf');
    const others = await Cresset.load('/files/hears.gguf');
    const count = { first: 0, last: 0 };
    for (const [name, engine] of [
      ['first', ears],
      ['last', others],
    ]) {
      const { create } = engine.audio.transcriptions;
      engine.audio.transcriptions.create = (...request) => {
        count[name] += 1;
        return create(...request);
      };
    }
    // The one that came last; what it has heard it does not hear again.
    const found = [await ask(chat, part), await ask(chat, part), { ...count }];
    const own = await Cresset.load('/files/echo.gguf', { speech: ears });
    const given = [await ask(own, part), { ...count }];
    const blob = await ask(own, { type: 'input_audio', input_audio: file });
    const sound = await ask(own, { type: 'input_audio', input_audio: { data: { samples: new Float32Array(16_000).fill(0.5), sample_rate: 16_000 } } });
    const broken = [];
    for (const wrong of ['%%%', btoa('no sound'), 7]) broken.push(await ask(own, { type: 'input_audio', input_audio: { data: wrong, format: 'mp3' } }));
    await others.unload();
    await ears.unload();
    const silent = await ask(await Cresset.load('/files/echo.gguf'), part);
    const format = await outcome(Cresset.load('/files/echo.gguf', { speech: 'whisper' }));
    return { refused, found, given, blob, sound, broken, silent, format };
  }, TALK);
  assert.equal(refused.code, 'INVALID_REQUEST');
  assert.match(refused.message, /^messages\[0\]\.content\[1\]\.input_audio: there is no speech model .*audio\.transcriptions/);
  const [text, again, counts] = found;
  assert.deepEqual(text[0], { type: 'text', text: 'It says:' });
  assert.equal(text[1].type, 'text');
  assert.match(text[1].text, /\w/);
  assert.deepEqual(again, text);
  assert.deepEqual(counts, { first: 0, last: 1 });
  assert.deepEqual(given, [text, { first: 1, last: 1 }]);
  assert.deepEqual(blob, text);
  assert.equal(sound[1].type, 'text');
  assert.match(broken[0].message, /^messages\[0\]\.content\[1\]\.input_audio\.data: expected the recording in base64/);
  assert.match(broken[1].message, /^messages\[0\]\.content\[1\]\.input_audio: it is no recording/);
  assert.match(broken[2].message, /^messages\[0\]\.content\[1\]\.input_audio: expected a Blob/);
  assert.match(silent.message, /there is no speech model/);
  assert.match(format.message, /^speech: expected the engine of a speech model/);
});

test('aborting ends a recording that is being written down for a chat', async () => {
  const { code } = await page.evaluate(async (data) => {
    const speech = await Cresset.load('/files/hears.gguf');
    const chat = await Cresset.load('/files/echo.gguf', { speech });
    const messages = [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data, format: 'wav' } }] }];
    const ended = outcome(chat.chat.completions.create({ messages }, { signal: AbortSignal.abort() }));
    const answer = await ended;
    await speech.unload();
    return answer;
  }, TALK);
  assert.equal(code, 'ABORTED');
});

test('the prompt of a chat has room for its pictures, whose sizes are all it takes', async () => {
  const { sizes, shown, wrong } = await page.evaluate(
    async (url) => {
      const engine = await Cresset.load('/files/sees.gguf');
      const of = (picture) => [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: picture },
            { type: 'text', text: 'What?' },
          ],
        },
      ];
      const crossed = [];
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (message, ...rest) {
        if (message.method === 'applyChatTemplate') crossed.push(JSON.parse(message.params.messages)[0].content[0]);
        return postMessage.call(this, message, ...rest);
      };
      const shown = [];
      for (const picture of [{ url }, url, new ImageData(7, 5)]) shown.push(await engine.applyChatTemplate(of(picture)));
      const wrong = await outcome(engine.applyChatTemplate(of({ url: 'data:image/png;base64,AAAA' })));
      Worker.prototype.postMessage = postMessage;
      return { sizes: crossed, shown, wrong };
    },
    `data:image/png;base64,${png(64, 48).toString('base64')}`,
  );
  const sized = (width, height) => ({ type: 'image_url', image_url: { width, height } });
  assert.deepEqual(sizes, [sized(64, 48), sized(64, 48), sized(7, 5)]);
  assert.ok(
    shown.every((prompt) => /^<user>#+What\?$/.test(prompt)),
    shown.join(),
  );
  assert.match(wrong.message, /^messages\[0\]\.content\[0\]\.image_url: it is no picture/);
});
