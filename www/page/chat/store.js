// Conversations in IndexedDB: what they are called, and their turns one by one, so that two tabs can write in the same one.
// Where the browser keeps no database for this page they last as long as the tab, and `lasting` says so.

const NAME = 'cresset';
const VERSION = 1;

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {boolean} named            by the visitor
 * @property {number} created
 * @property {number} updated
 * @property {string} system            system prompt
 * @property {Record<string, string>} chosen   which of sibling turns are shown: see tree.js
 */

let opened = null;
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel('cresset-conversations') : null;

/** Dispatches `change` when another tab wrote; its detail is the conversation's id. */
export const otherTabs = new EventTarget();
tabs?.addEventListener('message', ({ data }) => otherTabs.dispatchEvent(new CustomEvent('change', { detail: data })));

/** Whether conversations outlast this tab. */
export async function lasting() {
  return !((await database()) instanceof Memory);
}

/** @returns {Promise<Conversation[]>} newest first */
export async function list() {
  const all = await (await database()).all('conversations');
  return all.sort((a, b) => b.updated - a.updated);
}

/** @returns {Promise<{ conversation: Conversation, turns: import('../../chat/types.d.ts').Turn[] } | null>} */
export async function read(id) {
  const db = await database();
  const conversation = await db.get('conversations', id);
  return conversation ? { conversation, turns: (await db.turnsOf(id)).map(withoutOwner) } : null;
}

/** @param {Conversation} conversation */
export async function save(conversation) {
  await (await database()).put('conversations', conversation);
  tabs?.postMessage(conversation.id);
}

/** @param {string} id of the conversation @param {import('../../chat/types.d.ts').Turn} turn */
export async function saveTurn(id, turn) {
  await (await database()).put('turns', { ...turn, conversation: id });
  tabs?.postMessage(id);
}

export async function remove(id) {
  const db = await database();
  await db.remove('conversations', id);
  for (const turn of await db.turnsOf(id)) await db.remove('turns', [id, turn.id]);
  tabs?.postMessage(id);
}

/**
 * Conversations whose title or words have all of these in them.
 * @param {string} query
 * @returns {Promise<Map<string, string>>} by id, with the place where it was found ('' for a title)
 */
export async function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const db = await database();
  const found = new Map();
  for (const { id, title } of await db.all('conversations')) {
    if (words.every((word) => title.toLowerCase().includes(word))) found.set(id, '');
  }
  await db.each('turns', ({ conversation, content }) => {
    const text = content.toLowerCase();
    if (!found.has(conversation) && words.every((word) => text.includes(word))) found.set(conversation, around(content, text.indexOf(words[0])));
  });
  return found;
}

function around(text, at) {
  const start = Math.max(at - 30, 0);
  return `${start > 0 ? '…' : ''}${text.slice(start, at + 70).replace(/\s+/g, ' ')}…`;
}

function withoutOwner({ conversation, ...turn }) {
  return turn;
}

function database() {
  opened ??= open().then(
    (db) => new Database(db),
    () => new Memory(),
  );
  return opened;
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('conversations', { keyPath: 'id' });
      request.result.createObjectStore('turns', { keyPath: ['conversation', 'id'] });
    };
    request.onsuccess = () => {
      // A newer version of the page, in another tab, may change the database.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another tab holds an older database'));
  });
}

class Database {
  #db;

  constructor(db) {
    this.#db = db;
  }

  get = (store, key) => this.#ask(store, 'readonly', (objects) => objects.get(key));
  all = (store) => this.#ask(store, 'readonly', (objects) => objects.getAll());
  turnsOf = (id) => this.#ask('turns', 'readonly', (objects) => objects.getAll(IDBKeyRange.bound([id], [id, []])));
  put = (store, value) => this.#ask(store, 'readwrite', (objects) => objects.put(value));
  remove = (store, key) => this.#ask(store, 'readwrite', (objects) => objects.delete(key));

  /** Visits every entry without holding all of them. @returns {Promise<void>} */
  each(store, visit) {
    return new Promise((resolve, reject) => {
      const request = this.#db.transaction(store).objectStore(store).openCursor();
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        if (!request.result) return resolve();
        visit(request.result.value);
        request.result.continue();
      };
    });
  }

  #ask(store, mode, request) {
    return new Promise((resolve, reject) => {
      const transaction = this.#db.transaction(store, mode);
      const asked = request(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? asked.error);
    });
  }
}

/** The same without a database. */
class Memory {
  #stores = { conversations: new Map(), turns: new Map() };

  get = async (store, key) => this.#stores[store].get(String(key));
  all = async (store) => [...this.#stores[store].values()];
  turnsOf = async (id) => (await this.all('turns')).filter(({ conversation }) => conversation === id);
  put = async (store, value) => this.#stores[store].set(store === 'turns' ? String([value.conversation, value.id]) : value.id, structuredClone(value));
  remove = async (store, key) => this.#stores[store].delete(String(key));
  each = async (store, visit) => (await this.all(store)).forEach(visit);
}
