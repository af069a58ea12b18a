// The open widget: a window in the corner, or over everything on a small screen. A <dialog>: there the browser itself keeps
// the focus inside, and gives it back when it closes.

import { adopt, attribute, element, icon, styleSheet } from '../chat/dom.js';
import { PANEL } from './panel-style.js';

const CLOSE = 'M6.5 6.5l11 11M17.5 6.5l-11 11';
const CLEAR = ['M12 4.5H6A1.5 1.5 0 0 0 4.5 6v12A1.5 1.5 0 0 0 6 19.5h12a1.5 1.5 0 0 0 1.5-1.5v-6', 'M18.5 3.5l2 2-8 8-2.7.7.7-2.7z'];
const SMALL = '(max-width: 480px), (max-height: 420px)';

/** @type {CSSStyleSheet | undefined} */
let sheet;

export class Panel {
  /** @type {HTMLDialogElement} */
  dialog;
  #title = element('h2', { class: 'title', part: 'title', id: 'title', dir: 'auto' });
  #status = element('p', { class: 'status', part: 'status' });
  #close;
  #clear;
  #models = /** @type {HTMLSelectElement} */ (element('select', { part: 'model' }));
  #modelName = element('span');
  #modelRow;
  #footer = element('p', { class: 'footer', part: 'footer' });
  #composer;
  #small = matchMedia(SMALL);
  #release = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {{ messages: import('./messages.js').Messages, tray: import('./tray.js').Tray, composer: import('./composer.js').WidgetComposer, region: HTMLElement }} rooms
   * @param {{ onClose: () => void, onClear: () => void, onModel: (index: number) => void }} actions
   */
  constructor(root, { messages, tray, composer, region }, { onClose, onClear, onModel }) {
    this.#composer = composer;
    sheet ??= styleSheet(PANEL);
    adopt(root, sheet);
    this.#close = element('button', { type: 'button', class: 'tool', part: 'close', onclick: onClose }, icon(CLOSE));
    this.#clear = element('button', { type: 'button', class: 'tool', part: 'clear', onclick: onClear }, icon(...CLEAR));
    this.#modelRow = element('label', { class: 'model-row', hidden: true }, this.#modelName, this.#models);
    this.#models.addEventListener('change', () => onModel(this.#models.selectedIndex));
    const dialog = element(
      'dialog',
      { class: 'panel', part: 'panel', 'aria-labelledby': 'title' },
      element('header', { class: 'header', part: 'header' }, element('div', { class: 'names' }, this.#title, this.#status), this.#clear, this.#close),
      this.#modelRow,
      element('div', { class: 'middle' }, messages.box, messages.latest),
      tray.box,
      composer.form,
      this.#footer,
      region,
    );
    this.dialog = /** @type {HTMLDialogElement} */ (dialog);
    root.insertBefore(this.dialog, root.lastChild);
    // Modal ones are cancelled by the browser, for Escape or a gesture; the others by the key alone.
    this.dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      onClose();
    });
    this.dialog.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      onClose();
    });
    const { signal } = this.#release;
    this.#small.addEventListener('change', () => this.#reshow(), { signal });
    for (const type of ['resize', 'scroll']) globalThis.visualViewport?.addEventListener(type, () => this.#fit(), { signal });
  }

  get shown() {
    return this.dialog.open;
  }

  show() {
    if (this.dialog.open) return;
    const modal = this.#small.matches;
    this.#fit();
    if (modal) this.dialog.showModal();
    else this.dialog.show();
    // A touch screen's keyboard would cover what there is to read.
    if (matchMedia('(pointer: coarse)').matches) this.#close.focus();
    else this.#composer.focus();
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
  }

  /** After the element was moved, or the screen has another size: shown anew, as it must be there. */
  #reshow() {
    if (!this.dialog.open) return;
    const { activeElement } = /** @type {ShadowRoot} */ (this.dialog.getRootNode());
    this.dialog.close();
    this.show();
    if (this.dialog.contains(activeElement)) /** @type {HTMLElement} */ (activeElement).focus({ preventScroll: true });
  }

  moved() {
    this.#reshow();
  }

  dispose() {
    this.#release.abort();
    this.dialog.remove();
  }

  /** @param {{ words: import('../chat/i18n.js').Translator, title: string }} texts */
  relabel({ words, title }) {
    this.#title.textContent = title;
    this.#close.setAttribute('aria-label', words.t('close'));
    this.#close.setAttribute('title', words.t('close'));
    this.#clear.setAttribute('aria-label', words.t('clear'));
    this.#clear.setAttribute('title', words.t('clear'));
    this.#modelName.textContent = words.t('model');
    this.#footer.textContent = words.t('footer');
  }

  /** @param {string} text @param {string} kind   of the assistant's state */
  status(text, kind) {
    this.#status.textContent = text;
    this.dialog.setAttribute('data-state', kind);
  }

  /** Whether there is anything to clear. @param {boolean} begun */
  begun(begun) {
    attribute(this.#clear, 'hidden', !begun);
  }

  /** @param {string[]} names @param {number} chosen */
  models(names, chosen) {
    attribute(this.#modelRow, 'hidden', names.length < 2);
    this.#models.replaceChildren(...names.map((name) => element('option', { text: name })));
    this.#models.selectedIndex = chosen;
  }

  // Above a phone's keyboard, which leaves the window as tall as it is.
  #fit() {
    const { visualViewport: view } = globalThis;
    if (!view) return;
    this.dialog.style.setProperty('--view-height', `${view.height}px`);
    this.dialog.style.setProperty('--view-top', `${view.offsetTop}px`);
  }
}
