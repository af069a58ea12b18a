// Where conversations lie: a database that answers in time, or this tab's memory. Gives rows as they are.

const NAME = 'cresset';
const VERSION = 1;
// So long a database may say nothing. Counted in ticks: one that fires late, as after the device slept, counts once.
const TICK_MS = 1000;
const TICKS = 8;
// Rows that are written in one go.
const SLICE = 200;

/**
 * @typedef {import('./types.d.ts').Shelf} Shelf
 * @typedef {import('./types.d.ts').Store} Store
 */

/** How often the database has said anything: while it does, nobody gives it up. */
let heard = 0;

/** A database that cannot be used, unlike one that has no room for something. */
export class Unusable extends Error {}

/**
 * The result of something that may never answer.
 * @template T
 * @param {(resolve: (value: T) => void, reject: (error: unknown) => void, alive: () => void) => void} begin   `alive` says that it goes on
 * @returns {Promise<T>}
 */
export function answered(begin) {
  return new Promise((resolve, reject) => {
    let ticks = 0;
    let known = heard;
    const timer = setInterval(() => {
      ticks = heard === known ? ticks + 1 : 0;
      known = heard;
      if (ticks >= TICKS) fail(new Unusable(`the database has not answered for ${(TICKS * TICK_MS) / 1000} seconds`));
    }, TICK_MS);
    /** @param {unknown} error */
    const fail = (error) => {
      clearInterval(timer);
      reject(error);
    };
    const alive = () => {
      heard += 1;
    };
    try {
      begin(
        (value) => {
          alive();
          clearInterval(timer);
          resolve(value);
        },
        fail,
        alive,
      );
    } catch (error) {
      fail(error);
    }
  });
}

/** Opens the database. @param {() => void} onGone   it was closed: by a newer version of the page, or by the browser @returns {Promise<Shelf>} */
export function openDatabase(onGone) {
  return answered((resolve, reject) => {
    let late = false;
    /** @param {unknown} error */
    const fail = (error) => {
      late = true;
      reject(error);
    };
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('conversations', { keyPath: 'id' });
      request.result.createObjectStore('turns', { keyPath: ['conversation', 'id'] });
    };
    request.onsuccess = () => {
      const db = request.result;
      if (late) return db.close();
      db.onversionchange = () => {
        db.close();
        onGone();
      };
      db.onclose = onGone;
      return resolve(new Database(db));
    };
    request.onerror = () => fail(request.error);
    request.onblocked = () => fail(new Unusable('another tab holds an older database'));
  });
}

/** All turns of a conversation, whatever the ids are. @param {IDBValidKey} key */
const within = (key) => IDBKeyRange.bound([key], [key, []]);

/** @implements {Shelf} */
class Database {
  #db;

  /** @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /** @type {Shelf['get']} */
  get = (store, key) => this.#ask([store], 'readonly', (objects) => objects(store).get(key));
  /** @type {Shelf['all']} */
  all = (store) => this.#ask([store], 'readonly', (objects) => objects(store).getAll());
  /** @type {Shelf['turnsOf']} */
  turnsOf = (key) => this.#ask(['turns'], 'readonly', (objects) => objects('turns').getAll(within(key)));
  /** @type {Shelf['put']} */
  put = (rows) =>
    this.#ask(['conversations', 'turns'], 'readwrite', (objects, alive) => {
      // A few at a time: copying thousands at once would hold up the page.
      const some = (/** @type {number} */ from) => {
        alive();
        for (const [i, { store, value }] of rows.slice(from, from + SLICE).entries()) {
          const request = objects(store).put(value);
          if (i === SLICE - 1) request.onsuccess = () => some(from + SLICE);
        }
      };
      some(0);
    });
  /** @type {Shelf['remove']} */
  remove = (key) =>
    this.#ask(['conversations', 'turns'], 'readwrite', (objects) => {
      objects('conversations').delete(key);
      objects('turns').delete(within(key));
    });
  /** @type {Shelf['each']} */
  each = (store, visit) =>
    this.#ask([store], 'readonly', (objects, alive) => {
      const request = objects(store).openCursor();
      request.onsuccess = () => {
        alive();
        if (!request.result) return;
        visit(request.result.value);
        request.result.continue();
      };
    });

  /**
   * What a request of one transaction gives, once the transaction is done.
   * @template T
   * @param {Store[]} stores
   * @param {IDBTransactionMode} mode
   * @param {(objects: (store: Store) => IDBObjectStore, alive: () => void) => IDBRequest<T> | void} work
   * @returns {Promise<T>}
   */
  #ask(stores, mode, work) {
    return answered((resolve, reject, alive) => {
      const transaction = this.#db.transaction(stores, mode);
      transaction.onabort = () => reject(transaction.error ?? new Unusable('the database gave up'));
      const asked = work((store) => transaction.objectStore(store), alive);
      transaction.oncomplete = () => resolve(/** @type {T} */ (asked?.result));
    });
  }
}

/** The same without a database. @implements {Shelf} */
export class Memory {
  /** @type {Record<Store, Map<string, any>>} */
  #stores = { conversations: new Map(), turns: new Map() };

  /** @type {Shelf['get']} */
  get = async (store, key) => this.#stores[store].get(key);
  /** @type {Shelf['all']} */
  all = async (store) => [...this.#stores[store].values()];
  /** @type {Shelf['turnsOf']} */
  turnsOf = async (key) => (await this.all('turns')).filter((turn) => /** @type {any} */ (turn).conversation === key);
  /** @type {Shelf['put']} */
  put = async (rows) => {
    for (const { store, value } of rows) {
      const { id, conversation } = /** @type {any} */ (value);
      this.#stores[store].set(store === 'turns' ? JSON.stringify([conversation, id]) : id, structuredClone(value));
    }
  };
  /** @type {Shelf['remove']} */
  remove = async (key) => {
    this.#stores.conversations.delete(String(key));
    for (const [name, { conversation }] of this.#stores.turns) if (conversation === key) this.#stores.turns.delete(name);
  };
  /** @type {Shelf['each']} */
  each = async (store, visit) => (await this.all(store)).forEach(visit);
}
