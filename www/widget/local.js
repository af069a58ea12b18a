// Answers from an engine on this device: a chat where the model has a template for one, else the text carried on.

import { fitPrompt } from '../chat/fit-prompt.js';
import { chatRequest, readStream, sightless } from '../chat/request.js';

/**
 * Of an Ask: `begun` may be what is there from before a device was lost.
 * @typedef {Pick<import('../chat/types.d.ts').Ask, 'messages' | 'pictured' | 'begun' | 'signal' | 'onReading' | 'onText' | 'onNote'>} Local
 */

/**
 * @param {import('../cresset.js').Engine} engine
 * @param {import('./settings.js').Settings} settings
 * @param {Local} ask
 * @returns {Promise<{ finish: string | null }>}
 */
export async function answerLocally(engine, settings, ask) {
  if (ask.pictured && tellsStories(engine)) throw sightless();
  return tellsStories(engine) ? carryOn(engine, settings, ask) : chat(engine, settings, ask);
}

/** Whether a model can only carry a text on. @param {import('../cresset.js').Engine} engine */
export function tellsStories(engine) {
  return engine.info.model.hasChatTemplate === false;
}

/** @param {import('../cresset.js').Engine} engine @param {import('./settings.js').Settings} settings @param {Local} ask */
async function chat(engine, settings, { messages, pictured, begun, signal, onReading, onText, onNote }) {
  const { system } = settings;
  const { request, dropped, unseen } = await chatRequest(engine, {
    system,
    messages,
    pictured,
    begun,
    wanted: settings.maxTokens(false),
    template: { enable_thinking: settings.thinking },
  });
  if (dropped > 0) onNote({ kind: 'dropped', count: dropped });
  if (unseen) onNote({ kind: 'unseen' });
  const stream = await engine.chat.completions.create({ ...request, ...sampling(settings), ...STREAM, signal }, { onProgress: onReading });
  return readStream(stream, ({ delta }) => {
    if (delta?.content) onText(delta.content);
  });
}

/** @param {import('../cresset.js').Engine} engine @param {import('./settings.js').Settings} settings @param {Local} ask */
async function carryOn(engine, settings, { messages, begun, signal, onReading, onText, onNote }) {
  const wanted = settings.maxTokens(true);
  const { prompt, cut } = await fitPrompt(engine, joined([...messages, ...(begun ? [{ content: begun }] : [])]), wanted);
  if (cut) onNote({ kind: 'dropped', count: 1 });
  const stream = await engine.completions.create({ prompt, ...sampling(settings), max_tokens: wanted, ...STREAM, signal }, { onProgress: onReading });
  return readStream(stream, ({ text }) => {
    if (text) onText(text);
  });
}

/** Usage tells of an answer that was stopped. */
const STREAM = /** @type {const} */ ({ stream: true, stream_options: { include_usage: true } });

/** What the owner says of sampling; the rest is the model's own. @param {import('./settings.js').Settings} settings */
function sampling({ temperature }) {
  return temperature === undefined ? {} : { temperature };
}

/** The turns of a story as one text. @param {{ content: string }[]} turns */
function joined(turns) {
  return turns.reduce((text, { content }) => text + (text === '' || /\s$/.test(text) || /^[\s,.;:!?]/.test(content) ? '' : ' ') + content, '');
}
