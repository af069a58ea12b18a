// Errors in words, with their code. A new one replaces the last; nothing else on the page changes.

import { byId, element, sentence } from './dom.js';

/**
 * @param {import('../errors.js').CressetError} error
 * @param {{ title?: string, actions?: { label: string, run: () => void }[] }} [options]
 */
export function showError(error, { title, actions = [] } = {}) {
  const buttons = actions.map(({ label, run }) => element('button', {
    type: 'button', class: 'quiet small', textContent: label,
    onclick: () => { clearNotice(); run(); },
  }));
  const close = element('button', { type: 'button', class: 'quiet small', textContent: 'Dismiss', onclick: clearNotice });
  const notice = element('div', { class: 'notice error', role: 'alert' },
    element('p', {}, title ? element('strong', { textContent: `${title} ` }) : null, sentence(error.message)),
    element('div', { class: 'notice-foot' }, element('code', { textContent: error.code }), ...buttons, close));
  byId('notices').replaceChildren(notice);
  notice.scrollIntoView({ block: 'nearest' });
}

export function clearNotice() {
  byId('notices').replaceChildren();
}
