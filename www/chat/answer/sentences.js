// A text that grows by tokens → what a screen reader says of it: whole sentences, a few at a time, never a word twice.

// A sentence's end, and what may follow it: quotation marks, brackets. Chinese and Japanese need no space after it.
const END = /(?<![.!?…])[.!?…]+["'”’)\]]*(?=\s)|[。！？]+["”’）」』]*|\n+/g;

/** Collects a growing text. */
export class Sentences {
  #pending = '';

  /** @param {string} text   what is new */
  add(text) {
    this.#pending += text;
  }

  /** The whole sentences since the last call, or ''. */
  take() {
    let end = 0;
    for (const match of this.#pending.matchAll(END)) end = match.index + match[0].length;
    const whole = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end);
    return spoken(whole);
  }

  /** The rest. */
  finish() {
    const rest = this.#pending;
    this.#pending = '';
    return spoken(rest);
  }
}

/** Markdown without its marks. @param {string} markdown */
export function spoken(markdown) {
  return markdown
    .replace(/^[|:*_-][\s|:*_-]+$/gm, '') // rules, of tables too
    .replace(/^[^\S\n]*(?:[-*+]|#{1,6}|>+)\s+/gm, '')
    .replace(/```\w*/g, '')
    .replace(/!?\[([^[\]]{0,500})\]\([^()]{0,2000}\)/g, '$1')
    .replace(/[*_`|]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
