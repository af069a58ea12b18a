// Pictures of the page's chat, fetched with the first: those of the message that is being written, which outlast a change of conversation
// and, as far as this tab has room, a reload; and those of turns.

import { ComposerPictures } from '../../chat/composer-pictures.js';
import { pictures } from '../../chat/picture.js';
import { showPictures as show } from '../../chat/picture-view.js';
import { announce, byId } from '../dom.js';
import { showProblem } from '../problems.js';
import { addStyle } from '../style.js';
import { currentLanguage, t, words } from '../text.js';

/** @typedef {import('../../chat/types.d.ts').Picture} Picture */

/** @type {Promise<unknown> | null} */
let styled = null;

/** Pictures without their style are better than none. */
function addOwnStyle() {
  styled ??= addStyle('page/chat/pictures.css').catch(() => {
    styled = null;
  });
  return styled;
}

/** Shows the pictures of a turn. @param {HTMLElement} box @param {Picture[]} shown */
export async function showPictures(box, shown) {
  await addOwnStyle();
  show(box, shown, t);
}

export class PagePictures extends ComposerPictures {
  #key;
  /** Of messages that were left. @type {Map<string, Picture[]>} */
  #left = new Map();

  /**
   * @param {string} key   of the message
   * @param {{ note: () => HTMLElement | null, focus: () => void }} options   `note`: what to know of pictures that are attached
   */
  constructor(key, { note, focus }) {
    super(byId('chat-pictures'), {
      words: () => ({ t, locale: currentLanguage() }),
      note,
      onChange: () => keep(this.#key, this.pictures),
      announce,
      focus,
      onTrouble: (error) => showProblem({ code: 'INTERNAL', message: `pictures cannot be attached: ${error}`, details: {} }),
    });
    this.#key = key;
    words.addEventListener('change', () => this.renew());
  }

  /** Those that this tab has kept. */
  async restore() {
    await addOwnStyle();
    await this.set(keptFor(this.#key));
  }

  /** Another message is written. @param {string} key */
  show(key) {
    this.#left.set(this.#key, this.pictures);
    this.#key = key;
    return this.set(this.#left.get(key) ?? keptFor(key));
  }

  /** The same message has another key. @param {string} key */
  move(key) {
    keep(this.#key, []);
    this.#key = key;
    keep(key, this.pictures);
  }

  /** Shows these in the field. @param {Picture[]} shown */
  give(shown) {
    keep(this.#key, shown);
    return this.set(shown);
  }
}

/** @param {string} key @param {Picture[]} shown */
function keep(key, shown) {
  try {
    sessionStorage.removeItem(`cresset.${key}`);
    if (shown.length > 0) sessionStorage.setItem(`cresset.${key}`, JSON.stringify(shown));
  } catch {
    // Blocked or full: they last as long as the page.
  }
}

/** @param {string} key */
function keptFor(key) {
  try {
    return pictures(JSON.parse(sessionStorage.getItem(`cresset.${key}`) ?? 'null')) ?? [];
  } catch {
    return [];
  }
}
