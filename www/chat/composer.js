// Where the visitor types. Enter sends, Shift+Enter begins a line; an Enter that ends a word of an input method does neither.

export class Composer {
  #area;
  #onSend;
  #onDraft;
  #grow;

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLTextAreaElement} area
   * @param {object} options
   * @param {(text: string, key: boolean) => boolean | Promise<boolean>} options.onSend   gives whether the text was taken; `key`: by Enter
   * @param {(draft: string) => void} options.onDraft   what is typed is another text than before
   * @param {() => void} [options.onUp]   the arrow up, in an empty field
   * @param {() => boolean} [options.breaksLines]   whether Enter begins a line here, as people expect of touch screens
   * @param {(area: HTMLTextAreaElement) => void} [options.grow]   makes the field as tall as its text
   */
  constructor(form, area, { onSend, onDraft, onUp = () => {}, breaksLines = () => false, grow = () => {} }) {
    this.#area = area;
    this.#onSend = onSend;
    this.#onDraft = onDraft;
    this.#grow = grow;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.send(false);
    });
    area.addEventListener('input', () => this.#changed());
    area.addEventListener('keydown', (event) => {
      // 229: how browsers say so that tell of the key after the composition has ended.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === 'ArrowUp' && !area.value && !event.altKey) {
        event.preventDefault();
        onUp();
      }
      if (event.key !== 'Enter' || event.shiftKey || (breaksLines() && !event.ctrlKey && !event.metaKey)) return;
      event.preventDefault();
      this.send(true);
    });
  }

  get draft() {
    return this.#area.value;
  }

  set draft(text) {
    this.#area.value = text;
    this.#changed();
  }

  /** Offers what is typed; what is taken leaves the field. @param {boolean} key */
  async send(key) {
    if (await this.#onSend(this.#area.value.trim(), key)) this.draft = '';
  }

  focus() {
    this.#area.focus({ preventScroll: true });
  }

  #changed() {
    this.#grow(this.#area);
    this.#onDraft(this.#area.value);
  }
}

/**
 * Makes a field as tall as its text.
 * @param {HTMLTextAreaElement} area
 * @param {number} [most]   lines
 */
export function fitHeight(area, most = Infinity) {
  const { style } = area;
  style.height = 'auto';
  const line = Number.parseFloat(getComputedStyle(area).lineHeight) || 24;
  const padding = area.offsetHeight - line * Math.max(1, Math.round(area.clientHeight / line));
  if (area.scrollHeight > 0) style.height = `${Math.min(area.scrollHeight, most * line + Math.max(padding, 0))}px`;
}
