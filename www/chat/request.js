// A request for an answer, of as much of the conversation as the model's context holds, and the reading of its stream.

import { fitMessages } from './fit.js';

/**
 * @param {import('../cresset.js').Engine} engine
 * @param {object} chat
 * @param {string} chat.system
 * @param {import('./types.d.ts').Message[]} chat.messages   of visitor and assistant
 * @param {string} chat.begun      the beginning of the answer
 * @param {number} chat.wanted     tokens of the answer at most
 * @param {object} chat.template   options of the chat template
 * @returns {Promise<{ request: import('../cresset.js').ChatRequest, dropped: number }>} `dropped`: how many messages were left out
 */
export async function chatRequest(engine, { system, messages, begun, wanted, template }) {
  /** @type {(role: 'system' | 'assistant', content: string) => import('./types.d.ts').Message[]} */
  const said = (role, content) => (content ? [{ role, content }] : []);
  const all = [...said('system', system.trim()), ...messages, ...said('assistant', begun)];
  const { messages: kept, dropped } = await fitMessages(engine, all, wanted, template);
  return { request: { ...template, messages: kept, max_tokens: wanted, ...(begun ? { continue_final_message: true } : {}) }, dropped };
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
