// Where a message is typed. What is typed outlasts a reload, a failure and a change of conversation.

import { Composer, fitHeight } from '../../chat/composer.js';
import { ComposerPictures } from '../../chat/composer-pictures.js';
import { pictures } from '../../chat/picture.js';
import { text } from '../../chat/shapes.js';
import { announce, byId, element, memory } from '../dom.js';
import { showProblem } from '../problems.js';
import { currentLanguage, t, words } from '../text.js';
import { MOST } from './rows.js';

/** Enter sends with a keyboard; on a touch screen it makes a new line, as people expect there. */
const touch = matchMedia('(pointer: coarse)');

export class PageComposer extends Composer {
  #key = 'draft.new';
  /** Pictures of conversations that were left. @type {Map<string, import('../../chat/types.d.ts').Picture[]>} */
  #left = new Map();
  pictures;

  /**
   * @param {object} handlers
   * @param {(text: string, key: boolean) => boolean | Promise<boolean>} handlers.send   gives whether it was taken
   * @param {() => void} handlers.editLast
   * @param {() => HTMLElement | null} handlers.note   what to know of the pictures that are attached
   */
  constructor({ send, editLast, note }) {
    super(byId('composer'), byId('message'), {
      onSend: send,
      onDraft: (draft) => this.#keep(draft),
      onUp: editLast,
      breaksLines: () => touch.matches,
      grow: CSS.supports('field-sizing: content') ? undefined : (area) => fitHeight(area),
    });
    this.pictures = new ComposerPictures(
      { host: byId('chat-pictures'), button: byId('attach'), area: byId('message') },
      {
        words: () => ({ t, locale: currentLanguage() }),
        takes: () => true,
        note,
        onChange: () => keepPictures(this.#key, this.pictures.pictures),
        announce,
        focus: () => super.focus(),
        onTrouble: (error) => showProblem({ code: 'INTERNAL', message: `pictures cannot be attached: ${error}`, details: {} }),
      },
    );
    words.addEventListener('change', () => this.pictures.renew());
  }

  /** Shows the draft of this conversation, and the pictures with it. @param {string} id */
  show(id) {
    this.#left.set(this.#key, this.pictures.pictures);
    this.#key = `draft.${id}`;
    this.draft = memory.get(this.#key, text(MOST.words)) ?? '';
    this.pictures.set(this.#left.get(this.#key) ?? keptPictures(this.#key));
  }

  /** The new conversation has its first words: what is typed from now on belongs to it. @param {string} id */
  begun(id) {
    if (this.#key !== 'draft.new') return;
    memory.remove(this.#key);
    keepPictures(this.#key, []);
    this.#key = `draft.${id}`;
    this.#keep(this.draft);
    keepPictures(this.#key, this.pictures.pictures);
  }

  /** Takes the pictures out of the field. */
  takePictures() {
    const { pictures: taken } = this.pictures;
    this.giveBack([]);
    return taken;
  }

  /** Shows these in the field. @param {import('../../chat/types.d.ts').Picture[]} shown */
  giveBack(shown) {
    this.pictures.set(shown);
    keepPictures(this.#key, shown);
  }

  focus() {
    // Not on a touch screen: it would open the keyboard over the page.
    if (!touch.matches) super.focus();
  }

  /** Chips that say something. @param {string[]} keys   of messages @param {HTMLElement} host */
  suggest(keys, host) {
    host.replaceChildren(
      ...keys.map((key) =>
        element('button', {
          type: 'button',
          class: 'chip',
          text: key,
          onclick: ({ currentTarget }) => {
            this.draft = currentTarget.textContent;
            super.focus();
            this.send(false);
          },
        }),
      ),
    );
  }

  /** @param {string} draft */
  #keep(draft) {
    if (draft) memory.set(this.#key, draft);
    else memory.remove(this.#key);
  }
}

/**
 * Pictures outlast a reload as far as this tab has room for them.
 * @param {string} key
 * @param {import('../../chat/types.d.ts').Picture[]} shown
 */
function keepPictures(key, shown) {
  try {
    sessionStorage.removeItem(`cresset.${key}`);
    if (shown.length > 0) sessionStorage.setItem(`cresset.${key}`, JSON.stringify(shown));
  } catch {
    // Blocked or full: they last as long as the page.
  }
}

/** @param {string} key */
function keptPictures(key) {
  try {
    return pictures(JSON.parse(sessionStorage.getItem(`cresset.${key}`) ?? 'null')) ?? [];
  } catch {
    return [];
  }
}
