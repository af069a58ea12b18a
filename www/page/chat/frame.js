// The chat view's parts, before anything is in them.

import { element } from '../dom.js';
import { icon } from '../icons.js';
import { samplingForm } from '../sampling.js';

/** @param {HTMLElement} section */
export function buildFrame(section) {
  section.append(list(), main(), panel());
}

function list() {
  return element(
    'aside',
    { id: 'chat-list', class: 'drawer left', label: 'chat.list' },
    element(
      'div',
      { class: 'drawer-head' },
      element('button', { type: 'button', id: 'new-chat', class: 'outline wide' }, icon('plus'), element('span', { text: 'chat.new' })),
      element(
        'div',
        { class: 'search' },
        icon('search'),
        element('input', { type: 'search', id: 'conversation-search', label: 'chat.search', placeholder: 'chat.search', autocomplete: 'off' }),
      ),
    ),
    element('nav', { id: 'conversations', label: 'chat.list', class: 'drawer-body' }),
    element(
      'div',
      { class: 'drawer-foot' },
      element(
        'label',
        { class: 'quiet small file-label' },
        element('input', { type: 'file', id: 'import', accept: '.json,.md,application/json,text/markdown', class: 'sr-only', multiple: true }),
        element('span', { text: 'chat.import' }),
      ),
      element('button', { type: 'button', id: 'export-all', class: 'quiet small', text: 'chat.export.all' }),
    ),
  );
}

function main() {
  return element(
    'div',
    { class: 'chat-main' },
    element(
      'div',
      { class: 'view-head' },
      element('button', { type: 'button', id: 'list-button', class: 'icon-button', label: 'chat.list.show' }, icon('menu')),
      element('h1', { id: 'chat-title', dir: 'auto' }),
      element('button', { type: 'button', id: 'panel-button', class: 'icon-button', label: 'chat.panel.show' }, icon('panel')),
    ),
    // The words of an answer are read by the speaker, sentence by sentence; the log itself stays silent.
    element(
      'div',
      { id: 'chat-scroll', role: 'log', 'aria-live': 'off', label: 'chat.log', tabIndex: 0 },
      element('div', { id: 'chat-empty' }),
      element('div', { id: 'turns' }),
      element('div', { id: 'chat-end' }),
    ),
    element('button', { type: 'button', id: 'to-end', class: 'icon-button', label: 'chat.toEnd', hidden: true }, icon('down')),
    element('ul', { id: 'chat-coming', class: 'model-list', label: 'models.transfers', hidden: true }),
    element('ul', { id: 'chat-queue', label: 'chat.queue', hidden: true }),
    element(
      'form',
      { id: 'composer', class: 'composer', autocomplete: 'off' },
      element('div', { id: 'chat-pictures', hidden: true }),
      element('textarea', { id: 'message', rows: 1, dir: 'auto', label: 'chat.message', placeholder: 'chat.message.placeholder' }),
      element('p', { id: 'dictation', class: 'dictation', hidden: true }),
      element(
        'div',
        { class: 'composer-row' },
        element('button', { type: 'button', id: 'attach', class: 'icon-button', label: 'pictures.attach', hint: 'pictures.attach' }, icon('picture')),
        element('p', { class: 'state', id: 'chat-state' }),
        element(
          'button',
          { type: 'button', id: 'dictate', class: 'icon-button', label: 'dictation.start', hint: 'dictation.start', 'aria-pressed': 'false' },
          icon('mic'),
        ),
        element('button', { id: 'chat-go', class: 'round primary' }),
      ),
    ),
  );
}

function panel() {
  const thinking = element('select', { id: 'thinking' }, ...['auto', 'on', 'off'].map((value) => element('option', { value, text: `chat.thinking.${value}` })));
  return element(
    'aside',
    { id: 'chat-panel', class: 'drawer right', label: 'chat.panel' },
    element(
      'div',
      { class: 'drawer-body' },
      element('h2', { text: 'chat.system' }),
      element('textarea', {
        id: 'system',
        rows: 4,
        dir: 'auto',
        label: 'chat.system',
        placeholder: 'chat.system.placeholder',
        'aria-describedby': 'system-hint',
      }),
      element('p', { class: 'hint', id: 'system-hint', text: 'chat.system.hint' }),
      element('div', { class: 'field field-head' }, element('label', { for: 'thinking', text: 'chat.thinking.label' }), thinking),
      element('p', { class: 'hint', text: 'chat.thinking.hint' }),
      element('h2', { text: 'sampling.title' }),
      samplingForm('chat'),
    ),
  );
}
