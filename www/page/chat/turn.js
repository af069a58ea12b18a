// One turn on the page: its words, the row of what can be done with it, the field that edits it.

import { announce, copy, element, memory } from '../dom.js';
import { duration, rate } from '../format.js';
import { icon } from '../icons.js';
import { t } from '../text.js';
import { partsOf } from '../../chat/answer/thought.js';

/**
 * @typedef {object} Deeds   what a turn asks of the conversation
 * @property {(id: string, by: number) => void} step
 * @property {(id: string) => void} regenerate
 * @property {(id: string) => void} proceed
 * @property {(id: string, text: string) => void} edit
 */

export class TurnView {
  /** @type {import('./tree.js').Turn} */
  turn;
  node;
  #deeds;
  #showMarkdown;
  #body = element('div', { class: 'turn-body' });
  #words = null;
  #markdown = null;
  #thought = null;
  #frame = null;
  #row = element('div', { class: 'turn-row' });

  /**
   * @param {import('./tree.js').Turn} turn
   * @param {Awaited<ReturnType<typeof import('./markdown.js').loadMarkdown>>} showMarkdown
   * @param {Deeds} deeds
   */
  constructor(turn, showMarkdown, deeds) {
    Object.assign(this, { turn });
    this.#showMarkdown = showMarkdown;
    this.#deeds = deeds;
    this.node = element('article', { class: `turn ${turn.role}`, tabIndex: -1, label: `chat.role.${turn.role}` }, this.#body, this.#row);
    this.node.dataset.turn = turn.id;
    this.node.addEventListener('keydown', (event) => this.#key(event));
    this.#showWords();
  }

  /** @param {{ place: [number, number], writing: boolean, last: boolean }} where   which of how many siblings */
  update({ place, writing, last }) {
    this.node.classList.toggle('writing', writing);
    this.node.classList.toggle('last', last);
    this.node.setAttribute('aria-busy', String(writing));
    const key = JSON.stringify([place, writing, last, this.turn.finish, this.turn.usage, this.turn.model]);
    if (this.shown === key) return;
    this.shown = key;
    this.#row.replaceChildren(...this.#controls(place, writing, last));
  }

  /** The turn's text grew: shown with the next frame. */
  grow() {
    // A hidden tab draws no frames; what came meanwhile is shown when it is seen again.
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#render(false);
    });
  }

  finish() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#render(true);
  }

  /** The page speaks another language. */
  renew() {
    this.shown = null;
    if (!this.#markdown) return;
    this.#markdown.renew();
    this.#render(false);
  }

  focus() {
    this.node.focus();
  }

  /** Turns the words into a field; what is typed there outlasts a reload. */
  edit() {
    const key = `edit.${this.turn.id}`;
    const area = element('textarea', { class: 'edit-area', label: 'chat.edit.label', value: memory.get(key) ?? this.turn.content, dir: 'auto', rows: 3 });
    const close = () => {
      this.#body.replaceChildren();
      this.#words = this.#markdown = this.#thought = null;
      this.#showWords();
      this.#row.hidden = false;
      this.focus();
    };
    const save = () => {
      const text = area.value.trim();
      memory.remove(key);
      close();
      if (text && text !== this.turn.content) this.#deeds.edit(this.turn.id, text);
    };
    area.addEventListener('input', () => memory.set(key, area.value));
    area.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === 'Escape') close();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
    });
    this.#row.hidden = true;
    this.#body.replaceChildren(element('div', { class: 'edit' }, area, element('div', { class: 'edit-row' },
      element('button', { type: 'button', class: 'primary small', text: this.turn.role === 'user' ? 'chat.edit.send' : 'chat.edit.save', onclick: save }),
      element('button', { type: 'button', class: 'quiet small', text: 'common.cancel', onclick: () => { memory.remove(key); close(); } }),
      element('p', { class: 'hint', text: 'chat.edit.hint' }))));
    area.focus();
  }

  async copy(button) {
    const { answer } = partsOf(this.turn.content);
    const done = await copy(answer);
    announce(t(done ? 'common.copied' : 'common.notCopied'));
    if (done && button) confirm(button);
  }

  #showWords() {
    const words = element('div', { class: 'words', dir: 'auto' });
    this.#words = words;
    this.#body.append(words);
    if (this.turn.role === 'user') words.textContent = this.turn.content;
    else this.#render(true);
  }

  #render(whole) {
    const { thought, answer, thinking } = partsOf(this.turn.content);
    if (thought || this.#thought) this.#showThought(thought, thinking);
    this.#markdown ??= this.#showMarkdown(this.#words);
    if (whole) this.#markdown.finish(answer);
    else this.#markdown.set(answer);
  }

  #showThought(text, thinking) {
    if (!this.#thought) {
      const words = element('p', { class: 'thought-words', dir: 'auto' });
      const name = element('span');
      const node = element('details', { class: 'thought' }, element('summary', {}, icon('thought'), name), words);
      this.#thought = { node, words, name };
      this.#words.before(node);
    }
    const { node, words, name } = this.#thought;
    name.textContent = t(thinking ? 'chat.thinking' : 'chat.thought');
    node.classList.toggle('thinking', thinking);
    if (text.startsWith(words.textContent)) words.append(text.slice(words.textContent.length));
    else words.textContent = text;
  }

  #controls([at, of], writing, last) {
    const { turn } = this;
    const mine = turn.role === 'user';
    const button = (name, label, run) => element('button', { type: 'button', class: 'turn-button', label, hint: label, onclick: run }, icon(name));
    const steps = of > 1 ? element('span', { class: 'siblings' },
      Object.assign(button('left', 'chat.previous', () => this.#deeds.step(turn.id, -1)), { disabled: at === 0 }),
      element('span', { text: ['chat.place', { at: at + 1, of }] }),
      Object.assign(button('right', 'chat.next', () => this.#deeds.step(turn.id, 1)), { disabled: at === of - 1 })) : null;
    if (writing) return [];
    const cut = !mine && last && turn.finish !== 'stop';
    return [
      steps,
      button('copy', 'common.copy', ({ currentTarget }) => this.copy(currentTarget)),
      button('edit', mine ? 'chat.edit.question' : 'chat.edit.answer', () => this.edit()),
      mine ? null : button('again', 'chat.regenerate', () => this.#deeds.regenerate(turn.id)),
      cut ? element('button', { type: 'button', class: 'turn-button wide', text: 'chat.continue', onclick: () => this.#deeds.proceed(turn.id) }) : null,
      mine ? null : element('span', { class: 'turn-facts', textContent: factsOf(turn) }),
    ].filter(Boolean);
  }

  #key(event) {
    if (event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = {
      ArrowLeft: () => this.#deeds.step(this.turn.id, -1), ArrowRight: () => this.#deeds.step(this.turn.id, 1),
      c: () => this.copy(), e: () => this.edit(), r: () => (this.turn.role === 'assistant' ? this.#deeds.regenerate(this.turn.id) : null),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!deed) return;
    event.preventDefault();
    deed();
  }
}

/** A copy button says for a moment that it worked. */
export function confirm(button) {
  const old = [...button.childNodes];
  button.replaceChildren(icon('check'), ...old.filter(({ nodeName }) => nodeName === 'SPAN').map(() => element('span', { text: 'common.copied' })));
  setTimeout(() => button.replaceChildren(...old), 1600);
}

/** Who answered and how fast; how it ended, where that was not the end. */
function factsOf({ model, finish, usage, edited }) {
  const end = { length: 'chat.finish.length', abort: 'chat.finish.abort', error: 'chat.finish.error' }[finish] ?? (finish ? null : 'chat.finish.cut');
  const speed = usage?.extra?.decode_tokens_per_s;
  const first = usage?.extra?.time_to_first_token_s;
  return [
    edited ? t('chat.edited') : end && t(end),
    model,
    speed > 0 ? t('chat.speed', { rate: rate(speed) }) : null,
    first > 0 ? t('chat.first', { time: duration(first) }) : null,
  ].filter(Boolean).join(' · ');
}
