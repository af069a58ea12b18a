// A conversation that is longer than the model's context is read from a later turn on.

import { contentOf } from './picture.js';

/**
 * @typedef {import('../cresset.js').Engine} Engine
 * @typedef {import('./types.d.ts').Message} Message
 */

/**
 * Tokens of a prompt that leave room for `wanted` new ones, or for half a context of them.
 * @param {Engine} engine
 * @param {number} wanted
 */
export function room(engine, wanted) {
  const { contextLength, contextLimit = contextLength } = engine.info.model;
  return contextLimit - Math.min(wanted, Math.floor(contextLimit / 2));
}

/**
 * The messages that fit: the system prompt, and turns from a question on. The last turn stays whatever its length; when
 * it alone is too long, the engine says so.
 * @param {Engine} engine
 * @param {Message[]} messages
 * @param {number} wanted
 * @param {object} options   of the chat template
 * @returns {Promise<{ messages: Message[], dropped: number }>}
 */
export async function fitMessages(engine, messages, wanted, options) {
  const most = room(engine, wanted);
  let kept = await withoutUnknownRole(engine, messages, options);
  for (;;) {
    const length = await tokensOf(engine, kept, options);
    const dropped = messages.length - kept.length;
    if (length <= most) return { messages: kept, dropped };
    const shorter = drop(kept, (length - most) / length, await weightOfPicture(engine, kept, length, options));
    if (shorter.length === kept.length) return { messages: kept, dropped };
    kept = shorter;
  }
}

/** As requests have them. @param {Message[]} messages */
export const asRequested = (messages) => messages.map(({ role, ...said }) => ({ role, content: contentOf(said) }));

/** Tokens of the prompt, of pictures too: the engine knows them by their sizes. @param {Engine} engine @param {Message[]} messages @param {object} options */
async function tokensOf(engine, messages, options) {
  return (await engine.tokenize(await engine.applyChatTemplate(asRequested(messages), options))).length;
}

/**
 * How many characters take as much room as a picture of these messages does on the average.
 * @param {Engine} engine
 * @param {Message[]} messages
 * @param {number} length   in tokens
 * @param {object} options
 */
async function weightOfPicture(engine, messages, length, options) {
  const count = messages.reduce((sum, { pictures = [] }) => sum + pictures.length, 0);
  if (count === 0) return 0;
  const words = await tokensOf(
    engine,
    messages.map(({ role, content }) => ({ role, content })),
    options,
  );
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return ((length - words) / count) * Math.max(characters / words, 1);
}

/**
 * Without the oldest turns that make up at least this share of all; begins with a question.
 * @param {Message[]} messages
 * @param {number} share
 * @param {number} picture   what one weighs, in characters
 */
function drop(messages, share, picture) {
  const weightOf = (/** @type {Message} */ { content, pictures = [] }) => content.length + picture * pictures.length;
  const head = messages[0]?.role === 'system' ? 1 : 0;
  let surplus = share * messages.reduce((sum, message) => sum + weightOf(message), 0);
  let from = head;
  while (from < messages.length - 1 && (surplus > 0 || messages[from].role !== 'user')) {
    surplus -= weightOf(messages[from]);
    from += 1;
  }
  return [...messages.slice(0, head), ...messages.slice(from)];
}

/** Some templates refuse a system prompt: then it begins the first question. @param {Engine} engine @param {Message[]} messages @param {object} options */
async function withoutUnknownRole(engine, messages, options) {
  if (messages[0]?.role !== 'system' || messages.length < 2) return messages;
  try {
    await engine.applyChatTemplate(asRequested(messages.slice(0, 2)), options);
    return messages;
  } catch (error) {
    if (/** @type {any} */ (error).code !== 'TEMPLATE') throw error;
    const [system, first, ...rest] = messages;
    return [{ ...first, content: [system.content, first.content].filter(Boolean).join('\n\n') }, ...rest];
  }
}
