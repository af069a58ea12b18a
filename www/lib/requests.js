// What a caller passes → what crosses to the worker. Checks only what JSON would silently change or a worker cannot
// take; the engine checks the meaning of each field.

import { CressetError } from './errors.js';

const DEVICES = ['auto', 'webgpu', 'cpu'];
const KV_FORMATS = ['f16', 'f32', 'q8'];
const MOST_THREADS = 64;

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
 * Options of `load` and `probe`, without `onProgress` and `signal`. The adapter goes its own way.
 * @param {any} options
 * @returns {import('./types.d.ts').LoadSettings}
 */
export function checkLoadOptions(options) {
  const { cache = true, integrity, threads, adapter: _, ...rest } = own(options);
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
  return { engine: encodeRequest({ ...engine, device }, 'options'), device, threads, cache: Boolean(cache), integrity };
}

/**
 * Options of `adapters.load`, without `onProgress` and `signal`.
 * @param {any} options
 * @returns {import('./types.d.ts').AdapterSettings}
 */
export function checkAdapterOptions(options) {
  const { cache = true, integrity, ...engine } = own(options);
  return { engine: encodeRequest(engine, 'options'), cache: Boolean(cache), integrity };
}

/** The name of an adapter. @param {any} name @returns {string} */
export function checkName(name) {
  expect(typeof name === 'string' && name.length > 0, 'name', 'expected the name of an adapter');
  return name;
}

/** JSON text of a request. Numbers that JSON would turn into null, and values it cannot hold, are refused by name. @param {any} value @param {string} name */
export function encodeRequest(value, name) {
  expect(typeof value === 'object' && value !== null, name, 'expected an object');
  return JSON.stringify(plain(value, name, []));
}

/**
 * A copy of own values only, without prototypes: pages exist whose libraries give every object and array a `toJSON` or
 * other properties.
 * @param {any} value
 * @param {string} field
 * @param {object[]} around
 * @returns {any}
 */
function plain(value, field, around) {
  expect(typeof value !== 'number' || Number.isFinite(value), field, 'must be a finite number');
  expect(typeof value !== 'bigint', field, 'is a BigInt; use a number');
  expect(typeof value !== 'function' && typeof value !== 'symbol', field, `cannot be a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return value;
  expect(!around.includes(value), field, 'contains itself');
  if (value instanceof Date) return value.toISOString();
  const inside = [...around, value];
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = Array.from(/** @type {any} */ (value), (item) => plain(item, field, inside));
    return Object.setPrototypeOf(list, null);
  }
  const object = Object.create(null);
  for (const key of Object.keys(value)) object[key] = plain(value[key], key, inside);
  return object;
}

/** @param {boolean} holds @param {string} field @param {string} reason */
function expect(holds, field, reason) {
  if (!holds) throw new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });
}
