// Server-sent events (the `text/event-stream` of OpenAI-compatible servers) → the data of each. Bytes may be cut anywhere.

export class EventParser {
  #decoder = new TextDecoder();
  #most;
  /** The beginning of a line. */
  #line = '';
  /** Lines of data of the event that is on its way. @type {string[]} */
  #data = [];
  /** Their characters. */
  #size = 0;
  /** The last line ended in \r: a \n that follows belongs to it. */
  #returned = false;

  /** @param {number} most   characters of an event */
  constructor(most) {
    this.#most = most;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {string[]} the data of the events that are whole now
   * @throws {Error} when an event grows beyond its limit
   */
  push(bytes) {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The stream has ended. @returns {string[]} */
  end() {
    return this.#take(`${this.#decoder.decode()}\n\n`);
  }

  /** @param {string} text @returns {string[]} */
  #take(text) {
    if (text === '') return [];
    const follows = this.#returned && text.startsWith('\n');
    this.#returned = text.endsWith('\r');
    const lines = text.slice(follows ? 1 : 0).split(/\r\n|\r|\n/);
    const events = [];
    for (const [i, piece] of lines.entries()) {
      this.#line += piece;
      if (this.#size + this.#line.length > this.#most) throw new Error(`an event of more than ${this.#most} characters`);
      if (i === lines.length - 1) break;
      const event = this.#end(this.#line);
      if (event !== null) events.push(event);
      this.#line = '';
    }
    return events;
  }

  /** A line is whole. @param {string} line @returns {string | null} an event's data, if that ends it */
  #end(line) {
    if (line.startsWith('data:')) {
      this.#data.push(line.slice('data:'.length).replace(/^ /, ''));
      this.#size += line.length;
    }
    if (line !== '' || this.#data.length === 0) return null;
    const event = this.#data.join('\n');
    this.#data = [];
    this.#size = 0;
    return event;
  }
}
