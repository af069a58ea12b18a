// The recordings of a chat → what is said in them, as text in their place: written down by a speech model beside the one that answers.

import { CressetError } from './errors.js';
import { replaceParts } from './parts.js';
import { soundOf } from './sound.js';

// A chat brings its recordings with each question: the last ones are not heard again.
const KEPT = 16;

/** @typedef {import('../cresset.js').Engine} Engine */

/** What was written down, by engine and by what a caller gave. @type {WeakMap<Engine, Map<unknown, string>>} */
const heard = new WeakMap();

/** @param {string} field @param {string} reason */
const refusal = (field, reason) => new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });

/**
 * Messages with a text in place of each `input_audio`.
 * @param {any} messages
 * @param {Engine | null} engine   of a speech model
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export function writeDown(messages, engine, signal) {
  return replaceParts(messages, 'input_audio', async (part, field) => {
    if (!engine) {
      const advice = 'load a speech model beside this one, such as hf:openai/whisper-base, or send the text that its audio.transcriptions makes of it';
      throw refusal(field, `there is no speech model that could hear it; ${advice}`);
    }
    return { type: 'text', text: await textOf(part.input_audio, field, engine, signal) };
  });
}

/** @param {any} given @param {string} field @param {Engine} engine @param {AbortSignal} signal */
async function textOf(given, field, engine, signal) {
  const known = heard.get(engine) ?? new Map();
  heard.set(engine, known);
  const recording = given?.data ?? given;
  const before = known.get(recording);
  if (before !== undefined) return before;
  const file = { samples: await soundOf(typeof recording === 'string' ? fileOf(recording, given.format, field) : recording, field), sample_rate: 16_000 };
  const { text } = await engine.audio.transcriptions.create({ file }, { signal });
  // What a caller may change is heard anew.
  if (typeof recording === 'string' || recording instanceof Blob) known.set(recording, text);
  if (known.size > KEPT) known.delete(known.keys().next().value);
  return text;
}

/** @param {string} base64 @param {unknown} format   `wav`, `mp3` or another one that the browser plays @param {string} field */
function fileOf(base64, format, field) {
  try {
    return new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))], { type: `audio/${format}` });
  } catch {
    throw refusal(`${field}.data`, 'expected the recording in base64, or a Blob');
  }
}
