// How pictures come to a message that is being written: chosen, pasted, dropped. What reads and shows them is fetched with the first.

/**
 * @typedef {import('./types.d.ts').Picture} Picture
 * @typedef {import('./attachments.js').Attachments} Attachments
 */

const NAMES = /\.(png|jpe?g|webp|gif|avif|bmp|heic|heif|tiff?|svg)$/i;

/** Whether a file is a picture, by what it says of itself. @param {File} file */
export const isPicture = ({ type, name }) => type.startsWith('image/') || (type === '' && NAMES.test(name));

export class ComposerPictures {
  /** @type {Promise<Attachments | null> | null} */
  #coming = null;
  /** @type {Attachments | null} */
  #here = null;
  #host;
  #options;
  /** Held, since a browser may forget one that is nowhere else. @type {HTMLInputElement | null} */
  #input = null;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.host   where they are shown
   * @param {HTMLElement} parts.button   that asks for files
   * @param {HTMLTextAreaElement} parts.area   of the text
   * @param {import('./types.d.ts').PictureOptions} options
   */
  constructor({ host, button, area }, options) {
    this.#host = host;
    this.#options = options;
    button.addEventListener('click', () => this.#choose());
    area.addEventListener('paste', (event) => {
      const data = event.clipboardData;
      const files = [...(data?.files ?? [])].filter(isPicture);
      // What a table or a text editor copies is a text, with a picture of it.
      if (!this.#options.takes() || files.length === 0 || data?.types.includes('text/plain')) return;
      event.preventDefault();
      this.add(files);
    });
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
    if (pictures.length > 0 || this.#coming) (await this.#shown())?.set(pictures);
  }

  /** Another model answers, or another language holds. */
  renew() {
    this.#here?.renew();
  }

  #choose() {
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
