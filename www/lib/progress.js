// Bare progress of the worker → what `onProgress` gets: a fraction (null while unknown) and a line for people.

/** @type {Record<string, string>} */
const TEXTS = {
  probe: 'Looking at the model',
  download: 'Downloading',
  cache: 'Reading from this device',
  upload: 'Loading the weights',
  compile: 'Preparing the kernels',
  'self-test': 'Preparing the graphics card: proving its kernels',
  ready: 'Ready',
};

/**
 * @param {import('../files/types.d.ts').BareProgress & { status: import('../cresset.js').Progress['status'] }} progress
 * @param {Pace} [pace]   of the download
 * @returns {import('../cresset.js').Progress}
 */
export function describeProgress({ status, loaded = 0, total = null, warning }, pace) {
  const fraction = status === 'ready' ? 1 : total ? Math.min(loaded / total, 1) : null;
  const text = TEXTS[status] ?? status;
  const described = { status, loaded, total, fraction, text, ...(warning && { warning }) };
  if (status !== 'download') return described;
  const bytesPerSecond = pace?.at(loaded) ?? null;
  const secondsLeft = bytesPerSecond && total !== null ? (total - loaded) / bytesPerSecond : null;
  const amount = total ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded);
  return { ...described, text: `${text} ${amount}`, bytesPerSecond, secondsLeft };
}

/**
 * The progress of a request.
 * @param {import('../files/types.d.ts').BareProgress} progress
 * @param {Pace} pace
 * @returns {import('../cresset.js').RequestProgress}
 */
export function describeReading({ status, loaded = 0, total }, pace) {
  const all = total ?? loaded;
  const fraction = all ? loaded / all : 1;
  if (status === 'context') return { status, loaded, total: all, fraction, text: `The context grew to ${loaded} tokens`, secondsLeft: null };
  const pacePerSecond = pace.at(loaded);
  const secondsLeft = pacePerSecond ? (all - loaded) / pacePerSecond : null;
  if (status === 'sound') {
    const [heard, whole] = [loaded, all].map((frames) => Math.round(frames / FRAMES_A_SECOND));
    return { status, loaded, total: all, fraction, text: `Listening: ${heard} of ${whole} s`, secondsLeft };
  }
  return {
    status: 'prompt',
    loaded,
    total: all,
    fraction,
    text: `Reading the prompt: ${loaded} of ${all} tokens`,
    secondsLeft,
  };
}

const FRAMES_A_SECOND = 100; // of sound
const PACE_MS = 8000; // that count for a pace
const PACE_LEAST_MS = 1000; // before which there is none

/** Bytes, or tokens, a second over the last seconds. */
export class Pace {
  /** @type {{ time: number, loaded: number }[]} */
  #samples = [];
  #now;

  /** @param {() => number} [now]   milliseconds */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** The pace when so much is loaded; null while it cannot be told. @param {number} loaded */
  at(loaded) {
    const time = this.#now();
    // What was here already did not travel; after a new beginning earlier samples are void.
    if (loaded < (this.#samples.at(-1)?.loaded ?? 0)) this.#samples = [];
    this.#samples.push({ time, loaded });
    while (this.#samples.length > 2 && time - this.#samples[1].time > PACE_MS) this.#samples.shift();
    const [first] = this.#samples;
    return time - first.time >= PACE_LEAST_MS ? (1000 * (loaded - first.loaded)) / (time - first.time) : null;
  }
}

/** Decimal units, as download pages use them: 999 bytes, 12 kB, 3.4 MB, 640 MB, 1.2 GB. @param {number} bytes */
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

/** Whether it is a number of bytes. @param {unknown} bytes */
export const isAmount = (bytes) => Number.isSafeInteger(bytes) && Number(bytes) >= 0;
