// Speaking and listening in the widget, where the site asks for it by `voice`: a button at each answer that reads it aloud, and with a speech
// model's name a microphone.

import { Aloud } from '../chat/answer/aloud.js';
import { partsOf } from '../chat/answer/thought.js';
import { Microphone } from './microphone.js';

/** @typedef {import('../chat/types.d.ts').Turn} Turn */

/** The words of it. @param {string} locale @returns {Promise<Record<string, string>>} */
export const loadVoiceWords = async (locale) => (await import(`../widget/locales/voice/${locale}.js`)).default;

export class Voice {
  /** @type {Microphone | null} */
  microphone = null;
  #words;
  #aloud;
  /** That is read now. @type {Turn | null} */
  #turn = null;

  /**
   * @param {object} options
   * @param {import('./composer.js').WidgetComposer} options.composer
   * @param {import('./settings.js').Settings | null} options.ears   settings of the speech model; null: no microphone
   * @param {import('../chat/i18n.js').Translator} options.words
   * @param {(line: string) => void} options.say   to screen readers
   * @param {(line: string) => void} options.note   among the messages
   * @param {(turn: Turn) => void} options.onReading   it is read now, or no more
   */
  constructor({ composer, ears, words, say, note, onReading }) {
    this.#words = words;
    if (ears) this.microphone = new Microphone(composer, ears, words, say);
    this.#aloud = new Aloud({
      language: () => this.#words.locale,
      onChange: () => {
        const turn = this.#turn;
        if (turn && !this.#aloud.reads(turn)) this.#turn = null;
        if (turn) onReading(turn);
      },
      onSilent: () => note(this.#words.t('voice.none')),
    });
  }

  /** What the button at an answer says, and what it is for; null where the browser does not read. @param {Turn} turn */
  readButton(turn) {
    if (!Aloud.isThere) return null;
    const reads = this.#aloud.reads(turn);
    return { reads, name: this.#words.t(reads ? 'voice.quiet' : 'voice.read'), toggle: () => this.#toggle(turn) };
  }

  /** Reads no more. */
  hush() {
    this.#aloud.stop();
  }

  /** @param {import('../chat/i18n.js').Translator} words */
  relabel(words) {
    this.#words = words;
    this.microphone?.relabel(words);
  }

  dispose() {
    this.hush();
    this.microphone?.dispose();
  }

  /** @param {Turn} turn */
  #toggle(turn) {
    if (this.#aloud.reads(turn)) return this.hush();
    this.hush();
    this.#turn = turn;
    return this.#aloud.read(turn, partsOf(turn.content).answer);
  }
}
