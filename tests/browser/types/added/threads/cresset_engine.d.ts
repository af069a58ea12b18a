// The engine's second build, for pages whose threads share memory.
export * from '../cresset_engine.js';
export { default } from '../cresset_engine.js';

export function join(): void;
/** Computes with the others until they end. */
export function help(): void;
export function leave(reason: string): void;
