// Loading a model as people see it: one at a time, with its speed and the time left; paused, resumed and cancelled; the
// paused ones remembered between visits. The library keeps what was downloaded and goes on from there.

import { waysToLoad } from '../chat/problems.js';
import { flag, number, object, oneOf, table, text } from '../chat/shapes.js';
import { Cresset } from '../cresset.js';
import { announce, memory } from './dom.js';
import { clearProblems, showProblem, toast, warningText } from './problems.js';
import { session } from './session.js';
import { Tabs } from './tabs.js';
import { agree } from './save-data.js';
import { t } from './text.js';

// A download so large is worth asking the browser to keep it.
const LARGE_BYTES = 100_000_000;
// Where a download is, is written down so often.
const NOTE_MS = 2000;
// Of what is remembered: downloads, characters of a name.
const MOST_PAUSED = 1000;
const MOST_NAME = 10_000;

/**
 * @typedef {import('./types.d.ts').Transfer} Transfer
 * @typedef {import('../cresset.js').Model} Model
 */

/** Dispatches `change` whenever a transfer does, `over` when another tab's has ended. */
export const downloads = new EventTarget();

/** @type {Transfer | null} */
let active = null;
let noted = -NOTE_MS;
/** Reasons of warnings that were said of the active one. @type {Set<string>} */
let told = new Set();
/** What an earlier visit remembered of one. @param {unknown} value @returns {(Transfer & { model: string }) | null} */
function unfinished(value) {
  const found = object(
    { model: text(MOST_NAME), label: text(MOST_NAME), state: oneOf(/** @type {const} */ (['paused', 'failed'])), status: text(MOST_NAME), loaded: number(0) },
    { integrity: text(MOST_NAME), total: number(0), text: text(MOST_NAME), size: number(0) },
  )(value);
  return found && { total: null, ...found, speed: null };
}
/** @type {Map<Model, Transfer>} */
const paused = new Map(Object.values(memory.get('paused', table(unfinished, MOST_PAUSED)) ?? {}).map((transfer) => [transfer.model, transfer]));
const tabs = new Tabs();
/** Given up: a list that was read before must not bring them back. @type {Set<Model>} */
const discarded = new Set();

let chooseModel = () => {};

/** @param {{ chooseModel: () => void }} ways   `chooseModel` leads to the other models, where one did not come */
export function setUpDownloads(ways) {
  ({ chooseModel } = ways);
}

/** Those that go on or could: the active one first. @returns {Transfer[]} */
export function transfers() {
  const here = active ? [active] : [];
  /** @type {Transfer[]} */
  const elsewhere = tabs.others
    .filter(({ model }) => model !== active?.model)
    .map((transfer) => ({ ...transfer, state: 'elsewhere', status: 'download', speed: null }));
  const going = new Set([...here, ...elsewhere].map(({ model }) => model));
  return [...here, ...elsewhere, ...[...paused.values()].filter(({ model }) => !going.has(model))];
}

/** Forgets those that are here by now: another tab went on with them. @param {{ model: string, bytes: number }[]} found */
export function settle(found) {
  for (const { model, bytes } of found) if (bytes >= (paused.get(model)?.total ?? Infinity)) forget(model);
}

/** Adds what an earlier visit left unfinished. @param {import('./types.d.ts').TransferNews[]} found */
export function adopt(found) {
  const news = found.filter(({ model }) => model !== active?.model && !paused.has(model) && !discarded.has(model));
  for (const transfer of news) paused.set(transfer.model, { ...transfer, state: 'paused', status: 'download', speed: null });
  if (news.length > 0) changed();
}

/** The one that goes on. */
export const activeTransfer = () => active;

/**
 * Loads a model, says how it goes, and what to do where it does not.
 * @param {Model} model
 * @param {string} label
 * @param {{ integrity?: string, check?: boolean, quiet?: boolean }} [options]   `check`: see whether it fits before the download;
 *   `quiet`: nobody asked for it, so success needs no words
 * @returns {Promise<boolean>} whether it is loaded
 */
export async function load(model, label, { integrity, check = false, quiet = false } = {}) {
  agree();
  clearProblems();
  if (active) pause();
  /** @type {Transfer} */
  const transfer = { model, label, integrity, state: 'loading', status: 'probe', loaded: 0, total: null, speed: null, quiet };
  active = transfer;
  discarded.delete(model);
  told = new Set();
  changed();
  try {
    await session.load(model, label, { check, ...(integrity ? { integrity } : {}) });
    finish(transfer);
    forget(model);
    // What nobody asked for is none to come back to.
    if (typeof model === 'string' && !quiet) memory.set('model', { model, label, integrity });
    if (!quiet) announce(t('load.ready', { label }));
    await keepLargeOnes(transfer);
    return true;
  } catch (/** @type {any} */ error) {
    if (error.code === 'ABORTED') return false;
    finish(transfer);
    // The last of the progress comes before the error: this is all that came.
    if (error.code === 'DOWNLOAD' && transfer.loaded > 0) remember({ ...transfer, state: 'failed' });
    showProblem(error, { subject: label, actions: waysOn(error, transfer) });
    return false;
  }
}

/** Stops the active transfer; what is here of it stays, and `resume` goes on from there. */
export function pause() {
  const transfer = active;
  if (!transfer) return;
  session.cancelLoad();
  finish(transfer);
  if (transfer.status === 'download' && typeof transfer.model === 'string') remember({ ...transfer, state: 'paused' });
}

/** @param {Transfer} transfer */
export function resume({ model, label, integrity }) {
  return load(model, label, { integrity });
}

/** Loads what is loaded once more: it broke, or is to be loaded otherwise. */
export function reload() {
  if (session.model !== null) load(session.model, session.label);
}

/**
 * Loads what is loaded with a larger context, if it fits; else all stays as it was.
 * @param {number} contextLength   tokens
 */
export async function enlarge(contextLength) {
  const before = session.contextLength;
  if (session.model === null) return false;
  session.contextLength = contextLength;
  const done = await load(session.model, session.label, { check: true });
  if (done) memory.set('context', contextLength);
  else session.contextLength = before;
  return done;
}

/** Gives a transfer up, with what is here of it. @param {{ model: Model }} transfer */
export async function discard({ model }) {
  discarded.add(model);
  if (active?.model === model) pause();
  forget(model);
  if (typeof model === 'string') await Cresset.cache.delete(model);
}

/** Seconds until a download is here, or null. @param {Transfer} transfer */
export function timeLeft({ speed, total, loaded }) {
  return speed && speed > 0 && total ? (total - loaded) / speed : null;
}

tabs.addEventListener('change', () => downloads.dispatchEvent(new Event('change')));
tabs.addEventListener('over', () => downloads.dispatchEvent(new Event('over')));

session.addEventListener('progress', ({ detail: { status, loaded, total, text, bytesPerSecond = null, warning } }) => {
  if (!active) return;
  const downloading = status === 'download';
  const waits = warning?.code === 'DOWNLOAD';
  Object.assign(active, {
    status,
    loaded,
    total,
    text,
    warning: waits ? warning : undefined,
    speed: bytesPerSecond,
    size: Math.max(active.size ?? 0, downloading ? (total ?? loaded) : 0),
  });
  // A tab that is closed now leaves word of what it was fetching.
  if (downloading && loaded > 0 && typeof active.model === 'string' && performance.now() - noted > NOTE_MS) remember({ ...active, state: 'paused' });
  tell(warning);
  changed();
});

/** Says each warning once; a break that is over may be said of the next one again. @param {Transfer['warning']} warning */
function tell(warning) {
  if (warning?.code !== 'DOWNLOAD') told.delete('broken') || told.delete('offline');
  if (!warning || !active) return;
  const reason = warning.details?.reason ?? warning.message;
  if (told.has(reason)) return;
  told.add(reason);
  toast(warningText(warning, active.label));
}

/** @param {import('../chat/types.d.ts').Failure} error @param {Transfer} transfer @returns {import('./types.d.ts').Action[]} */
function waysOn(error, { model, label, integrity }) {
  const again = { label: 'problem.again', primary: true, run: () => load(model, label, { integrity }) };
  const fresh = {
    label: 'problem.fresh',
    primary: true,
    run: async () => {
      await discard({ model });
      await load(model, label, { integrity });
    },
  };
  const other = { label: 'problem.other', run: () => chooseModel() };
  /** @type {Partial<Record<import('../chat/types.d.ts').Way, import('./types.d.ts').Action>>} */
  const ways = { again, fresh, other };
  // What was never downloaded cannot be downloaded anew.
  return waysToLoad(error)
    .filter((way) => way !== 'fresh' || typeof model === 'string')
    .flatMap((way) => ways[way] ?? []);
}

/** Asks the browser to keep what took long to download: after the first such download, once. @param {Transfer} transfer */
async function keepLargeOnes({ size = 0 }) {
  if (size < LARGE_BYTES || !navigator.storage?.persist || memory.get('asked-to-persist', flag)) return;
  if (await navigator.storage.persisted()) return;
  memory.set('asked-to-persist', true);
  toast(t((await navigator.storage.persist()) ? 'storage.kept' : 'storage.notKept'));
  changed();
}

/** @param {Transfer} transfer */
function finish(transfer) {
  if (active === transfer) active = null;
  changed();
}

/** @param {Transfer} transfer */
function remember(transfer) {
  noted = performance.now();
  paused.set(transfer.model, { ...transfer, speed: null, warning: undefined });
  memory.set('paused', Object.fromEntries(paused));
  changed();
}

/** @param {Model} model */
function forget(model) {
  if (!paused.delete(model)) return;
  memory.set('paused', Object.fromEntries(paused));
  changed();
}

function changed() {
  tabs.tell(active?.status === 'download' && typeof active.model === 'string' ? { ...active, model: active.model } : null);
  downloads.dispatchEvent(new Event('change'));
}
