// What other tabs of this site download right now: who waits for a file can show how far it is.

import { isAmount } from '../lib/progress.js';

const CHANNEL = 'cresset-downloads';
const INTERVAL_MS = 250;

/**
 * Tells other tabs how far the download of a key is.
 * @param {string} key
 * @returns {{ tell: (loaded: number, total: number | null) => void, close: () => void }}
 */
export function announce(key) {
  const channel = open();
  let last = -Infinity;
  return {
    tell(loaded, total) {
      const now = performance.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      channel?.postMessage({ key, loaded, total });
    },
    close: () => channel?.close(),
  };
}

/**
 * Hears of it.
 * @param {string} key
 * @param {(loaded: number, total: number | null) => void} onProgress
 * @returns {() => void} ends it
 */
export function listen(key, onProgress) {
  const channel = open();
  if (!channel) return () => {};
  // Whatever else runs on this site may write to the channel as well.
  channel.onmessage = ({ data }) => {
    if (data?.key === key && isAmount(data.loaded) && (data.total === null || isAmount(data.total))) onProgress(data.loaded, data.total);
  };
  return () => channel.close();
}

function open() {
  try {
    return new BroadcastChannel(CHANNEL);
  } catch {
    return null; // the browser keeps this page apart from all others
  }
}
