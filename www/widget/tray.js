// Cards above the input: the question for consent, the download, what went wrong. One at a time, by the assistant's state.

import { attribute, element } from '../chat/dom.js';
import { bytesText, timeText } from './format.js';
import { explain } from './problems.js';
import { fill } from './words.js';

export class Tray {
  box = element('div', { class: 'tray', part: 'tray' });
  #words;
  #language;
  #actions;
  #bar = null;

  /**
   * @param {{ agree: () => void, decline: () => void, pause: () => void, resume: () => void, retry: () => void }} actions
   */
  constructor(actions) {
    this.#actions = actions;
  }

  relabel(words, language) {
    this.#words = words;
    this.#language = language;
  }

  /**
   * @param {import('./assistant.js').State} state
   * @param {{ queued: boolean, problem: Error | null }} more   `queued`: a message waits; `problem`: of the last answer
   */
  show(state, { queued, problem }) {
    const card = this.#card(state, queued, problem);
    const focused = this.box.contains(this.box.getRootNode().activeElement);
    this.box.replaceChildren(...(card ? [card] : []));
    // The button in use is gone: the keyboard stays in the card that took its place.
    if (focused) this.box.querySelector('button')?.focus();
  }

  /** @param {object} progress */
  progress(progress) {
    if (!this.#bar) return;
    const { status, loaded, total, fraction, secondsLeft, warning } = progress;
    const { bar, title, amount, pause } = this.#bar;
    const downloading = status === 'download';
    title.textContent = this.#words[`progress.${status}`] ?? this.#words['status.loading'];
    attribute(bar, 'aria-valuenow', fraction === null ? null : Math.round(100 * fraction));
    bar.classList.toggle('unknown', fraction === null);
    bar.style.setProperty('--fraction', String(fraction ?? 0));
    const parts = [];
    if (downloading || status === 'cache') parts.push(total ? fill(this.#words['progress.amount'], { loaded: bytesText(loaded, this.#language), total: bytesText(total, this.#language) }) : bytesText(loaded, this.#language));
    if (downloading && secondsLeft > 0 && Number.isFinite(secondsLeft)) parts.push(fill(this.#words['progress.left'], { time: timeText(secondsLeft, this.#language) }));
    const text = warning ? warningText(warning, this.#words) : parts.join(' · ');
    // A space keeps the line's height, so that nothing moves when there is something to say.
    amount.textContent = text || '\u00a0';
    pause.classList.toggle('off', !downloading);
    attribute(pause, 'aria-disabled', downloading ? null : 'true');
  }

  #card(state, queued, problem) {
    this.#bar = null;
    const words = this.#words;
    if (state.kind === 'asking') return this.#consent(state);
    if (state.kind === 'loading') return this.#loading(state, queued);
    if (state.kind === 'paused') return this.#paused(state);
    if (state.kind === 'failed') return this.#problem(state.error, this.#actions.resume);
    if (problem) return this.#problem(problem, this.#actions.retry);
    return state.kind === 'ready' && state.where === 'server'
      ? element('p', { class: 'notice', part: 'notice', text: fill(words['server.notice'], { host: state.host }) }) : null;
  }

  #consent(state) {
    const words = this.#words;
    if (state.what === 'server') {
      const { host } = state;
      return card(words['server.title'], [fill(words['server.text'], { host })],
        primary(fill(words['server.yes'], { host }), this.#actions.agree), quiet(words['consent.no'], this.#actions.decline));
    }
    const { bytes, kept, saving } = state;
    const size = bytes === null ? null : bytesText(bytes, this.#language);
    const text = size === null ? words['consent.unknown'] : fill(words[kept > 0 ? 'consent.rest' : 'consent.text'], { size });
    return card(words['consent.title'], saving ? [text, words['consent.data']] : [text],
      primary(size === null ? words['consent.yesUnknown'] : fill(words['consent.yes'], { size }), this.#actions.agree), quiet(words['consent.no'], this.#actions.decline));
  }

  #loading({ progress }, queued) {
    const words = this.#words;
    const title = element('p', { class: 'card-title', text: words['status.loading'] });
    const amount = element('p', { class: 'amount', text: '\u00a0' });
    const bar = element('div', { class: 'bar unknown', part: 'progress', role: 'progressbar', 'aria-label': words['status.loading'], 'aria-valuemin': '0', 'aria-valuemax': '100' }, element('div'));
    const pause = quiet(words['progress.pause'], () => { if (pause.getAttribute('aria-disabled') !== 'true') this.#actions.pause(); });
    pause.classList.add('off');
    const box = element('div', { class: 'card loading', part: 'card' }, element('div', { class: 'card-row' }, element('div', {}, title, amount), pause), bar,
      ...(queued ? [element('p', { class: 'hint', text: words['progress.queued'] })] : []));
    this.#bar = { bar, title, amount, pause };
    if (progress) this.progress(progress);
    return box;
  }

  #paused({ loaded, total }) {
    const words = this.#words;
    const amounts = { loaded: bytesText(loaded, this.#language), total: total && bytesText(total, this.#language) };
    return card(words['paused.title'], loaded > 0 ? [fill(words[total ? 'paused.text' : 'paused.some'], amounts)] : [], primary(words['progress.resume'], this.#actions.resume));
  }

  #problem(error, onRetry) {
    const words = this.#words;
    const { key, values } = explain(error);
    const box = card(fill(words[`problem.${key}.title`], values), [fill(words[`problem.${key}.advice`], values)], primary(words['problem.retry'], onRetry));
    box.classList.add('problem');
    box.lastChild.before(element('details', { class: 'owner' }, element('summary', { text: words['problem.details'] }),
      element('p', { lang: 'en', dir: 'ltr' }, `${error.message} `, element('code', { text: error.code }))));
    return box;
  }
}

function card(title, texts, ...buttons) {
  return element('div', { class: 'card', part: 'card', role: 'group', 'aria-label': title },
    element('p', { class: 'card-title', text: title }), ...texts.map((text) => element('p', { text })), element('div', { class: 'card-buttons' }, ...buttons));
}

const primary = (text, onclick) => element('button', { type: 'button', class: 'primary', part: 'primary', text, onclick });
const quiet = (text, onclick) => element('button', { type: 'button', class: 'quiet', part: 'quiet', text, onclick });

function warningText({ code, message, details }, words) {
  if (details?.reason === 'offline') return words['warning.offline'];
  return words[`warning.${code}`] ?? message;
}
