// What a caller passes → what crosses to the worker. Checks only what JSON would silently change or a worker cannot
// take; the engine checks the meaning of each field.

import { CressetError } from './errors.js';

const DEVICES = ['auto', 'webgpu', 'cpu'];
const KV_FORMATS = ['f16', 'f32', 'q8'];

/**
 * Options of `load` and `probe`, without `onProgress` and `signal`. The adapter goes its own way.
 * @returns {{ engine: object, cache: boolean, integrity?: string }}
 */
export function checkLoadOptions({ cache = true, integrity, adapter: _, ...engine }) {
  const { device = 'auto', kv, contextLength } = engine;
  expect(DEVICES.includes(device), 'device', `expected one of ${DEVICES.join(', ')}`);
  expect(kv === undefined || KV_FORMATS.includes(kv), 'kv', `expected one of ${KV_FORMATS.join(', ')}`);
  expect(contextLength === undefined || (Number.isSafeInteger(contextLength) && contextLength > 0), 'contextLength', 'expected a positive whole number of tokens');
  return { engine: encodeRequest({ ...engine, device }, 'options'), cache: Boolean(cache), integrity };
}

/**
 * Options of `adapters.load`, without `onProgress` and `signal`.
 * @returns {{ engine: string, cache: boolean, integrity?: string }}
 */
export function checkAdapterOptions({ cache = true, integrity, ...engine }) {
  return { engine: encodeRequest(engine, 'options'), cache: Boolean(cache), integrity };
}

/** The name of an adapter. */
export function checkName(name) {
  expect(typeof name === 'string' && name.length > 0, 'name', 'expected the name of an adapter');
  return name;
}

/** JSON text of a request. Numbers that JSON would turn into null, and values it cannot hold, are refused by name. */
export function encodeRequest(value, name) {
  expect(typeof value === 'object' && value !== null, name, 'expected an object');
  try {
    return JSON.stringify(value, (field, item) => {
      expect(typeof item !== 'number' || Number.isFinite(item), field, 'must be a finite number');
      expect(typeof item !== 'bigint', field, 'is a BigInt; use a number');
      expect(typeof item !== 'function' && typeof item !== 'symbol', field, `cannot be a ${typeof item}`);
      return ArrayBuffer.isView(item) ? Array.from(item) : item;
    });
  } catch (error) {
    if (error instanceof CressetError) throw error;
    throw new CressetError('INVALID_REQUEST', `${name}: ${error.message}`, { field: name }, { cause: error });
  }
}

function expect(holds, field, reason) {
  if (!holds) throw new CressetError('INVALID_REQUEST', `${field}: ${reason}`, { field });
}
