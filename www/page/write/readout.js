// How fast the model writes, in four figures below the sheet.

import { byId } from '../dom.js';
import { duration, rate } from '../format.js';

/** How fast it goes: counted here while text arrives, replaced by the engine's own numbers at the end. */
export class Readout {
  tokens = 0;
  #start = performance.now();
  #first = 0;
  /** @type {number | null} */
  #frame = null;

  /** @param {number} seed */
  constructor(seed) {
    for (const id of ['speed', 'first-token', 'count']) show(id, '–');
    show('seed-used', String(seed));
  }

  /** @param {number} tokens */
  add(tokens) {
    if (this.tokens === 0) this.#first = performance.now();
    this.tokens += tokens;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      const seconds = (performance.now() - this.#first) / 1000;
      show('count', String(this.tokens));
      show('first-token', duration((this.#first - this.#start) / 1000));
      // The first token is prefill's; speed is that of the others.
      if (this.tokens > 1 && seconds > 0.2) show('speed', rate((this.tokens - 1) / seconds));
    });
  }

  /** @param {import('../../cresset.js').Usage | null} usage   the engine's account; absent after a stop */
  end(usage) {
    cancelAnimationFrame(this.#frame ?? 0);
    show('count', String(usage?.completion_tokens ?? this.tokens));
    const { decode_tokens_per_s: speed = 0, time_to_first_token_s: first = 0 } = usage?.extra ?? {};
    if (speed > 0) show('speed', rate(speed));
    if (first > 0) show('first-token', duration(first));
  }
}

/** @param {string} id @param {string} text */
function show(id, text) {
  byId(id).textContent = text;
}
