// Small limits for tests; see www/files/limits.js.
export const LARGE_TEXT = 256 << 10;
export const SMALL_TEXT = 64 << 10;
export const UNSIZED = 24 << 20;
export const PARTS = 1000;
export const AT_ONCE = 8;
