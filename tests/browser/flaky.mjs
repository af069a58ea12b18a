// A file on a server that behaves as badly as it is told: for tests of downloads.

import { createHash } from 'node:crypto';

/** Bytes of a model for the mock engine, different everywhere, so that pieces in the wrong place show. */
export function modelBytes(size, traits = '', seed = 1) {
  const bytes = Buffer.alloc(size);
  for (let at = 0, value = seed; at + 4 <= size; at += 4) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(value, at);
  }
  bytes.write(`GGUF ${traits} \0`, 0);
  return bytes;
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * One file. Its behaviour is in fields that a test may change at any time.
 *
 * `cutAfter`: close the connection after so many bytes of an answer, `cuts` times · `stallAfter`: likewise, but keep it
 * open and silent · `statuses`: answer with these first · `ranges`: false ignores Range · `etag`, `lastModified` · `type`
 * · `delayMs` between pieces of `piece` bytes, `peekDelayMs` between those of a range with an end · `hold`: a promise that the first byte waits for
 */
export class FlakyFile {
  cutAfter = Infinity;
  cuts = Infinity;
  stallAfter = Infinity;
  stalls = Infinity;
  statuses = [];
  ranges = true;
  etag = '"one"';
  lastModified = undefined;
  type = 'application/octet-stream';
  headers = { 'Cache-Control': 'no-store' };
  delayMs = 0;
  peekDelayMs = undefined;
  piece = 64 * 1024;
  hold = null;
  /** What was asked: `{ method, range, ifRange, status, from }`. */
  asked = [];
  /** Bytes of bodies that were sent. */
  sent = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  /** Requests for bytes, not for sizes. */
  get reads() {
    return this.asked.filter(({ method }) => method === 'GET');
  }

  route = async (request, response) => {
    const { bytes } = this;
    const { range, 'if-range': ifRange } = request.headers;
    const asked = { method: request.method, range, ifRange };
    this.asked.push(asked);
    if (this.statuses.length > 0 && request.method === 'GET') {
      const [status, headers = {}] = [this.statuses.shift()].flat();
      asked.status = status;
      return response.writeHead(status, headers).end();
    }
    const match = this.ranges && /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
    const partial = match && (ifRange === undefined || ifRange === this.etag || ifRange === this.lastModified);
    const from = partial ? Number(match[1]) : 0;
    const end = partial && match[2] ? Math.min(Number(match[2]) + 1, bytes.length) : bytes.length;
    if (partial && from >= bytes.length) {
      asked.status = 416;
      return response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    }
    Object.assign(asked, { status: partial ? 206 : 200, from });
    response.writeHead(asked.status, {
      'Content-Type': this.type,
      'Content-Length': end - from,
      ...(partial && { 'Content-Range': `bytes ${from}-${end - 1}/${bytes.length}` }),
      ...(this.etag && { ETag: this.etag }),
      ...(this.lastModified && { 'Last-Modified': this.lastModified }),
      ...this.headers,
    });
    if (request.method === 'HEAD') return response.end();
    response.flushHeaders();
    await this.hold;
    for (let at = from; at < end; at += this.piece) {
      const given = at - from;
      if (given >= this.cutAfter && this.cuts > 0) {
        this.cuts -= 1;
        // What was written must be read before the connection goes: browsers forget what is not.
        await new Promise((resolve) => setTimeout(resolve, 500));
        return response.destroy();
      }
      if (given >= this.stallAfter && this.stalls > 0) {
        this.stalls -= 1;
        return; // the request stays open until the client gives up
      }
      const piece = bytes.subarray(at, Math.min(at + this.piece, end));
      if (response.destroyed) return;
      this.sent += piece.length;
      if (!response.write(piece)) await drained(response);
      const delayMs = match?.[2] ? (this.peekDelayMs ?? this.delayMs) : this.delayMs;
      if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
    response.end();
  };
}

function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
