// A recording that is written down, piece by piece: what is there of it, how far it is, and the way on after a stop. A piece does not hear of
// the one before: a text without times as its prompt keeps Whisper from telling when passages end. Knows no document.

import { isSaid } from '../../lib/live/doubt.js';
import { RATE } from '../../lib/live/loudness.js';
import { piecesOf } from './pieces.js';

/** @typedef {import('./formats.js').Passage} Passage */

export class Job {
  /** @type {Passage[]} */
  passages = [];
  /** Seconds that are done with. */
  done = 0;
  seconds;
  #samples;
  #pieces;
  #next = 0;
  #how;
  /** Heard in the first piece, where nobody has said it. @type {string | null} */
  #language;

  /**
   * @param {Float32Array} samples   16,000 a second
   * @param {{ language: string | null, translate: boolean }} how
   */
  constructor(samples, how) {
    this.#samples = samples;
    this.#how = how;
    this.#language = how.language;
    this.#pieces = piecesOf(samples);
    this.seconds = samples.length / RATE;
  }

  get isWhole() {
    return this.#next === this.#pieces.length;
  }

  /** Whether nothing is said in it. */
  get isSilent() {
    return this.#pieces.length === 0;
  }

  /**
   * Goes on with it until it is whole, or aborted.
   * @param {import('../../cresset.js').Engine} engine
   * @param {{ signal: AbortSignal, onChange: () => void }} how   `onChange`: more of it is there, or it is further
   */
  async run(engine, { signal, onChange }) {
    const api = this.#how.translate ? engine.audio.translations : engine.audio.transcriptions;
    while (!this.isWhole) {
      const { from, to } = this.#pieces[this.#next];
      const begin = from / RATE;
      const request = {
        file: { samples: this.#samples.subarray(from, to), sample_rate: RATE },
        response_format: /** @type {const} */ ('verbose_json'),
        ...(this.#how.translate || !this.#language ? {} : { language: this.#language }),
      };
      const onProgress = (/** @type {{ fraction: number }} */ { fraction }) => {
        this.done = begin + (fraction * (to - from)) / RATE;
        onChange();
      };
      const { segments, language } = await api.create(request, { signal, onProgress });
      this.#language ??= language;
      for (const { start, end, text } of segments.filter(isSaid)) this.passages.push({ start: begin + start, end: begin + end, text: text.trim() });
      this.#next += 1;
      this.done = this.isWhole ? this.seconds : to / RATE;
      onChange();
    }
  }
}
