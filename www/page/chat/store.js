// Conversations in IndexedDB: what they are called, and their turns one by one, so that two tabs can write in the same one.
// Where the browser keeps no database for this page they last as long as the tab, and `lasting` says so.

const NAME = 'cresset';
const VERSION = 1;

/**
 * @typedef {import('./types.d.ts').Conversation} Conversation
 * @typedef {import('./types.d.ts').Shelf} Shelf
 * @typedef {keyof import('./types.d.ts').Stores} Store
 */

/** @type {Promise<Shelf> | null} */
let opened = null;
const tabs = globalThis.BroadcastChannel ? new BroadcastChannel('cresset-conversations') : null;

/**
 * Dispatches `change` when another tab wrote; its detail is the conversation's id.
 */
export const otherTabs = /** @type {import('../../chat/types.d.ts').Teller<{ change: string }>} */ (new EventTarget());
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

/** @param {string} id @returns {Promise<import('./types.d.ts').Whole | null>} */
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

/** @param {string} id */
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

/** @param {string} text @param {number} at */
function around(text, at) {
  const start = Math.max(at - 30, 0);
  return `${start > 0 ? '…' : ''}${text.slice(start, at + 70).replace(/\s+/g, ' ')}…`;
}

/** @param {import('./types.d.ts').Stores['turns']} turn */
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

/** @returns {Promise<IDBDatabase>} */
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

/** @implements {Shelf} */
class Database {
  #db;

  /** @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /** @type {Shelf['get']} */
  get = (store, id) => this.#ask(store, 'readonly', (objects) => objects.get(id));
  /** @type {Shelf['all']} */
  all = (store) => this.#ask(store, 'readonly', (objects) => objects.getAll());
  /** @type {Shelf['turnsOf']} */
  turnsOf = (id) => this.#ask('turns', 'readonly', (objects) => objects.getAll(IDBKeyRange.bound([id], [id, []])));
  /** @type {Shelf['put']} */
  put = (store, value) => this.#ask(store, 'readwrite', (objects) => objects.put(value));
  /** @type {Shelf['remove']} */
  remove = (store, key) => this.#ask(store, 'readwrite', (objects) => objects.delete(key));
  /** @type {Shelf['each']} */
  each = (store, visit) =>
    new Promise((resolve, reject) => {
      const request = this.#db.transaction(store).objectStore(store).openCursor();
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        if (!request.result) return resolve();
        visit(request.result.value);
        request.result.continue();
      };
    });

  /**
   * @template T
   * @param {Store} store
   * @param {IDBTransactionMode} mode
   * @param {(objects: IDBObjectStore) => IDBRequest<T>} request
   * @returns {Promise<T>}
   */
  #ask(store, mode, request) {
    return new Promise((resolve, reject) => {
      const transaction = this.#db.transaction(store, mode);
      const asked = request(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? asked.error);
    });
  }
}

/** The same without a database. @implements {Shelf} */
class Memory {
  /** @type {Record<Store, Map<string, any>>} */
  #stores = { conversations: new Map(), turns: new Map() };

  /** @type {Shelf['get']} */
  get = async (store, id) => this.#stores[store].get(id);
  /** @type {Shelf['all']} */
  all = async (store) => [...this.#stores[store].values()];
  /** @type {Shelf['turnsOf']} */
  turnsOf = async (id) => (await this.all('turns')).filter(({ conversation }) => conversation === id);
  /** @type {Shelf['put']} */
  put = async (store, /** @type {any} */ value) =>
    this.#stores[store].set(store === 'turns' ? String([value.conversation, value.id]) : value.id, structuredClone(value));
  /** @type {Shelf['remove']} */
  remove = async (store, key) => this.#stores[store].delete(String(key));
  /** @type {Shelf['each']} */
  each = async (store, visit) => (await this.all(store)).forEach(visit);
}
