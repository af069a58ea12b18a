// The conversation that is open, and those whose answers are still being written: what the model is asked, and their place in
// the store. Knows no document.

import { Conversation } from '../../chat/conversation.js';
import { chatRequest } from '../../chat/request.js';
import { oneOf, text } from '../../chat/shapes.js';
import { Tree, titleOf } from '../../chat/tree.js';
import { memory } from '../dom.js';
import { samplingOptions } from '../sampling.js';
import { session } from '../session.js';
import { MOST } from './rows.js';
import * as store from './store.js';

/** What the visitor may have said of thinking aloud. */
export const THINKING = /** @type {const} */ (['auto', 'on', 'off']);

// While an answer is written, it is kept so often.
const SAVE_MS = 2000;

/** What the open conversation tells is told on, as it is. */
const TOLD = /** @type {const} */ (['path', 'started', 'reading', 'text', 'note']);

/**
 * @typedef {import('./types.d.ts').Details} Details
 * @typedef {{ record: store.Conversation, conversation: Conversation }} Open
 */

/**
 * Events: those of the open Conversation, but `answered`, which comes of every one (its detail has the `record` too); `open`
 * (another conversation), `list` (the store changed), `unkept` (it could not be stored; detail: why).
 */
export class Conversations extends /** @type {new () => import('../../chat/types.d.ts').Teller<Details>} */ (EventTarget) {
  /** @type {Open} */
  #open = this.#make(blank(), new Tree());
  /** Others whose answers are still being written. @type {Set<Open>} */
  #writing = new Set();

  constructor() {
    super();
    // What was stored before is out of reach; what is here is not lost with it.
    store.forgets.addEventListener('change', () => {
      for (const { record, conversation } of [this.#open, ...this.#writing]) {
        if (conversation.tree.size > 0) this.#guard(store.saveWhole({ conversation: record, turns: conversation.tree.all() }));
      }
      this.#emit('list');
    });
  }

  /** What the store knows of the open one, beside its turns. */
  get record() {
    return this.#open.record;
  }

  get current() {
    return this.#open.conversation;
  }

  get tree() {
    return this.current.tree;
  }

  get path() {
    return this.current.path;
  }

  /** A new one; it is kept once something was said. */
  fresh() {
    this.#show(this.#make(blank(), new Tree()));
  }

  /** Opens a stored one; gives whether it is there. @param {string} id */
  async open(id) {
    const written = [this.#open, ...this.#writing].find(({ record, conversation }) => record.id === id && conversation.busy);
    if (written) {
      this.#show(written);
      return true;
    }
    const found = await store.read(id);
    if (!found) return false;
    this.#show(this.#make(found.conversation, new Tree(found.turns, found.conversation.chosen)));
    if (found.missing) this.#emit('missing', found.missing);
    return true;
  }

  /** Says something and gets an answer. @param {string} text @param {import('../../chat/types.d.ts').Picture[]} pictures */
  ask(text, pictures) {
    const { record, current } = this;
    if (!record.named && current.tree.size === 0) record.title = titleOf(text || (pictures[0]?.name ?? ''));
    return current.ask(text, pictures);
  }

  /** @param {string} text */
  async setSystem(text) {
    this.record.system = text;
    memory.set('system', text);
    if (this.tree.size > 0) await this.#keep(this.#open);
  }

  /** @param {string} id @param {string} title */
  async rename(id, title) {
    const found = id === this.record.id ? this.record : (await store.read(id))?.conversation;
    if (!found) return;
    Object.assign(found, { title, named: true });
    await this.#guard(store.save(found));
    this.#emit('list');
  }

  /** @param {IDBValidKey} id */
  async remove(id) {
    if ([this.#open, ...this.#writing].some(({ record, conversation }) => record.id === id && conversation.busy)) session.stop();
    await this.#guard(store.remove(id));
    if (id === this.record.id) this.fresh();
    this.#emit('list');
  }

  /** Adds conversations from a file. @param {import('./types.d.ts').Whole[]} all */
  async add(all) {
    for (const whole of all) await this.#guard(store.saveWhole(whole));
    this.#emit('list');
  }

  /** Another tab wrote in this one. */
  async refresh() {
    if (this.tree.size > 0 && !this.current.busy) await this.open(this.record.id);
  }

  /** Keeps what is written so far, as when the page may go away. */
  flush() {
    for (const open of [this.#open, ...this.#writing]) save(open);
  }

  /** @param {store.Conversation} record @param {Tree} tree @returns {Open} */
  #make(record, tree) {
    const conversation = new Conversation({ answerer: (ask) => answer(ask, record), keep: (turn) => this.#keep(open, turn), tree });
    /** @type {Open} */
    const open = { record, conversation };
    let saved = 0;
    conversation.addEventListener('started', () => {
      saved = performance.now();
    });
    conversation.addEventListener('text', () => {
      if (performance.now() - saved < SAVE_MS) return;
      saved = performance.now();
      save(open);
    });
    for (const type of TOLD) {
      conversation.addEventListener(type, ({ detail }) => {
        if (open === this.#open) this.#emit(type, detail);
      });
    }
    conversation.addEventListener('answered', ({ detail }) => {
      this.#writing.delete(open);
      this.#emit('answered', { ...detail, record });
    });
    return open;
  }

  /** @param {Open} open */
  #show(open) {
    if (this.current.busy && open !== this.#open) this.#writing.add(this.#open);
    this.#open = open;
    this.#emit('open');
    this.#emit('path');
  }

  /** @param {Open} open @param {import('../../chat/types.d.ts').Turn} [turn] */
  async #keep({ record, conversation: { tree } }, turn) {
    Object.assign(record, { updated: Date.now(), chosen: tree.chosen });
    if (turn) await this.#guard(store.saveTurn(record.id, turn));
    await this.#guard(store.save(record));
    this.#emit('list');
  }

  /** A full disk must not end a conversation: it goes on unkept, and the visitor is told. @param {Promise<void>} saving */
  async #guard(saving) {
    try {
      await saving;
    } catch (error) {
      this.#emit('unkept', error);
    }
  }

  /** @param {keyof Details} type @param {unknown} [detail] */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {import('../../chat/types.d.ts').Ask} ask @param {store.Conversation} record */
async function answer({ messages, pictured, begun, newSeed, signal, onStart, onReading, onText, onNote }, { system }) {
  signal.addEventListener('abort', () => session.stop());
  let written = begun;
  return session.generate(
    'chat',
    async (engine) => {
      onStart({ model: session.label });
      const { max_tokens: wanted, ...sampling } = samplingOptions('chat', { newSeed });
      const { request, dropped, unseen } = await chatRequest(engine, { system, messages, pictured, begun, wanted, template: thinking() });
      if (dropped > 0) onNote({ kind: 'dropped', count: dropped });
      if (unseen) onNote({ kind: 'unseen' });
      return { ...sampling, ...request };
    },
    ({ delta }) => {
      const content = delta?.content ?? '';
      const text = written ? content : content.trimStart();
      if (!text) return;
      written += text;
      onText(text);
    },
    onReading,
  );
}

/** Writes down how far an answer is. @param {Open} open */
function save({ record, conversation: { written } }) {
  if (written) store.saveTurn(record.id, written).catch(() => {});
}

function blank() {
  const now = Date.now();
  return { id: crypto.randomUUID(), title: '', named: false, created: now, updated: now, system: memory.get('system', text(MOST.words)) ?? '', chosen: {} };
}

/** Whether the model shall think aloud, where the visitor said so. */
function thinking() {
  const chosen = memory.get('thinking', oneOf(THINKING));
  return chosen === 'on' || chosen === 'off' ? { enable_thinking: chosen === 'on' } : {};
}
