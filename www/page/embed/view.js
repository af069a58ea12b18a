// The embed view: a form, the lines it makes for a site's page, and the widget as it will be there.

import { localeOf } from '../../chat/locale.js';
import { either, flag, table, text } from '../../chat/shapes.js';
import { Cresset } from '../../cresset.js';
import { answers } from '../bundled.js';
import { announce, byId, copy, element, memory } from '../dom.js';
import { icon } from '../icons.js';
import { catalogue } from '../models/catalogue.js';
import { bytes } from '../format.js';
import { KNOWN } from '../speech/models.js';
import { addWords, currentLanguage, langOf, t, words } from '../text.js';
import { ALOUD, attributesOf, policyOf, snippetOf } from './snippet.js';

const POSITIONS = ['bottom-right', 'bottom-left', 'top-right', 'top-left'];
const THEMES = ['auto', 'light', 'dark'];
const SETTLE_MS = 250;
// Of what was filled in before.
const MOST_CHARACTERS = 100_000;
const MOST_FIELDS = 100;

/**
 * @typedef {import('./snippet.js').Choices} Choices
 * @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field
 */

const isBox = (/** @type {Field} */ field) => field instanceof HTMLInputElement && field.type === 'checkbox';

/** @param {HTMLElement} section @returns {Promise<import('../router.js').View>} */
export async function createEmbed(section) {
  const [rows] = await Promise.all([catalogue(), addWords('embed')]);
  build(section, rows);
  const form = byId('embed-form');
  const frame = byId('preview');
  let timer = 0;

  const fields = () => /** @type {Field[]} */ ([...form.elements]).filter(({ name }) => name);
  const fieldOf = (/** @type {string} */ name) => fields().find((field) => field.name === name);
  const valueOf = (/** @type {string} */ name) => fieldOf(name)?.value ?? '';

  /** What stands in the form, by name. @returns {Choices} */
  const filled = () => Object.fromEntries(fields().map((field) => [field.name, isBox(field) ? /** @type {HTMLInputElement} */ (field).checked : field.value]));

  const fill = (/** @type {Choices} */ choices) => {
    for (const [name, value] of Object.entries(choices)) {
      const field = fieldOf(name);
      if (!field) continue;
      if (isBox(field)) /** @type {HTMLInputElement} */ (field).checked = value === true;
      else field.value = String(value);
    }
  };

  const choices = () => {
    const all = filled();
    return /** @type {Choices} */ ({
      ...all,
      model: all.model === 'other' ? all.address || 'default' : all.model,
      accent: all.colours ? all.accent : '',
    });
  };

  const base = () => {
    try {
      return new URL(valueOf('base') || '.', document.baseURI).href.replace(/[^/]*$/, '');
    } catch {
      return new URL('.', document.baseURI).href;
    }
  };

  function show() {
    const chosen = choices();
    byId('address-row').hidden = valueOf('model') !== 'other';
    byId('accent').disabled = !chosen.colours;
    byId('snippet').textContent = snippetOf(chosen, base());
    byId('policy').textContent = policyOf(chosen, base(), location.href);
    memory.set('embed', filled());
  }

  function preview() {
    const chosen = choices();
    frame.contentWindow?.postMessage({ attributes: attributesOf(chosen), language: langOf(currentLanguage()), missing: t('embed.missing') }, location.origin);
  }

  form.addEventListener('input', () => {
    show();
    clearTimeout(timer);
    timer = setTimeout(preview, SETTLE_MS);
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  byId('snippet-copy').addEventListener('click', async () => {
    const done = await copy(byId('snippet').textContent);
    announce(t(done ? 'common.copied' : 'common.notCopied'));
    if (!done) return getSelection()?.selectAllChildren(byId('snippet'));
    const label = byId('snippet-copy').querySelector('span');
    if (!label) return undefined;
    label.textContent = t('common.copied');
    setTimeout(() => {
      label.textContent = t('embed.copy');
    }, 1600);
    return undefined;
  });
  byId('embed-reset').addEventListener('click', () => {
    form.reset();
    fill(defaults());
    show();
    preview();
  });
  addEventListener('message', ({ source, data }) => {
    if (source === frame.contentWindow && data === 'cresset-preview-ready') preview();
  });
  words.addEventListener('change', preview);
  /** @type {Record<string, string | boolean>} */
  const kept = memory.get('embed', table(either(text(MOST_CHARACTERS), flag), MOST_FIELDS)) ?? {};
  // An earlier visit may have kept it by an older name.
  fill({ ...defaults(), ...kept, ...(kept.lang ? { lang: localeOf(kept.lang) } : {}) });
  show();

  return {
    show: () => {
      document.title = `${t('view.embed')} – Cresset`;
      if (!frame.src) frame.src = new URL('page/embed/preview.html', document.baseURI).href;
    },
  };
}

function defaults() {
  return {
    model: 'default',
    address: '',
    title: t('embed.default.title'),
    greeting: t('embed.default.greeting'),
    placeholder: t('embed.default.placeholder'),
    system: '',
    voice: '',
    images: false,
    position: 'bottom-right',
    theme: 'auto',
    lang: '',
    endpoint: '',
    consent: true,
    'local-only': false,
    colours: false,
    accent: '#c2460f',
    base: '',
  };
}

/** @param {HTMLElement} section @param {import('../types.d.ts').CatalogueRow[]} rows */
function build(section, rows) {
  const field = (/** @type {string} */ name, /** @type {HTMLElement} */ control, hint = false) =>
    element(
      'div',
      { class: 'form-field' },
      element('label', { for: control.id, text: `embed.${name}` }),
      control,
      hint ? element('p', { class: 'hint', id: `${control.id}-hint`, text: `embed.${name}.hint` }) : null,
    );
  const input = (/** @type {string} */ name, properties = {}) =>
    element('input', { id: `embed-${name}`, name, type: 'text', 'aria-describedby': `embed-${name}-hint`, ...properties });
  const area = (/** @type {string} */ name, /** @type {number} */ rowsShown) =>
    element('textarea', { id: `embed-${name}`, name, rows: rowsShown, dir: 'auto', 'aria-describedby': `embed-${name}-hint` });
  const select = (/** @type {string} */ name, /** @type {HTMLOptionElement[]} */ options) => element('select', { id: `embed-${name}`, name }, ...options);
  const toggle = (/** @type {string} */ name) =>
    element(
      'label',
      { class: 'toggle' },
      element('input', { type: 'checkbox', name, id: `embed-${name}`, role: 'switch' }),
      element('span', {}, element('span', { text: `embed.${name}` }), element('span', { class: 'hint', text: `embed.${name}.hint` })),
    );
  const models = [
    ...Cresset.models.filter(answers).map(({ id, name }, i) => element('option', { value: i === 0 ? 'default' : id, textContent: name })),
    ...rows.filter(answers).map(({ model, name, maker }) => element('option', { value: model, textContent: `${name} (${maker})` })),
    element('option', { value: 'other', text: 'embed.model.other' }),
  ];
  const voices = [
    element('option', { value: '', text: 'embed.voice.none' }),
    element('option', { value: ALOUD, text: 'embed.voice.aloud' }),
    ...KNOWN.map(({ name, model, bytes: size }) => element('option', { value: model, text: ['embed.voice.model', { name, size: bytes(size) }] })),
  ];
  section.append(
    element(
      'div',
      { class: 'page embed' },
      element('header', { class: 'page-head' }, element('h1', { text: 'embed.heading' }), element('p', { class: 'lede', text: 'embed.lede' })),
      element(
        'form',
        { id: 'embed-form', autocomplete: 'off' },
        group(
          'embed.group.assistant',
          field('model', select('model', models), true),
          Object.assign(element('div', { id: 'address-row' }), { hidden: true }),
          field('title', input('title', { dir: 'auto' })),
          field('greeting', area('greeting', 2)),
          field('placeholder', input('placeholder', { dir: 'auto' })),
          field('system', area('system', 3), true),
          field('voice', select('voice', voices), true),
          toggle('images'),
        ),
        group(
          'embed.group.look',
          field(
            'position',
            select(
              'position',
              POSITIONS.map((value) => element('option', { value, text: `embed.position.${value}` })),
            ),
          ),
          field(
            'theme',
            select(
              'theme',
              THEMES.map((value) => element('option', { value, text: `settings.theme.${value}` })),
            ),
          ),
          field(
            'lang',
            select('lang', [
              element('option', { value: '', text: 'embed.lang.page' }),
              element('option', { value: 'en', textContent: 'English', lang: 'en' }),
              element('option', { value: 'zh-CN', textContent: '简体中文', lang: 'zh-Hans' }),
            ]),
          ),
          toggle('colours'),
          element('input', { type: 'color', id: 'accent', name: 'accent', label: 'embed.accent' }),
        ),
        group(
          'embed.group.privacy',
          toggle('consent'),
          toggle('local-only'),
          field('endpoint', input('endpoint', { inputMode: 'url', placeholder: 'embed.endpoint.placeholder' }), true),
        ),
        group('embed.group.site', field('base', input('base', { inputMode: 'url', placeholder: 'embed.base.placeholder' }), true)),
        element('button', { type: 'button', id: 'embed-reset', class: 'quiet small', text: 'embed.reset' }),
      ),
      element(
        'div',
        { class: 'embed-result' },
        element(
          'section',
          { 'aria-labelledby': 'preview-title' },
          element(
            'div',
            { class: 'result-head' },
            element('h2', { id: 'preview-title', text: 'embed.preview' }),
            element('p', { class: 'hint', text: 'embed.preview.hint' }),
          ),
          element(
            'div',
            { class: 'browser' },
            element('div', { class: 'browser-bar', 'aria-hidden': 'true' }, element('i'), element('i'), element('i')),
            Object.assign(element('iframe', { id: 'preview' }), { title: t('embed.preview') }),
          ),
        ),
        element(
          'section',
          { 'aria-labelledby': 'snippet-title' },
          element(
            'div',
            { class: 'result-head' },
            element('h2', { id: 'snippet-title', text: 'embed.snippet' }),
            element('button', { type: 'button', id: 'snippet-copy', class: 'primary small' }, icon('copy'), element('span', { text: 'embed.copy' })),
          ),
          element('pre', { class: 'code-block', tabIndex: 0, label: 'embed.snippet', role: 'group' }, element('code', { id: 'snippet' })),
          element(
            'details',
            { class: 'policy' },
            element('summary', { text: 'embed.policy' }),
            element('p', { class: 'hint', text: 'embed.policy.hint' }),
            element('pre', { class: 'code-block', tabIndex: 0, label: 'embed.policy', role: 'group' }, element('code', { id: 'policy' })),
          ),
        ),
      ),
    ),
  );
  byId('address-row').append(field('address', input('address', { inputMode: 'url', placeholder: 'address.placeholder' }), true));
}

/** @param {string} title @param {...HTMLElement} children */
function group(title, ...children) {
  return element('fieldset', {}, element('legend', { text: title }), ...children);
}
