// A conversation: the tree of its turns, of which one path is shown, and the answer that is being written. Knows no document,
// no storage and no engine: who answers, and what becomes of a turn that is whole, are passed in.

import { CressetError } from '../lib/errors.js';
import { withPictures } from './picture.js';
import { Reading } from './reading.js';
import { Tree, alternating, messagesOf } from './tree.js';

/**
 * @typedef {import('./types.d.ts').Turn} Turn
 * @typedef {import('./types.d.ts').Message} Message
 * @typedef {import('./types.d.ts').Ask} Ask
 * @typedef {import('./types.d.ts').Answerer} Answerer
 * @typedef {import('./types.d.ts').Run} Run
 */

// Errors of a model that cannot go on with its own words.
const CANNOT_GO_ON = ['TEMPLATE', 'INVALID_REQUEST'];

/**
 * Events: `path` (other turns are shown), `said` (the visitor's new turn), `started` (a turn is no longer waited for), `reading`
 * ({ turn, progress }: its prompt takes long to read; null: no more), `text` (its text is another one than before, mostly longer), `answered` ({ turn, error, dropped }; a turn without words may be gone),
 * `note` (a Note). The turn is the event's detail.
 */
export class Conversation extends /** @type {new () => import('./types.d.ts').Teller<import('./types.d.ts').ConversationDetails>} */ (EventTarget) {
  /** @type {Tree} */
  tree;
  #answerer;
  #keep;
  #keepsEmpty;
  /** @type {Run | null} */
  #run = null;

  /**
   * @param {object} options
   * @param {Answerer} options.answerer
   * @param {(turn?: Turn) => Promise<void>} [options.keep]   writes down a turn, and which path is shown
   * @param {boolean} [options.keepsEmpty]   an answer that was never begun stays as a turn without words
   * @param {Tree} [options.tree]
   */
  constructor({ answerer, keep = async () => {}, keepsEmpty = false, tree = new Tree() }) {
    super();
    this.#answerer = answerer;
    this.#keep = keep;
    this.#keepsEmpty = keepsEmpty;
    this.tree = tree;
  }

  get path() {
    return this.tree.path();
  }

  /** An answer is awaited or written. */
  get busy() {
    return this.#run !== null;
  }

  /** The turn that is being written. */
  get written() {
    return this.#run?.turn ?? null;
  }

  /** The path as messages, without what is being written. */
  get messages() {
    return messagesOf(this.path.filter((turn) => turn !== this.#run?.turn));
  }

  /** Replaces all turns. */
  set messages(messages) {
    this.stop();
    this.#run = null;
    this.tree = Tree.of(messages);
    this.#tell('path');
  }

  /** @param {Turn} turn @returns {'waiting' | 'writing' | 'stopped' | 'failed' | 'done'} */
  stateOf(turn) {
    if (turn === this.#run?.turn) return this.#run.started || turn.content ? 'writing' : 'waiting';
    return turn.finish === 'abort' ? 'stopped' : turn.finish === 'error' ? 'failed' : 'done';
  }

  /**
   * Says something and gets an answer, if there is one.
   * @param {string} text
   * @param {import('./types.d.ts').Picture[]} [pictures]
   * @returns {Promise<Turn | null>}
   */
  async ask(text, pictures = []) {
    const content = text.trim();
    if ((!content && pictures.length === 0) || this.busy) return null;
    const run = this.#begin();
    const turn = this.tree.add({ parent: this.path.at(-1)?.id ?? null, role: 'user', content, ...withPictures(pictures) });
    this.#tell('path');
    this.#tell('said', turn);
    await this.#keep(turn);
    return this.#write(this.#answerTo(turn.id), run);
  }

  /** An answer to this turn of the visitor's, beside those that are there. @param {string} parent */
  async answer(parent, { newSeed = false } = {}) {
    if (this.busy) return null;
    return this.#write(this.#answerTo(parent), this.#begin(), { newSeed });
  }

  /** Another answer in place of this one; both stay. @param {string} id */
  async regenerate(id) {
    const question = this.tree.pathTo(id).findLast(({ role }) => role === 'user');
    return question ? this.answer(question.id, { newSeed: true }) : null;
  }

  /** Another answer to the last question, or the one that it has not got. */
  async again() {
    const last = this.path.at(-1);
    if (!last) return null;
    return last.role === 'user' ? this.answer(last.id) : this.regenerate(last.id);
  }

  /**
   * Goes on with an answer that was cut off.
   * @param {string} id
   * @param {string} [instead]   what the visitor would write, where the model cannot go on with its own words
   */
  async proceed(id, instead) {
    if (this.busy) return null;
    const turn = this.tree.get(id);
    const before = { ...turn };
    let cannot = false;
    const answer = await this.#write(turn, this.#begin(), {
      forgive: (error) => (cannot = instead !== undefined && CANNOT_GO_ON.includes(error.code)),
      before,
    });
    return cannot && instead !== undefined ? this.ask(instead) : answer;
  }

  /** The visitor's other words in place of this turn, with its pictures; a question is then answered. Both stay. @param {string} id @param {string} content */
  async edit(id, content) {
    const { parent, role, model, pictures } = this.tree.get(id);
    const turn = this.tree.add({ parent, role, content, ...withPictures(pictures), ...(role === 'assistant' ? { model, edited: true, finish: 'stop' } : {}) });
    this.#tell('path');
    await this.#keep(turn);
    return role === 'user' ? this.answer(turn.id) : null;
  }

  /** Shows the turn before (-1) or after (+1) this one. @param {string} id @param {number} by */
  async step(id, by) {
    const turn = this.tree.step(id, by);
    if (!turn) return null;
    this.#tell('path');
    await this.#keep();
    return turn;
  }

  stop() {
    this.#run?.controller.abort();
  }

  #begin() {
    return (this.#run = { tree: this.tree, turn: null, controller: new AbortController(), started: false });
  }

  /** @param {string} parent */
  #answerTo(parent) {
    return this.tree.add({ parent, role: 'assistant', content: '' });
  }

  /**
   * Writes a turn, or more of it.
   * @param {Turn} turn
   * @param {Run} run
   * @param {{ newSeed?: boolean, forgive?: (error: CressetError) => boolean, before?: Turn }} [how]
   * @returns {Promise<Turn | null>}
   */
  async #write(turn, run, { newSeed = false, forgive, before = turn } = {}) {
    const {
      tree,
      controller: { signal },
    } = run;
    const isMine = () => this.tree === tree;
    run.turn = turn;
    delete turn.finish;
    this.#tell('path');
    let dropped = 0;
    let error = null;
    const reading = new Reading((progress) => isMine() && this.#tell('reading', { turn, progress }));
    try {
      const path = tree.pathTo(turn.id).slice(0, -1);
      const { finish, usage } = await this.#answerer({
        messages: alternating(messagesOf(path)),
        pictured: path.findLast(({ role }) => role === 'user')?.pictures !== undefined,
        begun: turn.content,
        newSeed,
        signal,
        onStart: (facts = {}) => {
          Object.assign(turn, facts);
          run.started = true;
          if (isMine()) this.#tell('started', turn);
        },
        onReading: (progress) => reading.tell(progress),
        onText: (text) => {
          reading.end();
          turn.content += text;
          if (isMine()) this.#tell('text', turn);
        },
        onNote: (note) => {
          if (note.kind === 'dropped') dropped = note.count;
          if (isMine()) this.#tell('note', note);
        },
        onRestart: () => {
          turn.content = '';
          if (isMine()) this.#tell('text', turn);
        },
      });
      Object.assign(turn, { finish, usage: usage ?? undefined });
    } catch (thrown) {
      error = signal.aborted ? null : CressetError.from(thrown);
      turn.finish = signal.aborted ? 'abort' : 'error';
    }
    reading.end();
    if (this.#run === run) this.#run = null;
    if (error && forgive?.(error)) {
      Object.assign(turn, { content: before.content, finish: 'stop' });
      this.#tell('text', turn);
      return null;
    }
    // What was never begun is no answer: the question stands, to be asked again.
    const gone = !turn.content && !this.#keepsEmpty;
    if (gone) tree.remove(turn.id);
    await this.#keep(gone ? undefined : turn);
    if (!isMine()) return null;
    if (gone) this.#tell('path');
    this.#tell('answered', { turn, error, dropped });
    return error || !turn.content ? null : turn;
  }

  /** @param {string} type @param {unknown} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
