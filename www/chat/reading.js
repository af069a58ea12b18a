// While a long prompt is read: how far it is, for answers that keep their readers waiting.

const PATIENCE_MS = 1000; // before which nothing is said

/** @typedef {import('../cresset.js').RequestProgress} RequestProgress */

/** Tells of a prompt that takes longer than a second to read, until its answer begins. */
export class Reading {
  #show;
  #timer = 0;
  /** What is known, and what is shown of it. @type {RequestProgress | null} */
  #latest = null;
  #shown = false;

  /** @param {(progress: RequestProgress | null) => void} show   null: it is over */
  constructor(show) {
    this.#show = show;
  }

  /** @param {RequestProgress} progress */
  tell(progress) {
    if (progress.status !== 'prompt') return;
    this.#latest = progress;
    if (this.#shown) return this.#show(progress);
    this.#timer ||= setTimeout(() => {
      this.#shown = true;
      this.#show(this.#latest);
    }, PATIENCE_MS);
  }

  /** The answer begins, or there will be none. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#shown) this.#show(null);
    this.#shown = false;
  }
}

/**
 * Its line. `say` and `duration` are of the place that shows it.
 * @param {RequestProgress} progress
 * @param {{ say: (key: string, values: Record<string, string>) => string, locale: string, duration: (seconds: number) => string }} words
 */
export function readingText({ loaded, total, secondsLeft }, { say, locale, duration }) {
  const [read, all] = [loaded, total].map((count) => new Intl.NumberFormat(locale).format(count));
  const time = secondsLeft === null ? '' : duration(Math.max(Math.ceil(secondsLeft), 1));
  return say(time ? 'answer.readingLeft' : 'answer.reading', { loaded: read, total: all, time });
}
