// Short times for tests; see www/files/backoff-times.js.
export const WAITS_MS = [20, 40, 80, 160, 320, 640];
export const FIRST_WAITS = 2;
export const RESTARTS = 2;
export const STALL_MS = 900;
export const OFFLINE_MS = 5000;
export const LOCK_MS = 2500;
export const RETRY_AFTER_MS = 30_000;
