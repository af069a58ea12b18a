// The chat view: joins the conversation with its turns on the page, the composer, the list and the panel.

import { Speaker } from '../../chat/answer/speaker.js';
import { partsOf } from '../../chat/answer/thought.js';
import { waysToAnswer } from '../../chat/problems.js';
import { isPicture } from '../../chat/picture.js';
import { flag, oneOf } from '../../chat/shapes.js';
import { Transcript } from '../../chat/transcript.js';
import { Tree } from '../../chat/tree.js';
import { offered } from '../bundled.js';
import { announce, byId, copy, download, element, memory } from '../dom.js';
import { setUpDrawer } from '../drawer.js';
import { bytes } from '../format.js';
import { icon } from '../icons.js';
import { problemCard, showProblem, toast } from '../problems.js';
import { addressOf, currentView, go } from '../router.js';
import { activeTransfer, downloads, enlarge, load, reload } from '../downloads.js';
import { session } from '../session.js';
import { stateLine } from '../state.js';
import { t, words } from '../text.js';
import { showComing } from './coming.js';
import { PageComposer } from './composer.js';
import { Conversations, THINKING } from './conversations.js';
import { renewEmpty, showEmpty } from './empty.js';
import { buildFrame } from './frame.js';
import { loadMarkdown } from './markdown.js';
import { Queue } from './queue.js';
import { Sidebar } from './sidebar.js';
import * as store from './store.js';
import { TurnView, confirm } from './turn.js';

// Of conversations: a file is read as a whole.
const LARGEST_FILE = 250_000_000;

/** Conversations as files: fetched when there is one to read or to write. */
const transfer = () => import('./transfer.js');

/** The way to what the site has to chat with. @returns {import('../types.d.ts').Action[]} */
const offer = () => [offered].flatMap((row) => (row ? [{ label: 'chat.getOffered', primary: true, run: () => load(row.id, row.name, { check: true }) }] : []));

/** @param {HTMLElement} section @returns {import('../router.js').View} */
export function createChat(section) {
  buildFrame(section);
  const chat = new Conversations();
  const list = setUpDrawer(byId('chat-list'), byId('list-button'), { wide: '(min-width: 62rem)', name: 'chat-list', open: true });
  setUpDrawer(byId('chat-panel'), byId('panel-button'), { wide: '(min-width: 80rem)', name: 'chat-panel', open: false });
  /** @type {import('./turn.js').Actions} */
  const actions = {
    step: async (id, by) => {
      const turn = await chat.current.step(id, by);
      if (turn) viewOf(turn)?.focus();
    },
    regenerate: (id) => whenFree(() => chat.current.regenerate(id)),
    proceed: (id) => whenFree(() => chat.current.proceed(id)),
    edit: (id, text) => whenFree(() => chat.current.edit(id, text)),
    aloud: async (turn) => (await reading()).toggle(turn),
  };
  /** Comes with the first answer. @type {import('./markdown.js').MakeText} */
  let makeText;
  const log = new Transcript({
    conversation: () => chat.current,
    box: byId('chat-scroll'),
    list: byId('turns'),
    makeView: (turn, onDrawn) => new TurnView(turn, { makeText, actions, onDrawn }),
    onAway: (away) => {
      byId('to-end').hidden = !away;
    },
    onCopy: async (button, text) => {
      if (await copy(text)) confirm(button);
    },
    sayEarlier: (count) => t('answer.earlier', { count }),
    prepare: (path) =>
      path.some(({ role }) => role === 'assistant')
        ? loadMarkdown().then((made) => {
            makeText = made;
          })
        : null,
  });
  const composer = new PageComposer({ send, editLast, note: sightless });
  const queue = new Queue(byId('chat-queue'), giveBack);
  const sidebar = new Sidebar({ rename: (id, title) => chat.rename(id, title), remove: (key) => chat.remove(key), save });
  const speaker = new Speaker(byId('speaker'));
  let dropped = 0;
  /** Each is fetched when it is first used. @type {ReturnType<typeof import('./microphone.js').createMicrophone> | null} */
  let microphone = null;
  /** @type {Promise<ReturnType<typeof import('./reader.js').createReader>> | null} */
  let reader = null;
  /** The turn that is read aloud. @type {import('../../chat/types.d.ts').Turn | null} */
  let read = null;

  function reading() {
    reader ??= import('./reader.js').then(({ createReader }) =>
      createReader((turn) => {
        if (read) viewOf(read)?.readAloud(false);
        read = turn;
        if (read) viewOf(read)?.readAloud(true);
      }),
    );
    return reader;
  }

  const hush = () => reader?.then((reader) => reader.stop());

  /** If it is shown. @param {{ id: string }} turn */
  function viewOf({ id }) {
    return /** @type {TurnView | undefined} */ (log.viewOf(id));
  }

  /** @param {() => unknown} deed */
  function whenFree(deed) {
    clearEnd();
    if (session.busy) session.stop();
    else deed();
  }

  /** What waited is to be typed again, before what is there. @param {import('./queue.js').Waiting} message */
  function giveBack({ text, pictures }) {
    composer.draft = [text, composer.draft].filter(Boolean).join('\n\n');
    if (pictures.length > 0) composer.giveBack([...pictures, ...composer.pictures]);
    composer.focus();
  }

  /** That the model in use sees none of the pictures that are attached, and what would. */
  function sightless() {
    if (!session.canChat || session.engine?.info.model.vision) return null;
    return element(
      'span',
      {},
      icon('warn'),
      element('span', { text: ['chat.sightless', { model: session.label }] }),
      ' ',
      element('a', { href: '#/models', text: 'chat.sightless.models' }),
    );
  }

  /** Whether a model is on its way that may answer. */
  const awaits = () => session.loading !== null && !activeTransfer()?.quiet;

  /** @param {string} text @param {boolean} key   by Enter, not by the button @returns {Promise<boolean>} whether it was taken */
  async function send(text, key) {
    // What is still being said belongs to it.
    if (microphone) {
      await (await microphone).stop();
      text = composer.draft.trim();
    }
    // So do pictures that are still being read.
    await composer.settled();
    const said = text || composer.pictures.length > 0;
    if (session.busy && !(key && said)) {
      session.stop();
      return false;
    }
    if (said && (session.busy || (!session.canChat && session.engine && awaits()))) {
      queue.add({ text, pictures: composer.takePictures() });
      return true;
    }
    const last = chat.path.at(-1);
    const waiting = last?.role === 'user' ? last.id : '';
    if (!said && !waiting) return false;
    if (session.state === 'empty' || (session.engine && !session.canChat)) {
      const error = { code: 'MODEL_NOT_FOUND', message: 'no model that can chat is loaded', details: { none: true } };
      showProblem(error, { actions: [...offer(), { label: 'problem.other', primary: !offered, run: () => go('models') }] });
      return false;
    }
    if (composer.pictures.length > 0 && sightless()) {
      announce(t('chat.sightless', { model: session.label }));
      return false;
    }
    begin();
    if (said) chat.ask(text, composer.takePictures());
    else chat.current.answer(waiting);
    return true;
  }

  function begin() {
    clearEnd();
    log.follow();
    hush();
  }

  /** What waits is said when it can be answered. */
  function sendQueued() {
    // The session is free a moment before the conversation is.
    if (queue.size === 0 || session.busy || chat.current.busy || !session.canChat) return;
    const message = queue.take();
    if (!message) return;
    begin();
    chat.ask(message.text, message.pictures);
  }

  function editLast() {
    const last = chat.path.findLast(({ role }) => role === 'user');
    if (last) viewOf(last)?.edit();
  }

  chat.addEventListener('open', () => {
    // It belongs to the conversation that was left.
    if (queue.size > 0) giveBack(queue.takeAll());
    log.clear();
    clearEnd();
    hush();
    microphone?.then((microphone) => microphone.cancel());
    composer.show(chat.tree.size > 0 ? chat.record.id : 'new');
    sidebar.mark(chat.record.id);
    byId('system').value = chat.record.system;
  });
  chat.addEventListener('path', () => {
    log.draw();
    showTitle();
    showEmptiness();
    if (chat.tree.size > 0) composer.begun(chat.record.id);
    // A new conversation has an address as soon as it has words.
    if (chat.tree.size > 0 && currentView() === 'chat' && location.hash !== addressOf('chat', chat.record.id)) {
      history.replaceState(null, '', addressOf('chat', chat.record.id));
      sidebar.mark(chat.record.id);
    }
  });
  chat.addEventListener('started', () => log.update());
  chat.addEventListener('reading', ({ detail: { turn, progress } }) => log.read(turn, progress));
  chat.addEventListener('text', ({ detail: turn }) => {
    log.grow(turn);
    speaker.grow(turn, partsOf(turn.content).answer);
    if (memory.get('aloud', flag)) reading().then((reader) => reader.grow(turn));
  });
  chat.addEventListener('note', ({ detail: { kind } }) => {
    if (kind === 'unseen') toast(t('chat.unseen'), undefined, 'unseen');
  });
  chat.addEventListener('answered', ({ detail: { turn, error, dropped: missing, record } }) => {
    speaker.end(error ? '' : t(turn.finish === 'abort' ? 'chat.say.stopped' : 'chat.say.done'));
    if (turn.finish === 'abort' || error) hush();
    else reader?.then((reader) => reader.end(turn));
    if (record !== chat.record) return;
    log.end(turn);
    if (error) showFailure(error, turn);
    if (missing > 0 && missing !== dropped) toast(t('chat.dropped', { count: missing }));
    dropped = missing;
    showEmptiness();
    sayWaiting();
    if (error && queue.size > 0) giveBack(queue.takeAll());
    else sendQueued();
  });
  chat.addEventListener('list', () => {
    sidebar.renew();
    showTitle();
  });
  chat.addEventListener('missing', ({ detail: count }) => toast(t('chat.unreadable.turns', { count })));
  store.forgets.addEventListener('change', () => toast(t('chat.notLasting')));
  let told = false;
  chat.addEventListener('unkept', ({ detail }) => {
    if (told) return;
    told = true;
    showProblem({ code: 'STORAGE', message: `the conversation cannot be kept: ${detail?.message ?? detail}`, details: {} });
  });

  function showTitle() {
    byId('chat-title').textContent = chat.record.title || t('chat.new');
    if (currentView() === 'chat') document.title = `${chat.record.title || t('view.chat')} – Cresset`;
  }

  function showEmptiness() {
    const empty = byId('chat-empty');
    empty.hidden = chat.path.length > 0;
    byId('chat-scroll').classList.toggle('empty', !empty.hidden);
    if (!empty.hidden) showEmpty(empty, composer);
  }

  /** @param {import('../problems.js').Failure} error @param {import('../../chat/types.d.ts').Turn} turn */
  function showFailure(error, turn) {
    const again = {
      label: 'problem.again',
      primary: true,
      run: () => whenFree(() => (turn.content ? chat.current.proceed(turn.id) : chat.current.answer(turn.parent ?? ''))),
    };
    /** @type {Partial<Record<import('../../chat/types.d.ts').Way, import('../types.d.ts').Action>>} */
    const ways = {
      again,
      reload: { label: 'problem.reload', primary: true, run: reload },
      larger: { label: 'problem.larger', primary: true, run: async () => (await enlarge(session.largerContext(error.details ?? {}))) && again.run() },
      shorter: {
        label: 'problem.shorter',
        run: () => {
          editLast();
          sayWaiting();
        },
      },
      anew: { label: 'chat.new', run: () => go('chat', 'new') },
      other: { label: 'problem.other', primary: true, run: () => go('models') },
    };
    const renews = session.renews(error);
    if (renews) reload();
    const all = renews ? /** @type {const} */ (['again']) : waysToAnswer(error);
    byId('chat-end').replaceChildren(problemCard(error, { renews, actions: all.flatMap((way) => ways[way] ?? []) }));
    log.follow();
  }

  /** A question nobody answered yet can be asked again. */
  function sayWaiting() {
    const last = chat.path.at(-1);
    if (last?.role !== 'user' || session.busy || byId('chat-end').childElementCount > 0) return;
    byId('chat-end').replaceChildren(
      element(
        'p',
        { class: 'waiting' },
        element(
          'button',
          { type: 'button', class: 'quiet small', onclick: () => whenFree(() => chat.current.answer(last.id)) },
          icon('again'),
          element('span', { text: 'chat.askAgain' }),
        ),
      ),
    );
  }

  function clearEnd() {
    byId('chat-end').replaceChildren();
  }

  /** @param {string} id @param {string} format */
  async function save(id, format) {
    const [{ toJson, toMarkdown, withinLimit }, found] = await Promise.all([transfer(), store.read(id)]);
    if (!found) return undefined; // another tab has deleted it
    const { conversation, turns } = found;
    const title = conversation.title || t('chat.untitled');
    const name = title
      .replace(/[\\/:*?"<>|\n]+/g, ' ')
      .trim()
      .slice(0, 60);
    if (format === 'json') return download(`${name}.json`, 'application/json', toJson(lighter(withinLimit([{ conversation, turns }]))));
    const names = { system: t('chat.system'), user: t('chat.role.user'), assistant: t('chat.role.assistant') };
    return download(`${name}.md`, 'text/markdown', toMarkdown(title, new Tree(turns, conversation.chosen).path(), conversation.system, names));
  }

  byId('export-all').addEventListener('click', async () => {
    const { toJson, withinLimit } = await transfer();
    const all = await Promise.all((await store.list()).map(({ id }) => store.read(id)));
    download('cresset-conversations.json', 'application/json', toJson(lighter(withinLimit(all.filter((found) => found !== null)))));
  });

  /** Says so where a file would have had more pictures than one holds. @param {{ all: import('./types.d.ts').Whole[], left: number }} found */
  function lighter({ all, left }) {
    if (left > 0) toast(t('chat.export.cut', { count: left }));
    return all;
  }

  const chosen = byId('import');
  chosen.addEventListener('change', async () => {
    await importFiles([...(chosen.files ?? [])]);
    chosen.value = '';
  });

  /** Conversations are taken in, pictures are attached. @param {File[]} given */
  async function importFiles(given) {
    const pictures = given.filter(isPicture);
    if (pictures.length > 0) await composer.attach(pictures);
    const files = given.filter((file) => !pictures.includes(file));
    if (files.length === 0) return composer.focus();
    const { fromFile } = await transfer();
    /** @type {import('./types.d.ts').Whole[]} */
    let found = [];
    for (const file of files) {
      if (file.size > LARGEST_FILE) return toast(t('chat.import.large', { name: file.name, size: bytes(LARGEST_FILE) }));
      found = found.concat(fromFile(await file.text(), file.name));
    }
    if (found.length === 0) return toast(t('chat.import.none'));
    await chat.add(found);
    const missing = found.reduce((sum, { missing = 0 }) => sum + missing, 0);
    toast([t('chat.import.done', { count: found.length }), ...(missing > 0 ? [t('chat.import.cut', { count: missing })] : [])].join(' '));
    return go('chat', found[0].conversation.id);
  }

  byId('new-chat').addEventListener('click', () => go('chat', 'new'));
  byId('chat-list').addEventListener('click', ({ target }) => {
    if (/** @type {Element} */ (target).closest('a')) list.close();
  });
  byId('system').addEventListener('input', () => chat.setSystem(byId('system').value));
  byId('thinking').value = memory.get('thinking', oneOf(THINKING)) ?? 'auto';
  byId('thinking').addEventListener('change', () => memory.set('thinking', byId('thinking').value));
  store.otherTabs.addEventListener('change', ({ detail }) => {
    if (detail === chat.record.id) chat.refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) chat.flush();
  });
  section.addEventListener('keydown', (event) => {
    if (!event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key) || /** @type {Element} */ (event.target).closest('.edit')) return;
    event.preventDefault();
    if (!log.move(event.key === 'ArrowUp' ? -1 : 1)) composer.focus();
  });

  byId('dictate').addEventListener('click', async () => {
    microphone ??= import('./microphone.js').then(({ createMicrophone }) => createMicrophone());
    try {
      await (await microphone).toggle();
    } catch (/** @type {any} */ error) {
      microphone = null; // it may come the next time
      showProblem({ code: 'INTERNAL', message: `the microphone could not be opened: ${error.message}`, details: {} });
    }
  });

  const button = byId('chat-go');
  const showState = () => {
    const { busy } = session;
    button.classList.toggle('stop', busy);
    button.replaceChildren(icon(busy ? 'stop' : 'send'), element('span', { class: 'sr-only', text: busy ? 'common.stop' : 'chat.send' }));
    button.title = `${t(busy ? 'common.stop' : 'chat.send')} (${busy ? 'Esc' : 'Enter'})`;
    if (chat.path.length === 0) showEmptiness();
  };
  let known = '';
  session.addEventListener('change', () => {
    const now = [session.busy, session.state, session.label, session.canChat, session.loading?.label].join();
    if (now === known) return;
    known = now;
    showState();
    composer.renew();
    sendQueued();
  });
  downloads.addEventListener('change', () => {
    if (chat.path.length === 0) showEmptiness();
  });
  words.addEventListener('change', () => {
    showTitle();
    showState();
  });
  byId('to-end').addEventListener('click', () => log.follow());
  words.addEventListener('change', () => log.renew());
  stateLine(byId('chat-state'));
  showComing(byId('chat-coming'));
  chat.fresh();
  showState();
  sidebar.draw();

  return {
    async show(rest) {
      const { id } = chat.record;
      if (rest === 'new' || (rest && rest !== id && !(await chat.open(rest)))) {
        chat.fresh();
        history.replaceState(null, '', '#/chat');
      } else if (!rest && chat.tree.size > 0) {
        history.replaceState(null, '', addressOf('chat', id));
      }
      showTitle();
      renewEmpty(byId('chat-empty'));
      showEmptiness();
      sayWaiting();
      composer.focus();
    },
    hide() {
      hush();
      microphone?.then((microphone) => microphone.cancel());
    },
    search: () => {
      list.open();
      sidebar.focusSearch();
    },
    importFiles,
  };
}
