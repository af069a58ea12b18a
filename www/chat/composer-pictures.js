// The pictures of a message that is being written. What reads and shows them is fetched with the first.

/**
 * @typedef {import('./types.d.ts').Picture} Picture
 * @typedef {import('./attachments.js').Attachments} Attachments
 */

export class ComposerPictures {
  /** @type {Promise<Attachments | null> | null} */
  #coming = null;
  /** @type {Attachments | null} */
  #here = null;
  #host;
  #options;
  /** Held, since a browser may forget one that is nowhere else. @type {HTMLInputElement | null} */
  #input = null;

  /** @param {HTMLElement} host   where they are shown @param {import('./types.d.ts').PictureOptions} options */
  constructor(host, options) {
    this.#host = host;
    this.#options = options;
  }

  get pictures() {
    return this.#here?.pictures ?? [];
  }

  /** Resolves when those that came are here, or refused. */
  async settled() {
    await (await this.#coming)?.settled();
  }

  /** @param {File[]} files */
  async add(files) {
    await (await this.#shown())?.add(files);
  }

  /** Shows these in place of those that were there. @param {Picture[]} pictures */
  async set(pictures) {
    if (this.#here) this.#here.set(pictures);
    else if (pictures.length > 0 || this.#coming) (await this.#shown())?.set(pictures);
  }

  /** Another model answers, or another language holds. */
  renew() {
    this.#here?.renew();
  }

  /** Asks for files. */
  choose() {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', accept: 'image/*', multiple: true });
    input.addEventListener('change', () => this.add([...(input.files ?? [])]));
    this.#input = input;
    this.#input.click();
  }

  #shown() {
    this.#coming ??= import('./attachments.js').then(
      ({ Attachments }) => (this.#here = new Attachments(this.#host, this.#options)),
      (error) => {
        this.#coming = null; // it may come the next time
        this.#options.onTrouble(error);
        return null;
      },
    );
    return this.#coming;
  }
}
