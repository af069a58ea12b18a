// Models to chat with, for who has none in use: the one that comes with the site, and larger ones that run well here, each better
// than the one before: a quick one, a good one, the best.

import { isKept } from '../../chat/kept.js';
import { languageOf } from '../../chat/locale.js';
import { Cresset } from '../../cresset.js';
import { offered } from '../bundled.js';
import { load } from '../downloads.js';
import { element } from '../dom.js';
import { bytes, rate } from '../format.js';
import { mayFetch } from '../save-data.js';
import { currentLanguage, t } from '../text.js';
import { catalogue, integrityOf } from './catalogue.js';
import { estimates } from './estimates.js';
import { judgeRow, thisDevice } from './verdict.js';

/**
 * @typedef {import('../types.d.ts').CatalogueRow} Row
 * @typedef {import('./estimates.js').Estimates} Estimates
 * @typedef {{ kind: string, row: Row, verdict: import('./verdict.js').Verdict }} Suggestion
 */

const KINDS = [
  { name: 'quick', most: 4.5e8, speed: 0 },
  { name: 'good', most: 1.4e9, speed: 8 },
  { name: 'best', most: 3e9, speed: 8 },
];

/** @typedef {{ size: number, host: string | null, kept: boolean }} Origin */

/** Where the site's comes from, as it was seen last. @type {Origin | null} */
let origin = null;

/** Cards; those that depend on the device come when it is measured. @returns {HTMLElement} */
export function suggestions() {
  const own = element('div', { class: 'suggestion-place' });
  const others = element('div', { class: 'suggestion-place' });
  const line = element('p', { class: 'hint', role: 'status', text: 'suggest.measuring' });
  if (offered) showOffered(own, offered);
  showOthers(others, line);
  return element('div', { class: 'suggested' }, element('div', { class: 'suggestions' }, own, others), line);
}

/** @param {HTMLElement} host @param {import('../../cresset.js').BundledModel} row */
async function showOffered(host, row) {
  const { id, name } = row;
  const show = (/** @type {Origin | null} */ found) => {
    const away = !found?.kept && found?.host;
    /** @type {import('../types.d.ts').Message} */
    let get = ['suggest.fromHere', { size: bytes(row.bytes) }];
    if (found?.kept) get = 'models.load';
    else if (away) get = ['suggest.fromThere', { size: bytes(found.size), host: away }];
    const note = away ? t('suggest.leftOut', { host: away }) : t('suggest.first.note');
    host.replaceChildren(card({ kind: 'first', name, note, get, run: () => load(id, name, { check: true }) }));
  };
  const seen = origin;
  show(seen);
  // Since then it may have come, or gone.
  const found = await whence(row).catch(() => seen);
  if (JSON.stringify(found) !== JSON.stringify(seen)) show(found);
  origin = found;
}

/** @param {import('../../cresset.js').BundledModel} row @returns {Promise<Origin>} */
async function whence({ id, bytes: usual }) {
  const kept = isKept(await Cresset.cache.list(), id, Cresset.models);
  const { bytes: left, kept: part, url } = await Cresset.measure(id);
  const host = url && new URL(url).origin !== location.origin ? new URL(url).host : null;
  return { size: left === null ? usual : left + part, host, kept };
}

/** @param {HTMLElement} host @param {HTMLElement} line   what there is to say while the device is measured, or where it cannot be */
async function showOthers(host, line) {
  const [rows, known] = await Promise.all([catalogue(), estimates()]);
  const others = rows.filter(({ model }) => model !== offered?.hub?.model);
  host.replaceChildren(
    ...choose(others, known, languageOf(currentLanguage())).map(({ kind, row, verdict }) =>
      card({
        kind,
        name: row.name,
        note: [row.maker, verdict.speed ? t('verdict.speed', { rate: rate(verdict.speed) }) : null].filter(Boolean).join(' · '),
        get: ['models.get', { size: bytes(row.downloadBytes) }],
        run: () => load(row.model, row.name, { integrity: integrityOf(row), check: true }),
      }),
    ),
  );
  line.hidden = host.childElementCount > 0;
  line.textContent = t(known ? 'suggest.none' : mayFetch() ? 'suggest.unmeasurable' : 'suggest.unmeasured');
}

/**
 * The largest chat model of each kind that fits and is fast enough, each larger than the one before; none before the device is
 * measured.
 * @param {Row[]} rows
 * @param {Estimates | null} known
 * @param {string} language
 * @returns {Suggestion[]}
 */
export function choose(rows, known, language) {
  if (!known) return [];
  const here = globalThis.navigator ? thisDevice() : {};
  const able = rows
    .filter(({ tasks, languages }) => tasks.includes('chat') && (languages.includes(language) || languages.includes('many')))
    .map((row) => ({ row, verdict: judgeRow(row, known.get(row.model), here) }))
    .filter(({ row, verdict }) => known.has(row.model) && verdict.kind === 'fits')
    .sort((a, b) => b.row.parameters - a.row.parameters);
  /** @type {Suggestion[]} */
  const chosen = [];
  for (const { name, most, speed } of KINDS) {
    const least = chosen.at(-1)?.row.parameters ?? 0;
    const found = able.find(({ row, verdict }) => row.downloadBytes <= most && (verdict.speed ?? Infinity) >= speed && row.parameters > least);
    if (found) chosen.push({ kind: name, ...found });
  }
  return chosen;
}

/** @param {{ kind: string, name: string, note: string, get: import('../types.d.ts').Message, run: () => unknown }} what */
function card({ kind, name, note, get, run }) {
  return element(
    'button',
    { type: 'button', class: `suggestion ${kind}`, onclick: run },
    element('span', { class: 'suggestion-kind', text: `suggest.${kind}` }),
    element('strong', { textContent: name }),
    element('span', { class: 'hint', textContent: note }),
    element('span', { class: 'suggestion-get', text: get }),
  );
}
