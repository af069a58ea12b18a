// Write mode: one text that visitor and model write in turn. The textarea holds and edits the text; the layer behind it
// shows the same text, coloured by who wrote it.

import { announce, byId, element, memory } from './dom.js';
import { Inked } from './inked.js';

const KEPT_UNITS = 200_000; // of text, in the page's memory between visits
const BUTTONS_PX = 140; // the bar of buttons and some air

export class Writer {
  #inked = new Inked(memory.get('text') ?? []);
  #area = byId('text');
  #ink = byId('ink');
  #writing = false;
  #before = null; // length of the text before the model's last turn

  /**
   * @param {(text: string, onPiece: (text: string) => void, how: { newSeed?: boolean }) => Promise<string | null>} generate
   *   gives how it ended, null if it failed
   */
  constructor(generate) {
    this.generate = generate;
    this.#area.value = this.#inked.text;
    this.#area.addEventListener('input', () => {
      this.#inked.edit(this.#area.value);
      this.#before = null;
      this.#render();
      this.#save();
    });
    byId('write-again').addEventListener('click', () => this.tryAnother());
    byId('write-undo').addEventListener('click', () => this.takeBack());
    byId('write-clear').addEventListener('click', () => this.#clear());
    byId('write-copy').addEventListener('click', () => this.#copy());
    this.#render();
  }

  /** Chips with beginnings, shown while the text is empty. */
  setStarters(starters) {
    byId('starters').replaceChildren(...starters.map((text) => element('button', {
      type: 'button', class: 'chip', textContent: text,
      onclick: () => {
        this.#inked = new Inked();
        this.#inked.append(text, 'visitor');
        this.#changed();
        this.write();
      },
    })));
  }

  get empty() {
    return this.#inked.text.trim().length === 0;
  }

  /** The model continues the text as it stands. */
  async write(how = {}) {
    if (this.#writing) return;
    const prompt = this.#inked.text;
    this.#before = prompt.length;
    this.#writing = true;
    this.#area.readOnly = true;
    this.#render();
    const finish = await this.generate(prompt, (text) => this.#add(text), how);
    this.#writing = false;
    this.#area.readOnly = false;
    this.#changed();
    const written = this.#inked.text.slice(prompt.length);
    if (finish) announce(written ? `${finish === 'abort' ? 'Stopped' : 'Done'}. The model wrote: ${written}` : 'The model wrote nothing more.');
  }

  /** Replaces the model's last turn by another. */
  tryAnother() {
    this.takeBack();
    return this.write({ newSeed: true });
  }

  /** Removes the model's last turn. */
  takeBack() {
    if (this.#before === null || this.#writing) return;
    this.#inked.truncate(this.#before);
    this.#before = null;
    this.#changed();
    this.#area.focus({ preventScroll: true });
  }

  #add(text) {
    const following = this.#endBottom() <= innerHeight;
    this.#inked.append(text, 'model');
    const end = this.#area.value.length;
    this.#area.setRangeText(text, end, end);
    const last = this.#ink.lastChild?.previousSibling;
    if (last?.className === 'by-model') last.firstChild.appendData(text);
    else this.#render();
    // The last line stays above the bar of buttons, unless the visitor has scrolled away from it.
    const hidden = this.#endBottom() - (innerHeight - BUTTONS_PX);
    if (following && hidden > 0) scrollBy({ top: hidden });
  }

  /** Where the text ends on the screen, in pixels from its top. */
  #endBottom() {
    return this.#ink.lastChild.getBoundingClientRect().bottom;
  }

  #changed() {
    this.#area.value = this.#inked.text;
    this.#render();
    this.#save();
  }

  #render() {
    const { segments, text } = this.#inked;
    this.#ink.replaceChildren(
      ...segments.map(({ by, text: part }) => element('span', { class: `by-${by}`, textContent: part })),
      // A last line of its own height, and the caret while the model writes.
      element('span', { class: this.#writing ? 'caret' : 'end', textContent: '\u200b' }),
    );
    const empty = text.length === 0;
    byId('starters').hidden = !empty || this.#writing;
    byId('write-undo').disabled = byId('write-again').disabled = this.#before === null || this.#writing;
    byId('write-copy').disabled = empty;
    byId('write-clear').disabled = empty || this.#writing;
  }

  #save() {
    if (this.#inked.text.length <= KEPT_UNITS) memory.set('text', this.#inked.segments);
  }

  #clear() {
    this.#inked = new Inked();
    this.#before = null;
    this.#changed();
    this.#area.focus();
  }

  async #copy() {
    const { text } = this.#inked;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard access (an insecure origin): select it for the visitor instead.
      this.#area.focus();
      this.#area.select();
      return announce('The text is selected; copy it with the keyboard.');
    }
    const button = byId('write-copy');
    button.textContent = 'Copied';
    announce('Copied.');
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  }
}
