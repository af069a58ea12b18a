// One turn in the widget: a question in its bubble, or an answer with what can be done with it.

import { GrowingText } from '../chat/answer/growing.js';
import { partsOf } from '../chat/answer/thought.js';
import { element, icon } from '../chat/dom.js';
import { timeText } from '../chat/format.js';
import { readingText } from '../chat/reading.js';
import { TurnWords } from '../chat/turn-words.js';

const COPY = ['M9 9h10v11H9z', 'M15 9V4H5v11h4'];
const AGAIN = ['M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9', 'M19.5 4v5h-5'];
const READ = ['M5 9.5v5h3.2L12 18V6L8.2 9.5z', 'M15 9a4.2 4.2 0 0 1 0 6', 'M17.6 6.5a7.8 7.8 0 0 1 0 11'];
const QUIET = 'M7 7h10v10H7z';
const COPIED_MS = 1600;

/**
 * What a turn needs of the widget.
 * @typedef {object} Context
 * @property {() => import('../chat/i18n.js').Translator} words
 * @property {() => void} onAgain
 * @property {(id: string) => void} onGoOn
 * @property {() => void} onDrawn
 * @property {() => import('./voice.js').Voice | null} voice
 *
 * @typedef {import('../chat/types.d.ts').Turn} Turn
 * @typedef {import('../chat/i18n.js').Translator['t']} T
 */

/** @param {Turn} turn @param {Context} context @returns {import('../chat/types.d.ts').TurnView} */
export const viewOf = (turn, context) => (turn.role === 'user' ? new Question(turn, context) : new Answer(turn, context));

/** A TurnView: see chat/transcript.js. */
class Question {
  node;
  #context;
  #turn;
  #who = element('span', { class: 'unseen' });
  #pictures = element('div', { class: 'pictures' });

  /** @param {Turn} turn @param {Context} context */
  constructor(turn, context) {
    this.#turn = turn;
    this.#context = context;
    this.node = element(
      'li',
      { class: 'turn user', part: 'message user-message' },
      this.#who,
      turn.pictures && this.#pictures,
      turn.content ? element('div', { class: 'bubble', part: 'bubble', dir: 'auto', text: turn.content }) : null,
    );
    this.renew();
  }

  update() {}
  read() {}
  grow() {}
  end() {}

  renew() {
    this.#who.textContent = `${this.#context.words().t('you')} `;
    this.#showPictures();
  }

  /** What draws them is fetched with the first. */
  async #showPictures() {
    const { pictures } = this.#turn;
    if (!pictures) return;
    const { showPictures } = await import('../chat/picture-view.js');
    showPictures(this.#pictures, pictures, this.#context.words().t);
    this.#context.onDrawn();
  }
}

/** A TurnView: see chat/transcript.js. */
class Answer {
  node;
  #turn;
  #context;
  #words;
  #foot = element('div', { class: 'foot' });
  #shown = ''; // what the foot was made of

  /** @param {Turn} turn @param {Context} context */
  constructor(turn, context) {
    this.#turn = turn;
    this.#context = context;
    const box = element('div', { class: 'words', dir: 'auto' });
    const dots = element('span', { class: 'dots', 'aria-hidden': 'true' }, element('i'), element('i'), element('i'));
    this.node = element('li', { class: 'turn assistant', part: 'message assistant-message' }, box, dots, this.#foot);
    /** @type {T} */
    const t = (key, values) => context.words().t(key, values);
    this.#words = new TurnWords(box, { makeText: () => new GrowingText(box, surroundings(t)), makeThought, t, onDrawn: context.onDrawn });
    this.end();
  }

  /** @param {import('../chat/types.d.ts').How} how */
  update({ state, last }) {
    const { classList } = this.node;
    classList.toggle('waiting', state === 'waiting');
    classList.toggle('writing', state === 'writing');
    classList.toggle('last', last);
    const said = this.#turn.content.trim() !== '';
    const writes = state === 'waiting' || state === 'writing';
    const read = this.#context.voice()?.readButton(this.#turn)?.name;
    const key = [writes, state, said, this.#turn.finish, read].join();
    if (key === this.#shown) return;
    this.#shown = key;
    // While more is written, what can be done with it stays as it was.
    if (!writes) this.#foot.replaceChildren(...this.#tools(state, said));
  }

  /** @param {import('../cresset.js').RequestProgress | null} progress */
  read(progress) {
    const { t: say, locale } = this.#context.words();
    this.#words.read(progress && readingText(progress, { say, locale, duration: (seconds) => timeText(seconds, locale) }));
  }

  grow() {
    this.#words.grow(this.#turn.content);
  }

  end() {
    this.#words.end(this.#turn.content);
  }

  renew() {
    this.#shown = '';
    this.#words.renew();
  }

  #readButton() {
    const read = this.#context.voice()?.readButton(this.#turn);
    if (!read) return null;
    return element(
      'button',
      { type: 'button', class: 'tool read', 'aria-label': read.name, title: read.name, onclick: read.toggle },
      ...(read.reads ? [icon(QUIET)] : [icon(...READ)]),
    );
  }

  /** @param {import('../chat/types.d.ts').TurnState} state @param {boolean} said */
  #tools(state, said) {
    const { words, onAgain, onGoOn } = this.#context;
    const { t } = words();
    const note =
      state === 'stopped' ? 'note.stopped' : this.#turn.finish === 'repetition' ? 'note.repetition' : state === 'done' && !said ? 'note.empty' : null;
    const copy = element(
      'button',
      {
        type: 'button',
        class: 'tool',
        'aria-label': t('copy'),
        title: t('copy'),
        onclick: () => copyText(copy, partsOf(this.#turn.content).answer.trim(), words()),
      },
      icon(...COPY),
    );
    const tools = [
      said && copy,
      said && this.#readButton(),
      element('button', { type: 'button', class: 'tool again', 'aria-label': t('again'), title: t('again'), onclick: onAgain }, icon(...AGAIN)),
      this.#turn.finish === 'length' &&
        element('button', { type: 'button', class: 'go-on', part: 'go-on', text: t('goOn'), onclick: () => onGoOn(this.#turn.id) }),
      note && element('span', { class: 'hint', text: t(note) }),
    ];
    return /** @type {HTMLElement[]} */ (tools.filter(Boolean));
  }
}

/** @returns {import('../chat/types.d.ts').RenderOptions} */
function surroundings(/** @type {T} */ t) {
  return {
    say: (key, values) => t(`answer.${key}`, values),
    level: 3, // under the chat's title
    base: location.href,
    copyButton: () => element('button', { type: 'button', class: 'text-button copy-code', text: t('copy') }),
    check: (node) => node,
  };
}

function makeThought() {
  const name = element('summary');
  const words = element('div', { class: 'thought-text', dir: 'auto' });
  return { node: element('details', { class: 'thought', part: 'thought' }, name, words), name, words };
}

/** @param {HTMLElement} button @param {string} text @param {import('../chat/i18n.js').Translator} words */
export async function copyText(button, text, { t }) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return; // a page without access to the clipboard: the text can be selected
  }
  const name = (/** @type {string} */ key) => {
    if (button.hasAttribute('aria-label')) button.setAttribute('aria-label', t(key));
    else button.textContent = t(key);
  };
  name('copied');
  button.classList.add('done');
  setTimeout(() => {
    name('copy');
    button.classList.remove('done');
  }, COPIED_MS);
}
