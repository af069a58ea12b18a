// Amounts in the visitor's language.

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];

/** Decimal units, as download pages use them: 640 MB, 1.2 GB. */
export function bytesText(bytes, language) {
  let unit = 0;
  let amount = bytes;
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && amount < 9.95 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: 'unit', unit: UNITS[unit], unitDisplay: unit ? 'short' : 'long', minimumFractionDigits: digits, maximumFractionDigits: digits }).format(amount);
}

/** Rounded so that it does not jump about: 10 seconds, 2 minutes. */
export function timeText(seconds, language) {
  const [amount, unit] = seconds < 55 ? [Math.max(5, Math.ceil(seconds / 5) * 5), 'second']
    : seconds < 5400 ? [Math.round(seconds / 60) || 1, 'minute'] : [Math.round(seconds / 3600), 'hour'];
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(amount);
}
