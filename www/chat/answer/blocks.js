// A growing Markdown text → its blocks. Only the last one can still change, so only it is parsed again. What parsers need more than
// linear time for is never given to one: at most a window of the text at once, and none with more nested marks than people write; such
// pieces are blocks of plain text.

/**
 * @typedef {import('../../vendor/marked.esm.js').Token} Token
 * @typedef {(text: string) => Token[]} Lex   as marked does: the `raw`s make up the text
 */

/** Characters: that are parsed at once, of a table, of a text that is read as Markdown. */
export const MOST = { window: 6000, table: 24_000, text: 300_000 };

// Parsers look from each mark of a paragraph for another that ends it: work that grows with the square of their number.
const MARKS = /[*_~`[\]<>!]/g;
// From each mark, and from each beginning of an address, they read on to where an address would end.
const RUN = /[!-;=?-~]{100,}/g;
const STARTS = /[*_~`[\]!@]|:\/\/|www\./g;
const MOST_WORK = 1_000_000; // of a window
const MOST_WORK_OF_TEXT = 8_000_000;
const WORK_OF_LINE = 1500;
// Quotes and lists that begin within one line, and columns that they are set in by: each level is parsed again by itself.
const DEEP = /^(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))){17}|^(?:[ \t]{40}|\t{10})[ \t]*(?:[-*+>]|\d{1,9}[.)])/m;
const LONG_LINE = /[^\n]{1001}/;
const FENCED = /^ {0,3}(?:`{3}|~{3})/;
// A block that is a fence: what stands in it is not parsed.
const FENCE = /^ {0,3}(?=(`{3,}|~{3,}))\1[^`\n]*(?:\n[\s\S]*?(?:\n {0,3}\1[`~]*[ \t]*(?=\n|$)|$)|$)/;
// What may be a table, and its head.
const TABLE = /^( {0,3}\|[^\n]*\n {0,3}\|[ \t:|-]*\n)(?: {0,3}\|[^\n]*(?:\n|$))*/;
// A paragraph ends at an empty line, and where an item of a list or a heading begins.
const PARAGRAPHS = /\n(?=[ \t]*(?:\n|[-*+][ \t]|\d{1,9}[.)][ \t]|#))/;
// Where one may be parsed without the other.
const BOUNDARIES = /\n(?:[ \t]*\n|(?= {0,3}(?:`{3}|~{3})))/g;

/**
 * What parsing this text, from the beginning of a block on, costs at most beside its length: a number of steps, infinite where it is
 * too deep.
 * @param {string} text
 * @param {Lex} lex
 */
export function workOf(text, lex) {
  const outside = text.replace(FENCE, '');
  if (DEEP.test(outside)) return Infinity;
  // Cells stand by themselves, but only a parser knows whether it is a table.
  const [rows = '', head = ''] = TABLE.exec(outside) ?? [];
  const isTable = head.length > 0 && head.length < MOST.window && squares([head]) <= MOST_WORK && lex(head)[0]?.type === 'table';
  return isTable ? squares(rows.split('\n')) + squares(outside.slice(rows.length).split(PARAGRAPHS)) : squares(outside.split(PARAGRAPHS));
}

/** @param {string[]} paragraphs */
const squares = (paragraphs) => paragraphs.reduce((sum, paragraph) => sum + count(paragraph, MARKS) ** 2 + runs(paragraph), 0);

/** @param {string} paragraph */
const runs = (paragraph) => (paragraph.match(RUN) ?? []).reduce((sum, run) => sum + count(run, STARTS) * run.length, 0);

const count = (/** @type {string} */ text, /** @type {RegExp} */ pattern) => text.match(pattern)?.length ?? 0;

/** Whether this text may be parsed as a whole. @param {string} text @param {Lex} lex */
export const isModest = (text, lex) => text.length <= MOST.table && workOf(text, lex) + linesOf(text) * WORK_OF_LINE <= 2 * MOST_WORK;

const linesOf = (/** @type {string} */ text) => text.split('\n').length - 1;

export class Blocks {
  #lex;
  #text = '';
  #settled = 0; // characters in blocks that will not change
  #work = 0; // that these took

  /** @param {Lex} lex */
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
    if (restart) this.#settled = this.#work = 0;
    this.#text = clean;
    /** @type {Token[]} */
    const settled = [];
    for (let size = MOST.window; ;) {
      const whole = clean.slice(this.#settled, this.#settled + size);
      const { piece, work } = this.#affordable(whole);
      const tokens = work <= MOST_WORK ? this.#lex(piece) : [{ type: 'plain', raw: piece }];
      const last = Math.max(
        tokens.findLastIndex(({ type }) => type !== 'space'),
        0,
      );
      if (piece.length < whole.length) settled.push(...this.#settle(tokens, work, piece.length));
      else if (this.#settled + size >= clean.length) {
        const open = tokens[last] ?? null;
        settled.push(...this.#settle(tokens.slice(0, last), last > 0 ? work : 0));
        return { restart, settled: settled.filter(({ type }) => type !== 'space'), open: open?.type === 'space' ? null : open };
      }
      // The last block of a piece goes on behind it, perhaps.
      else if (last > 0) settled.push(...this.#settle(tokens.slice(0, last), work));
      else if (tokens.length > 0 && isLong(tokens[0], piece)) {
        size *= 2;
        continue;
      } else {
        // One block fills it all: it is cut.
        const part = piece.slice(0, cutOf(piece));
        settled.push(...this.#settle(work <= MOST_WORK ? this.#lex(part) : [{ type: 'plain', raw: part }], work, part.length));
      }
      size = MOST.window;
    }
  }

  /** As much of a piece as can be parsed, from its beginning to a place where it may be parted, or what cannot. @param {string} piece */
  #affordable(piece) {
    if (this.#settled >= MOST.text || this.#work >= MOST_WORK_OF_TEXT) return { piece, work: Infinity };
    for (;;) {
      const work = workOf(piece, this.#lex);
      const at = work > MOST_WORK ? boundaryOf(piece) : 0;
      if (at === 0) return { piece, work };
      piece = piece.slice(0, at);
    }
  }

  /** @param {Token[]} tokens @param {number} work @param {number} [length]   of their text */
  #settle(tokens, work, length = tokens.reduce((sum, { raw }) => sum + raw.length, 0)) {
    this.#settled += length;
    this.#work += Math.min(work, MOST_WORK);
    for (const { type, raw } of tokens) if (type !== 'code') this.#work += linesOf(raw) * WORK_OF_LINE;
    return tokens;
  }
}

/** The last place in its first half where a piece may be parted, or the first behind that; 0 if there is none. @param {string} piece */
function boundaryOf(piece) {
  // A fence at its beginning holds what looks like places.
  let at = FENCE.exec(piece)?.[0].length ?? 0;
  if (at === piece.length) return 0;
  for (const found of piece.matchAll(BOUNDARIES)) {
    const end = found.index + found[0].length;
    if (end >= piece.length || (at > 0 && end > piece.length / 2)) break;
    if (end > at) at = end;
  }
  return at;
}

/** Whether a block may be larger than a window, as code in a fence and tables of short rows, which take linear time. @param {Token} block @param {string} piece */
function isLong({ type }, piece) {
  if (type === 'code') return piece.length < MOST.text && FENCED.test(piece);
  return type === 'table' && piece.length < MOST.table && !LONG_LINE.test(piece);
}

/** Where to cut a block that is too long: before a line that is not set in, a line, a word; never within a character. @param {string} piece */
function cutOf(piece) {
  const places = [[...piece.matchAll(/\n(?=\S)/g)].at(-1)?.index ?? 0, piece.lastIndexOf('\n', piece.length - 2), piece.lastIndexOf(' ', piece.length - 2)];
  const at = places.find((place) => place > piece.length / 2);
  if (at !== undefined) return at + 1;
  return piece.length > 1 && /[\ud800-\udbff]$/.test(piece) ? piece.length - 1 : piece.length;
}
