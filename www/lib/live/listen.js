// Sound that goes on → events: what is settled of its text, and the newest reading of what is not. A reading begins when the one before
// has ended, so a slow device reads less often; while nothing is said, nothing is read.

import { aborted } from '../errors.js';
import { capture } from '../capture.js';
import { isSaid } from './doubt.js';
import { RATE } from './loudness.js';
import { Passages } from './passages.js';

// How often it is looked whether there is something to read, in ms.
const TURN_MS = 100;

/**
 * @typedef {import('./passages.js').Passage} Passage
 * @typedef {import('../../cresset.js').LiveEvent} LiveEvent
 */

/**
 * @param {MediaStream} media
 * @param {object} how
 * @param {(sound: Float32Array) => Promise<import('../../cresset.js').TranscriptionSegment[]>} how.read   writes down what is said. It does not hear of what was said before: a text without
 *   times as its prompt keeps Whisper from telling when passages end
 * @param {(event: LiveEvent) => void} how.emit
 * @param {AbortSignal} how.signal   ends it at once
 * @returns {Promise<{ ended: Promise<void> }>} once it listens; `ended`: all was written down, or what went wrong
 */
export async function listen(media, { read, emit, signal }) {
  if (signal.aborted) throw aborted(signal);
  const passages = new Passages();
  let samples = 0;
  const { hasEnded, stop } = await capture(media, (piece) => {
    samples += piece.length;
    passages.hear(piece);
  });
  return { ended: follow().finally(stop) };

  async function follow() {
    const text = new SettledText(emit);
    for (let ended = false; !signal.aborted;) {
      const sound = passages.due(ended);
      if (sound) {
        const reading = await read(sound);
        text.settle(passages.take(sound.length, reading.filter(isSaid)));
        text.open(passages.open);
      } else if (passages.isWhole(ended)) {
        text.settle(passages.end());
        text.open('');
      } else if (ended) {
        return text.end(Math.ceil(samples / RATE));
      } else {
        await turn(signal);
        ended = hasEnded();
      }
    }
    throw aborted(signal);
  }
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function turn(signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, TURN_MS);
    signal.addEventListener('abort', finish);
  });
}

/** The text of a live transcript, told as it grows and changes. */
class SettledText {
  #emit;
  #open = '';
  settled = '';

  /** @param {(event: LiveEvent) => void} emit */
  constructor(emit) {
    this.#emit = emit;
  }

  /** @param {Passage[]} passages */
  settle(passages) {
    const delta = this.#begun(passages.map(({ text }) => text).join(''));
    if (!delta) return;
    this.settled += delta;
    this.#emit({ type: 'transcript.text.delta', delta });
  }

  /** @param {string} reading   of what is not settled */
  open(reading) {
    const text = this.#begun(reading);
    if (text === this.#open) return;
    this.#open = text;
    this.#emit({ type: 'transcript.text.partial', text });
  }

  /** @param {number} seconds   of sound */
  end(seconds) {
    this.#emit({ type: 'transcript.text.done', text: this.settled.trim(), usage: { type: 'duration', seconds } });
  }

  /** A text begins without a space. @param {string} text */
  #begun(text) {
    return this.settled ? text : text.trimStart();
  }
}
