// The page: its words, its frame, the model it begins with. The views come when they are opened.

import { isKept } from './chat/kept.js';
import { flag, object, oneOf, text } from './chat/shapes.js';
import { Cresset } from './cresset.js';
import { offered, small } from './page/bundled.js';
import { byId, memory } from './page/dom.js';
import { activeTransfer, downloads, load, setUpDownloads } from './page/downloads.js';
import { flame } from './page/flame.js';
import { bytes } from './page/format.js';
import { icon } from './page/icons.js';
import { askAgain, setUpDrop } from './page/models/drop.js';
import { keepOffline, tellOffline } from './page/offline.js';
import { OWN, keptOwn, ownFiles } from './page/own-files.js';
import { showNotice, toast } from './page/problems.js';
import { currentView, go, startRouter, viewOf } from './page/router.js';
import { session } from './page/session.js';
import { setUpSettings } from './page/settings.js';
import { setUpShortcuts } from './page/shortcuts.js';
import { describeTransfer, deviceNotice } from './page/state.js';
import { say, t, useLanguage, words } from './page/text.js';
import { allowed, mayFetch } from './page/save-data.js';

/** Each is fetched when it is first opened. @type {Record<string, import('./page/router.js').FetchView>} */
const VIEWS = {
  chat: async () => (await import('./page/chat/view.js')).createChat,
  write: async () => (await import('./page/write/view.js')).createWrite,
  listen: async () => (await import('./page/listen/view.js')).createListen,
  models: async () => (await import('./page/models/view.js')).createModels,
  embed: async () => (await import('./page/embed/view.js')).createEmbed,
};

// Characters of what is remembered.
const NAME = 200;
const ADDRESS = 10_000;

/** The engine that the visitor knows of. @type {import('./cresset.js').Engine | null} */
let toldAbout = null;

byId('outdated').remove();
byId('brand').prepend(flame('head'));
byId('settings-button').append(icon('settings'));
for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-view]'))) link.prepend(icon(link.dataset.view ?? ''));

const listing = Cresset.cache.list();
await useLanguage(memory.get('language', text(NAME)), ...navigator.languages);
setUpDownloads({ chooseModel: () => go('models') });
setUpSettings();
setUpDrop();
setUpShortcuts({ search: openSearch, fresh: () => go('chat', 'new') });
session.addEventListener('change', showModel);
downloads.addEventListener('change', showModel);
words.addEventListener('change', showModel);
showModel();
const stored = await listing;
const views = startRouter(VIEWS, memory.get('view', oneOf(Object.keys(VIEWS))) ?? (offered && isHere(offered.id) ? 'chat' : 'write'));
document.documentElement.dataset.ready = '';
tellOffline();
loadFirst();
// What becomes of the view is none of its business.
views
  .catch(() => {})
  .then(() => allowed)
  .then(keepOffline);
await views;

/** Whether a model was on this device when the page began. @param {string} model */
function isHere(model) {
  return isKept(stored, model, Cresset.models);
}

/** The model of the last visit, or the one that chats, if it is here; else the small one, unless data is to be saved. */
async function loadFirst() {
  const last = memory.get('model', object({ model: text(ADDRESS), label: text(ADDRESS) }, { integrity: text(NAME) }));
  const own = last?.model === OWN ? ownFiles() : null;
  const files = own && (await keptOwn(own));
  if (own && files) return load(files, own.label, { quiet: true });
  if (own) askAgain(own.label);
  if (last && isHere(last.model)) return load(last.model, last.label, { integrity: last.integrity, quiet: true });
  const first = offered && isHere(offered.id) ? offered : small;
  if (!first) return undefined;
  const begin = () => load(first.id, first.name, { quiet: true });
  if (isHere(first.id) || mayFetch()) return begin();
  const size = await sizeOf(first.id);
  if (mayFetch()) return undefined; // the visitor was faster, with another one
  const words = size === null ? t('page.saveData', { name: first.name }) : t('page.saveData.size', { name: first.name, size: bytes(size) });
  showNotice(words, [
    { label: 'page.saveData.load', primary: true, run: begin },
    { label: 'problem.other', run: () => go('models') },
  ]);
  return undefined;
}

/** Bytes of a model and the engine, as far as their server says. @param {string} model */
async function sizeOf(model) {
  try {
    const { bytes: size, engineBytes } = await Cresset.measure(model);
    return size === null || engineBytes === null ? null : size + engineBytes;
  } catch {
    return null;
  }
}

async function openSearch() {
  await go('chat');
  (await viewOf('chat'))?.search?.();
}

/** The chip in the head, and the line of progress below it. */
function showModel() {
  const { state, engine, label } = session;
  const transfer = activeTransfer();
  document.documentElement.dataset.state = state;
  if (label || transfer) {
    delete byId('model-name').dataset.text;
    byId('model-name').textContent = transfer?.label ?? label;
  } else {
    say(byId('model-name'), 'text', 'models.choose');
  }
  const bar = byId('progress');
  bar.hidden = !transfer;
  byId('model-progress').textContent = '';
  if (transfer) {
    const { loaded, total } = transfer;
    const percent = total ? Math.min(Math.round((loaded / total) * 100), 100) : null;
    if (percent === null) bar.removeAttribute('aria-valuenow');
    else bar.setAttribute('aria-valuenow', String(percent));
    bar.setAttribute('aria-valuetext', describeTransfer(transfer));
    bar.classList.toggle('unknown', !percent); // a stage of one step would show nothing until it ends
    bar.style.setProperty('--fraction', String((percent ?? 0) / 100));
    byId('model-progress').textContent = percent === null ? '' : t('state.percent', { percent });
  }
  if (engine && engine !== toldAbout) tellAbout(engine);
}

/** A new model is here: what to know about its device, where to go with it. @param {import('./cresset.js').Engine} engine */
function tellAbout(engine) {
  const first = toldAbout === null;
  toldAbout = engine;
  const notice = deviceNotice(engine.info.device);
  if (notice && !memory.get('told-device', flag)) {
    const told = () => memory.set('told-device', true);
    // The whole of it stands among the facts of the model in use.
    const [line] = /^.+?(?:\.(?= |$)|。)/.exec(notice) ?? [notice];
    showNotice(
      line,
      [
        {
          label: 'device.more',
          run: () => {
            told();
            go('models');
          },
        },
      ],
      told,
    );
  }
  if (!first && currentView() === 'models')
    toast(
      t('load.ready', { label: session.label }),
      session.canChat ? { label: 'load.chat', run: () => go('chat') } : { label: 'load.write', run: () => go('write') },
      'ready',
    );
}
