// Markdown that grows → sentences as a person would read them aloud: marks, code and the ruling of tables are passed over. Knows no document.

import { spoken } from './sentences.js';

const FENCE = /^\s*(?:```|~~~)/;
const RULE = /^[\s|:*_-]+$/;
const ROW = /^\s*\|.*\|\s*$/;

/** What is still to be said of a text that grows. */
export class Spoken {
  /** Characters of it that are settled. */
  #at = 0;
  #inCode = false;

  /** The sentences that are whole by now, each once. @param {string} text   all of it */
  take(text) {
    /** @type {string[]} */
    const sentences = [];
    for (let end = text.indexOf('\n', this.#at); end >= 0; end = text.indexOf('\n', this.#at)) {
      sentences.push(...this.#line(text.slice(this.#at, end)));
      this.#at = end + 1;
    }
    const rest = text.slice(this.#at);
    // Of a line that is not whole yet, all but what may be code or a table, and all but its last sentence.
    if (this.#inCode || /^\s*(?:$|[`~|]|[-*_=]{2,})/.test(rest)) return sentences;
    const parts = sentencesOf(rest);
    const last = parts.pop() ?? '';
    this.#at += rest.length - last.length;
    return [...sentences, ...parts.map(spoken).filter(Boolean)];
  }

  /** The rest. @param {string} text */
  finish(text) {
    const sentences = this.take(text);
    const rest = this.#line(text.slice(this.#at));
    this.#at = text.length;
    return [...sentences, ...rest];
  }

  /** @param {string} line */
  #line(line) {
    if (FENCE.test(line)) {
      this.#inCode = !this.#inCode;
      return [];
    }
    if (this.#inCode || RULE.test(line)) return [];
    const said = ROW.test(line)
      ? line
          .split('|')
          .map((cell) => cell.trim())
          .filter(Boolean)
          .join(', ')
      : line;
    return sentencesOf(said).map(spoken).filter(Boolean);
  }
}

/** @type {Intl.Segmenter | undefined} */
let segmenter;

/** @param {string} text */
function sentencesOf(text) {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'sentence' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Scripts that tell a language; kana stands before Han, which Japanese has as well. @type {[RegExp, string][]} */
const SCRIPTS = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/gu, 'ja'],
  [/\p{Script=Han}/gu, 'zh-CN'],
  [/\p{Script=Hangul}/gu, 'ko'],
  [/\p{Script=Cyrillic}/gu, 'ru'],
  [/\p{Script=Arabic}/gu, 'ar'],
  [/\p{Script=Hebrew}/gu, 'he'],
  [/\p{Script=Greek}/gu, 'el'],
  [/\p{Script=Devanagari}/gu, 'hi'],
  [/\p{Script=Thai}/gu, 'th'],
];

/** The language that a voice should have: the script's, where it is not Latin, else the page's, or English. @param {string} text @param {string} page */
export function languageOfText(text, page) {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const found = SCRIPTS.find(([script]) => (text.match(script)?.length ?? 0) > letters / 4);
  if (found) return found[1];
  return letters > 0 && SCRIPTS.some(([, language]) => language.split('-')[0] === page.split('-')[0]) ? 'en' : page;
}
