// The conversation: turns of visitor and assistant, the answer that is being written, and what went wrong with it. Knows no
// document. Events: `turn` (detail: the new turn), `piece` (detail: the turn), `end` (likewise), `note`, `reset`.

import { CressetError } from '../lib/errors.js';
import { partsOf } from '../chat/answer/thought.js';

/**
 * @typedef {{ role: 'user' | 'assistant', content: string, state: 'done' | 'waiting' | 'writing' | 'stopped' | 'failed',
 *   finish?: string | null, error?: CressetError }} Turn
 */

export class Conversation extends EventTarget {
  /** @type {Turn[]} */
  turns = [];
  #assistant;
  #run = null;
  #said = new Set(); // notes that were made

  /** @param {import('./assistant.js').Assistant} assistant */
  constructor(assistant) {
    super();
    this.#assistant = assistant;
  }

  /** An answer is awaited or written. */
  get busy() {
    return this.#run !== null;
  }

  /** The whole turns as messages, without what the model only thought. */
  get messages() {
    return messagesOf(this.turns);
  }

  set messages(messages) {
    this.stop();
    this.#said.clear();
    this.turns = messages.filter(({ role }) => role === 'user' || role === 'assistant').map(({ role, content }) => ({ role, content, state: 'done' }));
    this.dispatchEvent(new Event('reset'));
  }

  /** @param {string} text @returns {Promise<Turn | null>} the answer, if there is one */
  async send(text) {
    const content = text.trim();
    if (!content || this.busy) return null;
    this.#add({ role: 'user', content, state: 'done' });
    return this.#answer();
  }

  /** Another answer to the last question. */
  async again() {
    if (this.busy) return null;
    while (this.turns.at(-1)?.role === 'assistant') this.turns.pop();
    this.dispatchEvent(new Event('reset'));
    return this.turns.length > 0 ? this.#answer() : null;
  }

  /**
   * More of an answer that ended at its greatest length.
   * @param {string} request   what the visitor would write instead, where the model cannot go on with its own words
   */
  async goOn(request) {
    const turn = this.turns.at(-1);
    if (this.busy || turn?.role !== 'assistant') return null;
    const { content } = turn;
    const answer = await this.#write(turn);
    if (turn.state !== 'failed' || !['TEMPLATE', 'INVALID_REQUEST'].includes(turn.error.code)) return answer;
    Object.assign(turn, { content, state: 'done', error: undefined });
    this.#tell('end', turn);
    return this.send(request);
  }

  stop() {
    this.#run?.abort();
  }

  clear() {
    this.messages = [];
  }

  #answer() {
    const turn = { role: 'assistant', content: '', state: 'waiting' };
    this.#add(turn);
    return this.#write(turn);
  }

  /** Writes a turn, or more of it. */
  async #write(turn) {
    const controller = new AbortController();
    const { signal } = controller;
    const mine = () => this.turns.includes(turn);
    const asked = alternating(messagesOf(this.turns.slice(0, this.turns.indexOf(turn))));
    const begun = turn.content;
    this.#run = controller;
    Object.assign(turn, { state: begun ? 'writing' : 'waiting', finish: null });
    this.#tell('piece', turn);
    try {
      await this.#assistant.whenReady(signal);
      turn.state = 'writing';
      this.#tell('piece', turn);
      const { finish } = await this.#assistant.answer({
        turns: asked,
        begun,
        signal,
        onPiece: (piece) => {
          turn.content += piece;
          this.#tell('piece', turn);
        },
        onRestart: () => {
          turn.content = '';
          this.#tell('piece', turn);
        },
        onNote: (note) => mine() && this.#note(note),
      });
      Object.assign(turn, { state: 'done', finish });
    } catch (thrown) {
      const error = CressetError.from(thrown);
      Object.assign(turn, signal.aborted ? { state: 'stopped' } : { state: 'failed', error });
    }
    if (this.#run === controller) this.#run = null;
    if (!mine()) return null;
    this.#tell('end', turn);
    return turn.state === 'failed' || !turn.content ? null : turn;
  }

  #note(note) {
    // That the beginning is left out is said once; a lost device each time.
    if (note === 'dropped' && this.#said.has(note)) return;
    this.#said.add(note);
    this.#tell('note', note);
  }

  #add(turn) {
    this.turns.push(turn);
    this.#tell('turn', turn);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function messagesOf(turns) {
  const whole = turns.filter(({ content, state }) => content !== '' && state !== 'waiting' && state !== 'writing');
  return whole.map(({ role, content }) => ({ role, content: role === 'assistant' ? partsOf(content).answer : content }));
}

/** Templates want visitor and assistant in turn: questions without an answer are asked together. */
function alternating(messages) {
  return messages.reduce((turns, { role, content }) => {
    const last = turns.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else turns.push({ role, content });
    return turns;
  }, []);
}
