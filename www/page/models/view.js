// The models view: the one in use, what is on its way and kept here, the catalogue, and models from elsewhere.

import { Cresset } from '../../cresset.js';
import { adopt, downloads, load, settle, transfers } from '../downloads.js';
import { byId, element } from '../dom.js';
import { bytes } from '../format.js';
import { icon } from '../icons.js';
import { OWN, keptOwn, ownFiles, removeOwn } from '../own-files.js';
import { toast, untoast } from '../problems.js';
import { session } from '../session.js';
import { isKnownSpeech } from '../speech/models.js';
import { allowed, mayFetch } from '../save-data.js';
import { say, t, words } from '../text.js';
import { lookAt } from './address.js';
import { SIZES, catalogue, integrityOf, matching, nameOf } from './catalogue.js';
import { loadFiles, useSpeech } from './drop.js';
import { catalogueRow, facts, keyOf, storedRow, transferRow } from './rows.js';
import { estimates, situation } from './estimates.js';
import { judgeRow, thisDevice } from './verdict.js';

// So long a model that was deleted can be had back.
const UNDO_MS = 10_000;

/** @typedef {import('../types.d.ts').Transfer} Transfer */

/** @param {HTMLElement} section @returns {Promise<import('../router.js').View>} */
export async function createModels(section) {
  const rows = await catalogue();
  build(section, rows);
  /** @type {import('./estimates.js').Estimates | null} */
  let known = null;
  let knownFor = situation();
  let insists = false; // on a measure that data saving held back
  let failed = false; // the last measure
  /** @type {import('../../cresset.js').StoredModel[]} */
  let stored = [];
  /** @type {ReturnType<typeof transferRow>[]} */
  let transferRows = [];
  /** @type {ReturnType<typeof catalogueRow>[]} */
  let catalogueRows = [];
  let catalogueKey = '';
  /** Models that will be deleted, each with what waits for it. @type {Map<string, number>} */
  const going = new Map();
  let removals = 0;

  const filter = () => ({ task: byId('filter-task').value, size: byId('filter-size').value, maker: byId('filter-maker').value });
  const isCurrent = (/** @type {string} */ model) => session.engine !== null && session.model === model;

  function showCatalogue() {
    const here = thisDevice();
    const shown = matching(rows, filter());
    const coming = transfers();
    catalogueRows = shown.map((row) =>
      catalogueRow(row, judgeRow(row, known?.get(row.model), here), {
        stored: stored.some(({ model }) => model === row.model && !going.has(model)),
        current: isCurrent(row.model),
        busy: session.loading?.model === row.model,
        transfer: coming.find(({ model }) => model === row.model),
      }),
    );
    byId('catalogue').replaceChildren(...catalogueRows.map(({ node }) => node));
    catalogueKey = keyOfCatalogue(coming);
    byId('catalogue-none').hidden = shown.length > 0;
    const held = !known && !insists && !mayFetch();
    byId('catalogue-measure').textContent = t(known ? 'models.measured' : held ? 'models.unmeasured' : failed ? 'models.unmeasurable' : 'models.measuring');
    byId('measure').hidden = !held && !failed;
    say(byId('measure'), 'text', held ? 'models.measure' : 'models.measureAgain');
  }

  function showInUse() {
    byId('in-use').replaceChildren(
      session.engine ? facts(session.engine.info, session.label) : element('p', { class: 'soft', text: session.loading ? 'models.loading' : 'models.none' }),
    );
  }

  async function showStored() {
    const [list, usage, kept] = await Promise.all([Cresset.cache.list({ partial: true }), Cresset.cache.usage(), navigator.storage?.persisted?.() ?? false]);
    adopt(
      list.filter(({ complete }) => complete === false).map(({ model, bytes, total = null }) => ({ model, label: nameOf(model, rows), loaded: bytes, total })),
    );
    stored = list.filter(({ complete }) => complete !== false);
    settle(stored);
    const shown = stored.filter(({ model }) => !going.has(model));
    const own = ownFiles();
    byId('stored').replaceChildren(
      ...(own?.kept && !going.has(OWN) ? [ownRow(own)] : []),
      ...shown.map((entry) =>
        storedRow(entry, nameOf(entry.model, rows), {
          current: isCurrent(entry.model),
          integrity: integrityOf(rows.find(({ model }) => model === entry.model) ?? {}),
          remove: () => remove(entry.model),
          ...(isKnownSpeech(entry.model) ? { use: () => useSpeech(entry.model, nameOf(entry.model, rows)) } : {}),
        }),
      ),
    );
    byId('stored-none').hidden = byId('stored').childElementCount > 0;
    showUsage(usage, kept);
  }

  /** @param {import('../own-files.js').Own} own */
  function ownRow(own) {
    const use = async () => load((await keptOwn(own)) ?? [], own.label);
    const current = session.engine !== null && session.label === own.label && typeof session.model !== 'string';
    return storedRow({ model: OWN, bytes: own.bytes, stored: '' }, own.label, { current, use, remove: () => remove(OWN) });
  }

  /** @param {import('../../cresset.js').StorageUsage} usage @param {boolean} kept */
  function showUsage({ models, origin, quota }, kept) {
    const free = quota === null ? null : Math.max(quota - (origin ?? models), 0);
    byId('usage').textContent =
      free === null ? t('storage.used', { used: bytes(models) }) : t('storage.usedAndFree', { used: bytes(models), free: bytes(free) });
    byId('usage-bar').value = quota ? Math.min((origin ?? models) / quota, 1) : 0;
    byId('usage-bar').hidden = !quota;
    byId('kept').textContent = t(kept ? 'storage.persisted' : 'storage.best');
    byId('keep').hidden = kept || models === 0 || !navigator.storage?.persist;
  }

  function showTransfers() {
    const all = transfers().filter(({ quiet, status }) => !quiet || status === 'download');
    const keys = all.map((transfer) => transferRow(transfer).key).join();
    if (keys !== transferRows.map(({ key }) => key).join()) {
      transferRows = all.map(transferRow);
      byId('transfers').replaceChildren(...transferRows.map(({ row }) => row));
    }
    transferRows.forEach(({ update }, i) => update(all[i]));
    byId('transfers-section').hidden = all.length === 0;
    if (keyOfCatalogue(all) !== catalogueKey) return showCatalogue();
    for (const { model, update } of catalogueRows) {
      const transfer = all.find((each) => each.model === model);
      if (transfer) update?.(transfer);
    }
    return undefined;
  }

  /** Of the transfers, those with a row in the catalogue. @param {Transfer[]} all */
  function keyOfCatalogue(all) {
    return all
      .filter(({ model }) => rows.some((row) => row.model === model))
      .map((transfer) => `${transfer.model} ${keyOf(transfer)}`)
      .join();
  }

  /** A model that would be deleted stays. @param {string} model */
  function takeBack(model) {
    clearTimeout(going.get(model));
    if (going.delete(model)) refresh();
  }

  /** Deletes a model in ten seconds, if the visitor does not take it back. @param {string} model */
  function remove(model) {
    const topic = `removed-${(removals += 1)}`;
    const end = async () => {
      untoast(topic);
      going.delete(model);
      await (model === OWN ? removeOwn() : Cresset.cache.delete(model));
      if (!section.hidden) refresh();
    };
    going.set(model, setTimeout(end, UNDO_MS));
    toast(
      t('models.removed', { name: model === OWN ? (ownFiles()?.label ?? '') : nameOf(model, rows) }),
      { label: 'common.undo', run: () => takeBack(model) },
      topic,
    );
    refresh();
  }

  async function refresh() {
    showInUse();
    showTransfers();
    await showStored();
    showCatalogue();
  }

  async function measureHere() {
    knownFor = situation();
    const held = !insists && !mayFetch();
    known = await estimates({ insists });
    failed = !known && !held;
    showCatalogue();
  }

  // What data saving held back comes with the first model.
  if (!mayFetch())
    allowed.then(() => {
      if (!section.hidden) measureHere();
    });

  let lastShown = '';
  session.addEventListener('change', () => {
    // Who takes it up again keeps it.
    if (typeof session.loading?.model === 'string') takeBack(session.loading.model);
    const now = [session.engine?.info.model.name, session.label, session.loading?.label, situation()].join();
    if (now === lastShown || section.hidden) return;
    lastShown = now;
    refresh();
    if (knownFor !== situation()) measureHere();
  });
  downloads.addEventListener('change', () => {
    if (!section.hidden) showTransfers();
  });
  downloads.addEventListener('over', () => {
    if (!section.hidden) refresh();
  });
  words.addEventListener('change', () => {
    transferRows = [];
    refresh();
  });
  for (const id of ['filter-task', 'filter-size', 'filter-maker']) byId(id).addEventListener('change', showCatalogue);
  byId('measure').addEventListener('click', () => {
    insists = true;
    failed = false;
    showCatalogue();
    measureHere();
  });
  // Who leaves has made up their mind.
  addEventListener('pagehide', () => [...going.keys()].forEach((model) => (model === OWN ? removeOwn() : Cresset.cache.delete(model))));
  byId('keep').addEventListener('click', async () => {
    toast(t((await navigator.storage.persist()) ? 'storage.kept' : 'storage.notKept'));
    showStored();
  });

  return {
    async show() {
      document.title = `${t('view.models')} – Cresset`;
      await refresh();
      measureHere();
    },
    // Who leaves knows where to go.
    hide: () => untoast('ready'),
  };
}

/** @param {HTMLElement} section @param {import('../types.d.ts').CatalogueRow[]} rows */
function build(section, rows) {
  const makers = [...new Set(rows.map(({ maker }) => maker))].sort();
  const tasks = [...new Set(rows.flatMap(({ tasks }) => tasks))];
  section.append(
    element(
      'div',
      { class: 'page' },
      element('header', { class: 'page-head' }, element('h1', { text: 'models.title' }), element('p', { class: 'lede', text: 'models.lede' })),
      element(
        'section',
        { 'aria-labelledby': 'in-use-title' },
        element('h2', { id: 'in-use-title', text: 'models.current' }),
        element('div', { id: 'in-use' }),
      ),
      element(
        'section',
        { id: 'transfers-section', 'aria-labelledby': 'transfers-title', hidden: true },
        element('h2', { id: 'transfers-title', text: 'models.transfers' }),
        element('ul', { id: 'transfers', class: 'model-list' }),
      ),
      element(
        'section',
        { 'aria-labelledby': 'stored-title' },
        element('h2', { id: 'stored-title', text: 'models.stored' }),
        element('ul', { id: 'stored', class: 'model-list' }),
        element('p', { id: 'stored-none', class: 'soft', text: 'models.stored.none', hidden: true }),
        element(
          'div',
          { class: 'usage' },
          element('progress', { id: 'usage-bar', max: 1, value: 0, label: 'storage.bar' }),
          element(
            'p',
            { class: 'hint' },
            element('span', { id: 'usage', class: 'numbers' }),
            ' ',
            element('span', { id: 'kept' }),
            ' ',
            element('button', { type: 'button', id: 'keep', class: 'link', text: 'storage.ask', hidden: true }),
          ),
        ),
      ),
      element(
        'section',
        { 'aria-labelledby': 'catalogue-title' },
        element('h2', { id: 'catalogue-title', text: 'models.catalogue' }),
        element('p', { class: 'hint', text: 'models.catalogue.hint' }),
        element(
          'div',
          { class: 'filters' },
          select(
            'filter-task',
            'filter.task',
            tasks.map((value) => ({ value, text: `task.${value}` })),
          ),
          select(
            'filter-size',
            'filter.size',
            Object.keys(SIZES).map((value) => ({ value, text: `size.${value}` })),
          ),
          select(
            'filter-maker',
            'filter.maker',
            makers.map((value) => ({ value, textContent: value })),
          ),
          element('p', { class: 'hint', id: 'catalogue-measure', role: 'status' }),
          element('button', { type: 'button', id: 'measure', class: 'link', text: 'models.measure', hidden: true }),
        ),
        element('ul', { id: 'catalogue', class: 'model-list' }),
        element('p', { id: 'catalogue-none', class: 'soft', text: 'models.catalogue.none', hidden: true }),
      ),
      element(
        'section',
        { class: 'elsewhere', 'aria-labelledby': 'elsewhere-title' },
        element('h2', { id: 'elsewhere-title', text: 'models.elsewhere' }),
        element(
          'form',
          { id: 'address-form', class: 'address', autocomplete: 'off' },
          element('label', { for: 'address', text: 'address.label' }),
          element(
            'div',
            { class: 'address-row' },
            element('input', { id: 'address', type: 'text', inputMode: 'url', spellcheck: false, autocapitalize: 'off', placeholder: 'address.placeholder' }),
            element('button', { class: 'outline', text: 'address.look' }),
          ),
          element('p', { class: 'hint', text: 'address.hint' }),
        ),
        element('div', { id: 'fit', 'aria-live': 'polite' }),
        element(
          'div',
          { class: 'files' },
          fileButton('file', 'file', 'files.choose', { accept: '.gguf,.safetensors,.bin,.json,.jinja' }),
          fileButton('folder', 'folder', 'files.folder', { webkitdirectory: true }),
          element('p', { class: 'hint', text: 'files.hint' }),
        ),
      ),
    ),
  );
  byId('address-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const address = byId('address').value.trim();
    if (address) lookAt(address, byId('fit'));
    else byId('address').focus();
  });
  for (const input of [byId('file'), byId('folder')]) {
    input.addEventListener('change', () => {
      loadFiles([...(input.files ?? [])]);
      input.value = '';
    });
  }
}

/** @param {string} id @param {string} label @param {{ value: string, text?: string, textContent?: string }[]} options */
function select(id, label, options) {
  return element(
    'label',
    { class: 'filter' },
    element('span', { text: label }),
    element('select', { id }, element('option', { value: '', text: 'filter.any' }), ...options.map((option) => element('option', option))),
  );
}

/** @param {string} id @param {string} name @param {string} label @param {object} properties */
function fileButton(id, name, label, properties) {
  return element(
    'label',
    { class: 'outline file-label' },
    element('input', { type: 'file', id, class: 'sr-only', multiple: true, ...properties }),
    icon(name),
    element('span', { text: label }),
  );
}
