// A model by its address: looked at first, loaded when the visitor says so after the verdict.

import { Cresset } from '../../cresset.js';
import { load } from '../downloads.js';
import { element } from '../dom.js';
import { bytes, parameters } from '../format.js';
import { engineWords, problemCard } from '../problems.js';
import { session } from '../session.js';
import { hears } from '../speech/models.js';
import { t } from '../text.js';
import { shortName } from './catalogue.js';
import { useSpeech } from './drop.js';
import { judge, thisDevice } from './verdict.js';
import { verdictLine } from './rows.js';

/** @type {AbortController | null} */
let looking = null;

/** Reads the header behind an address and says in `host` what it would mean to load it. @param {string} address @param {HTMLElement} host */
export async function lookAt(address, host) {
  looking?.abort();
  looking = new AbortController();
  const { signal } = looking;
  host.replaceChildren(element('p', { class: 'hint', text: 'address.looking' }));
  try {
    const fit = await Cresset.probe(address, { signal, ...session.settings() });
    host.replaceChildren(verdictCard(fit, address));
  } catch (/** @type {any} */ error) {
    if (error.code !== 'ABORTED') host.replaceChildren(problemCard(error, { subject: shortName(address) }));
  }
}

/** @param {import('../../cresset.js').Fit} fit @param {string} address */
function verdictCard(fit, address) {
  const name = shortName(address);
  return element(
    'div',
    { class: 'card verdict-card' },
    element('h3', { textContent: name }),
    element('p', {
      class: 'hint',
      textContent: [
        fit.architecture,
        parameters(fit.parameters),
        fit.quantization.toUpperCase(),
        fit.contextLength ? t('facts.tokens', { count: fit.contextLength }) : null,
      ]
        .filter(Boolean)
        .join(' · '),
    }),
    hears(fit.architecture) ? element('p', { text: 'speech.hears' }) : null,
    verdictLine(judge(fit, thisDevice())),
    fit.fits ? null : engineWords(fit.problems ?? []),
    fit.fits
      ? element('button', {
          type: 'button',
          class: 'primary',
          text: ['models.get', { size: bytes(fit.downloadBytes) }],
          onclick: () => (hears(fit.architecture) ? useSpeech(address, name) : load(address, name)),
        })
      : null,
  );
}
