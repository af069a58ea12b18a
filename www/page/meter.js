// How fast it goes: counted here while text arrives, replaced by the engine's own numbers at the end.

import { byId } from './dom.js';

const SHOW_INTERVAL_MS = 120;

export class Meter {
  #start = 0;
  #first = 0;
  #tokens = 0;
  #shown = 0;

  /** @param {number} seed   shown, so that the text can be written again */
  begin(seed) {
    this.#start = performance.now();
    this.#first = this.#tokens = this.#shown = 0;
    for (const id of ['speed', 'first-token', 'count']) show(id, null);
    show('seed-used', String(seed));
  }

  add(tokens) {
    const now = performance.now();
    if (this.#tokens === 0) {
      this.#first = now;
      show('first-token', seconds((now - this.#start) / 1000));
    }
    this.#tokens += tokens;
    if (now - this.#shown < SHOW_INTERVAL_MS) return;
    this.#shown = now;
    this.#show(now);
  }

  /** @param {object | null} usage   the engine's account; absent after a stop */
  end(usage) {
    if (this.#tokens > 0) this.#show(performance.now());
    if (usage?.completion_tokens !== undefined) show('count', String(usage.completion_tokens));
    if (usage?.extra?.decode_tokens_per_s > 0) show('speed', rate(usage.extra.decode_tokens_per_s));
    if (usage?.extra?.time_to_first_token_s > 0) show('first-token', seconds(usage.extra.time_to_first_token_s));
  }

  get tokens() {
    return this.#tokens;
  }

  #show(now) {
    show('count', String(this.#tokens));
    // The first token is prefill's; speed is that of the others.
    if (this.#tokens > 1 && now > this.#first) show('speed', rate((this.#tokens - 1) / ((now - this.#first) / 1000)));
  }
}

function show(id, text) {
  byId(id).textContent = text ?? '–';
  byId(id).classList.toggle('none', text === null);
}

const rate = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));
const seconds = (value) => `${value < 1 ? value.toFixed(2) : value.toFixed(1)} s`;
