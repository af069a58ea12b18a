// The turns on the page: one element a turn, kept while the turn is shown; following the end while an answer grows.

import { breathe, byId, copy } from '../dom.js';
import { words } from '../text.js';
import { loadMarkdown } from './markdown.js';
import { TurnView, confirm } from './turn.js';

// So near the end a reader follows it.
const NEAR_PX = 80;
// Opening a long conversation must not stop the page: pause after so much work.
const SLICE_MS = 12;

export class Log {
  #conversations;
  #deeds;
  #views = new Map(); // id of the turn → TurnView
  #list = byId('turns');
  #scroller = byId('chat-scroll');
  #drawing = 0;
  #following = true;

  /** @param {import('./conversation.js').Conversations} conversations @param {import('./turn.js').Deeds} deeds */
  constructor(conversations, deeds) {
    this.#conversations = conversations;
    this.#deeds = deeds;
    this.#list.addEventListener('click', (event) => this.#copyCode(event));
    this.#scroller.addEventListener('scroll', () => this.#noteScroll(), { passive: true });
    byId('to-end').addEventListener('click', () => this.follow());
    words.addEventListener('change', () => {
      for (const view of this.#views.values()) view.shown = null;
      this.#updateAll();
    });
  }

  /** Forgets what is shown: another conversation comes. */
  clear() {
    this.#views.clear();
    this.#list.replaceChildren();
    this.#following = true;
  }

  /** Shows the turns of the path. */
  async draw() {
    const drawing = ++this.#drawing;
    const path = this.#conversations.path;
    const tools = path.some(({ role }) => role === 'assistant') ? await loadMarkdown() : null;
    let started = performance.now();
    let at = this.#list.firstChild;
    for (const turn of path) {
      if (performance.now() - started > SLICE_MS) {
        await breathe();
        started = performance.now();
      }
      if (drawing !== this.#drawing) return;
      const { node } = this.#view(turn, tools);
      if (node === at) at = at.nextSibling;
      else this.#list.insertBefore(node, at);
    }
    if (drawing !== this.#drawing) return;
    while (at) {
      const next = at.nextSibling;
      this.#views.delete(at.dataset.turn);
      at.remove();
      at = next;
    }
    this.#updateAll();
    if (this.#following) this.follow();
  }

  /** A turn's text grew. */
  grow({ id }) {
    const view = this.#views.get(id);
    if (!view) return;
    view.grow();
    if (this.#following) requestAnimationFrame(() => this.#toEnd());
  }

  /** A turn changed otherwise. */
  refresh(turn) {
    this.#views.get(turn.id)?.finish();
    this.#updateAll();
    if (this.#following) this.#toEnd();
  }

  /** Goes to the end and stays there. */
  follow() {
    this.#following = true;
    this.#toEnd();
  }

  /** The room for the turns changed. */
  settle() {
    if (this.#following) this.#toEnd();
  }

  /** The view of this turn, if it is shown. */
  viewOf(id) {
    return this.#views.get(id);
  }

  /** Moves the focus to the turn before (-1) or after (+1) the one that has it; from outside to the last. */
  move(by) {
    const nodes = [...this.#list.children];
    const at = nodes.findIndex((node) => node.contains(document.activeElement));
    const to = at < 0 ? nodes.length - 1 : at + by;
    if (to >= nodes.length) return false;
    nodes[Math.max(to, 0)]?.focus();
    return true;
  }

  #view(turn, tools) {
    if (!this.#views.has(turn.id)) this.#views.set(turn.id, new TurnView(turn, tools, this.#deeds));
    const view = this.#views.get(turn.id);
    view.turn = turn;
    return view;
  }

  #updateAll() {
    const { path, tree } = this.#conversations;
    for (const turn of path) {
      const siblings = tree.siblings(turn.id);
      this.#views.get(turn.id)?.update({
        place: [siblings.indexOf(turn.id), siblings.length], writing: this.#conversations.isWriting(turn), last: turn === path.at(-1),
      });
    }
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #noteScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    byId('to-end').hidden = this.#following;
  }

  async #copyCode({ target }) {
    const button = target.closest('.copy-code');
    if (button && await copy(button.closest('figure').querySelector('code').textContent.replace(/\n$/, ''))) confirm(button);
  }
}
