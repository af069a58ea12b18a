// The dialog that asks for a speech model: known ones with their megabytes, another by its address, files of the visitor's own. Nothing is
// fetched before a button says so.

import { Cresset } from '../../cresset.js';
import { waysToLoad } from '../../chat/problems.js';
import { element } from '../dom.js';
import { bytes, parameters } from '../format.js';
import { icon } from '../icons.js';
import { problemCard } from '../problems.js';
import { session } from '../session.js';
import { t } from '../text.js';
import { speech } from './engine.js';
import { KNOWN, hears, speechName } from './models.js';
import { prepareSpeech } from './prepare.js';

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Asks for one, once at a time.
 * @param {{ model: import('../../cresset.js').Model, label: string }} [wanted]   that is to be taken
 * @returns {Promise<boolean>} whether one is loaded
 */
export function chooseSpeech(wanted) {
  asking ??= ask(wanted).finally(() => {
    asking = null;
  });
  return asking;
}

/** @param {{ model: import('../../cresset.js').Model, label: string }} [wanted] @returns {Promise<boolean>} */
async function ask(wanted) {
  const [stored] = await Promise.all([Cresset.cache.list(), prepareSpeech()]);
  const kept = new Set(stored.map(({ model }) => model));
  return new Promise((resolve) => {
    const chooser = new Chooser(kept, resolve);
    if (wanted) chooser.load(wanted.model, wanted.label);
  });
}

class Chooser {
  #dialog;
  #list = element('ul', { class: 'model-list' });
  #others;
  #fit = element('div', { 'aria-live': 'polite' });
  #status = element('div', { class: 'speech-status', hidden: true });
  #bar = element('progress', { max: 1, label: 'speech.bar' });
  #line = element('p', { class: 'hint numbers' });
  #problem = element('div');
  #done = false;
  /** @type {AbortController | null} */
  #looking = null;
  /** @param {any} event   of a Progress */
  #onProgress = ({ detail }) => this.#showProgress(detail);

  /** @param {Set<string>} kept   models on this device @param {(chosen: boolean) => void} onEnd */
  constructor(kept, onEnd) {
    this.#list.append(...KNOWN.map((known) => this.#row(known, kept.has(known.model))));
    this.#others = this.#elsewhere();
    this.#status.append(
      this.#bar,
      element(
        'div',
        { class: 'listen-row' },
        this.#line,
        element('button', { type: 'button', class: 'outline small', text: 'transfer.pause', onclick: () => speech.cancel() }),
      ),
    );
    this.#dialog = element(
      'dialog',
      { id: 'speech-chooser', 'aria-labelledby': 'speech-chooser-title' },
      element(
        'div',
        { class: 'dialog-head' },
        element('h2', { id: 'speech-chooser-title', text: 'speech.title' }),
        element('form', { method: 'dialog' }, element('button', { class: 'icon-button', label: 'common.close' }, icon('close'))),
      ),
      element('p', { class: 'soft', text: 'speech.lede' }),
      this.#problem,
      this.#status,
      this.#list,
      this.#others,
    );
    this.#dialog.addEventListener('close', () => {
      speech.removeEventListener('progress', this.#onProgress);
      this.#looking?.abort();
      if (!this.#done) speech.cancel();
      this.#dialog.remove();
      onEnd(this.#done);
    });
    speech.addEventListener('progress', this.#onProgress);
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  /** @param {(typeof KNOWN)[number]} known @param {boolean} kept */
  #row({ name, model, bytes: size, note }, kept) {
    const get = element(
      'button',
      { type: 'button', class: 'outline small get', onclick: () => this.load(model, name) },
      element('span', { text: kept ? 'models.load' : ['speech.get', { size: bytes(size) }] }),
      element('span', { class: 'sr-only', textContent: ` ${name}` }),
    );
    return element(
      'li',
      { class: 'model kept' },
      element('div', { class: 'model-what' }, element('h3', { textContent: name }), element('p', { class: 'hint', text: `speech.note.${note}` })),
      element('div', { class: 'model-get' }, get),
    );
  }

  #elsewhere() {
    const address = element('input', { id: 'speech-address', type: 'text', inputMode: 'url', spellcheck: false, placeholder: 'speech.placeholder' });
    const form = element(
      'form',
      { class: 'address', autocomplete: 'off' },
      element('label', { for: 'speech-address', text: 'speech.address' }),
      element('div', { class: 'address-row' }, address, element('button', { class: 'outline', text: 'address.look' })),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (address.value.trim()) this.#look(address.value.trim());
      else address.focus();
    });
    return element(
      'div',
      { class: 'speech-elsewhere' },
      form,
      this.#fit,
      element('div', { class: 'files' }, this.#files('file', 'files.choose', {}), this.#files('folder', 'files.folder', { webkitdirectory: true })),
      element('p', { class: 'hint', text: 'speech.files.hint' }),
    );
  }

  /** @param {string} name @param {string} label @param {object} properties */
  #files(name, label, properties) {
    const input = element('input', { type: 'file', class: 'sr-only', multiple: true, ...properties });
    input.addEventListener('change', () => {
      const files = [...(input.files ?? [])];
      input.value = '';
      if (files.length > 0) this.load(files, labelOf(files));
    });
    return element('label', { class: 'outline small file-label' }, input, icon(name), element('span', { text: label }));
  }

  /** Reads the header behind an address, and says what it is. @param {string} address */
  async #look(address) {
    this.#looking?.abort();
    this.#looking = new AbortController();
    const { signal } = this.#looking;
    const name = speechName(address);
    this.#fit.replaceChildren(element('p', { class: 'hint', text: 'address.looking' }));
    try {
      const fit = await Cresset.probe(address, { signal, ...session.settings() });
      this.#fit.replaceChildren(hears(fit.architecture) ? this.#verdict(fit, address, name) : deaf(name));
    } catch (/** @type {any} */ error) {
      if (!signal.aborted) this.#fit.replaceChildren(problemCard(error, { subject: name }));
    }
  }

  /** @param {import('../../cresset.js').Fit} fit @param {string} address @param {string} name */
  #verdict(fit, address, name) {
    const [obstacle] = fit.errors ?? [];
    if (obstacle) return problemCard(obstacle, { subject: name });
    return element(
      'div',
      { class: 'card verdict-card' },
      element('h3', { textContent: name }),
      element('p', { class: 'hint', textContent: [fit.architecture, parameters(fit.parameters), fit.quantization.toUpperCase()].join(' · ') }),
      element('button', {
        type: 'button',
        class: 'primary',
        text: ['models.get', { size: bytes(fit.downloadBytes) }],
        onclick: () => this.load(address, name),
      }),
    );
  }

  /** @param {import('../../cresset.js').Model} model @param {string} label */
  async load(model, label) {
    this.#looking?.abort();
    this.#problem.replaceChildren();
    this.#busy(true);
    this.#line.textContent = t('stage.probe', { label });
    try {
      await speech.choose(model, label);
      this.#done = true;
      this.#dialog.close();
    } catch (/** @type {any} */ error) {
      this.#busy(false);
      if (error.code === 'ABORTED') return;
      const again = waysToLoad(error).includes('again') ? [{ label: 'problem.again', primary: true, run: () => this.load(model, label) }] : [];
      this.#problem.replaceChildren(error.details?.deaf ? deaf(label) : problemCard(error, { subject: label, actions: again }));
    }
  }

  /** @param {boolean} busy */
  #busy(busy) {
    this.#status.hidden = !busy;
    this.#list.hidden = busy;
    this.#others.hidden = busy;
    if (busy) this.#bar.removeAttribute('value');
    // The button in use is gone: the keyboard stays in the dialog.
    (busy ? this.#status : this.#list).querySelector('button')?.focus();
  }

  /** @param {import('../../cresset.js').Progress} progress */
  #showProgress({ status, fraction, loaded, total }) {
    if (fraction === null) this.#bar.removeAttribute('value');
    else this.#bar.value = fraction;
    const amount = status === 'download' && total ? t('transfer.amount', { loaded: bytes(loaded), total: bytes(total) }) : null;
    this.#line.textContent = [t(`stage.${status}`, { label: speech.chosen?.label ?? '' }), amount].filter(Boolean).join(' · ');
  }
}

/** What files of the visitor's own are called: by their folder, or by the weights. @param {File[]} files */
function labelOf(files) {
  const largest = files.reduce((one, other) => (other.size > one.size ? other : one));
  return largest.webkitRelativePath.split('/')[0] || largest.name;
}

/** That a model is one of another kind. @param {string} name */
function deaf(name) {
  return element('p', { class: 'note', role: 'alert' }, icon('warn'), element('span', { text: ['speech.deaf', { name }] }));
}
