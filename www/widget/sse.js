// Server-sent events (the `text/event-stream` of OpenAI-compatible servers) → the data of each. Bytes may be cut anywhere.

export class EventParser {
  #decoder = new TextDecoder();
  #rest = '';

  /** @param {Uint8Array} bytes @returns {string[]} the data of the events that are whole now */
  push(bytes) {
    return this.#take(this.#rest + this.#decoder.decode(bytes, { stream: true }));
  }

  /** The stream has ended. @returns {string[]} */
  end() {
    return this.#take(`${this.#rest}${this.#decoder.decode()}\n\n`);
  }

  /** @param {string} text @returns {string[]} */
  #take(text) {
    // A line may end in \n, \r or \r\n: what ends in \r may go on with \n.
    const held = text.endsWith('\r') ? 1 : 0;
    const lines = text.slice(0, text.length - held).replace(/\r\n?/g, '\n');
    const last = lines.lastIndexOf('\n\n');
    if (last < 0) {
      this.#rest = text;
      return [];
    }
    this.#rest = lines.slice(last + 2) + text.slice(text.length - held);
    return lines
      .slice(0, last)
      .split(/\n{2,}/)
      .map(dataOf)
      .filter((data) => data !== null);
  }
}

/** @param {string} event */
function dataOf(event) {
  const lines = event
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).replace(/^ /, ''));
  return lines.length > 0 ? lines.join('\n') : null;
}
