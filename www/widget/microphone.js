// The widget's microphone: its button in the composer, the line that says what is heard, the cards about the speech model. The model is an
// assistant of its own, which is asked for, downloaded, paused and shared as the one that answers is.

import { element, icon } from '../chat/dom.js';
import { Dictation } from '../chat/dictation.js';
import { Assistant } from './assistant.js';
import { Tray } from './tray.js';

const MIC = ['M12 3.5a2.8 2.8 0 0 0-2.8 2.8v5.4a2.8 2.8 0 0 0 5.6 0V6.3A2.8 2.8 0 0 0 12 3.5z', 'M6 11.5a6 6 0 0 0 12 0', 'M12 17.5v3'];
const STOP = 'M7 7h10v10H7z';
// So long the speech model stays when nobody speaks.
const IDLE_MS = 5 * 60_000;

export class Microphone {
  #button = element('button', { type: 'button', class: 'tool mic', part: 'microphone', 'aria-pressed': 'false', onclick: () => this.toggle() });
  #name = element('strong');
  #open = element('span', { class: 'open', dir: 'auto' });
  #line = element('p', { class: 'hearing', part: 'hearing', hidden: true });
  #composer;
  #words;
  #say;
  #ears;
  #tray;
  #dictation;
  /** Of a wait for the speech model. @type {AbortController | null} */
  #waiting = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /**
   * @param {import('./composer.js').WidgetComposer} composer
   * @param {import('./settings.js').Settings} settings   of the speech model
   * @param {import('../chat/i18n.js').Translator} words
   * @param {(line: string) => void} say   to screen readers
   */
  constructor(composer, settings, words, say) {
    this.#composer = composer;
    this.#words = words;
    this.#say = say;
    this.#ears = new Assistant(settings);
    this.#tray = new Tray(
      {
        agree: () => this.#ears.agree(),
        decline: () => this.cancel(),
        pause: () => this.#ears.pause(),
        resume: () => this.#ears.resume(),
        retry: () => this.#ears.resume(),
      },
      words,
    );
    this.#dictation = new Dictation(composer.area, {
      withEngine: (work) => work(/** @type {import('../cresset.js').Engine} */ (this.#ears.engine)),
      onState: () => this.#show(),
      onOpen: (text) => {
        this.#open.textContent = text;
      },
      onProblem: (kind, error) => (kind ? this.#tell(`voice.${kind}`) : this.#tray.show({ kind: 'failed', error }, { queued: false, problem: null })),
    });
    this.#ears.addEventListener('change', () => this.#showTray());
    this.#ears.addEventListener('progress', (/** @type {any} */ { detail }) => this.#tray.progress(detail));
    composer.form.addEventListener('keydown', this.#onKey);
    composer.addTool(this.#button);
    composer.form.before(this.#tray.box, this.#line);
    this.#show();
  }

  /** Whether something is said, or soon. */
  get isOn() {
    return this.#waiting !== null || this.#dictation.state !== 'off';
  }

  async toggle() {
    if (this.isOn) return this.stop();
    this.#line.hidden = true;
    const waiting = new AbortController();
    this.#waiting = waiting;
    clearTimeout(this.#idle);
    this.#show();
    try {
      await this.#ears.whenReady(waiting.signal);
      this.#dictation.start();
    } catch {
      // The visitor does not wait for it any more.
    } finally {
      if (this.#waiting === waiting) this.#waiting = null;
      this.#show();
    }
    return undefined;
  }

  /** Ends; resolves when the last word is written. */
  async stop() {
    this.#waiting?.abort();
    await this.#dictation.stop();
  }

  /** Ends at once, and takes back what was asked. */
  cancel() {
    this.#waiting?.abort();
    this.#dictation.cancel();
    if (!this.#ears.engine) this.#ears.dispose();
  }

  /** @param {import('../chat/i18n.js').Translator} words */
  relabel(words) {
    this.#words = words;
    this.#tray.relabel(words);
    this.#show();
    this.#showTray();
  }

  dispose() {
    this.cancel();
    clearTimeout(this.#idle);
    this.#ears.dispose();
    this.#composer.form.removeEventListener('keydown', this.#onKey);
    for (const node of [this.#button, this.#line, this.#tray.box]) node.remove();
  }

  // Escape ends what is said, before it closes the chat.
  #onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape' || event.isComposing || !this.isOn) return;
    event.preventDefault();
    event.stopPropagation();
    this.stop();
  };

  #showTray() {
    const { state } = this.#ears;
    this.#tray.show(state, { queued: this.#waiting !== null, problem: null });
    // The card's own words, for those who do not see it.
    if (state.kind === 'asking' || state.kind === 'failed')
      this.#say([...this.#tray.box.querySelectorAll('.card > p')].map(({ textContent }) => textContent).join(' '));
  }

  #show() {
    const { state } = this.#dictation;
    const isPressed = state !== 'off';
    const name = this.#words.t(isPressed ? 'voice.stop' : 'voice.start');
    this.#button.setAttribute('aria-pressed', String(isPressed));
    this.#button.setAttribute('aria-label', name);
    this.#button.setAttribute('title', name);
    this.#button.replaceChildren(isPressed ? icon(STOP) : icon(...MIC));
    if (isPressed) {
      const words = this.#words.t(`voice.${state}`);
      if (this.#name.textContent !== words || this.#line.hidden) this.#say(words);
      this.#name.textContent = words;
      this.#line.replaceChildren(icon(...MIC), this.#name, this.#open);
      this.#line.hidden = false;
    } else if (this.#line.contains(this.#name) && !this.#line.hidden) {
      this.#line.hidden = true;
      this.#say(this.#words.t('voice.off'));
      this.#rest();
    }
  }

  /** @param {string} key */
  #tell(key) {
    const words = this.#words.t(key);
    this.#line.replaceChildren(element('span', { text: words }));
    this.#line.hidden = false;
    this.#say(words);
  }

  #rest() {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#ears.dispose(), IDLE_MS);
  }
}
