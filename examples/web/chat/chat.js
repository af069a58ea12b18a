// A chat in the words of OpenAI's API: messages in, a stream out, and a button that stops it.

import { Cresset } from '../../../dist/cresset.js';

const at = (id) => document.getElementById(id);
const messages = [{ role: 'system', content: 'You answer in a few plain sentences.' }];
let engine = null;
let controller = null;

at('load').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = at('load').querySelector('button');
  button.disabled = true;
  try {
    engine = await Cresset.load(at('model').value, { onProgress });
    at('load').hidden = true;
    at('ask').hidden = false;
    at('state').textContent = `${engine.info.model.name} is ready.`;
    at('text').focus();
  } catch (error) {
    at('state').textContent = error.message; // a sentence that says what to do
    button.disabled = false;
    at('progress').hidden = true;
  }
});

function onProgress({ fraction }) {
  at('progress').hidden = false;
  if (fraction === null) at('progress').removeAttribute('value');
  else at('progress').value = fraction;
}

at('stop').addEventListener('click', () => controller.abort());
at('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  messages.push({ role: 'user', content: at('text').value });
  show('You', at('text').value);
  at('text').value = '';
  busy(true);
  const answer = show('Model', '');
  answer.ariaBusy = 'true'; // read aloud when it is whole
  controller = new AbortController();
  let content = '';
  try {
    const stream = await engine.chat.completions.create({
      messages, stream: true, signal: controller.signal, temperature: 0.7, max_tokens: 512, enable_thinking: false,
    });
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta.content ?? '';
      content += piece;
      answer.append(piece);
    }
  } catch (error) {
    at('state').textContent = error.code === 'ABORTED' ? 'Stopped.' : error.message;
  }
  if (content) messages.push({ role: 'assistant', content });
  answer.ariaBusy = 'false';
  busy(false);
});

function show(who, text) {
  const item = document.createElement('li');
  item.className = 'text';
  item.append(`${who}: ${text}`);
  at('log').append(item);
  return item;
}

function busy(on) {
  at('send').disabled = on;
  at('stop').disabled = !on;
  if (on) at('state').textContent = '';
}
