// The turns on the page: one element a turn, kept while the turn is shown. The end stays in sight while an answer grows.

import { Follower } from '../../chat/answer/follower.js';
import { breathe, byId, copy } from '../dom.js';
import { words } from '../text.js';
import { loadMarkdown } from './markdown.js';
import { TurnView, confirm } from './turn.js';

// Opening a long conversation must not stop the page: pause after so much work.
const SLICE_MS = 12;

export class Log {
  #conversations;
  #deeds;
  #views = new Map(); // id of the turn → TurnView
  #list = byId('turns');
  #follower = new Follower(byId('chat-scroll'), (away) => { byId('to-end').hidden = !away; });
  #drawing = 0;

  /** @param {import('./conversation.js').Conversations} conversations @param {import('./turn.js').Deeds} deeds */
  constructor(conversations, deeds) {
    this.#conversations = conversations;
    this.#deeds = deeds;
    this.#list.addEventListener('click', (event) => this.#copyCode(event));
    byId('to-end').addEventListener('click', () => this.follow());
    words.addEventListener('change', () => this.#renew());
  }

  /** Forgets what is shown: another conversation comes. */
  clear() {
    this.#views.clear();
    this.#list.replaceChildren();
    this.follow();
  }

  /** Shows the turns of the path. */
  async draw() {
    const drawing = ++this.#drawing;
    const path = this.#conversations.path;
    const showMarkdown = path.some(({ role }) => role === 'assistant') ? await loadMarkdown() : null;
    let started = performance.now();
    let at = this.#list.firstChild;
    for (const turn of path) {
      if (performance.now() - started > SLICE_MS) {
        await breathe();
        started = performance.now();
      }
      if (drawing !== this.#drawing) return;
      const { node } = this.#view(turn, showMarkdown);
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
    this.#follower.grown();
  }

  /** A turn's text grew. */
  grow({ id }) {
    const view = this.#views.get(id);
    if (!view) return;
    view.grow();
    // The view asked for the frame first.
    requestAnimationFrame(() => this.#follower.grown());
  }

  /** A turn changed otherwise. */
  refresh(turn) {
    this.#views.get(turn.id)?.finish();
    this.#updateAll();
    this.#follower.grown();
  }

  /** Goes to the end and stays there. */
  follow() {
    this.#follower.follow();
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

  #view(turn, showMarkdown) {
    if (!this.#views.has(turn.id)) this.#views.set(turn.id, new TurnView(turn, showMarkdown, this.#deeds));
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

  async #renew() {
    for (const view of this.#views.values()) {
      view.renew();
      await breathe();
    }
    this.#updateAll();
  }

  async #copyCode({ target }) {
    const button = target.closest('.copy-code');
    if (button && await copy(button.closest('figure').querySelector('code').textContent)) confirm(button);
  }
}
