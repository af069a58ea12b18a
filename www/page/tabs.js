// What other tabs of this page download right now, so that each tab shows it. A tab tells over a channel how far it is, and
// holds a lock of the transfer's own until it ends: who waits for that lock hears of a tab that is closed too. Knows no document.

const CHANNEL = 'cresset-transfers';
const INTERVAL_MS = 250;

/** Events: `change` when another tab's transfer begins, gets on or ends; `over` when it ends. */
export class Tabs extends EventTarget {
  #channel = open();
  #mine = null; // { id, transfer, release, held }
  #others = new Map(); // id → transfer
  #told = -Infinity;

  constructor() {
    super();
    if (!this.#channel) return;
    this.#channel.onmessage = ({ data }) => (data.hello ? this.#post() : this.#hear(data));
    this.#channel.postMessage({ hello: true });
  }

  /** @returns {{ model: string, label: string, integrity?: string, loaded: number, total: number | null }[]} one a model */
  get others() {
    return [...new Map([...this.#others.values()].map((transfer) => [transfer.model, transfer])).values()];
  }

  /** What this tab downloads now, or null. @param {{ model: string, label: string, integrity?: string, loaded: number, total: number | null } | null} transfer */
  tell(transfer) {
    if (!this.#channel) return;
    if (this.#mine && this.#mine.transfer.model !== transfer?.model) {
      this.#mine.release();
      this.#mine = null;
    }
    if (!transfer) return;
    const { model, label, integrity, loaded, total } = transfer;
    this.#mine ??= hold(() => this.#post());
    this.#mine.transfer = { model, label, integrity, loaded, total };
    const now = performance.now();
    if (now - this.#told < INTERVAL_MS) return;
    this.#told = now;
    this.#post();
  }

  #post() {
    if (this.#mine?.held) this.#channel.postMessage({ id: this.#mine.id, transfer: this.#mine.transfer });
  }

  #hear({ id, transfer }) {
    if (!this.#others.has(id)) {
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

/** Holds a lock until `release`; `onHeld` once that is so. */
function hold(onHeld) {
  const mine = { id: crypto.randomUUID(), held: false };
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

const lockOf = (id) => `cresset-transfer ${id}`;

function open() {
  try {
    return globalThis.navigator?.locks ? new BroadcastChannel(CHANNEL) : null;
  } catch {
    return null; // the browser keeps this page apart from all others
  }
}
