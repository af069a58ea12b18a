// A conversation as a tree of turns. Editing and regenerating add a sibling; one path through the tree is shown. Knows no
// document and no storage.

import { partsOf } from './answer/thought.js';
import { withPictures } from './picture.js';

/**
 * @typedef {import('./types.d.ts').Turn} Turn
 * @typedef {import('./types.d.ts').Message} Message
 */

const ROOT = '';

export class Tree {
  /** @type {Map<string, Turn>} */
  #turns = new Map();
  /** Parent → ids, oldest first. @type {Map<string, string[]>} */
  #children = new Map();
  #chosen; // parent → the child that is shown

  /**
   * @param {Turn[]} [turns]
   * @param {Record<string, string>} [chosen]
   */
  constructor(turns = [], chosen = {}) {
    this.#chosen = new Map(Object.entries(chosen));
    for (const turn of sound(turns).sort((a, b) => a.created - b.created)) this.#insert(turn);
  }

  /** A tree of one path. @param {Message[]} messages   of visitor and assistant; others are left out */
  static of(messages) {
    const tree = new Tree();
    let parent = null;
    for (const { role, content, pictures } of messages) {
      if (role === 'user') parent = tree.add({ parent, role, content, ...withPictures(pictures) }).id;
      if (role === 'assistant') parent = tree.add({ parent, role, content, finish: 'stop' }).id;
    }
    return tree;
  }

  /** A turn that is there. @param {string} id */
  get(id) {
    return /** @type {Turn} */ (this.#turns.get(id));
  }

  get size() {
    return this.#turns.size;
  }

  all() {
    return [...this.#turns.values()];
  }

  /** What `new Tree` takes to show the same way. */
  get chosen() {
    return Object.fromEntries(this.#chosen);
  }

  /** Adds a turn and shows it. @param {Omit<Turn, 'id' | 'created'> & Partial<Turn>} turn */
  add(turn) {
    const added = { id: crypto.randomUUID(), created: Date.now(), ...turn };
    this.#insert(added);
    this.#chosen.set(added.parent ?? ROOT, added.id);
    return added;
  }

  /** Removes a turn without answers. @param {string} id */
  remove(id) {
    const turn = this.get(id);
    const siblings = this.siblings(id);
    siblings.splice(siblings.indexOf(id), 1);
    this.#turns.delete(id);
    if (this.#chosen.get(turn.parent ?? ROOT) === id) this.#chosen.delete(turn.parent ?? ROOT);
  }

  /** The turns that are shown, from the first to the last. @returns {Turn[]} */
  path() {
    const path = [];
    for (let at = ROOT; ;) {
      const children = this.#children.get(at) ?? [];
      const chosen = this.#chosen.get(at) ?? '';
      const id = children.includes(chosen) ? chosen : children.at(-1);
      if (!id) return path;
      path.push(this.get(id));
      at = id;
    }
  }

  /** Turns beside this one, itself among them. @param {string} id @returns {string[]} */
  siblings(id) {
    return this.#children.get(this.get(id).parent ?? ROOT) ?? [];
  }

  /** Shows the sibling before (-1) or after (+1) this one; gives it, or null at an end. @param {string} id @param {number} by */
  step(id, by) {
    const siblings = this.siblings(id);
    const next = siblings[siblings.indexOf(id) + by];
    if (!next) return null;
    this.#chosen.set(this.get(id).parent ?? ROOT, next);
    return this.get(next);
  }

  /** The turns up to and with this one. @param {string} id @returns {Turn[]} */
  pathTo(id) {
    const path = [];
    for (let turn = this.#turns.get(id); turn; turn = this.#turns.get(turn.parent ?? '')) path.push(turn);
    return path.reverse();
  }

  /** @param {Turn} turn */
  #insert(turn) {
    this.#turns.set(turn.id, turn);
    const parent = turn.parent ?? ROOT;
    const siblings = this.#children.get(parent);
    if (siblings) siblings.push(turn.id);
    else this.#children.set(parent, [turn.id]);
  }
}

/**
 * Copies of turns that make a tree: each id once, and every way up ends. A turn whose parent was lost, or is one of those that come
 * after it, is shown as a first one rather than lost too.
 * @param {Turn[]} turns
 * @returns {Turn[]}
 */
export function sound(turns) {
  /** @type {Map<string, Turn>} */
  const known = new Map();
  for (const turn of turns) if (turn.id !== ROOT && !known.has(turn.id)) known.set(turn.id, { ...turn });
  /** Turns whose way up ends. @type {Set<Turn>} */
  const ending = new Set();
  for (const turn of known.values()) {
    /** @type {Set<Turn>} */
    const way = new Set();
    for (let at = turn; !ending.has(at);) {
      way.add(at);
      const parent = known.get(at.parent ?? ROOT);
      if (!parent || way.has(parent)) {
        at.parent = null;
        break;
      }
      at = parent;
    }
    for (const each of way) ending.add(each);
  }
  return [...known.values()];
}

/**
 * The messages of a request, without what a model only thought.
 * @param {Pick<Turn, 'role' | 'content' | 'pictures'>[]} path
 * @param {string} [system]
 * @returns {Message[]}
 */
export function messagesOf(path, system = '') {
  /** @type {Message[]} */
  const said = path.map(({ role, content, pictures }) =>
    role === 'assistant' ? { role, content: partsOf(content).answer } : { role, content, ...withPictures(pictures) },
  );
  const turns = said.filter(({ content, pictures }) => content.trim() || pictures);
  return system.trim() ? [{ role: 'system', content: system.trim() }, ...turns] : turns;
}

/** Templates want visitor and assistant in turn: questions without an answer between them are asked together. @param {Message[]} messages */
export function alternating(messages) {
  /** @type {Message[]} */
  const turns = [];
  for (const { role, content, pictures = [] } of messages) {
    const last = turns.at(-1);
    if (last?.role !== role) turns.push({ role, content, ...withPictures(pictures) });
    else Object.assign(last, { content: [last.content, content].filter(Boolean).join('\n\n'), ...withPictures([...(last.pictures ?? []), ...pictures]) });
  }
  return turns;
}

/** A title for a conversation that has none. @param {string} text */
export function titleOf(text) {
  const line = text.trim().split('\n', 1)[0].replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 57).replace(/\s+\S*$/, '')}…` : line;
}
