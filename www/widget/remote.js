// Answers from the site's OpenAI-compatible server, for devices that cannot run the model.

import { asRequested } from '../chat/fit.js';
import { CressetError } from '../lib/errors.js';
import { own } from '../lib/requests.js';
import { startWorker } from '../lib/start-worker.js';

const WORKER = new URL('../widget/remote-worker.js', import.meta.url);
// Some servers read a long prompt before they say anything.
const SILENCE_MS = 120_000;

/**
 * @param {{ url: string, host: string, model: string }} endpoint
 * @param {import('./settings.js').Settings} settings
 * @param {{ messages: import('../chat/types.d.ts').Message[], signal: AbortSignal, onText: (text: string) => void }} ask
 * @returns {Promise<{ finish: string | null }>}
 */
export function answerRemotely(endpoint, { system, temperature, maxTokens }, { messages, signal, onText }) {
  const { url, host, model } = endpoint;
  const all = [...(system ? [{ role: 'system', content: system }] : []), ...asRequested(messages)];
  const body = { model, messages: all, stream: true, max_tokens: maxTokens(false), ...(temperature === undefined ? {} : { temperature }) };
  const worker = startWorker(WORKER, 'cresset endpoint');
  let silence = 0;
  return new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ message, /** @type {number | undefined} */ status = undefined) =>
      reject(new CressetError('DOWNLOAD', `${host} did not answer: ${message}`, { endpoint: host, status }));
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => fail(`nothing came for ${SILENCE_MS / 1000} seconds`), SILENCE_MS);
    };
    worker.onmessage = ({ data }) => {
      heard();
      const { piece, end, error } = own(data);
      if (piece !== undefined) onText(piece);
      else if (error) fail(error.message, error.status);
      else if (end !== undefined) resolve({ finish: end });
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message ?? `${WORKER} could not be started`);
    };
    signal.addEventListener('abort', () => reject(new CressetError('ABORTED', 'the request was aborted')), { once: true });
    heard();
    worker.postMessage({ url, body });
  }).finally(() => {
    clearTimeout(silence);
    worker.terminate();
  });
}
