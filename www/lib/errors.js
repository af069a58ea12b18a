// The one error type that leaves the library. Codes are API.md's and stable; messages are for people.

/** An error with a stable `code`, a sentence a person can act on, and `details` (facts for programs). */
export class CressetError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {Record<string, unknown>} [details]
   * @param {{ cause?: unknown }} [options]
   */
  constructor(code, message, details = {}, options = undefined) {
    super(message, options);
    this.name = 'CressetError';
    this.code = code;
    this.details = details;
  }

  /** Whatever was thrown, as a CressetError: those of the engine are plain `{ code, message, details }` objects. @param {any} thrown */
  static from(thrown) {
    if (thrown instanceof CressetError) return thrown;
    if (typeof thrown?.code === 'string' && typeof thrown.message === 'string') {
      return new CressetError(thrown.code, thrown.message, thrown.details ?? {});
    }
    const reason = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    return new CressetError('INTERNAL', `internal error, please report it: ${reason}`, { stack: thrown?.stack }, { cause: thrown });
  }

  /** What passes from the worker to the page. */
  toJSON() {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** The error of a request or a load whose signal was aborted. @param {AbortSignal} [signal] */
export function aborted(signal) {
  return new CressetError('ABORTED', 'the request was aborted', {}, { cause: signal?.reason });
}
