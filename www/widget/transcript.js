// The conversation as it is seen: turns, what can be done with them, notes between them. The end stays in sight.

import { Follower } from '../chat/answer/follower.js';
import { GrowingText } from '../chat/answer/growing.js';
import { partsOf } from '../chat/answer/thought.js';
import { attribute, element, icon } from '../chat/dom.js';
import { fill } from './words.js';

const COPY = ['M9 9h10v11H9z', 'M15 9V4H5v11h4'];
const AGAIN = ['M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9', 'M19.5 4v5h-5'];
const DOWN = 'm6 9.5 6 6 6-6';
const COPIED_MS = 1600;

export class Transcript {
  /** Nodes for the panel. */
  box;
  latest;
  #list;
  #welcome;
  #words;
  #around;
  #follower;
  #shown = new Map(); // by turn: its nodes
  #growing = null; // the turn that is to be drawn, until it is
  #onAgain;
  #onGoOn;
  #onSuggestion;

  /**
   * @param {Record<string, string>} words
   * @param {{ onAgain: () => void, onGoOn: () => void, onSuggestion: (text: string) => void }} actions
   */
  constructor(words, { onAgain, onGoOn, onSuggestion }) {
    this.#onAgain = onAgain;
    this.#onGoOn = onGoOn;
    this.#onSuggestion = onSuggestion;
    this.#around = {
      say: (key, values) => fill(this.#words[key], values),
      level: 3, // under the chat's title
      base: location.href,
      copyButton: () => element('button', { type: 'button', class: 'text-button copy-code', text: this.#words.copy }),
      check: (node) => node,
    };
    this.#welcome = element('div', { class: 'welcome', part: 'greeting' });
    this.#list = element('ol', { class: 'turns' });
    this.box = element('div', { class: 'messages', part: 'messages', tabindex: '0', role: 'log', 'aria-live': 'off' }, this.#welcome, this.#list);
    this.latest = element('button', { type: 'button', class: 'latest', part: 'latest', hidden: true, onclick: () => this.#follower.follow() }, icon(DOWN));
    this.#follower = new Follower(this.box, (away) => attribute(this.latest, 'hidden', !away));
    this.box.addEventListener('click', ({ target }) => {
      const button = target.closest?.('.copy-code');
      if (button) this.#copy(button, button.closest('.code').querySelector('code').textContent);
    });
    this.relabel(words);
  }

  /** @param {Record<string, string>} words */
  relabel(words) {
    const others = words !== this.#words;
    this.#words = words;
    this.box.setAttribute('aria-label', words.messages);
    this.latest.setAttribute('aria-label', words.latest);
    for (const [turn, nodes] of this.#shown) {
      if (others) nodes.text?.renew();
      if (turn.role === 'user') nodes.item.firstChild.textContent = `${words.you} `;
      if (turn.role === 'assistant') this.#finish(turn);
    }
  }

  /** What stands above the first message. */
  greet(text, suggestions, hint) {
    this.#welcome.replaceChildren(
      element('p', { class: 'greeting', dir: 'auto', text }),
      ...(hint ? [element('p', { class: 'hint', text: hint })] : []),
      ...(suggestions.length > 0 ? [element('ul', { class: 'suggestions' }, ...suggestions.map((each) => element('li', {},
        element('button', { type: 'button', class: 'suggestion', part: 'suggestion', dir: 'auto', text: each, onclick: () => this.#onSuggestion(each) }))))] : []));
    this.#follower.grown();
  }

  /** Shows these turns and no others. */
  reset(turns) {
    this.#shown.clear();
    this.#growing = null;
    this.#list.replaceChildren();
    for (const turn of turns) this.add(turn);
    this.#follower.follow();
  }

  add(turn) {
    const item = turn.role === 'user' ? this.#question(turn) : this.#answer(turn);
    this.#list.appendChild(item);
    attribute(this.#welcome, 'data-begun', true);
    if (turn.role === 'assistant' && turn.state === 'done') this.#finish(turn);
    this.#markLast();
    this.#follower.follow();
  }

  /** More of a turn is there. Drawn once a frame, however fast it comes. */
  grow(turn) {
    this.#mark(turn);
    if (this.#growing === turn) return;
    this.#growing = turn;
    const draw = () => {
      if (this.#growing !== turn) return;
      this.#growing = null;
      this.#draw(turn);
    };
    // Hidden tabs have no frames.
    if (document.hidden) setTimeout(draw, 200);
    else requestAnimationFrame(draw);
  }

  /** A turn has ended. */
  end(turn) {
    this.#growing = null;
    this.#draw(turn);
    this.#finish(turn);
    this.#markLast();
    this.#follower.grown();
  }

  /** To the end of it. */
  follow() {
    this.#follower.follow();
  }

  note(text) {
    this.#list.appendChild(element('li', { class: 'note', part: 'note', dir: 'auto', text }));
    this.#follower.grown();
  }

  #question(turn) {
    const item = element('li', { class: 'turn user', part: 'message user-message' },
      element('span', { class: 'unseen', text: `${this.#words.you} ` }),
      element('div', { class: 'bubble', part: 'bubble', dir: 'auto', text: turn.content }));
    this.#shown.set(turn, { item });
    return item;
  }

  #answer(turn) {
    const thought = element('details', { class: 'thought', part: 'thought', hidden: true }, element('summary'), element('div', { class: 'thought-text', dir: 'auto' }));
    const words = element('div', { class: 'words', dir: 'auto' });
    const dots = element('span', { class: 'dots', 'aria-hidden': 'true' }, element('i'), element('i'), element('i'));
    const foot = element('div', { class: 'foot' });
    const item = element('li', { class: 'turn assistant', part: 'message assistant-message' }, thought, words, dots, foot);
    this.#shown.set(turn, { item, thought, words, foot, text: new GrowingText(words, this.#around) });
    this.#mark(turn);
    if (turn.content) this.#draw(turn);
    return item;
  }

  #mark(turn) {
    const { classList } = this.#shown.get(turn).item;
    classList.toggle('waiting', turn.state === 'waiting');
    classList.toggle('writing', turn.state === 'writing');
  }

  #draw(turn) {
    const shown = this.#shown.get(turn);
    if (!shown) return;
    const ended = turn.state !== 'writing';
    const { thought, thinking, answer } = partsOf(turn.content);
    const unfinished = ended && !thought && !answer ? turn.content : answer;
    attribute(shown.thought, 'hidden', !thought);
    if (thought) {
      shown.thought.firstChild.textContent = thinking && !ended ? this.#words.thinking : this.#words.thought;
      shown.thought.lastChild.textContent = thought;
    }
    shown.item.classList.toggle('empty', !unfinished);
    if (ended) shown.text.finish(unfinished.trimStart());
    else shown.text.set(unfinished.trimStart());
    this.#follower.grown();
  }

  #finish(turn) {
    const { foot } = this.#shown.get(turn);
    const words = this.#words;
    this.#mark(turn);
    const note = turn.state === 'stopped' ? words['note.stopped'] : turn.state === 'done' && !turn.content.trim() ? words['note.empty'] : null;
    const more = turn.finish === 'length' ? element('button', { type: 'button', class: 'go-on', part: 'go-on', text: words.goOn, onclick: this.#onGoOn }) : null;
    const copy = element('button', { type: 'button', class: 'tool', 'aria-label': words.copy, title: words.copy, onclick: () => this.#copy(copy, partsOf(turn.content).answer.trim()) }, icon(...COPY));
    const again = element('button', { type: 'button', class: 'tool again', 'aria-label': words.again, title: words.again, onclick: this.#onAgain }, icon(...AGAIN));
    foot.replaceChildren(...(turn.content.trim() ? [copy] : []), again, ...(more ? [more] : []), ...(note ? [element('span', { class: 'hint', text: note })] : []));
  }

  // Only the last answer can be asked for again.
  #markLast() {
    let last = true;
    for (const [turn, { item }] of [...this.#shown].toReversed()) {
      item.classList.toggle('last', last && turn.role === 'assistant');
      last = false;
    }
  }

  async #copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return; // a page without access to the clipboard: the text can be selected
    }
    const words = this.#words;
    const named = button.hasAttribute('aria-label');
    if (named) button.setAttribute('aria-label', words.copied);
    else button.textContent = words.copied;
    button.classList.add('done');
    setTimeout(() => {
      if (named) button.setAttribute('aria-label', words.copy);
      else button.textContent = words.copy;
      button.classList.remove('done');
    }, COPIED_MS);
  }
}
