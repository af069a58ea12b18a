// The chunks of an answer, to be read once; in the manner of OpenAI's `Stream`.

import { CressetError } from './errors.js';
import { encodeRequest } from './requests.js';

const DONE = Object.freeze({ value: undefined, done: true });

export class Stream {
  #chunks;

  /** Ends the stream, and the request behind it; reading then ends without an error. */
  controller;

  /** @param {ReadableStream<any>} chunks @param {AbortController} controller */
  constructor(chunks, controller) {
    this.#chunks = chunks;
    this.controller = controller;
  }

  /** The stream that `toReadableStream` gave the bytes of. @param {ReadableStream<any>} bytes @param {AbortController} [controller] */
  static fromReadableStream(bytes, controller = new AbortController()) {
    const { signal } = controller;
    const values = bytes.pipeThrough(new TextDecoderStream(), { signal }).pipeThrough(linesToValues()).getReader();
    const chunks = readable({ next: () => values.read(), return: async () => controller.abort() });
    return new Stream(chunks, controller);
  }

  [Symbol.asyncIterator]() {
    const reader = this.#unread().getReader();
    const { signal } = this.controller;
    return {
      async next() {
        if (signal.aborted) return DONE;
        try {
          return await reader.read();
        } catch (error) {
          if (signal.aborted) return DONE;
          throw error;
        }
      },
      async return() {
        // Not waited for: half of a tee'd stream is cancelled only with the other half.
        reader.cancel().catch(() => {});
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Two streams with all chunks each, read at their own pace. The request ends early when both are left. */
  tee() {
    const { controller } = this;
    return this.#unread()
      .tee()
      .map((half) => new Stream(half, controller));
  }

  /** Bytes: each chunk as a line of JSON. */
  toReadableStream() {
    const encoder = new TextEncoder();
    return readable(this[Symbol.asyncIterator](), (chunk) => encoder.encode(`${encodeRequest(chunk, 'chunk')}\n`));
  }

  #unread() {
    if (this.#chunks.locked) throw new CressetError('INVALID_REQUEST', 'stream: is read once; for two readers, tee() splits it', { field: 'stream' });
    return this.#chunks;
  }
}

/**
 * What an iterator gives, as the platform's stream; cancelling it leaves the iterator.
 * @param {{ next: () => Promise<{ value?: any, done: boolean }>, return: () => Promise<unknown> }} iterator
 * @param {(value: any) => any} [encode]
 */
function readable(iterator, encode = (value) => value) {
  return new ReadableStream({
    async pull(out) {
      const { value, done } = await iterator.next();
      if (done) out.close();
      else out.enqueue(encode(value));
    },
    async cancel() {
      await iterator.return();
    },
  });
}

/** Lines of JSON, however they are cut, to their values. */
function linesToValues() {
  let rest = '';
  return new TransformStream({
    transform(/** @type {string} */ text, values) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim()) values.enqueue(valueOf(line));
    },
    flush(values) {
      if (rest.trim()) values.enqueue(valueOf(rest));
    },
  });
}

/** @param {string} line */
function valueOf(line) {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new CressetError('INVALID_REQUEST', `bytes: a line is no JSON: ${line.slice(0, 80)}`, { field: 'bytes' }, { cause });
  }
}
