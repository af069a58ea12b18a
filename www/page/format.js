// Amounts for people, as the page's language writes them.

import { bytesText } from '../chat/format.js';
import { currentLanguage, t } from './text.js';

/** Decimal units, as download pages use them: 4.4 MB, 639 MB, 1.9 GB. @param {number} amount */
export const bytes = (amount) => bytesText(amount, currentLanguage());

/** Parameters of a model, as their makers write them: 4M, 360M, 1.7B. @param {number} count */
export function parameters(count) {
  const [value, unit] = count >= 1e9 ? [count / 1e9, 'B'] : count >= 1e6 ? [count / 1e6, 'M'] : [count / 1e3, 'K'];
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)}${unit}`;
}

/** Tokens per second. @param {number} value */
export function rate(value) {
  return new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/** How long something takes or took: 0.34s, 12s, 3 min, 2 hr. @param {number} seconds */
export function duration(seconds) {
  const [value, unit] = seconds < 59.5 ? [seconds, 'second'] : seconds < 3570 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour'];
  const maximumFractionDigits = unit !== 'second' ? 0 : value < 1 ? 2 : value < 10 ? 1 : 0;
  return new Intl.NumberFormat(currentLanguage(), { style: 'unit', unit, unitDisplay: unit === 'second' ? 'narrow' : 'short', maximumFractionDigits }).format(
    value,
  );
}

/** A probability: 34%, 0.2%, <0.1%. @param {number} share */
export function percent(share) {
  if (share < 0.001) return t('format.below', { value: format(0.001) });
  return format(share);
  /** @param {number} value */
  function format(value) {
    return new Intl.NumberFormat(currentLanguage(), { style: 'percent', maximumFractionDigits: value < 0.0995 ? 1 : 0 }).format(value);
  }
}

/** When: a time today, a day this year, a date before. @param {number} time */
export function moment(time, now = new Date()) {
  const date = new Date(time);
  const sameYear = date.getFullYear() === now.getFullYear();
  /** @type {Intl.DateTimeFormatOptions} */
  const options =
    date.toDateString() === now.toDateString()
      ? { hour: 'numeric', minute: '2-digit' }
      : sameYear
        ? { month: 'short', day: 'numeric' }
        : { year: 'numeric', month: 'short', day: 'numeric' };
  return new Intl.DateTimeFormat(currentLanguage(), options).format(date);
}
