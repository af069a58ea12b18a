// Where a message is typed. What is typed outlasts a reload, a failure and a change of conversation.

import { Composer, fitHeight } from '../../chat/composer.js';
import { pasted } from '../../chat/picture.js';
import { text } from '../../chat/shapes.js';
import { byId, element, memory } from '../dom.js';
import { showProblem } from '../problems.js';
import { MOST } from './rows.js';

/** Enter sends with a keyboard; on a touch screen it makes a new line, as people expect there. */
const touch = matchMedia('(pointer: coarse)');

export class PageComposer extends Composer {
  #key = 'draft.new';
  #note;
  /** What takes and shows pictures, fetched with the first. @type {Promise<import('./pictures.js').PagePictures | null> | null} */
  #coming = null;
  /** @type {import('./pictures.js').PagePictures | null} */
  #here = null;

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
    this.#note = note;
    byId('attach').addEventListener('click', async () => (await this.#withPictures())?.choose());
    byId('message').addEventListener('paste', (event) => {
      const files = pasted(event.clipboardData);
      if (files.length === 0) return;
      event.preventDefault();
      this.attach(files);
    });
  }

  /** Pictures that are attached. */
  get pictures() {
    return this.#here?.pictures ?? [];
  }

  /** @param {File[]} files */
  async attach(files) {
    await (await this.#withPictures())?.add(files);
  }

  /** Resolves when pictures that came are attached, or refused. */
  async settled() {
    await (await this.#coming)?.settled();
  }

  /** Another model answers. */
  renew() {
    this.#here?.renew();
  }

  /** Shows the draft of this conversation, and the pictures with it. @param {string} id */
  show(id) {
    this.#key = `draft.${id}`;
    this.draft = memory.get(this.#key, text(MOST.words)) ?? '';
    if (this.#here) this.#here.show(this.#key);
    else if (hasKept(this.#key)) this.#withPictures();
  }

  /** The new conversation has its first words: what is typed from now on belongs to it. @param {string} id */
  begun(id) {
    if (this.#key !== 'draft.new') return;
    memory.remove(this.#key);
    this.#key = `draft.${id}`;
    this.#keep(this.draft);
    this.#here?.move(this.#key);
  }

  /** Takes the pictures out of the field. */
  takePictures() {
    const taken = this.pictures;
    this.#here?.give([]);
    return taken;
  }

  /** Shows these in the field. @param {import('../../chat/types.d.ts').Picture[]} shown */
  async giveBack(shown) {
    await (await this.#withPictures())?.give(shown);
  }

  #withPictures() {
    this.#coming ??= import('./pictures.js').then(
      async ({ PagePictures }) => {
        this.#here = new PagePictures(this.#key, { note: this.#note, focus: () => super.focus() });
        await this.#here.restore();
        return this.#here;
      },
      (error) => {
        this.#coming = null; // it may come the next time
        showProblem({ code: 'INTERNAL', message: `pictures cannot be attached: ${error}`, details: {} });
        return null;
      },
    );
    return this.#coming;
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

/** Whether this tab has kept pictures of a draft. @param {string} key */
function hasKept(key) {
  try {
    return sessionStorage.getItem(`cresset.${key}`) !== null;
  } catch {
    return false;
  }
}
