// What a caller passes → what crosses to the worker. Checks only what JSON would silently change or a worker cannot
// take; the engine checks the meaning of each field.

import { CressetError } from './errors.js';
import { checkFields } from './fields.js';

const DEVICES = ['auto', 'webgpu', 'cpu'];
const KV_FORMATS = ['f16', 'f32', 'q8'];
const MOST_THREADS = 64;
// Of a request: the engine's reader of JSON takes 127 levels.
const DEEPEST = 100;
const MOST_VALUES = 1_000_000;
const TOO_MANY = `the request has more than ${MOST_VALUES} values`;

/**
 * Values that are an object's own: pages exist where every object seems to have more, because a library extended what all
 * of them inherit.
 * @param {any} values
 * @returns {any}
 */
export function own(values) {
  return Object.assign(Object.create(null), values);
}

/**
 * Options of `load` and `probe`, without `onProgress` and `signal`. Adapter, projector and speech engine go their own way.
 * @param {any} options
 * @returns {import('./types.d.ts').LoadSettings}
 */
export function checkLoadOptions(options) {
  const { cache = true, integrity, threads, adapter: _, projector: __, speech: ___, ...rest } = own(options);
  const engine = own(rest);
  const { device = 'auto', kv, contextLength } = engine;
  expect(DEVICES.includes(device), 'device', `expected one of ${DEVICES.join(', ')}`);
  expect(kv === undefined || KV_FORMATS.includes(kv), 'kv', `expected one of ${KV_FORMATS.join(', ')}`);
  expect(
    contextLength === undefined || (Number.isSafeInteger(contextLength) && contextLength > 0),
    'contextLength',
    'expected a positive whole number of tokens',
  );
  const countable = Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS;
  expect(threads === undefined || countable, 'threads', `expected a whole number from 1 to ${MOST_THREADS}`);
  return { engine: encodeRequest({ ...engine, device }, 'options', 'a model'), device, threads, cache: Boolean(cache), integrity };
}

/**
 * Options of `adapters.load`, without `onProgress` and `signal`.
 * @param {any} options
 * @returns {import('./types.d.ts').AdapterSettings}
 */
export function checkAdapterOptions(options) {
  const { cache = true, integrity, ...engine } = own(options);
  return { engine: encodeRequest(engine, 'options', 'an adapter'), cache: Boolean(cache), integrity };
}

/** The name of an adapter. @param {any} name @returns {string} */
export function checkName(name) {
  expect(typeof name === 'string' && name.length > 0, 'name', 'expected the name of an adapter');
  return name;
}

/**
 * A request, and what OpenAI's SDK takes beside it.
 * @param {'a chat' | 'a completion' | 'an embedding' | 'a recording'} what
 * @param {any} body
 * @param {any} [options]
 */
export function checkRequest(what, body, options) {
  const { signal, ...request } = own(body);
  const { signal: beside, onProgress, ...others } = own(options);
  expect(onProgress === undefined || typeof onProgress === 'function', 'onProgress', 'expected a function');
  encodeRequest(others, 'options', 'the options');
  return { request: encodeRequest(request, 'request', what), isStream: Boolean(own(request).stream), signal: anySignal(signal, beside), onProgress };
}

/** A signal that is aborted with the first of these. @param {...any} signals   absent ones too @returns {AbortSignal} */
export function anySignal(...signals) {
  try {
    return AbortSignal.any(signals.filter((signal) => signal !== undefined && signal !== null));
  } catch {
    throw new CressetError('INVALID_REQUEST', 'signal: expected an AbortSignal', { field: 'signal' });
  }
}

/**
 * JSON text of a request. Numbers that JSON would turn into null, values it cannot hold, and requests that nobody means are refused by
 * name: nested too deep for the engine, or of so many values that the page would stand still.
 * @param {any} value
 * @param {string} name
 * @param {keyof typeof import('./fields.js').KNOWN} [what]   whose fields it has
 */
export function encodeRequest(value, name, what) {
  expect(typeof value === 'object' && value !== null, name, 'expected an object');
  const copy = plain(value, name, { around: new Set(), left: MOST_VALUES });
  if (what) checkFields(what, copy);
  try {
    return JSON.stringify(copy);
  } catch {
    throw new CressetError('INVALID_REQUEST', `${name}: is longer than a text can be`, { field: name });
  }
}

/**
 * A copy of own values only, without prototypes: pages exist whose libraries give every object and array a `toJSON` or
 * other properties.
 * @param {any} value
 * @param {string} field
 * @param {{ around: Set<object>, left: number }} walk   what the value stands in, and how many more there may be
 * @returns {any}
 */
function plain(value, field, walk) {
  const { around } = walk;
  walk.left -= 1;
  expect(walk.left >= 0, field, TOO_MANY);
  expect(typeof value !== 'number' || Number.isFinite(value), field, 'must be a finite number');
  expect(typeof value !== 'bigint', field, 'is a BigInt; use a number');
  expect(typeof value !== 'function' && typeof value !== 'symbol', field, `cannot be a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return value;
  expect(!around.has(value), field, 'contains itself');
  expect(around.size < DEEPEST, field, `is nested more than ${DEEPEST} levels deep`);
  if (value instanceof Date) {
    expect(Number.isFinite(value.getTime()), field, 'is an invalid date');
    return value.toISOString();
  }
  around.add(value);
  const copy = Array.isArray(value) || ArrayBuffer.isView(value) ? listOf(/** @type {any} */ (value), field, walk) : objectOf(value, walk);
  around.delete(value);
  return copy;
}

/** @param {ArrayLike<any>} value @param {string} field @param {{ around: Set<object>, left: number }} walk */
function listOf(value, field, walk) {
  expect(!(value.length > walk.left), field, TOO_MANY);
  return Object.setPrototypeOf(
    Array.from(value, (item) => plain(item, field, walk)),
    null,
  );
}

/** @param {any} value @param {{ around: Set<object>, left: number }} walk */
function objectOf(value, walk) {
  const object = Object.create(null);
  for (const key of Object.keys(value)) object[key] = plain(value[key], key, walk);
  return object;
}

/** @param {boolean} holds @param {string} field @param {string} reason */
function expect(holds, field, reason) {
  if (!holds) throw new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });
}
