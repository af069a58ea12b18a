// Trying again after failures that may pass: breaks, time-outs, servers that are busy.

import { aborted } from '../lib/errors.js';
import { FIRST_WAITS, OFFLINE_MS, RETRY_AFTER_MS, WAITS_MS } from './backoff-times.js';

/** @typedef {{ signal?: AbortSignal, onWait?: import('./types.d.ts').OnWait }} PatienceOptions */

/** Says after each failure whether there is hope, and waits before the next try. */
export class Patience {
  #options;
  #failures = 0;
  #tries = FIRST_WAITS;
  #begun = false;

  /** @param {PatienceOptions} options */
  constructor(options = {}) {
    this.#options = options;
  }

  /** Something arrived: a new failure is the first one. */
  progress() {
    this.#begun = true;
    this.#failures = 0;
    this.#tries = WAITS_MS.length;
  }

  /** Returns when it is time to try again; throws the error where there is no hope. @param {any} error   whatever was thrown */
  async wait(error) {
    const { signal, onWait } = this.#options;
    if (signal?.aborted) throw aborted(signal);
    if (!error.details?.transient) throw error;
    if (globalThis.navigator?.onLine === false) {
      if (!this.#begun) throw error;
      onWait?.(error, null);
      if (!(await online(signal))) throw error;
      return;
    }
    if (this.#failures >= this.#tries) throw error;
    const asked = error.details.retryAfterMs ?? 0;
    if (asked > RETRY_AFTER_MS) throw error;
    const milliseconds = Math.max(asked, jittered(WAITS_MS[this.#failures]));
    this.#failures += 1;
    onWait?.(error, milliseconds);
    await pause(milliseconds, signal);
  }
}

/**
 * The result of `attempt`, tried again as long as its failures may pass.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {PatienceOptions} [options]
 * @returns {Promise<T>}
 */
export async function retried(attempt, options) {
  const patience = new Patience(options);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await patience.wait(error);
    }
  }
}

/** Tabs that a server sent away together do not come back together. @param {number} milliseconds */
function jittered(milliseconds) {
  return milliseconds * (0.75 + Math.random() / 2);
}

// Asked, not told: not every worker hears of it.
const ONLINE_POLL_MS = 500;

/** True once the device is online, false when that takes too long. @param {AbortSignal} [signal] */
async function online(signal) {
  for (let waited = 0; waited < OFFLINE_MS; waited += ONLINE_POLL_MS) {
    await pause(ONLINE_POLL_MS, signal);
    if (navigator.onLine) return true;
  }
  return false;
}

/** @param {number} milliseconds @param {AbortSignal} [signal] @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
