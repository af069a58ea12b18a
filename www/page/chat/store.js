// Conversations in IndexedDB: what they are called, and their turns one by one, so that two tabs can write in the same one.
// Each row is checked when it is read. Where the browser keeps no database for this page, or one that does not answer, they last
// as long as the tab, and `forgets` says so.

import { conversationOf, nameOf, turnOf, turnsOf } from './rows.js';
import { Memory, Unusable, openDatabase } from './shelf.js';

/**
 * @typedef {import('./types.d.ts').Conversation} Conversation
 * @typedef {import('./types.d.ts').Shelf} Shelf
 */

/** @type {Promise<Shelf> | null} */
let opened = null;
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel('cresset-conversations') : null;

/**
 * Dispatches `change` when another tab wrote; its detail is the conversation's id.
 */
export const otherTabs = /** @type {import('../../chat/types.d.ts').Teller<{ change: string }>} */ (new EventTarget());
tabs?.addEventListener('message', ({ data }) => otherTabs.dispatchEvent(new CustomEvent('change', { detail: data })));

/** Dispatches `change` when conversations no longer outlast this tab. What is open is to be stored again. */
export const forgets = new EventTarget();

/** Newest first; `unreadable` are rows that are no conversations. @returns {Promise<{ conversations: Conversation[], unreadable: import('./types.d.ts').Unreadable[] }>} */
export async function rows() {
  /** @type {Conversation[]} */
  const conversations = [];
  const unreadable = [];
  for (const row of await ask((shelf) => shelf.all('conversations'))) {
    const conversation = conversationOf(row);
    if (conversation) conversations.push(conversation);
    // The database holds nothing without a key.
    else unreadable.push({ key: /** @type {any} */ (row).id, name: nameOf(row) });
  }
  conversations.sort((a, b) => b.updated - a.updated);
  return { conversations, unreadable };
}

/** @returns {Promise<Conversation[]>} newest first */
export async function list() {
  return (await rows()).conversations;
}

/** @param {string} id @returns {Promise<import('./types.d.ts').Whole | null>} */
export async function read(id) {
  const conversation = conversationOf(await ask((shelf) => shelf.get('conversations', id)));
  if (!conversation) return null;
  const { turns, unreadable } = turnsOf(await ask((shelf) => shelf.turnsOf(id)));
  return { conversation, turns, missing: unreadable };
}

/** @param {Conversation} conversation */
export async function save(conversation) {
  await put([{ store: 'conversations', value: conversation }]);
  tabs?.postMessage(conversation.id);
}

/** @param {string} id of the conversation @param {import('../../chat/types.d.ts').Turn} turn */
export async function saveTurn(id, turn) {
  await put([{ store: 'turns', value: { ...turn, conversation: id } }]);
  tabs?.postMessage(id);
}

/** A conversation with all its turns, at once. @param {import('./types.d.ts').Whole} whole */
export async function saveWhole({ conversation, turns }) {
  await put([
    { store: 'conversations', value: conversation },
    ...turns.map((turn) => ({ store: /** @type {const} */ ('turns'), value: { ...turn, conversation: conversation.id } })),
  ]);
  tabs?.postMessage(conversation.id);
}

/** @param {IDBValidKey} key   of a conversation, or of a row that is none */
export async function remove(key) {
  await ask((shelf) => shelf.remove(key));
  tabs?.postMessage(key);
}

/**
 * Conversations whose title or words have all of these in them.
 * @param {string} query
 * @returns {Promise<Map<string, string>>} by id, with the place where it was found ('' for a title)
 */
export async function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Map();
  for (const { id, title } of await list()) {
    if (words.every((word) => title.toLowerCase().includes(word))) found.set(id, '');
  }
  await ask((shelf) =>
    shelf.each('turns', (row) => {
      const turn = turnOf(row);
      const { conversation } = /** @type {any} */ (row);
      if (!turn || found.has(conversation)) return;
      const text = turn.content.toLowerCase();
      if (words.every((word) => text.includes(word))) found.set(conversation, around(turn.content, text.indexOf(words[0])));
    }),
  );
  return found;
}

/** @param {string} text @param {number} at */
function around(text, at) {
  const start = Math.max(at - 30, 0);
  return `${start > 0 ? '…' : ''}${text.slice(start, at + 70).replace(/\s+/g, ' ')}…`;
}

/** @param {import('./types.d.ts').Row[]} rows */
function put(rows) {
  return ask((shelf) => shelf.put(rows));
}

/**
 * Asks the database, or, once that turns out to be of no use, the memory in its place. A full disk is no such case.
 * @template T
 * @param {(shelf: Shelf) => Promise<T>} question
 * @returns {Promise<T>}
 */
async function ask(question) {
  opened ??= open();
  const asked = opened;
  const shelf = await asked;
  try {
    return await question(shelf);
  } catch (error) {
    if (shelf instanceof Memory || !isUnusable(error)) throw error;
    if (opened === asked) forget();
    return ask(question);
  }
}

/** @param {any} error */
function isUnusable(error) {
  return error instanceof Unusable || ['InvalidStateError', 'UnknownError', 'NotFoundError', 'NotReadableError', 'AbortError'].includes(error?.name);
}

/** @returns {Promise<Shelf>} */
async function open() {
  try {
    return await openDatabase(() => {
      opened = null;
    });
  } catch {
    return forget();
  }
}

/** From now on there is no database. */
function forget() {
  const memory = new Memory();
  opened = Promise.resolve(memory);
  forgets.dispatchEvent(new Event('change'));
  return memory;
}
