// The turns as they are seen: one node a turn, kept while the turn is shown. The end stays in sight while an answer grows.
// How a turn looks is passed in.

import { Follower } from './answer/follower.js';
import { element } from './dom.js';

// Opening a long conversation must not stop the page: after so many characters of turns it is let do something else.
const SLICE_CHARACTERS = 8000;
// Turns at the end that are shown at first, and that each wish for earlier ones adds.
const TURNS = 100;

/**
 * @typedef {import('./types.d.ts').Turn} Turn
 * @typedef {import('./types.d.ts').TurnView} TurnView
 */

export class Transcript {
  #conversation;
  #list;
  #makeView;
  #follower;
  #prepare;
  /** @type {Map<string, TurnView>} by the turn's id */
  #views = new Map();
  #drawing = 0;
  #box;
  #sayEarlier;
  /** Shows earlier turns; stands before the list. */
  #earlier = element('button', { type: 'button', class: 'earlier', part: 'earlier', hidden: true, onclick: () => this.#showEarlier() });
  /** How many turns at the beginning are not shown. */
  #hidden = 0;

  /**
   * @param {object} options
   * @param {() => import('./conversation.js').Conversation} options.conversation   the one that is shown
   * @param {HTMLElement} options.box    that scrolls
   * @param {HTMLElement} options.list   in the box: its children are the turns, and notes between them
   * @param {(turn: Turn, onDrawn: () => void) => TurnView} options.makeView
   * @param {(away: boolean) => void} options.onAway   the reader has scrolled away from the end, or is there again
   * @param {(button: HTMLElement, text: string) => void} options.onCopy   of a piece of code
   * @param {(count: number) => string} options.sayEarlier   what shows so many earlier turns
   * @param {(path: Turn[]) => Promise<void> | null} [options.prepare]   what views of this path wait for
   */
  constructor({ conversation, box, list, makeView, onAway, onCopy, sayEarlier, prepare = () => null }) {
    this.#conversation = conversation;
    this.#list = list;
    this.#makeView = makeView;
    this.#prepare = prepare;
    this.#box = box;
    this.#sayEarlier = sayEarlier;
    this.#follower = new Follower(box, onAway, () => this.#conversation().path.length === 0);
    list.addEventListener('click', ({ target }) => {
      const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest?.('.copy-code'));
      if (button) onCopy(button, button.closest('.code')?.querySelector('code')?.textContent ?? '');
    });
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
    const { path: whole } = this.#conversation();
    const isAnother = !whole.some(({ id }) => this.#views.has(id));
    this.#hidden = isAnother ? Math.max(whole.length - TURNS, 0) : Math.min(this.#hidden, Math.max(whole.length - 1, 0));
    const path = whole.slice(this.#hidden);
    const preparing = this.#prepare(path);
    if (preparing) await preparing;
    if (drawing !== this.#drawing) return;
    let drawn = 0;
    let at = this.#turnFrom(this.#list.firstElementChild);
    for (const turn of path) {
      if (!this.#views.has(turn.id)) {
        if (drawn > SLICE_CHARACTERS) {
          await yieldNow();
          if (drawing !== this.#drawing) return;
          drawn = 0;
        }
        this.#views.set(
          turn.id,
          this.#makeView(turn, () => this.#follower.grown()),
        );
        drawn += turn.content.length;
      }
      const { node } = /** @type {TurnView} */ (this.#views.get(turn.id));
      node.dataset.turn = turn.id;
      if (node === at) at = this.#turnFrom(at.nextElementSibling);
      else this.#list.insertBefore(node, at);
    }
    for (; at; at = this.#removed(at));
    this.#showHidden();
    if (path.length === 0) this.#list.replaceChildren();
    this.update();
    this.#follower.grown();
  }

  /** What is known of the turns beside their words may have changed. */
  update() {
    const conversation = this.#conversation();
    const { path, tree } = conversation;
    for (const turn of path.slice(this.#hidden)) {
      const versions = tree.siblings(turn.id);
      this.#views.get(turn.id)?.update({ place: [versions.indexOf(turn.id), versions.length], state: conversation.stateOf(turn), last: turn === path.at(-1) });
    }
  }

  /** How far the prompt of a turn is read; null: no more. @param {Turn} turn @param {import('../cresset.js').RequestProgress | null} progress */
  read({ id }, progress) {
    this.#views.get(id)?.read(progress);
    this.#follower.grown();
  }

  /** A turn's text grew, or is another one than before. @param {Turn} turn */
  grow(turn) {
    if (turn === this.#conversation().written) this.#views.get(turn.id)?.grow();
    else this.end(turn);
  }

  /** A turn's text is whole. @param {Turn} turn */
  end({ id }) {
    this.#views.get(id)?.end();
    this.update();
    this.#follower.grown();
  }

  /** Something that is no turn, behind the last one. @param {HTMLElement} node */
  note(node) {
    this.#list.appendChild(node);
    this.#follower.grown();
  }

  /** Something beside the turns has another size. */
  grown() {
    this.#follower.grown();
  }

  /** Goes to the end and stays there. */
  follow() {
    this.#follower.follow();
  }

  /** The view of this turn, if it is shown. @param {string} id */
  viewOf(id) {
    return this.#views.get(id);
  }

  /** Moves the focus to the turn before (-1) or after (+1) the one that has it; from outside to the last. @param {number} by */
  move(by) {
    const nodes = /** @type {HTMLElement[]} */ ([...this.#list.children]);
    const at = nodes.findIndex((node) => node.contains(document.activeElement));
    const to = at < 0 ? nodes.length - 1 : at + by;
    if (to >= nodes.length) return false;
    nodes[Math.max(to, 0)]?.focus();
    return true;
  }

  /** Another language holds. */
  async renew() {
    for (const view of [...this.#views.values()]) {
      view.renew();
      await yieldNow();
    }
    this.#showHidden();
    this.update();
  }

  #showHidden() {
    this.#earlier.toggleAttribute('hidden', this.#hidden === 0);
    if (this.#hidden === 0) return this.#earlier.remove();
    this.#earlier.textContent = this.#sayEarlier(this.#hidden);
    if (!this.#earlier.isConnected) this.#list.before(this.#earlier);
    return undefined;
  }

  /** More of what came before, above what is read: that stays where it is. */
  async #showEarlier() {
    const { scrollHeight, scrollTop } = this.#box;
    this.#follower.stay();
    this.#hidden = Math.max(this.#hidden - TURNS, 0);
    await this.draw();
    this.#box.scrollTop = scrollTop + this.#box.scrollHeight - scrollHeight;
    if (this.#hidden === 0) /** @type {HTMLElement | null} */ (this.#list.firstElementChild)?.focus();
  }

  /** This node, or the next one, that is a turn's. @param {any} node @returns {HTMLElement | null} */
  #turnFrom(node) {
    while (node && !node.dataset.turn) node = node.nextElementSibling;
    return node ?? null;
  }

  /** Removes a turn's node; gives the next one. @param {HTMLElement} node */
  #removed(node) {
    const next = this.#turnFrom(node.nextElementSibling);
    this.#views.delete(node.dataset.turn ?? '');
    node.remove();
    return next;
  }
}

/** Lets the browser paint and react before what follows. */
function yieldNow() {
  return (
    globalThis.scheduler?.yield?.() ??
    new Promise((resolve) => {
      setTimeout(resolve);
    })
  );
}
