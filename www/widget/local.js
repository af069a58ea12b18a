// Answers from an engine on this device: a chat where the model has a template for one, else the text carried on.

import { fitPrompt } from '../chat/fit-prompt.js';
import { chatRequest, readStream } from '../chat/request.js';
import { WIDGET } from '../chat/sampling.js';

/**
 * @param {import('../cresset.js').Engine} engine
 * @param {import('./settings.js').Settings} settings
 * @param {object} ask
 * @param {import('../chat/types.d.ts').Message[]} ask.messages   of visitor and assistant, the visitor's last
 * @param {string} ask.begun   the beginning of the answer, from before it was cut off
 * @param {AbortSignal} ask.signal
 * @param {(text: string) => void} ask.onText
 * @param {(note: import('../chat/types.d.ts').Note) => void} ask.onNote
 * @returns {Promise<{ finish: string | null }>}
 */
export async function answerLocally(engine, settings, ask) {
  return tellsStories(engine) ? carryOn(engine, settings, ask) : chat(engine, settings, ask);
}

/** Whether a model can only carry a text on. @param {import('../cresset.js').Engine} engine */
export function tellsStories(engine) {
  return engine.info.model.hasChatTemplate === false;
}

async function chat(engine, settings, { messages, begun, signal, onText, onNote }) {
  const { system } = settings;
  const { request, dropped } = await chatRequest(engine, {
    system,
    messages,
    begun,
    wanted: settings.maxTokens(false),
    template: { enable_thinking: settings.thinking },
  });
  if (dropped > 0) onNote({ kind: 'dropped', count: dropped });
  const stream = await engine.chat.completions.create({ ...request, ...sampling(settings), stream: true, signal });
  return readStream(stream, ({ delta }) => {
    if (delta?.content) onText(delta.content);
  });
}

async function carryOn(engine, settings, { messages, begun, signal, onText, onNote }) {
  const wanted = settings.maxTokens(true);
  const { prompt, cut } = await fitPrompt(engine, joined([...messages, ...(begun ? [{ content: begun }] : [])]), wanted);
  if (cut) onNote({ kind: 'dropped', count: 1 });
  const stream = await engine.completions.create({ prompt, ...sampling(settings), max_tokens: wanted, stream: true, signal });
  return readStream(stream, ({ text }) => {
    if (text) onText(text);
  });
}

function sampling({ temperature }) {
  return { temperature: temperature ?? WIDGET.temperature, top_p: WIDGET.top_p };
}

/** The turns of a story as one text. */
function joined(turns) {
  return turns.reduce((text, { content }) => text + (text === '' || /\s$/.test(text) || /^[\s,.;:!?]/.test(content) ? '' : ' ') + content, '');
}
