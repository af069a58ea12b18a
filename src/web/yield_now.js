// Resolves in a task of its own, after the messages that wait; setTimeout would be held back to 4 ms.
const { port1, port2 } = new MessageChannel();
const waiting = [];
port1.onmessage = () => waiting.shift()();

export const yieldNow = () => new Promise((resolve) => {
  waiting.push(resolve);
  port2.postMessage(0);
});
