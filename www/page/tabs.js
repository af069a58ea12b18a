// What other tabs of this page download right now, so that each tab shows it. A tab tells over a channel how far it is, and
// holds a lock of the transfer's own until it ends: who waits for that lock hears of a tab that is closed too. Knows no document.

import { isAmount } from '../lib/progress.js';

const CHANNEL = 'cresset-transfers';
const INTERVAL_MS = 250;
const MOST = 32; // tabs
const LONGEST = 2048; // characters of a text

/**
 * @typedef {import('./types.d.ts').TransferNews} TransferNews
 * @typedef {{ id: string, transfer: TransferNews, release: () => void, held: boolean }} Held
 */

/** Events: `change` when another tab's transfer begins, gets on or ends; `over` when it ends. */
export class Tabs extends EventTarget {
  #channel = open();
  /** @type {Held | null} */
  #mine = null;
  /** @type {Map<string, TransferNews>} */
  #others = new Map();
  #told = -Infinity;

  constructor() {
    super();
    if (!this.#channel) return;
    // Whatever else runs on this site may write to the channel as well.
    this.#channel.onmessage = ({ data }) => {
      if (data?.hello) this.#post();
      else if (isNews(data)) this.#hear(data);
    };
    this.#channel.postMessage({ hello: true });
  }

  /** @returns {TransferNews[]} one a model */
  get others() {
    return [...new Map([...this.#others.values()].map((transfer) => [transfer.model, transfer])).values()];
  }

  /** What this tab downloads now, or null. @param {TransferNews | null} transfer */
  tell(transfer) {
    if (!this.#channel) return;
    if (this.#mine && this.#mine.transfer.model !== transfer?.model) {
      this.#mine.release();
      this.#mine = null;
    }
    if (!transfer) return;
    const { model, label, integrity, loaded, total } = transfer;
    const news = { model, label, integrity, loaded, total };
    this.#mine ??= hold(news, () => this.#post());
    this.#mine.transfer = news;
    const now = performance.now();
    if (now - this.#told < INTERVAL_MS) return;
    this.#told = now;
    this.#post();
  }

  #post() {
    if (this.#mine?.held) this.#channel?.postMessage({ id: this.#mine.id, transfer: this.#mine.transfer });
  }

  /** @param {{ id: string, transfer: TransferNews }} news */
  #hear({ id, transfer }) {
    if (!this.#others.has(id)) {
      if (this.#others.size >= MOST) return;
      navigator.locks.request(lockOf(id), () => {
        this.#others.delete(id);
        this.dispatchEvent(new Event('change'));
        this.dispatchEvent(new Event('over'));
      });
    }
    this.#others.set(id, transfer);
    this.dispatchEvent(new Event('change'));
  }
}

/** Holds a lock until `release`; `onHeld` once that is so. @param {TransferNews} transfer @param {() => void} onHeld */
function hold(transfer, onHeld) {
  /** @type {Held} */
  const mine = { id: crypto.randomUUID(), transfer, release: () => {}, held: false };
  /** @type {Promise<void>} */
  const released = new Promise((resolve) => {
    mine.release = resolve;
  });
  navigator.locks.request(lockOf(mine.id), () => {
    mine.held = true;
    onHeld();
    return released;
  });
  return mine;
}

/** @param {any} data @returns {data is { id: string, transfer: TransferNews }} */
function isNews(data) {
  const isText = (/** @type {unknown} */ text) => typeof text === 'string' && text.length <= LONGEST;
  const { model, label, integrity, loaded, total } = data?.transfer ?? {};
  const isDescribed = isText(model) && isText(label) && (integrity === undefined || isText(integrity));
  return isText(data?.id) && isDescribed && isAmount(loaded) && (total === null || isAmount(total));
}

const lockOf = (/** @type {string} */ id) => `cresset-transfer ${id}`;

function open() {
  try {
    return globalThis.navigator?.locks ? new BroadcastChannel(CHANNEL) : null;
  } catch {
    return null; // the browser keeps this page apart from all others
  }
}
