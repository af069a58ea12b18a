// Tells the page that its worker is at work while it cannot answer: messages leave at once, even from the middle of a task.
const INTERVAL_MS = 1000;
let last = 0;

export const signOfLife = () => {
  const now = performance.now();
  if (now - last < INTERVAL_MS) return;
  last = now;
  globalThis.postMessage({ alive: true });
};
