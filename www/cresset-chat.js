// <cresset-chat>: a chat with a language model on the visitor's own device, for any site. One script tag:
//
//   <script type="module" src="https://example.org/cresset/cresset-chat.js"></script>
//   <cresset-chat title="Assistant" system="You answer for Example Shop." consent></cresset-chat>
//
// This file and what it imports is all that a page loads until a visitor opens the chat; widget/core.js brings the rest.
// Attributes are strings, `engine`, `messages` and `models` are objects, what happens comes as events (API.md).

import { Launcher } from './widget/launcher.js';
import { closedWords, localeFor } from './widget/words.js';

/**
 * @typedef {import('./widget/core.js').Core} Core
 * @typedef {import('./widget/core.js').Context['given']} Given
 */

const ATTRIBUTES = (
  'model system greeting placeholder title position theme accent lang endpoint endpoint-model consent local-only' +
  ' integrity megabytes suggestions temperature max-tokens thinking device remember voice images'
).split(' ');

/** Properties that a framework may have set before this file was there. */
const PROPERTIES = ['engine', 'messages', 'models'];

/** On a server, which imports this file when it renders a page, there are no elements. */
const Base = globalThis.HTMLElement ?? class {};

export class CressetChat extends Base {
  static observedAttributes = ATTRIBUTES;

  #launcher = new Launcher(this.attachShadow({ mode: 'open' }), () => (this.opened ? this.close() : this.open()));
  /** Once it is asked for. @type {Promise<Core> | null} */
  #core = null;
  /** The core itself, once it is here. @type {Core | null} */
  #live = null;
  #opened = false;
  #unread = 0;
  /** Until the core takes them. @type {Given} */
  #given = { engine: null, messages: [], models: [] };

  connectedCallback() {
    for (const name of PROPERTIES) this.#upgrade(name);
    this.#launcher.show();
    this.#render();
    this.#live?.connected();
    if (this.hasAttribute('remember') && !this.#core) this.#reopen();
  }

  disconnectedCallback() {
    // Moved elsewhere in the document: it is connected again before anything else happens.
    queueMicrotask(() => {
      if (this.isConnected) return;
      const core = this.#live;
      if (core) this.#given = { engine: core.givenEngine, messages: core.messages, models: core.models };
      this.#core?.then(
        (core) => core.dispose(),
        () => {},
      );
      this.#core = this.#live = null;
      this.#opened = false;
    });
  }

  attributeChangedCallback() {
    if (!this.isConnected) return;
    this.#render();
    this.#live?.changed();
  }

  /** The loaded engine, or null. Setting one makes the widget use it, and leave it alone when it goes. */
  get engine() {
    return this.#live ? this.#live.engine : this.#given.engine;
  }
  set engine(engine) {
    if (this.#live) this.#live.giveEngine(engine ?? null);
    else this.#given.engine = engine ?? null;
  }

  /** The conversation, as OpenAI's messages without the system's; setting it replaces the conversation. */
  get messages() {
    return this.#live ? this.#live.messages : this.#given.messages.map((message) => ({ ...message }));
  }
  set messages(messages) {
    const list = Array.from(messages ?? [], ({ role, content }) => ({
      role: /** @type {any} */ (String(role)),
      content: Array.isArray(content) ? content : String(content),
    }));
    if (this.#live) this.#live.messages = list;
    else this.#given.messages = list;
  }

  /** Models to choose from: names as for `model`, or `{ name, model, megabytes, integrity }`. The first is the usual one. */
  get models() {
    return this.#live ? this.#live.models : this.#given.models;
  }
  set models(models) {
    const list = Array.from(models ?? []);
    if (this.#live) this.#live.models = list;
    else this.#given.models = list;
  }

  get opened() {
    return this.#opened;
  }

  /** Shows the chat; resolves when it can be used for typing. */
  async open() {
    if (!this.isConnected) return;
    this.#opened = true;
    this.#unread = 0;
    this.#render();
    try {
      const core = await this.#ensureCore();
      if (this.#opened && this.isConnected) core.open();
    } catch (error) {
      this.#opened = false;
      this.#render();
      this.#launcher.trouble(closedWords(localeFor(this)).failed);
      this.#tell('error', { error });
    }
  }

  close() {
    this.#opened = false;
    this.#live?.close();
    this.#render();
  }

  /**
   * Sends a message as if the visitor had typed it. Resolves with the answer, or with null where there is none: stopped,
   * failed (an event says why), or cleared.
   * @param {string} text
   * @returns {Promise<{ role: 'assistant', content: string } | null>}
   */
  async send(text) {
    try {
      return await (await this.#ensureCore()).send(String(text));
    } catch (error) {
      this.#tell('error', { error });
      return null;
    }
  }

  /** Ends the answer that is being written; what is there of it stays. */
  stop() {
    this.#live?.stop();
  }

  /** Begins a new conversation. */
  clear() {
    this.#given.messages = [];
    this.#live?.clear();
  }

  #ensureCore() {
    this.#core ??= this.#loadCore();
    // What failed is tried again the next time.
    this.#core.catch(() => {
      this.#core = null;
    });
    return this.#core;
  }

  async #loadCore() {
    this.#launcher.busy(true);
    try {
      const { Core } = await import('./widget/core.js');
      const core = await Core.create(this, {
        root: this.#launcher.root,
        given: this.#given,
        tell: (type, detail) => this.#tell(type, detail),
        close: () => this.close(),
        open: () => this.open(),
        isOpen: () => this.#opened,
        unread: () => {
          if (!this.#opened) {
            this.#unread += 1;
            this.#render();
          }
        },
      });
      if (!this.isConnected) core.dispose();
      else this.#live = core;
      return core;
    } finally {
      this.#launcher.busy(false);
    }
  }

  async #reopen() {
    const { Memory } = await import('./widget/memory.js');
    const kept = new Memory(this).read();
    if (kept?.opened && this.isConnected) this.open();
  }

  #render() {
    const locale = localeFor(this);
    this.#launcher.update({
      words: closedWords(locale),
      locale,
      title: this.getAttribute('title'),
      accent: this.getAttribute('accent'),
      opened: this.#opened,
      unread: this.#unread,
    });
  }

  /** @param {string} type @param {object} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(`cresset-${type}`, { detail, bubbles: true, composed: true }));
  }

  /** @param {string} name */
  #upgrade(name) {
    /** @type {Record<string, any>} */
    const element = this;
    if (!Object.hasOwn(element, name)) return;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

// Two copies of this file on one page, from two places, are one widget.
if (globalThis.customElements && !customElements.get('cresset-chat')) customElements.define('cresset-chat', CressetChat);
