// Chunks pushed in → an async iterable out. Read once; leaving the loop early cancels the request.

export class ChunkStream {
  /** Called when the reader leaves before the end. @type {() => void} */
  onCancel = () => {};

  /** Resolves with the first chunk or a normal end, rejects when the request fails before that. */
  started;

  /** @type {{ resolve: (value?: any) => void, reject: (error: Error) => void }} */
  #start;
  /** @type {any[]} */
  #queue = [];
  /** @type {((value?: any) => void) | null} */
  #waiting = null;
  /** @type {Error | null} */
  #error = null;
  #ended = false;

  constructor() {
    let start;
    this.started = new Promise((resolve, reject) => {
      start = { resolve, reject };
    });
    this.#start = /** @type {any} */ (start);
    // Someone always awaits `started`, but not necessarily before it fails.
    this.started.catch(() => {});
  }

  /** @param {any} chunk */
  push(chunk) {
    if (this.#ended) return;
    this.#queue.push(chunk);
    this.#start.resolve();
    this.#wake();
  }

  end() {
    this.#ended = true;
    this.#start.resolve();
    this.#wake();
  }

  /** The reader gets the error next; chunks that it has not taken yet are dropped. @param {Error} error */
  fail(error) {
    if (this.#ended) return;
    this.#queue = [];
    this.#error = error;
    this.#ended = true;
    this.#start.reject(error);
    this.#wake();
  }

  async next() {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise((resolve) => {
        this.#waiting = resolve;
      });
    }
    if (this.#error) {
      const error = this.#error;
      this.#error = null;
      throw error;
    }
    return this.#queue.length > 0 ? { value: this.#queue.shift(), done: false } : { value: undefined, done: true };
  }

  async return() {
    const running = !this.#ended;
    this.#queue = [];
    this.#error = null;
    this.#ended = true;
    if (running) this.onCancel();
    this.#wake();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #wake() {
    this.#waiting?.();
    this.#waiting = null;
  }
}
