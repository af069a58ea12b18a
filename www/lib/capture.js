// A MediaStream → samples of one channel, 16,000 a second, while they come.

import { CressetError } from './errors.js';
import { RATE } from './live/loudness.js';
import { Resampler } from './live/resampler.js';

const WORKLET = new URL('../worker/capture.js', import.meta.url);

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
    // Where a page may not begin to play by itself, it begins with the visitor's next touch.
    context.resume().catch(() => {});
  } catch (/** @type {any} */ cause) {
    await context.close();
    throw new CressetError('INVALID_REQUEST', `file: this browser cannot listen to a MediaStream here: ${cause.message}`, { field: 'file' }, { cause });
  }
  return { hasEnded: () => tracks.every(({ readyState }) => readyState === 'ended'), stop: () => context.close().catch(() => {}) };
}
