// The rows of the models view: one of the catalogue, one that is kept, one on its way, and the facts of the one in use.

import { discard, load, pause, resume, timeLeft } from '../downloads.js';
import { element } from '../dom.js';
import { bytes, duration, moment, parameters, rate } from '../format.js';
import { icon } from '../icons.js';
import { engineWords, warningText } from '../problems.js';
import { deviceNotice, stageOf } from '../state.js';
import { t } from '../text.js';
import { formatOf, integrityOf, pageOf } from './catalogue.js';

/** @typedef {import('../types.d.ts').Transfer} Transfer */

/**
 * A row of the catalogue.
 * @param {import('../types.d.ts').CatalogueRow} row
 * @param {import('./verdict.js').Verdict} verdict
 * @param {{ stored: boolean, current: boolean, busy: boolean, transfer?: Transfer }} state   `transfer`: it is on its way
 */
export function catalogueRow(row, verdict, { stored, current, busy, transfer }) {
  const way = transfer ? progressOf(transfer) : null;
  const get = current
    ? element('span', { class: 'badge', text: 'models.inUse' })
    : element(
        'button',
        {
          type: 'button',
          class: 'outline small get',
          disabled: verdict.kind === 'no' || busy,
          onclick: () => load(row.model, row.name, { integrity: integrityOf(row), check: !stored }),
        },
        ...named(stored ? 'models.load' : ['models.get', { size: bytes(row.downloadBytes) }], row.name),
      );
  const node = element(
    'li',
    { class: `model ${verdict.kind}` },
    element(
      'div',
      { class: 'model-what' },
      element('h3', { textContent: row.name }),
      element(
        'p',
        { class: 'hint' },
        `${row.maker} · ${formatOf(row)} · ${row.license} · `,
        element('a', { href: pageOf(row), target: '_blank', rel: 'noopener noreferrer', class: 'outside', text: 'models.about' }),
      ),
      element(
        'p',
        { class: 'tags' },
        ...row.tasks.map((task) => element('span', { class: 'tag', text: `task.${task}` })),
        ...row.languages.map((language) => element('span', { class: 'tag soft', text: `language.${language}` })),
      ),
    ),
    way ? element('div', { class: 'model-fit' }, way.bar, way.line) : element('div', { class: 'model-fit' }, verdictLine(verdict)),
    element('div', { class: 'model-get' }, ...(transfer ? transferButtons(transfer) : [get])),
  );
  return { node, model: row.model, update: way?.update };
}

/** What a button does, and for whoever hears it out of its row, with what. @param {import('../types.d.ts').Message} text @param {string} name */
function named(text, name) {
  return [element('span', { text }), element('span', { class: 'sr-only', textContent: ` ${name}` })];
}

// What keeps a model from running anywhere.
const OF_NO_SIZE = ['verdict.why.unsupported', 'verdict.why.format'];

/** @param {import('./verdict.js').Verdict} verdict */
export function verdictLine({ kind, reason, deviceBytes, speed }) {
  const label = OF_NO_SIZE.includes(reason ?? '') ? 'verdict.unsupported' : `verdict.${kind}`;
  return element(
    'p',
    { class: `verdict ${kind}` },
    icon(kind === 'fits' ? 'check' : kind === 'no' ? 'close' : 'warn'),
    element(
      'span',
      {},
      element('strong', { text: label }),
      reason ? ` ${t(reason)}` : null,
      element('span', { class: 'numbers', textContent: t('verdict.bytes', { size: bytes(deviceBytes) }) }),
      speed ? element('span', { class: 'numbers', textContent: t('verdict.speed', { rate: rate(speed) }) }) : null,
    ),
  );
}

/**
 * A model that is kept on this device.
 * @param {Pick<import('../../cresset.js').StoredModel, 'model' | 'bytes' | 'stored'>} stored
 * @param {string} name
 * @param {{ current: boolean, remove: () => void, use?: () => unknown, integrity?: string }} options
 */
export function storedRow({ model, bytes: size, stored }, name, { current, remove, integrity, use = () => load(model, name, { integrity }) }) {
  return element(
    'li',
    { class: 'model kept' },
    element(
      'div',
      { class: 'model-what' },
      element('h3', { textContent: name }),
      element('p', {
        class: 'hint',
        ...(stored ? { text: ['models.stored.since', { size: bytes(size), time: moment(Date.parse(stored)) }] } : { text: ['own.row', { size: bytes(size) }] }),
      }),
    ),
    element(
      'div',
      { class: 'model-get' },
      current
        ? element('span', { class: 'badge', text: 'models.inUse' })
        : element('button', { type: 'button', class: 'outline small', onclick: use }, ...named('models.load', name)),
      removal(name, remove),
    ),
  );
}

/** A button that deletes, once it was asked whether it should. @param {string} name @param {() => unknown} remove */
function removal(name, remove) {
  const place = element('span', { class: 'removal' });
  const begin = element('button', { type: 'button', class: 'icon-button small', 'aria-label': t('models.remove.name', { name }) }, icon('remove'));
  const keep = () => {
    place.replaceChildren(begin);
    begin.focus();
  };
  begin.addEventListener('click', () => {
    const yes = element('button', { type: 'button', class: 'danger small', onclick: remove }, ...named('common.delete', name));
    place.replaceChildren(yes, element('button', { type: 'button', class: 'quiet small', text: 'common.keep', onclick: keep }));
    yes.focus();
  });
  place.append(begin);
  return place;
}

/** How far a model is: a bar and a line, which `update` keeps true. @param {Transfer} transfer */
function progressOf(transfer) {
  const bar = element('progress', { max: 1, label: ['transfer.label', { label: transfer.label }] });
  const line = element('p', { class: 'hint numbers' });
  const update = (/** @type {Transfer} */ now) => {
    if (now.total) bar.value = now.loaded / now.total;
    else bar.removeAttribute('value');
    line.textContent = transferLine(now);
  };
  update(transfer);
  return { bar, line, update };
}

const isDownload = (/** @type {Transfer} */ { status }) => status === 'download';

/** What can be done with it. @param {Transfer} transfer */
function transferButtons(transfer) {
  const { label, state } = transfer;
  if (state === 'elsewhere') {
    return [element('button', { type: 'button', class: 'outline small', onclick: () => resume(transfer) }, ...named('transfer.here', label))];
  }
  const downloading = isDownload(transfer);
  const main =
    state === 'loading'
      ? element(
          'button',
          { type: 'button', class: 'outline small', onclick: pause },
          icon(downloading ? 'pause' : 'close'),
          element('span', { text: downloading ? 'transfer.pause' : 'common.cancel' }),
        )
      : element(
          'button',
          { type: 'button', class: 'primary small', onclick: () => resume(transfer) },
          icon('resume'),
          element('span', { text: 'transfer.resume' }),
        );
  return [main, removal(label, () => discard(transfer))];
}

/** What a row of it depends on beside how far it is. @param {Transfer} transfer */
export const keyOf = (transfer) => `${transfer.label} ${transfer.state} ${isDownload(transfer)}`;

/** A model on its way here; `update` shows how far it is. @param {Transfer} transfer */
export function transferRow(transfer) {
  const { bar, line, update } = progressOf(transfer);
  const row = element(
    'li',
    { class: 'model transfer' },
    element('div', { class: 'model-what' }, element('h3', { textContent: transfer.label }), bar, line),
    element('div', { class: 'model-get' }, ...transferButtons(transfer)),
  );
  return { row, key: keyOf(transfer), update };
}

/** 120 of 639 MB · 8.1 MB/s · 1 min left @param {Transfer} transfer */
function transferLine(transfer) {
  const { state, status, loaded, total, speed } = transfer;
  const amount = total ? t('transfer.amount', { loaded: bytes(loaded), total: bytes(total) }) : bytes(loaded);
  if (state !== 'loading') return `${t(`transfer.${state}`)} · ${amount}`;
  if (status !== 'download') return stageOf(transfer);
  if (transfer.warning) return `${warningText(transfer.warning, transfer.label)} · ${amount}`;
  const left = timeLeft(transfer);
  return [amount, speed ? t('transfer.speed', { speed: bytes(speed) }) : null, left ? t('state.left', { time: duration(left) }) : null]
    .filter(Boolean)
    .join(' · ');
}

/** What the engine says about model, device and memory. @param {import('../../cresset.js').EngineInfo} info @param {string} label */
export function facts(info, label) {
  const { model, device, memory } = info;
  const { total, ...kinds } = memory;
  const notice = deviceNotice(device);
  const pairs = [
    ['facts.device', t(device.backend === 'cpu' ? 'facts.cpu' : 'facts.gpu')],
    ['facts.name', device.description || [device.vendor, device.architecture].filter(Boolean).join(' ') || t('facts.unnamed')],
    ['facts.model', `${model.architecture}, ${parameters(model.parameters)}, ${model.quantization.toUpperCase()}`],
    ['facts.context', t('facts.tokens', { count: model.contextLength })],
    ['facts.chats', t(model.hasChatTemplate ? 'facts.chats.yes' : 'facts.chats.no')],
    ['facts.memory', bytes(total)],
  ];
  return element(
    'div',
    { class: 'card in-use' },
    element('h3', { textContent: label }),
    element(
      'dl',
      { class: 'facts' },
      ...pairs.map(([name, value]) => element('div', {}, element('dt', { text: name }), element('dd', { textContent: value }))),
    ),
    total > 0 ? memoryBar(kinds, total) : null,
    notice ? element('p', { class: 'note' }, icon('info'), element('span', { textContent: notice })) : null,
    notice && device.reason ? engineWords([device.reason]) : null,
  );
}

/** @param {Record<string, number>} kinds @param {number} total */
function memoryBar(kinds, total) {
  const parts = Object.entries(kinds).filter(([, size]) => size > 0);
  return element(
    'div',
    { class: 'memory' },
    element(
      'div',
      { class: 'shares', 'aria-hidden': 'true' },
      ...parts.map(([kind, size]) => {
        const share = element('span', { class: `share ${kind}` });
        share.style.setProperty('--share', String(size / total));
        return share;
      }),
    ),
    element(
      'ul',
      {},
      ...parts.map(([kind, size]) =>
        element('li', { class: kind }, element('span', { text: `memory.${kind}` }), ' ', element('span', { class: 'numbers', textContent: bytes(size) })),
      ),
    ),
  );
}
