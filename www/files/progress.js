// Progress over all files of a model, and what there is to warn of meanwhile.

/**
 * @typedef {import('./types.d.ts').Warning} Warning
 * @typedef {import('./types.d.ts').BareProgress['status']} Status
 */

/** Bare progress, as progress.js takes it, goes to `report`. */
export class Tally {
  /** @type {Map<string, { loaded: number, total: number | null }>} by key */
  #files = new Map();
  #report;
  /** @type {Warning | null} */
  #lasting = null;
  /** @type {Warning | null} */
  #passing = null;

  /** @param {import('./types.d.ts').Report} report */
  constructor(report) {
    this.#report = report;
  }

  /** A file of so many bytes is to come. @param {string} key @param {number} total */
  expect(key, total) {
    this.#files.set(key, { loaded: 0, total });
  }

  /** So much of a file was downloaded. @param {string} key @param {number} loaded @param {number | null} total */
  at(key, loaded, total) {
    this.#passing = null;
    this.#set('download', key, loaded, total);
  }

  /** So much of a file was here already. @param {string} key @param {number} loaded */
  cached(key, loaded) {
    const total = this.#files.get(key)?.total ?? 0;
    this.#set('cache', key, loaded, Math.max(loaded, total));
  }

  /** Something a person should know, from now on. @param {Warning['code']} code @param {string} message @param {Warning['details']} details */
  warn(code, message, details) {
    this.#lasting = { code, message, details };
    this.#passing = null;
    this.#tell('download');
  }

  /** For backoff.js: the connection broke, and is tried again. @type {import('./types.d.ts').OnWait} */
  onWait = (error, milliseconds) => {
    const when = milliseconds === null ? 'the download goes on when this device is online again' : 'trying again';
    this.#passing = { code: 'DOWNLOAD', message: `${error.message.split(';')[0]}; ${when}`, details: { reason: milliseconds === null ? 'offline' : 'broken' } };
    this.#tell('download');
  };

  /** Another tab holds the file; what it tells of its download ends this. */
  onLocked() {
    this.#passing = { code: 'DOWNLOAD', message: 'another tab is at this model; waiting for it', details: { reason: 'waiting' } };
    this.#tell('download');
  }

  /** @param {Status} status @param {string} key @param {number} loaded @param {number | null} total */
  #set(status, key, loaded, total) {
    // A compressed transfer can give more bytes than it announced.
    this.#files.set(key, { loaded, total: total !== null && loaded <= total ? total : null });
    this.#tell(status);
  }

  /** @param {Status} status */
  #tell(status) {
    const files = [...this.#files.values()];
    const loaded = files.reduce((sum, file) => sum + file.loaded, 0);
    const total = files.some((file) => file.total === null) ? null : files.reduce((sum, file) => sum + (file.total ?? 0), 0);
    const warning = this.#passing ?? this.#lasting;
    this.#report({ status, loaded, total, ...(warning && { warning }) });
  }
}
