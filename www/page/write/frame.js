// The write view's parts, before anything is in them.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { samplingForm } from '../sampling.js';

/** For who came to ask something: where that is done. */
function whatFor() {
  return element(
    'p',
    { class: 'hint', id: 'write-for', hidden: true },
    element('span', { text: 'write.for' }),
    ' ',
    element('a', { href: '#/chat', text: 'write.toChat' }),
  );
}

/** @param {HTMLElement} section */
export function buildFrame(section) {
  const quiet = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ name) =>
    element('button', { type: 'button', class: 'quiet', id }, icon(name), element('span', { text: label }));
  const figure = (/** @type {string} */ id, /** @type {string} */ label) =>
    element('div', {}, element('dt', { text: label }), element('dd', { id, class: 'numbers', textContent: '–' }));
  const toggle = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ hint) =>
    element(
      'label',
      { class: 'toggle' },
      element('input', { type: 'checkbox', id, role: 'switch' }),
      element('span', {}, element('span', { text: label }), element('span', { class: 'hint', text: hint })),
    );
  section.append(
    element(
      'div',
      { class: 'write-main' },
      element(
        'header',
        { class: 'page-head' },
        element('div', {}, element('h1', { text: 'write.title' }), element('p', { class: 'lede', text: 'write.lede' }), whatFor()),
        element('button', { type: 'button', id: 'write-panel-button', class: 'icon-button', label: 'write.panel.show' }, icon('panel')),
      ),
      element(
        'form',
        { id: 'write-form', class: 'paper', autocomplete: 'off' },
        element(
          'div',
          { class: 'sheet', id: 'sheet' },
          element('div', { class: 'ink', id: 'ink', 'aria-hidden': 'true', dir: 'auto' }),
          element('textarea', {
            id: 'text',
            spellcheck: false,
            autocapitalize: 'sentences',
            dir: 'auto',
            label: 'write.text',
            placeholder: 'write.placeholder',
            'aria-describedby': 'write-help',
          }),
        ),
        element('div', { id: 'token-card', class: 'token-card', role: 'group', label: 'write.card', hidden: true }),
        element('p', { class: 'sr-only', id: 'write-help', text: 'write.help' }),
        element('div', { id: 'starters', class: 'chips', role: 'group', label: 'write.starters' }),
        element(
          'div',
          { class: 'actions' },
          element('button', { class: 'primary', id: 'write-go' }),
          quiet('write-again', 'write.again', 'again'),
          quiet('write-undo', 'write.undo', 'left'),
          element('span', { class: 'spring' }),
          quiet('write-copy', 'common.copy', 'copy'),
          quiet('write-clear', 'write.clear', 'remove'),
        ),
      ),
      element(
        'div',
        { class: 'readout' },
        element('div', { class: 'readout-words' }, element('p', { class: 'state', id: 'write-state' }), element('p', { class: 'state', id: 'write-end' })),
        element(
          'dl',
          { class: 'meter' },
          figure('speed', 'meter.speed'),
          figure('first-token', 'meter.first'),
          figure('count', 'meter.count'),
          figure('seed-used', 'meter.seed'),
        ),
      ),
    ),
    element(
      'aside',
      { id: 'write-panel', class: 'drawer right', label: 'write.panel' },
      element(
        'div',
        { class: 'drawer-body' },
        element('h2', { text: 'write.tokens' }),
        toggle('inspect', 'write.inspect', 'write.inspect.hint'),
        toggle('tint', 'write.tint', 'write.tint.hint'),
        element('h2', { text: 'sampling.title' }),
        samplingForm('write'),
      ),
    ),
  );
}
