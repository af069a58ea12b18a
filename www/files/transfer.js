// A file over as many connections as it takes: after a break it goes on where it stopped, or begins anew where the
// server cannot do that.

import { chunks, contentLength, contentRange, downloadError, request, shortError, tooLargeError } from './http.js';
import { UNSIZED } from './limits.js';
import { RESTARTS } from './backoff-times.js';
import { Patience } from './backoff.js';

/**
 * @typedef {import('./types.d.ts').Facts} Facts
 *
 * @typedef {object} TransferOptions
 * @property {AbortSignal} [signal]
 * @property {number} [from]      bytes of it that are here already
 * @property {Facts | null} [seen]       what was said about them when they came
 * @property {boolean} [checked]  a hash will tell whether old and new bytes belong together, whatever the server says
 * @property {number} [most]      bytes that the file may have
 * @property {import('./types.d.ts').OnWait} [onWait]
 */

/** Before anything was said. @type {Facts} */
const NOTHING = { bytes: null, etag: null, lastModified: null };

/** @param {string} url @param {TransferOptions} [options] */
export async function openTransfer(url, options = {}) {
  const transfer = new Transfer(url, options);
  await transfer.start();
  return transfer;
}

class Transfer {
  /** Of the file that comes, once `start` has ended. @type {Facts} */
  facts;
  /** Where the next piece begins. */
  at = 0;
  #url;
  #options;
  #patience;
  /** @type {Response | null} */
  #response = null;

  /** @param {string} url @param {TransferOptions} options */
  constructor(url, options) {
    this.#url = url;
    this.#options = options;
    this.#patience = new Patience(options);
    this.facts = options.seen ?? NOTHING;
  }

  async start() {
    while (!this.#response) {
      try {
        this.#response = await this.#ask(this.#options.from ?? 0);
        this.#bound(this.facts.bytes ?? 0);
      } catch (error) {
        await this.#patience.wait(error);
      }
    }
  }

  /** @returns {AsyncGenerator<{ at: number, bytes: import('./types.d.ts').Bytes }>} a piece at 0 after others: all of them are void */
  async *pieces() {
    let restarts = 0;
    for (;;) {
      try {
        if (!this.#response) {
          const stopped = this.at;
          this.#response = await this.#ask(stopped);
          if (this.at < stopped && (restarts += 1) > RESTARTS) throw hopelessError(this.#url);
        }
        for await (const bytes of chunks(this.#url, this.#response, this.#options.signal)) {
          this.#bound(this.at + bytes.length);
          yield { at: this.at, bytes };
          this.at += bytes.length;
          this.#patience.progress();
        }
        if (this.facts.bytes === null || this.at >= this.facts.bytes) return;
        throw shortError(this.#url);
      } catch (error) {
        this.#response = null;
        await this.#patience.wait(error);
      }
    }
  }

  /** A server sends what it said, and no more than the file may have. @param {number} bytes */
  #bound(bytes) {
    const most = Math.min(this.facts.bytes ?? UNSIZED, this.#options.most ?? Infinity);
    if (bytes <= most) return;
    this.cancel();
    throw tooLargeError(this.#url, most);
  }

  /** Gives up what has not been read. */
  cancel() {
    this.#response?.body?.cancel().catch(() => {});
  }

  /** Sets `at` and `facts` by the answer. @param {number} from */
  async #ask(from) {
    const { signal, checked } = this.#options;
    if (from > 0 && (checked || this.#hasVersion())) {
      const response = await request(this.#url, { signal, range: [from], ifRange: this.#ifRange(), store: false }).catch((error) =>
        error.details?.status === 416 ? null : Promise.reject(error),
      );
      if (response?.status === 206 && this.#goesOn(response, from, checked)) {
        this.at = from;
        return response;
      }
      if (response?.status === 200) return this.#anew(response);
      // Another file is there now, or a shorter one.
      response?.body?.cancel().catch(() => {});
    }
    return this.#anew(await request(this.#url, { signal, store: false }));
  }

  /** @param {Response} response */
  #anew(response) {
    this.at = 0;
    this.facts = factsOf(response, contentLength(response));
    return response;
  }

  // `If-Range` would make other origins ask for permission first (CORS preflight), which few file hosts give: there,
  // and wherever the server ignores it, the answer's own headers decide.
  #ifRange() {
    const { etag, lastModified } = this.facts;
    if (new URL(this.#url).origin !== globalThis.origin) return undefined;
    return (isStrong(etag) ? etag : lastModified) ?? undefined;
  }

  // Whether the server said anything that would be different for other bytes.
  #hasVersion() {
    return isStrong(this.facts.etag) || Boolean(this.facts.lastModified);
  }

  /** @param {Response} response @param {number} from @param {boolean} [checked] */
  #goesOn(response, from, checked) {
    const range = contentRange(response);
    const rest = contentLength(response);
    const now = factsOf(response, range?.total ?? (rest === null ? null : from + rest));
    if (range && range.start !== from) return false;
    const seen = this.facts;
    if (seen === NOTHING || seen.bytes !== now.bytes) return false;
    if (isStrong(seen.etag) && isStrong(now.etag)) return seen.etag === now.etag;
    if (seen.lastModified && now.lastModified) return seen.lastModified === now.lastModified;
    return Boolean(checked);
  }
}

/** @param {Response} response @param {number | null} bytes @returns {Facts} */
function factsOf({ headers }, bytes) {
  return { bytes, etag: headers.get('etag'), lastModified: headers.get('last-modified') };
}

/** A weak ETag stays the same when bytes change that do not matter to people. @param {string | null} etag */
function isStrong(etag) {
  return etag !== null && etag !== '' && !etag.startsWith('W/');
}

/** @param {string} url */
function hopelessError(url) {
  return downloadError(
    url,
    `the connection to ${new URL(url).host} broke off again and again, and the server cannot go on where it stopped; try again with a better connection`,
  );
}
