// One turn on the page: its words, the row of what can be done with it, the field that edits it.

import { partsOf } from '../../chat/answer/thought.js';
import { readingText } from '../../chat/reading.js';
import { TurnWords } from '../../chat/turn-words.js';
import { text } from '../../chat/shapes.js';
import { announce, copy, element, memory } from '../dom.js';
import { duration, rate } from '../format.js';
import { icon } from '../icons.js';
import { currentLanguage, say, t } from '../text.js';
import { MOST } from './rows.js';

/** Whether the browser reads aloud. */
const READS = 'speechSynthesis' in globalThis;

/**
 * @typedef {object} Actions   what a turn asks of the conversation
 * @property {(id: string, by: number) => void} step
 * @property {(id: string) => void} regenerate
 * @property {(id: string) => void} proceed
 * @property {(id: string, text: string) => void} edit
 * @property {(turn: import('../../chat/types.d.ts').Turn) => void} aloud   reads it aloud, or stops that
 */

/** A TurnView: see chat/transcript.js. */
export class TurnView {
  node;
  /** @type {import('../../chat/types.d.ts').Turn} */
  #turn;
  #actions;
  #makeText;
  #onDrawn;
  #body = element('div', { class: 'turn-body' });
  /** Of an answer. @type {TurnWords | null} */
  #words = null;
  /** Of a question. */
  #pictures = element('div', { class: 'pictures' });
  #row = element('div', { class: 'turn-row' });
  #shown = ''; // what the row was made of
  #isRead = false; // aloud, now

  /**
   * @param {import('../../chat/types.d.ts').Turn} turn
   * @param {object} options
   * @param {(box: HTMLElement) => import('../../chat/types.d.ts').Text} options.makeText
   * @param {Actions} options.actions
   * @param {() => void} options.onDrawn
   */
  constructor(turn, { makeText, actions, onDrawn }) {
    this.#turn = turn;
    this.#makeText = makeText;
    this.#actions = actions;
    this.#onDrawn = onDrawn;
    this.node = element('article', { class: `turn ${turn.role}`, tabIndex: -1, label: `chat.role.${turn.role}` }, this.#body, this.#row);
    if (turn.pictures) this.#body.before(this.#pictures);
    this.#showPictures();
    this.node.addEventListener('keydown', (event) => this.#key(event));
    this.#showWords();
  }

  /** @param {import('../../chat/types.d.ts').How} how */
  update({ place, state, last }) {
    const writing = state === 'waiting' || state === 'writing';
    this.node.classList.toggle('writing', writing);
    this.node.classList.toggle('last', last);
    this.node.setAttribute('aria-busy', String(writing));
    const { finish, usage, model } = this.#turn;
    const key = JSON.stringify([place, writing, last, finish, usage, model]);
    if (this.#shown === key) return;
    this.#shown = key;
    this.#row.replaceChildren(...this.#controls(place, writing, last));
  }

  /** @param {import('../../cresset.js').RequestProgress | null} progress */
  read(progress) {
    this.#words?.read(progress && readingText(progress, { say: t, locale: currentLanguage(), duration }));
  }

  grow() {
    this.#words?.grow(this.#turn.content);
  }

  end() {
    this.#words?.end(this.#turn.content);
  }

  renew() {
    this.#shown = '';
    this.#words?.renew();
    this.#showPictures();
  }

  focus() {
    this.node.focus();
  }

  /** Whether it is read aloud now. @param {boolean} isRead */
  readAloud(isRead) {
    this.#isRead = isRead;
    this.#showRead(this.#row.querySelector('.aloud'));
  }

  /** Turns the words into a field; what is typed there outlasts a reload. */
  edit() {
    const key = `edit.${this.#turn.id}`;
    const area = element('textarea', {
      class: 'edit-area',
      label: 'chat.edit.label',
      value: memory.get(key, text(MOST.words)) ?? this.#turn.content,
      dir: 'auto',
      rows: 3,
    });
    const close = () => {
      this.#body.replaceChildren();
      this.#words = null;
      this.#showWords();
      this.#row.hidden = false;
      this.focus();
    };
    const save = () => {
      const text = area.value.trim();
      memory.remove(key);
      close();
      if ((text || this.#turn.pictures) && text !== this.#turn.content) this.#actions.edit(this.#turn.id, text);
    };
    area.addEventListener('input', () => memory.set(key, area.value));
    area.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === 'Escape') close();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
    });
    this.#row.hidden = true;
    this.#body.replaceChildren(
      element(
        'div',
        { class: 'edit' },
        area,
        element(
          'div',
          { class: 'edit-row' },
          element('button', { type: 'button', class: 'primary small', text: this.#turn.role === 'user' ? 'chat.edit.send' : 'chat.edit.save', onclick: save }),
          element('button', {
            type: 'button',
            class: 'quiet small',
            text: 'common.cancel',
            onclick: () => {
              memory.remove(key);
              close();
            },
          }),
          element('p', { class: 'hint', text: 'chat.edit.hint' }),
        ),
      ),
    );
    area.focus();
  }

  /** @param {HTMLElement} [button]   that says so */
  async copy(button) {
    const { answer } = partsOf(this.#turn.content);
    const done = await copy(answer);
    announce(t(done ? 'common.copied' : 'common.notCopied'));
    if (done && button) confirm(button);
  }

  /** What draws them is fetched with the first. */
  async #showPictures() {
    const { pictures } = this.#turn;
    if (!pictures) return;
    const { showPictures } = await import('./pictures.js');
    await showPictures(this.#pictures, pictures);
    this.#onDrawn();
  }

  #showWords() {
    const box = element('div', { class: 'words', dir: 'auto' });
    this.#body.append(box);
    if (this.#turn.role === 'user') {
      box.textContent = this.#turn.content;
      box.hidden = !this.#turn.content;
      return;
    }
    this.#words = new TurnWords(box, { makeText: this.#makeText, makeThought, t, onDrawn: this.#onDrawn });
    this.end();
  }

  /** @param {[number, number]} place @param {boolean} writing @param {boolean} last */
  #controls([at, of], writing, last) {
    const turn = this.#turn;
    const mine = turn.role === 'user';
    /** @param {string} name @param {string} label @param {(event: { currentTarget: HTMLElement }) => void} run */
    const button = (name, label, run) => element('button', { type: 'button', class: 'turn-button', label, hint: label, onclick: run }, icon(name));
    const steps =
      of > 1
        ? element(
            'span',
            { class: 'siblings' },
            Object.assign(
              button('left', 'chat.previous', () => this.#actions.step(turn.id, -1)),
              { disabled: at === 0 },
            ),
            element('span', { text: ['chat.place', { at: at + 1, of }] }),
            Object.assign(
              button('right', 'chat.next', () => this.#actions.step(turn.id, 1)),
              { disabled: at === of - 1 },
            ),
          )
        : null;
    if (writing) return [];
    const cut = !mine && last && turn.finish !== 'stop';
    return [
      steps,
      button('copy', 'common.copy', ({ currentTarget }) => this.copy(currentTarget)),
      button('edit', mine ? 'chat.edit.question' : 'chat.edit.answer', () => this.edit()),
      mine ? null : button('again', 'chat.regenerate', () => this.#actions.regenerate(turn.id)),
      mine || !READS ? null : this.#readButton(button('aloud', 'aloud.read', () => this.#actions.aloud(turn))),
      cut ? element('button', { type: 'button', class: 'turn-button wide', text: 'chat.continue', onclick: () => this.#actions.proceed(turn.id) }) : null,
      mine ? null : element('span', { class: 'turn-facts', textContent: factsOf(turn) }),
    ].filter((part) => part !== null);
  }

  /** @param {HTMLButtonElement} node */
  #readButton(node) {
    node.classList.add('aloud');
    this.#showRead(node);
    return node;
  }

  /** @param {HTMLElement | null} node */
  #showRead(node) {
    if (!node) return;
    for (const place of /** @type {const} */ (['label', 'hint'])) say(node, place, this.#isRead ? 'aloud.stop' : 'aloud.read');
    node.replaceChildren(icon(this.#isRead ? 'stop' : 'aloud'));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => unknown>} */
    const deeds = {
      ArrowLeft: () => this.#actions.step(this.#turn.id, -1),
      ArrowRight: () => this.#actions.step(this.#turn.id, 1),
      c: () => this.copy(),
      e: () => this.edit(),
      r: () => (this.#turn.role === 'assistant' ? this.#actions.regenerate(this.#turn.id) : null),
    };
    const deed = deeds[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!deed) return;
    event.preventDefault();
    deed();
  }
}

function makeThought() {
  const words = element('p', { class: 'thought-words', dir: 'auto' });
  const name = element('span');
  return { node: element('details', { class: 'thought' }, element('summary', {}, icon('thought'), name), words), name, words };
}

/** A copy button says for a moment that it worked. @param {HTMLElement} button */
export function confirm(button) {
  const old = [...button.childNodes];
  button.replaceChildren(icon('check'), ...old.filter(({ nodeName }) => nodeName === 'SPAN').map(() => element('span', { text: 'common.copied' })));
  setTimeout(() => button.replaceChildren(...old), 1600);
}

/** @type {Record<string, string>} */
const ENDS = { length: 'chat.finish.length', repetition: 'chat.finish.repetition', abort: 'chat.finish.abort', error: 'chat.finish.error' };

/** Who answered and how fast; how it ended, where that was not the end. @param {import('../../chat/types.d.ts').Turn} turn */
function factsOf({ model, finish, usage, edited }) {
  const end = finish ? ENDS[finish] : 'chat.finish.cut';
  const { decode_tokens_per_s: speed = 0, time_to_first_token_s: first = 0 } = usage?.extra ?? {};
  return [
    edited ? t('chat.edited') : end && t(end),
    model,
    speed > 0 ? t('chat.speed', { rate: rate(speed) }) : null,
    first > 0 ? t('chat.first', { time: duration(first) }) : null,
  ]
    .filter(Boolean)
    .join(' · ');
}
