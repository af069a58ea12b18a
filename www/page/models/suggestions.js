// Three models to chat with that run well here: a quick one, a good one, the best.

import { load } from '../downloads.js';
import { element } from '../dom.js';
import { languageOf } from '../../chat/locale.js';
import { bytes, rate } from '../format.js';
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

/** @returns {Promise<HTMLElement>} */
export async function suggestions() {
  const host = element('div', { class: 'suggestions' });
  const rows = await catalogue();
  const show = (/** @type {Estimates | null} */ known) => host.replaceChildren(...choose(rows, known, languageOf(currentLanguage())).map(card));
  show(null);
  estimates().then(show);
  return host;
}

/**
 * The largest chat model of each kind that fits and is fast enough.
 * @param {Row[]} rows
 * @param {Estimates | null} known
 * @param {string} language
 * @returns {Suggestion[]}
 */
export function choose(rows, known, language) {
  const here = globalThis.navigator ? thisDevice() : {};
  const able = rows
    .filter(({ tasks, languages }) => tasks.includes('chat') && (languages.includes(language) || languages.includes('many')))
    .map((row) => ({ row, verdict: judgeRow(row, known?.get(row.model), here) }))
    .filter(({ verdict }) => verdict.kind === 'fits')
    .sort((a, b) => b.row.parameters - a.row.parameters);
  /** @type {Suggestion[]} */
  const chosen = [];
  for (const { name, most, speed } of KINDS) {
    const found = able.find(
      ({ row, verdict }) => row.downloadBytes <= most && (verdict.speed ?? Infinity) >= speed && !chosen.some((other) => other.row === row),
    );
    if (found) chosen.push({ kind: name, ...found });
  }
  return chosen;
}

/** @param {Suggestion} suggestion */
function card({ kind, row, verdict }) {
  return element(
    'button',
    { type: 'button', class: 'suggestion', onclick: () => load(row.model, row.name, { integrity: integrityOf(row), check: true }) },
    element('span', { class: 'suggestion-kind', text: `suggest.${kind}` }),
    element('strong', { textContent: row.name }),
    element('span', { class: 'hint', textContent: row.maker }),
    element('span', { class: 'hint', textContent: verdict.speed ? t('verdict.speed', { rate: rate(verdict.speed) }) : '\u00a0' }),
    element('span', { class: 'suggestion-get', text: ['models.get', { size: bytes(row.downloadBytes) }] }),
  );
}
