// Files of a model → files the engine can read, through the cache or straight from the network.

import { ArrivingFile } from './incoming.js';
import { CressetError } from '../lib/errors.js';
import { BlobFile, StoredFile, openRemote } from './readers.js';
import { askSize } from './http.js';
import { hashAt } from './hub.js';
import { announce, listen } from './tabs.js';
import { formatBytes } from '../lib/progress.js';
import { Sha256 } from './sha256.js';
import { AT_ONCE } from './limits.js';
import { isAbsent, isWeights, textLimit } from './sources.js';
import * as store from './store.js';
import { Tally } from './progress.js';
import { retried } from './backoff.js';
import { openTransfer } from './transfer.js';

// Bytes collected before they become a Blob, which the browser may keep out of memory.
const BLOB_PIECE = 32 * 1024 * 1024;
/** The most bytes of a file that are held at once to hash them. */
const WHOLE = 256 * 1024 * 1024;

/**
 * @typedef {import('./types.d.ts').Access} Access
 * @typedef {import('./types.d.ts').Bytes} Bytes
 * @typedef {import('./types.d.ts').ModelFile} ModelFile
 * @typedef {import('./types.d.ts').Readable} Readable
 * @typedef {import('./types.d.ts').RemoteFile & { by?: string }} RemoteFile   `by`: who says the hash
 * @typedef {import('./backoff.js').PatienceOptions} PatienceOptions
 * @typedef {import('./part.js').Part} Part
 */

/**
 * What opening these files would download.
 * @param {ModelFile[]} files
 * @param {Pick<Access, 'cache' | 'signal'>} access
 * @returns {Promise<import('./types.d.ts').SurveyedFile[]>}
 * @throws {CressetError} MODEL_NOT_FOUND, without asking for the rest, where one is missing that must be there
 */
export async function survey(files, access) {
  /** @type {import('./types.d.ts').SurveyedFile[]} */
  const surveyed = [];
  for (let at = 0; at < files.length; at += AT_ONCE) {
    const some = await Promise.all(files.slice(at, at + AT_ONCE).map((file) => surveyOne(file, access)));
    const gone = some.find(({ absent, optional }) => absent && !optional);
    if (gone) throw new CressetError('MODEL_NOT_FOUND', `there is no file at ${gone.url}`, { url: gone.url });
    surveyed.push(...some);
  }
  const isThere = (/** @type {string} */ name) => surveyed.some((file) => file.name === name && !file.absent);
  return surveyed.filter(({ onlyWith }) => !onlyWith || isThere(onlyWith));
}

/**
 * @param {ModelFile} file
 * @param {Pick<Access, 'cache' | 'signal'>} access
 * @returns {Promise<import('./types.d.ts').SurveyedFile>}
 */
async function surveyOne(file, { cache, signal }) {
  if (file.blob) return { ...file, size: file.blob.size, kept: file.blob.size, absent: false };
  const { bytes: kept, complete, total } = cache ? await store.kept(file.key) : { bytes: 0, complete: false, total: null };
  if (complete) return { ...file, size: kept, kept, absent: false };
  const { bytes: size = null, absent = false } = file.bytes ? file : await retried(() => askSize(file.url, signal), { signal });
  return { ...file, size: size ?? total ?? null, kept, absent };
}

/**
 * @param {ModelFile[]} files   weights first
 * @param {Access} access
 * @returns {Promise<(Readable & { whole?: Promise<Readable> })[]>}   `whole`: of one that is still on its way
 */
export async function openAll(files, access) {
  const tally = new Tally(access.report);
  for (const { key, size } of files) if (key && size) tally.expect(key, size);
  const complete = access.cache && (await isComplete(files));
  /** @type {Readable[]} */
  const opened = [];
  // Weights last: when they are here, everything else has been found or missed, and a missing file costs no download.
  for (const file of files.toReversed()) {
    if (file.optional && (file.absent || (complete && !(await isStored(file))))) continue;
    try {
      // Of several files of weights, the one that comes last.
      const early = access.early && file === files[0] && access.cache && !file.blob;
      opened.unshift(await (early ? openEarly(file, access, tally) : openOne(file, access, tally)));
    } catch (error) {
      if (!(file.optional && isAbsent(error))) throw error;
    }
  }
  return opened;
}

// Everything that must be there is on this device, so what is not was not there: no need to ask the network again. Of an
// adapter's files none must be there, but one with its weights.
/** @param {ModelFile[]} files */
async function isComplete(files) {
  const needed = files.filter(({ optional }) => !optional);
  if (needed.length > 0) return (await Promise.all(needed.map(isStored))).every(Boolean);
  return (await Promise.all(files.filter(isWeights).map(isStored))).some(Boolean);
}

/** @param {ModelFile} file */
async function isStored({ key }) {
  return key !== undefined && (await store.kept(key)).complete;
}

/** The text of a small file, stored with its model. @param {string} url @param {string} name @param {Access} access */
export async function readText(url, name, access) {
  const file = await openOne({ name, url, key: url }, { ...access, headersOnly: false }, new Tally(() => {}));
  return new TextDecoder().decode(await file.read(0, file.size));
}

/** @param {ModelFile} file @param {Access} access @param {Tally} tally @returns {Promise<Readable>} */
async function openOne(file, access, tally) {
  if (file.blob) return verified(new BlobFile(file.blob, file.name), access.headersOnly ? undefined : file.sha256);
  const stored = () => (access.cache ? openStored(file, tally) : null);
  const patience = { signal: access.signal, onWait: tally.onWait };
  if (access.headersOnly) {
    return (await stored()) ?? (await openRemote(file.url, file.name, { ...patience, most: textLimit(file) })) ?? download(file, tally, patience);
  }
  if (!access.cache) return openUnkept(file, tally, patience);
  const onWait = (/** @type {() => void} */ heard) => {
    tally.onLocked();
    return listen(file.key, (loaded, total) => {
      heard();
      tally.at(file.key, loaded, total);
    });
  };
  const kept =
    (await stored()) ??
    (await store.exclusively(file.key, async () => (await stored()) ?? downloadKept(file, access, tally, patience), { signal: access.signal, onWait }));
  if (kept) return kept;
  tally.warn('STORAGE', REFUSALS.busy(), { reason: 'busy' });
  return openUnkept(file, tally, patience);
}

/** @param {ModelFile} file @param {Access} access @param {Tally} tally */
function openEarly(file, access, tally) {
  return new ArrivingFile(file.name, (arriving) => openOne(file, { ...access, arriving }, tally)).opened();
}

/** @param {RemoteFile} file @param {Tally} tally */
async function openStored({ key, name, sha256, demanded }, tally) {
  const found = await store.open(key);
  if (!found) return null;
  const file = new StoredFile(found, name);
  if (sha256 && (demanded || found.entry.sha256 !== sha256)) {
    // Stored without being checked against this hash, or the caller trusts no note about that: check now; a wrong one is
    // downloaded again.
    try {
      await verified(file, sha256);
    } catch (/** @type {any} */ error) {
      if (error.code !== 'INTEGRITY' && !error.details?.damaged) throw error;
      await store.remove(key);
      return null;
    }
    if (found.entry.sha256 !== sha256) await store.noteHash(key, sha256);
  }
  tally.cached(key, file.size);
  return file;
}

/** @param {RemoteFile} asked @param {Access} access @param {Tally} tally @param {PatienceOptions} patience @returns {Promise<Readable>} */
async function downloadKept(asked, access, tally, patience) {
  const file = await vouched(asked, access.signal);
  // Of an unfinished download's bytes, where the whole is to be checked.
  const hash = file.sha256 ? new Sha256() : null;
  const part = await store.begin(file.key, ({ bytes, length }) => {
    hash?.update(bytes);
    tally.cached(file.key, length);
  });
  if ('refused' in part) {
    tally.warn('STORAGE', REFUSALS[part.refused](), { reason: part.refused });
    return openUnkept(asked, tally, patience);
  }
  const resumed = part.length > 0;
  try {
    return await receive(file, { part, hash }, access, tally, patience);
  } catch (/** @type {any} */ error) {
    if (error.code === 'INTEGRITY' && resumed) {
      // The bytes of two visits need not belong together: once more, from the beginning.
      await part.discard();
      return downloadKept(asked, access, tally, patience);
    }
    if (error instanceof CressetError) throw await left(error, part);
    // The device refuses to store it, or more of it: go on without the cache.
    await part.discard();
    tally.warn('STORAGE', fullWarning(error), { reason: 'full' });
  }
  return openUnkept(asked, tally, patience);
}

/**
 * With the hash that its host says it has, where none is demanded and it says one.
 * @param {RemoteFile} file
 * @param {AbortSignal} [signal]
 * @returns {Promise<RemoteFile>}
 */
async function vouched(file, signal) {
  if (file.sha256 || !isWeights(file)) return file;
  const said = file.said ?? (await hashAt(file.url, signal));
  return said ? { ...file, sha256: said, by: new URL(file.url).host } : file;
}

const REFUSALS = {
  busy: () => 'another tab is writing this model, so it runs without being kept',
  full: () => fullWarning(),
  unavailable: () => 'this browser keeps no files for this page (a private window, perhaps), so the model is downloaded again next time',
};

/**
 * @param {RemoteFile} file
 * @param {{ part: Part, hash: Sha256 | null }} begun   `hash`: of the bytes that are here
 * @param {Access} access
 * @param {Tally} tally
 * @param {PatienceOptions} patience
 */
async function receive(file, { part, hash: begun }, access, tally, patience) {
  const { key, url, name, sha256, by } = file;
  const transfer = await openTransfer(url, { ...patience, from: part.length, seen: part.facts, checked: Boolean(sha256), most: textLimit(file) });
  const { bytes: total } = transfer.facts;
  const room = await store.room();
  if (total !== null && total - transfer.at > room) {
    transfer.cancel();
    throw new NoRoom(total, room);
  }
  if (transfer.at === 0) part.restart();
  const describe = () => part.describe({ ...transfer.facts, url, name, model: access.model });
  await describe().catch((error) => {
    transfer.cancel();
    throw error.name === 'QuotaExceededError' ? new NoRoom(total, null) : error;
  });
  let hash = transfer.at === 0 && sha256 ? new Sha256() : begun;
  const neighbours = announce(key);
  access.arriving?.begin(part, total);
  try {
    for await (const { at, bytes } of transfer.pieces()) {
      if (at !== part.length) {
        part.restart();
        hash &&= new Sha256();
        access.arriving?.begin(part, transfer.facts.bytes);
        await describe();
      }
      hash?.update(bytes);
      await part.write(bytes);
      access.arriving?.grew();
      tally.at(key, part.length, transfer.facts.bytes);
      neighbours.tell(part.length, transfer.facts.bytes);
    }
  } finally {
    neighbours.close();
  }
  if (hash && sha256) expectHash(name, hash.hex(), sha256, by);
  await part.commit({ key, url, name, sha256, model: access.model });
  const stored = await store.open(key);
  if (!stored) throw new CressetError('STORAGE', `${name} could not be kept on this device; load it again`, { refused: true, key });
  return new StoredFile(stored, name);
}

/** What is to be said, and kept, of a download that ended with this error. @param {CressetError} error @param {Part} part */
async function left(error, part) {
  if (error.code !== 'DOWNLOAD' && error.code !== 'ABORTED') {
    await part.discard();
    return error;
  }
  const total = part.facts?.bytes;
  const kept = part.keep();
  if (error.code === 'ABORTED' || kept === 0) return error;
  const amount = total ? `${formatBytes(kept)} of ${formatBytes(total)}` : formatBytes(kept);
  return new CressetError(error.code, `${error.message} (${amount} are kept)`, { ...error.details, kept }, { cause: error });
}

class NoRoom extends Error {
  /** @param {number | null} need @param {number | null} room */
  constructor(need, room) {
    super(`it needs ${formatBytes(need ?? NaN)}${room === null ? '' : `, and ${formatBytes(room)} are left`}`);
  }
}

/** @param {unknown} [error] */
function fullWarning(error) {
  const amounts = error instanceof NoRoom ? `: ${error.message}` : '';
  return `this device has no room to keep the model${amounts}. It runs all the same, but is downloaded again next time; delete models that are no longer needed`;
}

/**
 * Where nothing is to be kept, or can be: by ranges straight into the engine, which holds none of it in memory.
 * @param {RemoteFile} file
 * @param {Tally} tally
 * @param {PatienceOptions} patience
 */
async function openUnkept(file, tally, patience) {
  if (!file.sha256) {
    const remote = await openRemote(file.url, file.name, { ...patience, rangesOnly: true, most: textLimit(file) });
    if (remote) return remote;
  }
  return download(file, tally, patience);
}

/** The last resort: the whole file in the browser's memory. @param {RemoteFile} file @param {Tally} tally @param {PatienceOptions} patience */
async function download({ key, url, name, sha256 }, tally, patience) {
  const transfer = await openTransfer(url, { ...patience, most: textLimit({ name }) });
  const begin = () => ({ hash: new Sha256(), sink: new MemorySink(name) });
  let { hash, sink } = begin();
  for await (const { at, bytes } of transfer.pieces()) {
    if (at !== sink.length) ({ hash, sink } = begin());
    if (sha256) hash.update(bytes);
    sink.write(bytes);
    tally.at(key, sink.length, transfer.facts.bytes);
  }
  if (sha256) expectHash(name, hash.hex(), sha256);
  return new BlobFile(sink.blob(), name);
}

class MemorySink {
  length = 0;
  #name;
  /** @type {Blob[]} */
  #blobs = [];
  /** @type {Bytes[]} */
  #parts = [];
  #pending = 0;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  /** @param {Bytes} bytes */
  write(bytes) {
    this.#parts.push(bytes.slice());
    this.#pending += bytes.length;
    this.length += bytes.length;
    if (this.#pending >= BLOB_PIECE) this.#pack();
  }

  blob() {
    this.#pack();
    return new Blob(this.#blobs);
  }

  #pack() {
    try {
      this.#blobs.push(new Blob(this.#parts));
    } catch (/** @type {any} */ error) {
      throw new CressetError(
        'OUT_OF_MEMORY',
        `${this.#name} does not fit into this browser's memory; close other tabs, or choose a smaller model`,
        { reason: error.message },
        { cause: error },
      );
    }
    this.#parts = [];
    this.#pending = 0;
  }
}

/** @param {Readable} file @param {string} [sha256] */
async function verified(file, sha256) {
  if (!sha256) return file;
  expectHash(file.name, await hashOf(file), sha256);
  return file;
}

/** The SHA-256 of a file; WebCrypto is several times as fast, but wants the whole in memory. @param {Readable} file */
async function hashOf(file) {
  if (file.size <= WHOLE && globalThis.crypto?.subtle) {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.read(0, file.size)));
    return hash.reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '');
  }
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += BLOB_PIECE) hash.update(await file.read(at, BLOB_PIECE));
  return hash.hex();
}

/** @param {string} name @param {string} got @param {string} want @param {string} [by] */
function expectHash(name, got, want, by) {
  if (got === want) return;
  if (by)
    throw new CressetError('INTEGRITY', `${name} has SHA-256 ${got}, but ${by} says ${want}; it was changed or damaged on the way: load it again`, {
      got,
      want,
    });
  throw new CressetError(
    'INTEGRITY',
    `${name} has SHA-256 ${got}, expected ${want}; the file was changed or damaged: ask where the hash comes from, or load it without one if you trust the file`,
    { got, want },
  );
}

/**
 * `sha256-…` in base64 as in subresource integrity, or in hexadecimal → 64 hexadecimal digits.
 * @param {string} integrity
 */
export function parseIntegrity(integrity) {
  const text = /^sha256-(.+)$/.exec(String(integrity))?.[1] ?? '';
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    if (bytes.length === 32) return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  } catch {
    // Not base64: falls through to the error.
  }
  throw new CressetError('INVALID_REQUEST', 'integrity: expected sha256- and the hash in base64 or hexadecimal', { field: 'integrity' });
}
