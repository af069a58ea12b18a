// A request for an answer, of as much of the conversation as the model's context holds, and the reading of its stream.

import { CressetError } from '../lib/errors.js';
import { asRequested, fitMessages } from './fit.js';

/**
 * @param {import('../cresset.js').Engine} engine
 * @param {object} chat
 * @param {string} chat.system
 * @param {import('./types.d.ts').Message[]} chat.messages   of visitor and assistant
 * @param {boolean} chat.pictured   whether the question itself comes with pictures
 * @param {string} chat.begun      the beginning of the answer
 * @param {number} chat.wanted     tokens of the answer at most
 * @param {object} chat.template   options of the chat template
 * @returns {Promise<{ request: import('../cresset.js').ChatRequest, dropped: number, unseen: boolean }>} `dropped`: how many messages
 *   were left out; `unseen`: there are pictures before the question, of which the model gets the names alone
 */
export async function chatRequest(engine, { system, messages, pictured, begun, wanted, template }) {
  /** @type {(role: 'system' | 'assistant', content: string) => import('./types.d.ts').Message[]} */
  const said = (role, content) => (content ? [{ role, content }] : []);
  const { vision } = engine.info.model;
  if (pictured && !vision) throw sightless();
  const readable = vision ? messages : withoutPictures(messages);
  const all = [...said('system', system.trim()), ...readable, ...said('assistant', begun)];
  const { messages: kept, dropped } = await fitMessages(engine, all, wanted, template);
  const request = { ...template, messages: asRequested(kept), max_tokens: wanted, ...(begun ? { continue_final_message: true } : {}) };
  return { request, dropped, unseen: readable !== messages };
}

/** The error of a question with pictures to a model that sees none. */
export const sightless = () =>
  new CressetError('INVALID_REQUEST', 'model: sees no pictures; load one that does, such as SmolVLM', { field: 'model', sightless: true });

/** Names in place of pictures. @param {import('./types.d.ts').Message[]} messages */
function withoutPictures(messages) {
  if (!messages.some(({ pictures }) => pictures)) return messages;
  return messages.map(({ role, content, pictures = [] }) => ({
    role,
    content: [...pictures.map(({ name }) => `[${name}]`), content].filter(Boolean).join('\n'),
  }));
}

/**
 * Reads a stream to its end. `finish` is OpenAI's, or `repetition` where the engine stopped an answer that went round in circles.
 * @param {AsyncIterable<any>} stream   of chunks
 * @param {(choice: any) => void} onChoice
 * @returns {Promise<{ finish: string | null, usage: import('../cresset.js').Usage | null }>}
 */
export async function readStream(stream, onChoice) {
  let finish = null;
  let usage = null;
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage;
    const choice = chunk.choices[0];
    if (!choice) continue;
    finish = choice.finish_reason ?? finish;
    onChoice(choice);
  }
  return { finish: usage?.extra?.stopped_by ?? finish, usage };
}
