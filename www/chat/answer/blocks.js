// A growing Markdown text → its blocks. Only the last one can still change, so only it is parsed again.

export class Blocks {
  #lex;
  #text = '';
  #settled = 0; // characters in blocks that will not change

  /** @param {(text: string) => import('../../vendor/marked.esm.js').Token[]} lex   as marked does: the `raw`s make up the text */
  constructor(lex) {
    this.#lex = lex;
  }

  /**
   * What a longer text brings: blocks that are now settled, in order, and the one that is still open (null where there is none).
   * A text that does not begin with the last one starts over: `restart` is then true.
   * @param {string} text
   */
  grow(text) {
    // As marked does, whose `raw`s are counted here.
    const clean = text.replace(/\r\n?/g, '\n');
    const restart = !clean.startsWith(this.#text);
    if (restart) this.#settled = 0;
    this.#text = clean;
    const tokens = this.#lex(clean.slice(this.#settled));
    const last = tokens.findLastIndex(({ type }) => type !== 'space');
    const settled = tokens.slice(0, Math.max(last, 0));
    this.#settled += settled.reduce((sum, { raw }) => sum + raw.length, 0);
    return { restart, settled: settled.filter(({ type }) => type !== 'space'), open: last >= 0 ? tokens[last] : null };
  }
}
