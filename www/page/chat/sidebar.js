// The list of conversations: newest first, by day; searched, opened, renamed, deleted, exported.

import { byId, element } from '../dom.js';
import { moment } from '../format.js';
import { icon } from '../icons.js';
import { menuButton } from '../menu.js';
import { addressOf } from '../router.js';
import { t, words } from '../text.js';
import * as store from './store.js';

const DAY_MS = 86_400_000;
const SEARCH_MS = 200;
// Conversations that are listed at first, and that each wish for more adds.
const ROWS = 200;

export class Sidebar {
  #list = byId('conversations');
  #search = byId('conversation-search');
  #handlers;
  /** @type {string | null} */
  #current = null;
  #drawing = 0;
  #most = ROWS;
  /** A row is being renamed, or asks whether to delete its conversation. */
  #edited = false;

  /** @param {{ rename: (id: string, title: string) => void, remove: (key: IDBValidKey) => void, save: (id: string, format: string) => void }} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    let timer = 0;
    this.#search.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.draw(), SEARCH_MS);
    });
    this.#search.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown' || event.key === 'Enter') {
        event.preventDefault();
        const first = this.#list.querySelector('a');
        if (event.key === 'Enter') first?.click();
        else first?.focus();
      }
    });
    this.#list.addEventListener('keydown', (event) => this.#move(event));
    words.addEventListener('change', () => this.draw());
    store.otherTabs.addEventListener('change', () => this.renew());
  }

  /** Marks the conversation that is open. @param {string} id */
  mark(id) {
    this.#current = id;
    for (const link of this.#list.querySelectorAll('a')) this.#markLink(link);
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  /** Draws the list anew, since conversations changed; not while the visitor edits a row, which ends in a drawing of its own. */
  renew() {
    if (!this.#edited) this.draw();
  }

  async draw() {
    const drawing = ++this.#drawing;
    this.#edited = false;
    const query = this.#search.value.trim();
    const [{ conversations: all, unreadable }, found] = await Promise.all([store.rows(), query ? store.search(query) : null]);
    if (drawing !== this.#drawing || this.#edited) return;
    const shown = found ? all.filter(({ id }) => found.has(id)) : all;
    const groups = Map.groupBy(shown.slice(0, this.#most), ({ updated }) => age(updated));
    this.#list.replaceChildren(
      ...[...groups].flatMap(([name, conversations]) => [
        element('h3', { class: 'group', text: `chat.age.${name}` }),
        element('ul', {}, ...conversations.map((conversation) => this.#row(conversation, found?.get(conversation.id)))),
      ]),
    );
    if (shown.length > this.#most) {
      const more = () => {
        this.#most += ROWS;
        this.draw();
      };
      this.#list.append(
        element('button', { type: 'button', class: 'quiet small', text: ['chat.list.more', { count: shown.length - this.#most }], onclick: more }),
      );
    }
    if (!found && unreadable.length > 0) {
      this.#list.append(
        element('h3', { class: 'group', text: 'chat.unreadable' }),
        element('p', { class: 'hint', text: 'chat.unreadable.hint' }),
        element('ul', { class: 'unreadable' }, ...unreadable.slice(0, ROWS).map((row) => this.#unreadable(row))),
      );
    } else if (shown.length === 0) this.#list.append(element('p', { class: 'hint nothing', text: query ? 'chat.search.none' : 'chat.list.empty' }));
  }

  /** @param {store.Conversation} conversation @param {string} [place]   where it was found */
  #row(conversation, place) {
    const { id, updated } = conversation;
    const title = conversation.title || t('chat.untitled');
    const link = element(
      'a',
      { href: addressOf('chat', id), dir: 'auto' },
      element('span', { class: 'title', textContent: title }),
      place ? element('span', { class: 'found', textContent: place }) : null,
      element('time', { class: 'sr-only', textContent: moment(updated), dateTime: new Date(updated).toISOString() }),
    );
    link.dataset.id = id;
    this.#markLink(link);
    const menu = menuButton({ 'aria-label': t('chat.menu', { title }), class: 'icon-button small' }, 'more', () => [
      { text: 'chat.rename', icon: 'edit', run: () => this.#rename(row, conversation) },
      { text: 'chat.export.markdown', icon: 'file', run: () => this.#handlers.save(id, 'markdown') },
      { text: 'chat.export.json', icon: 'file', run: () => this.#handlers.save(id, 'json') },
      { text: 'chat.delete', icon: 'remove', danger: true, run: () => this.#confirm(row, { key: id, title }) },
    ]);
    const row = element('li', {}, link, menu);
    return row;
  }

  /** A row that is no conversation: named, and left for the visitor to delete. @param {import('./types.d.ts').Unreadable} unreadable */
  #unreadable({ key, name }) {
    const title = name || t('chat.untitled');
    /** @type {HTMLElement} */
    const row = element(
      'li',
      {},
      element('span', { class: 'title', dir: 'auto', textContent: title }),
      element(
        'button',
        { type: 'button', class: 'icon-button small', 'aria-label': `${t('chat.delete')}: ${title}`, onclick: () => this.#confirm(row, { key, title }) },
        icon('remove'),
      ),
    );
    return row;
  }

  /** @param {HTMLElement} row @param {store.Conversation} conversation */
  #rename(row, { id, title }) {
    const input = element('input', { type: 'text', class: 'rename', value: title, label: 'chat.rename', maxLength: 200 });
    let done = false;
    const end = (/** @type {boolean} */ keep) => {
      if (done) return;
      done = true;
      this.#edited = false;
      if (keep && input.value.trim()) this.#handlers.rename(id, input.value.trim());
      else this.draw();
    };
    input.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === 'Enter') end(true);
      if (event.key === 'Escape') end(false);
    });
    input.addEventListener('blur', () => end(true));
    row.replaceChildren(input);
    this.#edited = true;
    input.focus();
    input.select();
  }

  /** Deleting cannot be taken back, so it asks, where the conversation stood. @param {HTMLElement} row @param {{ key: IDBValidKey, title: string }} what */
  #confirm(row, { key, title }) {
    const remove = () => {
      this.#edited = false;
      this.#handlers.remove(key);
    };
    const yes = element('button', { type: 'button', class: 'danger small', text: 'chat.delete', onclick: remove });
    row.replaceChildren(
      element(
        'div',
        { class: 'confirm', role: 'group', label: ['chat.delete.ask', { title }] },
        element('span', { text: 'chat.delete.sure' }),
        yes,
        element('button', { type: 'button', class: 'quiet small', text: 'common.cancel', onclick: () => this.draw() }),
      ),
    );
    this.#edited = true;
    yes.focus();
  }

  /** @param {HTMLAnchorElement} link */
  #markLink(link) {
    if (link.dataset.id === this.#current) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const { target } = event;
    if (!['ArrowDown', 'ArrowUp'].includes(event.key) || !(target instanceof HTMLAnchorElement)) return;
    event.preventDefault();
    const links = [...this.#list.querySelectorAll('a')];
    const to = links.indexOf(target) + (event.key === 'ArrowDown' ? 1 : -1);
    if (to < 0) this.#search.focus();
    else links[to]?.focus();
  }
}

/** @param {number} time */
function age(time) {
  const today = new Date().setHours(0, 0, 0, 0);
  return time >= today ? 'today' : time >= today - DAY_MS ? 'yesterday' : time >= today - 7 * DAY_MS ? 'week' : 'older';
}
