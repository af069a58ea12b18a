// Data from outside (storage, files) → values of a known shape, or null. A shape is a function; those of lists and objects are made
// of others, so that nothing passes that was not asked for by name.

/**
 * @template T
 * @typedef {(value: unknown) => T | null} Shape
 */

// Date shows no later and, here, no earlier moment.
const LAST_DATE = 8.64e15;

/** @type {Shape<boolean>} */
export const flag = (value) => (typeof value === 'boolean' ? value : null);

/** A string of at most so many characters. @param {number} most @returns {Shape<string>} */
export const text = (most) => (value) => (typeof value === 'string' && value.length <= most ? value : null);

/** A finite number of this range. @returns {Shape<number>} */
export const number =
  (least = -Number.MAX_VALUE, most = Number.MAX_VALUE) =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most ? value : null;

/** Milliseconds since 1970; what no calendar has becomes the nearest moment that one has. @type {Shape<number>} */
export const moment = (value) => (typeof value === 'number' ? Math.min(Math.max(value || 0, 0), LAST_DATE) : null);

/** One of these. @template {string} T @param {readonly T[]} values @returns {Shape<T>} */
export const oneOf = (values) => (value) => values.find((known) => known === value) ?? null;

/** What has either shape. @template A, B @param {Shape<A>} one @param {Shape<B>} other @returns {Shape<A | B>} */
export const either = (one, other) => (value) => one(value) ?? other(value);

/** The first so many of a list's items that have the shape. @template T @param {Shape<T>} item @param {number} most @returns {Shape<T[]>} */
export const list = (item, most) => (value) =>
  Array.isArray(value)
    ? value
        .slice(0, most)
        .map(item)
        .filter((each) => each !== null)
    : null;

/** The first so many of an object's own values that have the shape, by name. @template T @param {Shape<T>} item @param {number} most @returns {Shape<Record<string, T>>} */
export const table = (item, most) => (value) => {
  if (!isObject(value)) return null;
  /** @type {[string, T][]} */
  const kept = [];
  for (const [name, each] of Object.entries(value).slice(0, most)) {
    const right = item(each);
    if (right !== null) kept.push([name, right]);
  }
  return Object.fromEntries(kept);
};

/**
 * An object with these properties and no others; of `optional` ones those that have their shape.
 * @template {Record<string, unknown>} T
 * @template {Record<string, unknown>} [O={}]
 * @param {{ [K in keyof T]: Shape<T[K]> }} required
 * @param {{ [K in keyof O]: Shape<O[K]> }} [optional]
 * @returns {Shape<T & Partial<O>>}
 */
export const object = (required, optional) => (value) => {
  if (!isObject(value)) return null;
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const name of Object.keys(required)) {
    const right = Object.hasOwn(value, name) ? required[name](value[name]) : null;
    if (right === null) return null;
    found[name] = right;
  }
  for (const name of Object.keys(optional ?? {})) {
    const right = Object.hasOwn(value, name) ? (optional?.[name](value[name]) ?? null) : null;
    if (right !== null) found[name] = right;
  }
  return /** @type {T & Partial<O>} */ (found);
};

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
