// A MediaStream → samples of one channel, 16,000 a second, while they come.

import { CressetError } from './errors.js';
import { RATE } from './live/loudness.js';
import { Resampler } from './live/resampler.js';

const WORKLET = new URL('../worker/capture.js', import.meta.url);

// A browser begins at once, or not before the visitor has touched the page.
const START_MS = 10_000;

/**
 * Listens to a stream until `stop`. The stream is its owner's: it is left as it is.
 * @param {MediaStream} media
 * @param {(samples: Float32Array) => void} onSamples
 * @returns {Promise<{ hasEnded: () => boolean, stop: () => void }>} `hasEnded`: no sound will come any more
 */
export async function capture(media, onSamples) {
  const tracks = media.getAudioTracks();
  if (tracks.length === 0) throw new CressetError('INVALID_REQUEST', 'file: the MediaStream has no sound track; ask for { audio: true }', { field: 'file' });
  const context = new AudioContext();
  try {
    if (!context.audioWorklet) throw new Error('the page is not served by https');
    await context.audioWorklet.addModule(WORKLET);
    const node = new AudioWorkletNode(context, 'cresset-capture', { numberOfOutputs: 0 });
    const resampler = new Resampler(context.sampleRate, RATE);
    node.port.onmessage = ({ data }) => onSamples(resampler.push(data));
    context.createMediaStreamSource(media).connect(node);
    await begun(context);
  } catch (/** @type {any} */ cause) {
    await context.close();
    throw new CressetError('INVALID_REQUEST', `file: this browser cannot listen to a MediaStream here: ${cause.message}`, { field: 'file' }, { cause });
  }
  return { hasEnded: () => tracks.every(({ readyState }) => readyState === 'ended'), stop: () => context.close().catch(() => {}) };
}

/** Until sound passes. @param {AudioContext} context @returns {Promise<void>} */
function begun(context) {
  return new Promise((resolve, reject) => {
    const refuse = () => reject(new Error('it gives no sound to a page before its visitor has touched it; begin in the listener of a click'));
    const timer = setTimeout(refuse, START_MS);
    context
      .resume()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
