// The engine's second build, for pages whose threads share memory.
export * from '../cresset_engine.js';
export { default } from '../cresset_engine.js';
