// Amounts for people, as a locale writes them.

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/**
 * Decimal units, as download pages use them: 4.4 MB, 639 MB, 1.9 GB.
 * @param {number} amount   bytes
 * @param {string} locale
 * @param {{ even?: boolean }} [options]   `even`: 3.0 MB, not 3 MB, so that an amount that grows does not change its width
 */
export function bytesText(amount, locale, { even = false } = {}) {
  let unit = 0;
  while (amount >= 999.5 && unit < SIZES.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && amount < 9.95 ? 1 : 0;
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: SIZES[unit],
    unitDisplay: unit ? 'short' : 'long',
    minimumFractionDigits: even ? digits : 0,
    maximumFractionDigits: digits,
  }).format(amount);
}

/** Rounded so that it does not jump about: 10 seconds, 2 minutes. @param {number} seconds @param {string} locale */
export function timeText(seconds, locale) {
  const [amount, unit] =
    seconds < 55
      ? [Math.max(5, Math.ceil(seconds / 5) * 5), 'second']
      : seconds < 5400
        ? [Math.round(seconds / 60) || 1, 'minute']
        : [Math.round(seconds / 3600), 'hour'];
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}
