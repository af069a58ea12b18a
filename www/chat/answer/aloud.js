// An answer read aloud by the platform, sentence by sentence while it is written. Only by voices of this device: others send the text to a
// server.

import { Spoken, languageOfText } from './spoken.js';

const VOICES_MS = 2000; // that a browser may take to list them

export class Aloud {
  #language;
  #onChange;
  #onSilent;
  /** What is being read. @type {object | null} */
  #of = null;
  #spoken = new Spoken();
  #whole = false;
  /** Sentences that are said or wait to be. @type {Set<SpeechSynthesisUtterance>} */
  #saying = new Set();
  #told = false;

  /**
   * @param {object} options
   * @param {() => string} options.language   of the page: where letters do not tell
   * @param {() => void} [options.onChange]   another text is read, or none
   * @param {(language: string) => void} [options.onSilent]   this device has no voice for it
   */
  constructor({ language, onChange = () => {}, onSilent = () => {} }) {
    this.#language = language;
    this.#onChange = onChange;
    this.#onSilent = onSilent;
  }

  /** Whether this browser reads aloud at all. */
  static get isThere() {
    return Boolean(globalThis.speechSynthesis && globalThis.SpeechSynthesisUtterance);
  }

  /** Whether this text is read now. @param {object} of */
  reads(of) {
    return this.#of === of;
  }

  /** More of a text is there. @param {object} of   what it is the text of @param {string} text   all of it, in Markdown */
  grow(of, text) {
    if (!Aloud.isThere) return;
    if (of !== this.#of) this.#begin(of);
    this.#say(this.#spoken.take(text));
  }

  /** The text is whole. @param {object} of @param {string} text */
  end(of, text) {
    if (of !== this.#of) return;
    this.#say(this.#spoken.finish(text));
    this.#whole = true;
    this.#finish();
  }

  /** Reads a text that is whole. @param {object} of @param {string} text */
  read(of, text) {
    this.grow(of, text);
    this.end(of, text);
  }

  stop() {
    if (this.#of === null) return;
    this.#of = null;
    this.#saying.clear();
    speechSynthesis.cancel();
    this.#onChange();
  }

  /** @param {object} of */
  #begin(of) {
    this.stop();
    this.#of = of;
    this.#spoken = new Spoken();
    this.#whole = this.#told = false;
    this.#onChange();
  }

  /** @param {string[]} sentences */
  async #say(sentences) {
    if (sentences.length === 0) return;
    const of = this.#of;
    const utterances = sentences.map((sentence) => this.#utterance(sentence));
    const voices = await listed();
    if (this.#of !== of) return;
    for (const utterance of utterances) {
      utterance.voice = voiceFor(voices, utterance.lang);
      if (utterance.voice) {
        speechSynthesis.speak(utterance);
        continue;
      }
      this.#saying.delete(utterance);
      if (!this.#told) this.#onSilent(utterance.lang);
      this.#told = true;
    }
    this.#finish();
  }

  /** @param {string} sentence */
  #utterance(sentence) {
    const of = this.#of;
    const utterance = new SpeechSynthesisUtterance(sentence);
    utterance.lang = languageOfText(sentence, this.#language());
    utterance.onend = utterance.onerror = () => {
      this.#saying.delete(utterance);
      if (this.#of === of) this.#finish();
    };
    this.#saying.add(utterance);
    return utterance;
  }

  #finish() {
    if (!this.#whole || this.#saying.size > 0 || this.#of === null) return;
    this.#of = null;
    this.#onChange();
  }
}

/** The voices of this browser; some list them late. @returns {Promise<SpeechSynthesisVoice[]>} */
function listed() {
  const voices = speechSynthesis.getVoices();
  if (voices.length > 0) return Promise.resolve(voices);
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      resolve(speechSynthesis.getVoices());
    };
    const timer = setTimeout(done, VOICES_MS);
    speechSynthesis.addEventListener('voiceschanged', done, { once: true });
  });
}

/** A voice of this device: of the very locale, of its language, the platform's usual one first. @param {SpeechSynthesisVoice[]} voices @param {string} language */
function voiceFor(voices, language) {
  const wanted = language.toLowerCase();
  const rank = (/** @type {SpeechSynthesisVoice} */ { lang, default: usual }) => {
    const name = lang.toLowerCase().replace('_', '-');
    return (name === wanted ? 4 : 0) + (usual ? 2 : 0) + (name.split('-')[0] === wanted.split('-')[0] ? 8 : 0);
  };
  const able = voices.filter((voice) => voice.localService && rank(voice) >= 8);
  return able.sort((a, b) => rank(b) - rank(a))[0] ?? null;
}
