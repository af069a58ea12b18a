// Requests to the site's own OpenAI-compatible server. In a worker, because a page's `fetch` may be anything by now, and
// so that reading the answer takes no time from the page. Whatever the server sends, it is not more than a page can hold.
//
//   page → worker   { url, body }
//   worker → page   { alive } for each part that came, { piece } … then { end: finish_reason } or { error: { message, status } }

import { EventParser } from './sse.js';

const MOST_OF_EVENT = 1 << 20; // characters
const MOST_OF_ANSWER = 1 << 20;
const MOST_BYTES = 32 << 20; // of a stream: JSON around each word makes it many times as long as the answer
const MOST_OF_REASON = 300;

addEventListener('message', ({ data: { url, body } }) => {
  answer(url, body).then(
    (end) => postMessage({ end }),
    (error) => postMessage({ error: { message: cut(error.message), status: error.status } }),
  );
});

/** @param {string} url @param {object} body @returns {Promise<string | null>} why it ended */
async function answer(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream, application/json' },
    body: JSON.stringify(body),
    referrerPolicy: 'origin',
    // The visitor was told this address, and no other gets what they wrote.
    redirect: 'manual',
  });
  if (response.type === 'opaqueredirect') throw new Error('it redirects to another address; the endpoint must be the one that answers');
  if (!response.ok) throw Object.assign(new Error(await reason(response)), { status: response.status });
  const taken = new Answer();
  // A server that does not stream answers all at once.
  if (!(response.headers.get('content-type') ?? '').includes('event-stream')) {
    taken.take(parsed(await read(response, MOST_OF_EVENT)), 'message');
    return taken.end();
  }
  const parser = new EventParser(MOST_OF_EVENT);
  const handle = (/** @type {string[]} */ events) => {
    for (const data of events) if (data.trim() !== '[DONE]') taken.take(parsed(data), 'delta');
  };
  for await (const bytes of parts(response, MOST_BYTES)) handle(parser.push(bytes));
  handle(parser.end());
  return taken.end();
}

const NO_ANSWER = 'what it sent is no chat completion';

/** The JSON of an event, or of a whole answer. @param {string} text @returns {any} */
function parsed(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(NO_ANSWER);
  }
  if (value?.error) throw new Error(`${value.error.message ?? 'the server reports an error'}`);
  return value;
}

class Answer {
  #length = 0;
  /** There was a choice, if an empty one. */
  #begun = false;
  /** @type {string | null} */
  #finish = null;

  /** Hands a part on. @param {any} completion @param {'message' | 'delta'} field */
  take(completion, field) {
    const choice = completion?.choices?.[0];
    this.#begun ||= typeof choice?.[field] === 'object';
    const piece = choice?.[field]?.content;
    if (typeof piece === 'string' && piece) {
      this.#length += piece.length;
      if (this.#length > MOST_OF_ANSWER) throw new Error(`an answer of more than ${MOST_OF_ANSWER} characters`);
      postMessage({ piece });
    }
    if (typeof choice?.finish_reason === 'string') this.#finish = choice.finish_reason;
  }

  /** Nothing more comes. @returns {string | null} why it ended, if that was said */
  end() {
    if (!this.#begun) throw new Error(NO_ANSWER);
    return this.#finish;
  }
}

/** What comes, as it comes; more than `most` bytes are an error. @param {Response} response @param {number} most */
async function* parts(response, most) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    postMessage({ alive: true });
    bytes += value.length;
    if (bytes > most) {
      reader.cancel();
      throw new Error(`an answer of more than ${most} bytes`);
    }
    yield value;
  }
}

/** All of it as text, if it is at most so long. @param {Response} response @param {number} most */
async function read(response, most) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of parts(response, most)) text += decoder.decode(bytes, { stream: true });
  return text + decoder.decode();
}

/** @param {Response} response */
async function reason(response) {
  const text = await read(response, MOST_BYTES).catch(() => '');
  return `HTTP ${response.status}${text ? `: ${text}` : ''}`;
}

/** @param {unknown} text */
const cut = (text) => `${text}`.slice(0, MOST_OF_REASON);
