// A thread of the engine on the CPU: a worker that shares module and memory with the engine's (start-engine.js) and computes
// with it until both are ended.

import { help, initSync, join, leave } from '../threads/cresset_engine.js';

const STACK_BYTES = 1 << 20;

addEventListener(
  'message',
  ({ data: { module, memory } }) => {
    initSync({ module, memory, thread_stack_size: STACK_BYTES });
    join();
    postMessage('joined');
    try {
      help();
    } catch (error) {
      // The engine must not wait for what this worker was at.
      leave(String(error));
      throw error;
    }
  },
  { once: true },
);
