// A text whose parts remember who wrote them: the visitor or the model. Edits in, segments out; knows no document.

/** @typedef {{ by: 'visitor' | 'model', text: string }} Segment */

export class Inked {
  /** @type {Segment[]} */
  segments = [];

  constructor(segments = []) {
    for (const { by, text } of segments) this.append(String(text), by === 'model' ? 'model' : 'visitor');
  }

  get text() {
    return this.segments.map(({ text }) => text).join('');
  }

  append(text, by) {
    const last = this.segments.at(-1);
    if (last?.by === by) last.text += text;
    else if (text) this.segments.push({ by, text });
  }

  /** The visitor changed the whole text: what is new between the unchanged beginning and end is theirs. */
  edit(text) {
    const old = this.text;
    let head = 0;
    while (head < Math.min(old.length, text.length) && old[head] === text[head]) head += 1;
    let tail = 0;
    while (tail < Math.min(old.length, text.length) - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1;
    const before = this.#slice(0, head);
    const after = this.#slice(old.length - tail, old.length);
    this.segments = [];
    for (const { text: kept, by } of before) this.append(kept, by);
    this.append(text.slice(head, text.length - tail), 'visitor');
    for (const { text: kept, by } of after) this.append(kept, by);
  }

  /** Keeps the first `length` UTF-16 units. */
  truncate(length) {
    this.segments = this.#slice(0, length);
  }

  #slice(start, end) {
    const out = [];
    let at = 0;
    for (const { by, text } of this.segments) {
      const piece = text.slice(Math.max(start - at, 0), Math.max(end - at, 0));
      if (piece) out.push({ by, text: piece });
      at += text.length;
    }
    return out;
  }
}
