// What the models of the catalogue take here and how fast they run, before anything is downloaded: the engine measures the
// device, once for each choice of device and context, and says of each row what it would say of the file.

import { Cresset } from '../../cresset.js';
import { either, flag, list, number, object, table, text } from '../../chat/shapes.js';
import { memory } from '../dom.js';
import { mayFetch } from '../save-data.js';
import { session } from '../session.js';
import { catalogue } from './catalogue.js';

// So long it waits for the page's model to be loaded, and for an answer to end.
const QUIET_MS = 10_000;

/**
 * @typedef {import('../../cresset.js').Estimate} Estimate
 * @typedef {Map<string, Estimate>} Estimates   by the row's `model`
 * @typedef {{ key: string, measured: import('../../cresset.js').Measured, models: [string, Estimate][] }} Kept
 */

/** The question that was asked last. @type {{ key: string | null, answer: Promise<Estimates | null> }} */
let asked = nothing();

/** What the estimates are for: the device, and the context that models are to have. */
export const situation = () => JSON.stringify([session.device, session.contextLength]);

/**
 * Null where the device could not be measured. That takes the engine: where data is to be saved it
 * is not fetched for this, unless the visitor `insists`, and what an earlier visit was told has to do.
 * @param {{ insists?: boolean }} [options]
 * @returns {Promise<Estimates | null>}
 */
export async function estimates({ insists = false } = {}) {
  const key = situation();
  const kept = memory.get(KEPT, keptShape);
  if (asked.key !== key) {
    if (!insists && !mayFetch()) return kept?.key === key ? new Map(kept.models) : null;
    asked = {
      key,
      answer: ask(key, kept)
        .catch(() => (kept ? ask(key, null) : null))
        .catch(() => null),
    };
  }
  const mine = asked;
  const answer = await mine.answer;
  // What failed may work the next time.
  if (!answer && asked === mine) asked = nothing();
  return answer;
}

const KEPT = 'estimates';
const NAME = 1000;
const ROWS = 10_000;

const name = text(NAME);
const positive = number(0);
const obstacle = object({ code: name, message: name }, { details: table(either(name, number()), ROWS) });
const estimateShape = object(
  { fits: flag },
  {
    reason: name,
    problems: list(name, ROWS),
    errors: list(obstacle, ROWS),
    contextLength: positive,
    deviceBytes: positive,
    estimatedTokensPerSecond: positive,
  },
);
/** A model with its estimate. @param {unknown} value @returns {[string, Estimate] | null} */
function estimateOf(value) {
  const [model, estimate] = Array.isArray(value) ? [name(value[0]), estimateShape(value[1])] : [null, null];
  return model === null || estimate === null ? null : [model, /** @type {Estimate} */ ({ estimatedTokensPerSecond: null, ...estimate })];
}
/** Of what was measured the engine itself says whether it can use it. */
const keptShape = /** @type {import('../../chat/shapes.js').Shape<Kept>} */ (
  object({
    key: name,
    measured: object({ device: table((value) => value, ROWS), paces: table(object({ weight: positive, dispatch: positive }), ROWS) }),
    models: list(estimateOf, ROWS),
  })
);

/** @returns {{ key: null, answer: Promise<null> }} */
function nothing() {
  return { key: null, answer: Promise.resolve(null) };
}

/** @param {string} key @param {Kept | null} kept @returns {Promise<Estimates>} */
async function ask(key, kept) {
  const rows = await catalogue();
  // Measuring disturbs what runs, and is disturbed by it.
  if (kept?.key !== key) await session.quiet(QUIET_MS);
  const { models, ...measured } = await Cresset.estimate(rows, { ...session.settings(), measured: kept?.measured });
  /** @type {[string, Estimate][]} */
  const byModel = models.map((estimate, i) => [rows[i].model, estimate]);
  memory.set(KEPT, { key, measured, models: byModel });
  return new Map(byModel);
}
