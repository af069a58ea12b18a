// The pictures of a message that is being written: above its field, each with its name and a button that takes it away. Fetched with
// the first.

import { bytesText } from './format.js';
import { element, icon } from './dom.js';
import { MOST } from './picture.js';
import { LARGEST, pictureOf } from './picture-file.js';
import { drawingOf } from './picture-view.js';

/**
 * @typedef {import('./types.d.ts').Picture} Picture
 * @typedef {import('./types.d.ts').PictureOptions} Options
 */

/** What is said of files that are no picture here. */
const REFUSED = { large: 'pictures.large', broken: 'pictures.broken' };
const CLOSE = 'M7 7l10 10M17 7l-10 10';
/** Pixels of a thumbnail's edge. */
const THUMBNAIL = 112;

export class Attachments {
  /** @type {Picture[]} */
  pictures = [];
  #host;
  #options;
  /** Each as a message's key with its values. @type {[string, Record<string, string | number>][]} */
  #problems = [];
  #list = element('ul', { class: 'attachments', part: 'attachments' });
  #alert = element('div', { role: 'alert', class: 'attachment-problems' });
  #note = element('p', { class: 'attachment-note' });
  /** Files are read one after the other, in the order they came. */
  #reading = Promise.resolve();

  /** @param {HTMLElement} host @param {Options} options */
  constructor(host, options) {
    this.#host = host;
    this.#options = options;
    host.append(this.#list, this.#alert, this.#note);
  }

  /** Resolves when what came so far is here, or refused. */
  settled() {
    return this.#reading;
  }

  /** @param {File[]} files */
  add(files) {
    this.#problems = [];
    for (const file of files) this.#reading = this.#reading.then(() => this.#read(file));
    return this.#reading;
  }

  /** Shows these in place of those that were there. @param {Picture[]} pictures */
  set(pictures) {
    this.pictures = pictures;
    this.#problems = [];
    this.#show();
  }

  /** Another model answers, or another language holds. */
  renew() {
    this.#show();
  }

  /** @param {File} file */
  async #read(file) {
    const { t } = this.#options.words();
    if (this.pictures.length >= MOST.pictures) return this.#refuse('pictures.many', file);
    // What goes wrong beside is the same to a visitor: there is no picture.
    const read = await pictureOf(file).catch(() => ({ problem: /** @type {const} */ ('broken') }));
    if ('problem' in read) return this.#refuse(REFUSED[read.problem], file);
    this.pictures = [...this.pictures, read.picture];
    if (read.moves) this.#problems.push(['pictures.moves', { name: file.name }]);
    this.#show();
    this.#options.onChange();
    this.#options.announce(t('pictures.added', { name: file.name, total: this.pictures.length }));
    return undefined;
  }

  /** @param {string} key   of the message that says why @param {File} file */
  #refuse(key, { name }) {
    const { locale } = this.#options.words();
    this.#problems.push([key, { name, most: MOST.pictures, size: bytesText(LARGEST.bytes, locale), pixels: LARGEST.pixels / 1e6 }]);
    this.#show();
  }

  /** @param {Picture} picture */
  #remove(picture) {
    const at = this.pictures.indexOf(picture);
    this.pictures = this.pictures.filter((other) => other !== picture);
    this.#problems = [];
    this.#show();
    this.#options.onChange();
    this.#options.announce(this.#options.words().t('pictures.removed', { name: picture.name }));
    const next = /** @type {HTMLElement | undefined} */ ([...this.#list.querySelectorAll('button')][Math.min(at, this.pictures.length - 1)]);
    if (next) next.focus();
    else this.#options.focus();
  }

  #show() {
    const { t } = this.#options.words();
    this.#list.setAttribute('aria-label', t('pictures.list'));
    this.#list.replaceChildren(...this.pictures.map((picture) => this.#item(picture, t)));
    this.#alert.replaceChildren(...this.#problems.map(([key, values]) => element('p', { class: 'attachment-problem', text: t(key, values) })));
    const note = this.pictures.length > 0 ? this.#options.note() : null;
    if (note?.textContent !== this.#note.textContent) this.#note.replaceChildren(...(note ? [note] : []));
    this.#list.toggleAttribute('hidden', this.pictures.length === 0);
    this.#note.toggleAttribute('hidden', !note);
    this.#host.toggleAttribute('hidden', this.pictures.length === 0 && this.#problems.length === 0);
  }

  /** @param {Picture} picture @param {import('./i18n.js').Translator['t']} t */
  #item(picture, t) {
    const name = t('pictures.remove', { name: picture.name });
    return element(
      'li',
      { class: 'attachment' },
      drawingOf(picture, t('pictures.alt', { name: picture.name }), THUMBNAIL),
      element('span', { class: 'attachment-name', dir: 'auto', text: picture.name }),
      element('button', { type: 'button', class: 'attachment-remove', 'aria-label': name, title: name, onclick: () => this.#remove(picture) }, icon(CLOSE)),
    );
  }
}
