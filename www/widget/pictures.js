// Pictures in the widget, where the site asks for them by `images`: a button in the composer, and files that are pasted, or dropped onto
// the panel.

import { ComposerPictures } from '../chat/composer-pictures.js';
import { element, icon } from '../chat/dom.js';
import { isPicture, pasted } from '../chat/picture.js';

const PICTURE = ['M4 5.5h16v13H4z', 'm4 16 4.5-4.5 4 4 2.5-2.5 5 5', 'M15.5 9.5h.01'];

/** @typedef {import('../chat/types.d.ts').Picture} Picture */

export class Pictures extends ComposerPictures {
  #button;
  #host;
  #release = new AbortController();

  /**
   * @param {object} options
   * @param {import('./composer.js').WidgetComposer} options.composer
   * @param {HTMLElement} options.panel   where files may be dropped
   * @param {() => import('../chat/i18n.js').Translator} options.words
   * @param {() => boolean} options.blind   whether it is known that who answers sees none
   * @param {(line: string) => void} options.say   to screen readers
   * @param {(error: unknown) => void} options.onTrouble
   */
  constructor({ composer, panel, words, blind, say, onTrouble }) {
    const button = element('button', { type: 'button', class: 'tool attach', part: 'attach' }, icon(...PICTURE));
    const host = element('div', { class: 'attaching', part: 'attaching', hidden: true });
    const release = new AbortController();
    const { signal } = release;
    super(host, {
      words,
      note: () => (blind() ? element('span', { text: words().t('pictures.blind') }) : null),
      onChange: () => composer.holds(this.pictures.length > 0),
      announce: say,
      focus: () => composer.focus(),
      onTrouble,
    });
    this.#button = button;
    this.#host = host;
    this.#release = release;
    composer.form.prepend(button);
    composer.form.before(host);
    button.addEventListener('click', () => this.choose());
    composer.area.addEventListener(
      'paste',
      (event) => {
        const files = pasted(event.clipboardData);
        if (files.length === 0) return;
        event.preventDefault();
        this.add(files);
      },
      { signal },
    );
    const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files');
    panel.addEventListener('dragover', (event) => files(event) && event.preventDefault(), { signal });
    panel.addEventListener(
      'drop',
      (event) => {
        if (!files(event)) return;
        event.preventDefault();
        event.stopPropagation();
        this.add([...(event.dataTransfer?.files ?? [])].filter(isPicture));
      },
      { signal },
    );
    this.relabel(words());
  }

  /** @param {import('../chat/i18n.js').Translator} words */
  relabel({ t }) {
    for (const name of ['aria-label', 'title']) this.#button.setAttribute(name, t('pictures.attach'));
    this.renew();
  }

  dispose() {
    this.#release.abort();
    this.#button.remove();
    this.#host.remove();
  }
}
