// Errors in words: what happened, what to do, and for whoever wants it the library's own sentence and code.

import { explain as explainIn } from '../chat/problems.js';
import { byId, copy, element, sentence } from './dom.js';
import { t, translation } from './text.js';

/**
 * @typedef {import('../chat/types.d.ts').Failure & { message: string }} Failure
 * @typedef {import('./types.d.ts').Action} Action
 */

// Texts of more letters take longer to read.
const LONG = 60;

/**
 * @param {Failure} error
 * @returns {{ title: string, advice: string }} in the page's language
 */
export const explain = (error) => explainIn(error, translation());

/**
 * What a load that goes on warns of, in the page's language.
 * @param {NonNullable<import('../cresset.js').Progress['warning']>} warning
 * @param {string} label   of the model
 */
export function warningText({ code, message, details }, label) {
  const key = `warning.${code}.${details?.reason}`;
  const words = t(key, { label });
  return words === key ? sentence(message) : words;
}

/**
 * A card that says it.
 * @typedef {{ subject?: string, actions?: Action[], onClose?: () => void, renews?: boolean }} CardOptions   `subject`: what it is
 *   about, a model's name say; `renews`: another engine is on its way
 *
 * @param {Failure} error
 * @param {CardOptions} [options]
 */
export function problemCard(error, { subject, actions = [], onClose, renews = false } = {}) {
  const { title, advice } = explain(error);
  const card = element('div', { class: 'problem', role: 'alert' });
  const close = () => {
    card.remove();
    onClose?.();
  };
  const buttons = actions.map(({ label, run, primary }) =>
    element('button', {
      type: 'button',
      class: primary ? 'primary small' : 'quiet small',
      text: label,
      onclick: () => {
        close();
        run();
      },
    }),
  );
  card.append(
    element('p', {}, element('strong', { textContent: subject ? `${subject}: ${title}` : title }), ' ', renews ? t('problem.renewed') : advice),
    element(
      'details',
      { class: 'problem-detail' },
      element('summary', { text: 'problem.details' }),
      element('p', { lang: 'en' }, sentence(error.message), ' ', element('code', { textContent: error.code })),
      element('button', { type: 'button', class: 'link', text: 'problem.copy', onclick: () => copyReport(error) }),
    ),
    element(
      'div',
      { class: 'problem-actions' },
      ...buttons,
      element('button', { type: 'button', class: 'quiet small', text: 'problem.dismiss', onclick: close }),
    ),
  );
  return card;
}

/** @param {Failure} error */
async function copyReport(error) {
  toast(t((await copy(import('./report.js').then(({ reportOf }) => reportOf(error)))) ? 'problem.copied' : 'problem.notCopied'), undefined, 'report');
}

/**
 * What the engine says in its own words, for whoever wants it.
 * @param {string[]} reasons
 * @returns {HTMLElement | null}
 */
export function engineWords(reasons) {
  if (reasons.length === 0) return null;
  return element(
    'details',
    { class: 'problem-detail' },
    element('summary', { text: 'problem.details' }),
    element('ul', { class: 'reasons', lang: 'en' }, ...reasons.map((reason) => element('li', { textContent: sentence(reason) }))),
  );
}

/** Shows a card above the view, in place of the last one. @param {Failure} error @param {CardOptions} [options] */
export function showProblem(error, options) {
  byId('notices').replaceChildren(problemCard(error, options));
}

export function clearProblems() {
  for (const card of byId('notices').querySelectorAll(':scope > :not(.question)')) card.remove();
}

/**
 * Something to know that is no error.
 * @param {string} text
 * @param {Action[]} [actions]
 * @param {() => void} [onDismiss]
 */
export function showNotice(text, actions = [], onDismiss = () => {}) {
  byId('notices').replaceChildren(noticeCard('problem info', text, [...actions, { label: 'problem.dismiss', run: onDismiss }]));
}

/** Asks something that may be left unanswered; what else is said stays. @param {string} text @param {Action[]} actions */
export function showQuestion(text, actions) {
  for (const other of byId('notices').querySelectorAll('.question')) other.remove();
  byId('notices').append(noticeCard('question', text, [...actions, { label: 'common.notNow', run: () => {} }]));
}

/** @param {string} kind @param {string} text @param {Action[]} actions */
function noticeCard(kind, text, actions) {
  const card = element('div', { class: kind, role: 'status' });
  const buttons = actions.map(({ label, run, primary }) =>
    element('button', {
      type: 'button',
      class: primary ? 'primary small' : 'quiet small',
      text: label,
      onclick: () => {
        card.remove();
        run();
      },
    }),
  );
  card.append(element('p', { textContent: text, title: text }), element('div', { class: 'problem-actions' }, ...buttons));
  return card;
}

/**
 * A few words that need no answer; they go by themselves.
 * @param {string} text
 * @param {Action} [action]
 * @param {string} [topic]   the last words on a topic take the place of the ones before
 */
export function toast(text, action, topic = '') {
  if (topic) untoast(topic);
  // What is still there need not be said again.
  if ([...byId('toasts').children].some(({ firstChild }) => firstChild?.textContent === text)) return;
  const note = element(
    'div',
    { class: 'toast', role: 'status', 'data-topic': topic },
    element('span', { textContent: text }),
    action
      ? element('button', {
          type: 'button',
          class: 'link',
          text: action.label,
          onclick: () => {
            note.remove();
            action.run();
          },
        })
      : null,
  );
  byId('toasts').append(note);
  setTimeout(() => note.remove(), action || text.length > LONG ? 12_000 : 5000);
}

/** What was said on a topic no longer matters. @param {string} topic */
export function untoast(topic) {
  for (const note of byId('toasts').querySelectorAll(`[data-topic="${topic}"]`)) note.remove();
}
