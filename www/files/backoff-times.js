// How patient downloads are. Tests lay shorter times over this file.

/** Pauses before another try, after a connection that had brought something. Progress starts the list again. */
export const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** Tries that a server gets which never answered: a wrong address is likelier than a short break. */
export const FIRST_WAITS = 2;

/** Downloads that begin anew because the server cannot go on where one broke off: each costs the visitor all of it. */
export const RESTARTS = 2;

/** A connection that brings nothing for so long is taken for broken. */
export const STALL_MS = 30_000;

/** How long a download that has begun waits for a device to be online again. */
export const OFFLINE_MS = 120_000;

/** How long a tab that holds a file, and says nothing of how far it is, is waited for: longer than it may wait itself. */
export const LOCK_MS = 150_000;

/** The longest Retry-After that is obeyed. */
export const RETRY_AFTER_MS = 30_000;
