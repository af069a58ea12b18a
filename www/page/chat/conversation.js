// The conversation that is open: its tree of turns, its answers from the model, its place in the store. Knows no document.

import { memory } from '../dom.js';
import { fitMessages } from '../fit.js';
import { samplingOptions } from '../sampling.js';
import { session } from '../session.js';
import * as store from './store.js';
import { Tree, messagesOf, titleOf } from './tree.js';

// While an answer is written, it is kept so often.
const SAVE_MS = 2000;

/**
 * Events: `open` (another conversation), `path` (other turns are shown), `turn` (one changed; detail: the turn), `text` (an
 * answer grew; detail: the turn), `answered` (detail: { turn, conversation, error, dropped }), `list` (the store changed),
 * `unkept` (it could not be stored; detail: why).
 */
export class Conversations extends EventTarget {
  /** @type {store.Conversation} */
  conversation = blank();
  tree = new Tree();

  /** The answer that is being written, with the conversation it belongs to. */
  #run = null;

  get path() {
    return this.tree.path();
  }

  /** A new one; it is kept once something was said. */
  fresh() {
    this.#show(blank(), new Tree());
  }

  /** Opens a stored one; gives whether it is there. */
  async open(id) {
    if (this.#run?.conversation.id === id) {
      this.#show(this.#run.conversation, this.#run.tree);
      return true;
    }
    const found = await store.read(id);
    if (!found) return false;
    this.#show(found.conversation, new Tree(found.turns, found.conversation.chosen));
    return true;
  }

  /** Whether this turn is being written now. */
  isWriting(turn) {
    return this.#run?.turn.id === turn.id;
  }

  /** Says something and gets an answer. */
  async ask(text) {
    const parent = this.path.at(-1)?.id ?? null;
    const { conversation } = this;
    if (!conversation.named && this.tree.size === 0) conversation.title = titleOf(text);
    const turn = this.tree.add({ parent, role: 'user', content: text });
    this.#emit('path');
    await this.#keep(conversation, this.tree, turn);
    return this.answer(turn.id);
  }

  /** An answer to this turn of the visitor's, beside those that are there. */
  answer(parent, { newSeed = false } = {}) {
    const turn = this.tree.add({ parent, role: 'assistant', content: '', model: session.label ?? '' });
    return this.#write(turn, { newSeed });
  }

  /** Another answer in place of this one; both stay. */
  regenerate(id) {
    return this.answer(this.tree.get(id).parent, { newSeed: true });
  }

  /** Goes on with an answer that was cut off. */
  proceed(id) {
    return this.#write(this.tree.get(id), { continues: true });
  }

  /** The visitor's other words in place of this turn; a question is then answered. Both stay. */
  async edit(id, content) {
    const { parent, role, model } = this.tree.get(id);
    const turn = this.tree.add({ parent, role, content, ...(role === 'assistant' ? { model, edited: true, finish: 'stop' } : {}) });
    this.#emit('path');
    await this.#keep(this.conversation, this.tree, turn);
    return role === 'user' ? this.answer(turn.id) : undefined;
  }

  /** Shows the turn before or after this one. */
  async step(id, by) {
    const turn = this.tree.step(id, by);
    if (!turn) return null;
    this.#emit('path');
    await this.#keep(this.conversation, this.tree);
    return turn;
  }

  async setSystem(text) {
    this.conversation.system = text;
    memory.set('system', text);
    if (this.tree.size > 0) await this.#keep(this.conversation, this.tree);
  }

  async rename(id, title) {
    const found = id === this.conversation.id ? this.conversation : (await store.read(id))?.conversation;
    if (!found) return;
    Object.assign(found, { title, named: true });
    await this.#guard(store.save(found));
    this.#emit('list');
  }

  async remove(id) {
    if (this.#run?.conversation.id === id) session.stop();
    await this.#guard(store.remove(id));
    if (id === this.conversation.id) this.fresh();
    this.#emit('list');
  }

  /** Adds conversations from a file. @param {{ conversation: store.Conversation, turns: object[] }[]} all */
  async add(all) {
    for (const { conversation, turns } of all) {
      await this.#guard(store.save(conversation));
      for (const turn of turns) await this.#guard(store.saveTurn(conversation.id, turn));
    }
    this.#emit('list');
  }

  /** Another tab wrote in this one. */
  async refresh() {
    if (this.tree.size > 0 && this.#run?.conversation !== this.conversation) await this.open(this.conversation.id);
  }

  /** Keeps what is written so far, as when the page may go away. */
  flush() {
    if (this.#run) store.saveTurn(this.#run.conversation.id, this.#run.turn).catch(() => {});
  }

  async #write(turn, { continues = false, newSeed = false }) {
    const { conversation, tree } = this;
    const run = { conversation, tree, turn };
    this.#run = run;
    delete turn.finish;
    this.#emit('path');
    let dropped = 0;
    let error = null;
    let saved = performance.now();
    try {
      const { finish, usage } = await session.generate('chat', async (engine) => {
        turn.model = session.label;
        const options = thinking();
        const sampling = samplingOptions('chat', { newSeed });
        const path = tree.pathTo(turn.id).filter((each) => each !== turn || continues);
        const fitted = await fitMessages(engine, messagesOf(path, conversation.system), sampling.max_tokens, options);
        dropped = fitted.dropped;
        return { ...sampling, ...options, messages: fitted.messages, ...(continues ? { continue_final_message: true } : {}) };
      }, ({ delta }) => {
        const text = delta?.content ?? '';
        if (!text) return;
        turn.content += turn.content ? text : text.trimStart();
        this.dispatchEvent(new CustomEvent('text', { detail: turn }));
        if (performance.now() - saved < SAVE_MS) return;
        saved = performance.now();
        this.flush();
      });
      Object.assign(turn, { finish, usage: usage ?? undefined });
    } catch (thrown) {
      error = thrown;
      if (turn.content) turn.finish = 'error';
    }
    this.#run = null;
    // What was never begun is no answer: the question stands, to be asked again.
    if (!turn.content) tree.remove(turn.id);
    await this.#keep(conversation, tree, turn.content ? turn : undefined);
    if (!turn.content) this.#emit('path');
    else this.dispatchEvent(new CustomEvent('turn', { detail: turn }));
    this.dispatchEvent(new CustomEvent('answered', { detail: { turn, conversation, error, dropped } }));
  }

  #show(conversation, tree) {
    Object.assign(this, { conversation, tree });
    this.#emit('open');
    this.#emit('path');
  }

  async #keep(conversation, tree, turn) {
    Object.assign(conversation, { updated: Date.now(), chosen: tree.chosen });
    if (turn) await this.#guard(store.saveTurn(conversation.id, turn));
    await this.#guard(store.save(conversation));
    this.#emit('list');
  }

  /** A full disk must not end a conversation: it goes on unkept, and the visitor is told. */
  async #guard(saving) {
    try {
      await saving;
    } catch (error) {
      this.dispatchEvent(new CustomEvent('unkept', { detail: error }));
    }
  }

  #emit(name) {
    this.dispatchEvent(new Event(name));
  }
}

function blank() {
  const now = Date.now();
  return { id: crypto.randomUUID(), title: '', named: false, created: now, updated: now, system: memory.get('system') ?? '', chosen: {} };
}

/** Whether the model shall think aloud, where the visitor said so. */
function thinking() {
  return { on: { enable_thinking: true }, off: { enable_thinking: false } }[memory.get('thinking')] ?? {};
}
