// Cards above the input: the question for consent, the download, what went wrong. One at a time, by the assistant's state.

import { attribute, element } from '../chat/dom.js';
import { bytesText, timeText } from '../chat/format.js';
import { explain } from '../chat/problems.js';

/**
 * @typedef {import('../lib/errors.js').CressetError} CressetError
 * @typedef {import('./assistant.js').State} State
 */

export class Tray {
  box = element('div', { class: 'tray', part: 'tray' });
  /** @type {import('../chat/i18n.js').Translator} */
  #words;
  #actions;
  /** @type {Record<'bar' | 'title' | 'amount' | 'pause', HTMLElement> | null} */
  #bar = null;

  /**
   * @param {{ agree: () => void, decline: () => void, pause: () => void, resume: () => void, retry: () => void }} actions
   * @param {import('../chat/i18n.js').Translator} words
   */
  constructor(actions, words) {
    this.#words = words;
    this.#actions = actions;
  }

  /** @param {import('../chat/i18n.js').Translator} words */
  relabel(words) {
    this.#words = words;
  }

  /**
   * @param {import('./assistant.js').State} state
   * @param {{ queued: boolean, problem: CressetError | null }} more   `queued`: a message waits; `problem`: of the last answer
   */
  show(state, { queued, problem }) {
    const card = this.#card(state, queued, problem);
    const focused = this.box.contains(/** @type {ShadowRoot} */ (this.box.getRootNode()).activeElement);
    this.box.replaceChildren(...(card ? [card] : []));
    // The button in use is gone: the keyboard stays in the card that took its place.
    if (focused) this.box.querySelector('button')?.focus();
  }

  /** @param {import('../cresset.js').Progress} progress */
  progress(progress) {
    if (!this.#bar) return;
    const { status, loaded, total, fraction, secondsLeft, warning } = progress;
    const { bar, title, amount, pause } = this.#bar;
    const downloading = status === 'download';
    title.textContent = this.#words.t(this.#words.has(`progress.${status}`) ? `progress.${status}` : 'status.loading');
    attribute(bar, 'aria-valuenow', fraction === null ? null : Math.round(100 * fraction));
    bar.classList.toggle('unknown', fraction === null);
    bar.style.setProperty('--fraction', String(fraction ?? 0));
    const parts = [];
    if (downloading || status === 'cache')
      parts.push(total ? this.#words.t('progress.amount', { loaded: this.#bytes(loaded), total: this.#bytes(total) }) : this.#bytes(loaded));
    if (downloading && secondsLeft && secondsLeft > 0 && Number.isFinite(secondsLeft))
      parts.push(this.#words.t('progress.left', { time: timeText(secondsLeft, this.#words.locale) }));
    const text = warning ? warningText(warning, this.#words) : parts.join(' · ');
    // A space keeps the line's height, so that nothing moves when there is something to say.
    amount.textContent = text || '\u00a0';
    pause.classList.toggle('off', !downloading);
    attribute(pause, 'aria-disabled', downloading ? null : 'true');
  }

  /** @param {State} state @param {boolean} queued @param {CressetError | null} problem */
  #card(state, queued, problem) {
    this.#bar = null;
    const words = this.#words;
    if (state.kind === 'asking') return this.#consent(state);
    if (state.kind === 'loading') return this.#loading(state, queued);
    if (state.kind === 'paused') return this.#paused(state);
    if (state.kind === 'failed') return this.#problem(state.error, this.#actions.resume);
    if (problem) return this.#problem(problem, this.#actions.retry);
    return state.kind === 'ready' && state.where === 'server'
      ? element('p', { class: 'notice', part: 'notice', text: words.t('server.notice', { host: state.host }) })
      : null;
  }

  /** @param {State & { kind: 'asking' }} state */
  #consent(state) {
    const words = this.#words;
    if (state.what === 'server') {
      const { host } = state;
      return card(
        words.t('server.title'),
        [words.t('server.text', { host })],
        primary(words.t('server.yes', { host }), this.#actions.agree),
        quiet(words.t('consent.no'), this.#actions.decline),
      );
    }
    const { bytes, kept, saving } = state;
    const size = bytes === null ? null : this.#bytes(bytes);
    const text = size === null ? words.t('consent.unknown') : words.t(kept > 0 ? 'consent.rest' : 'consent.text', { size });
    return card(
      words.t('consent.title'),
      saving ? [text, words.t('consent.data')] : [text],
      primary(size === null ? words.t('consent.yesUnknown') : words.t('consent.yes', { size }), this.#actions.agree),
      quiet(words.t('consent.no'), this.#actions.decline),
    );
  }

  /** @param {State & { kind: 'loading' }} state @param {boolean} queued */
  #loading({ progress }, queued) {
    const words = this.#words;
    const title = element('p', { class: 'card-title', text: words.t('status.loading') });
    const amount = element('p', { class: 'amount', text: '\u00a0' });
    const bar = element(
      'div',
      { class: 'bar unknown', part: 'progress', role: 'progressbar', 'aria-label': words.t('status.loading'), 'aria-valuemin': '0', 'aria-valuemax': '100' },
      element('div'),
    );
    const pause = quiet(words.t('progress.pause'), () => {
      if (pause.getAttribute('aria-disabled') !== 'true') this.#actions.pause();
    });
    pause.classList.add('off');
    const box = element(
      'div',
      { class: 'card loading', part: 'card' },
      element('div', { class: 'card-row' }, element('div', {}, title, amount), pause),
      bar,
      ...(queued ? [element('p', { class: 'hint', text: words.t('progress.queued') })] : []),
    );
    this.#bar = { bar, title, amount, pause };
    if (progress) this.progress(progress);
    return box;
  }

  /** An amount that grows keeps its width: 3.0 MB. @param {number} amount */
  #bytes(amount) {
    return bytesText(amount, this.#words.locale, { even: true });
  }

  /** @param {State & { kind: 'paused' }} state */
  #paused({ loaded, total }) {
    const words = this.#words;
    const amounts = { loaded: this.#bytes(loaded), total: total ? this.#bytes(total) : '' };
    return card(
      words.t('paused.title'),
      loaded > 0 ? [words.t(total ? 'paused.text' : 'paused.some', amounts)] : [],
      primary(words.t('progress.resume'), this.#actions.resume),
    );
  }

  /** @param {CressetError} error @param {() => void} onRetry */
  #problem(error, onRetry) {
    const words = this.#words;
    const { title, advice } = explain(error, words);
    const box = card(title, [advice], primary(words.t('problem.retry'), onRetry));
    box.classList.add('problem');
    box.lastChild?.before(
      element(
        'details',
        { class: 'owner' },
        element('summary', { text: words.t('problem.details') }),
        element('p', { lang: 'en', dir: 'ltr' }, `${error.message} `, element('code', { text: error.code })),
      ),
    );
    return box;
  }
}

/** @param {string} title @param {string[]} texts @param {...HTMLElement} buttons */
function card(title, texts, ...buttons) {
  return element(
    'div',
    { class: 'card', part: 'card', role: 'group', 'aria-label': title },
    element('p', { class: 'card-title', text: title }),
    ...texts.map((text) => element('p', { text })),
    element('div', { class: 'card-buttons' }, ...buttons),
  );
}

const primary = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
  element('button', { type: 'button', class: 'primary', part: 'primary', text, onclick });
const quiet = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
  element('button', { type: 'button', class: 'quiet', part: 'quiet', text, onclick });

/** @param {NonNullable<import('../cresset.js').Progress['warning']>} warning @param {import('../chat/i18n.js').Translator} words */
function warningText({ code, message, details }, words) {
  if (words.has(`warning.${details?.reason}`)) return words.t(`warning.${details?.reason}`);
  return words.has(`warning.${code}`) ? words.t(`warning.${code}`) : message;
}
