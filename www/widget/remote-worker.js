// Requests to the site's own OpenAI-compatible server. In a worker, because a page's `fetch` may be anything by now, and
// so that reading the answer takes no time from the page.
//
//   page → worker   { url, body }
//   worker → page   { piece } … then { end: finish_reason } or { error: { message, status } }

import { EventParser } from './sse.js';

addEventListener('message', ({ data: { url, body } }) => {
  answer(url, body).then(
    (end) => postMessage({ end }),
    (error) => postMessage({ error: { message: error.message, status: error.status } }),
  );
});

/** @param {string} url @param {object} body */
async function answer(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream, application/json' },
    body: JSON.stringify(body),
    referrerPolicy: 'origin',
  });
  if (!response.ok) throw Object.assign(new Error(await reason(response)), { status: response.status });
  // A server that does not stream answers all at once.
  if (!(response.headers.get('content-type') ?? '').includes('event-stream')) return take((await response.json()).choices?.[0], 'message');
  const parser = new EventParser();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let end = null;
  for (let done = false; !done;) {
    const step = await reader.read();
    done = step.done;
    for (const data of done ? parser.end() : parser.push(/** @type {Uint8Array} */ (step.value))) {
      if (data.trim() === '[DONE]') continue;
      const event = JSON.parse(data);
      if (event.error) throw new Error(event.error.message ?? 'the server reports an error');
      end = take(event.choices?.[0], 'delta') ?? end;
    }
  }
  return end;
}

/** @param {any} choice @param {'message' | 'delta'} field */
function take(choice, field) {
  const piece = choice?.[field]?.content;
  if (typeof piece === 'string' && piece) postMessage({ piece });
  return choice?.finish_reason ?? null;
}

/** @param {Response} response */
async function reason(response) {
  const text = (await response.text().catch(() => '')).slice(0, 300);
  return `HTTP ${response.status}${text ? `: ${text}` : ''}`;
}
