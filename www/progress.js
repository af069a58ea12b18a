// Bare progress of the worker → what `onProgress` gets: a fraction (null while unknown) and a line for people.

const TEXTS = {
  probe: 'Looking at the model',
  download: 'Downloading',
  cache: 'Reading from this device',
  upload: 'Loading the weights',
  compile: 'Preparing the kernels',
  'self-test': 'Checking the kernels on this device',
  ready: 'Ready',
};

/** @param {{ status: string, loaded?: number, total?: number | null }} progress */
export function describeProgress({ status, loaded = 0, total = null }) {
  const fraction = status === 'ready' ? 1 : total > 0 ? Math.min(loaded / total, 1) : null;
  const text = TEXTS[status] ?? status;
  if (status !== 'download') return { status, loaded, total, fraction, text };
  const amount = total ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded);
  return { status, loaded, total, fraction, text: `${text} ${amount}` };
}

/** Decimal units, as download pages use them: 999 bytes, 12 kB, 3.4 MB, 640 MB, 1.2 GB. */
export function formatBytes(bytes) {
  if (!Number.isFinite(bytes)) return 'unknown size';
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${unit > 0 && bytes < 9.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}
