// What the widget is once it has been opened: joins the assistant, the conversation and what is seen of them.

import { Speaker } from '../chat/answer/speaker.js';
import { partsOf } from '../chat/answer/thought.js';
import { element } from '../chat/dom.js';
import { Assistant } from './assistant.js';
import { Composer } from './composer.js';
import { Conversation } from './conversation.js';
import { tellsStories } from './local.js';
import { Memory } from './memory.js';
import { Panel } from './panel.js';
import { readSettings } from './settings.js';
import { Transcript } from './transcript.js';
import { Tray } from './tray.js';
import { fill, languageOf } from './words.js';

// On a processor, models beyond this are slow enough to say so.
const SLOW_BYTES = 150_000_000;

const wordsFor = async (language) => (await import(`./messages/${language}.js`)).default;

/**
 * What the element gives.
 * @typedef {object} Context
 * @property {HTMLElement} root
 * @property {{ engine: object | null, messages: object[], models: unknown[] }} given
 * @property {(type: 'ready' | 'progress' | 'message' | 'error', detail: object) => void} tell
 * @property {() => void} close
 * @property {() => void} open
 * @property {() => boolean} isOpen
 * @property {() => void} unread
 */

export class Core {
  #host;
  #context;
  #language;
  #words;
  #settings;
  #models = [];
  #chosen = 0; // of the models
  #assistant;
  #conversation;
  #memory;
  #transcript;
  #tray;
  #composer;
  #panel;
  #speaker;
  #problem = null; // of the last answer
  #trayShown = [];
  #noted = null; // the engine whose slowness was told
  #release = new AbortController();

  /** @param {HTMLElement} host @param {Context} context */
  static async create(host, context) {
    const language = languageOf(host);
    return new Core(host, context, language, await wordsFor(language));
  }

  constructor(host, context, language, words) {
    this.#host = host;
    this.#context = context;
    this.#language = language;
    this.#words = words;
    this.#models = context.given.models.map(normalised);
    this.#settings = this.#readSettings();
    this.#assistant = new Assistant(this.#settings);
    this.#conversation = new Conversation(this.#assistant);
    this.#memory = new Memory(host);
    this.#build();
    this.#listen();
    this.#relabel();
    this.#restore();
    if (context.given.engine) this.giveEngine(context.given.engine);
  }

  #build() {
    const conversation = this.#conversation;
    const assistant = this.#assistant;
    const region = element('div', { class: 'unseen', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false', 'aria-relevant': 'additions' });
    this.#speaker = new Speaker(region);
    this.#transcript = new Transcript(this.#words, {
      onAgain: () => this.#again(), onGoOn: () => conversation.goOn(this.#words.goOn), onSuggestion: (text) => this.send(text),
    });
    this.#tray = new Tray({
      agree: () => assistant.agree(), decline: () => this.#context.close(), pause: () => assistant.pause(),
      resume: () => assistant.resume(), retry: () => this.#again(),
    });
    this.#composer = new Composer(this.#words, {
      onSend: (text) => {
        if (conversation.busy) {
          // The question before still waits for a model that could not be loaded.
          assistant.resume();
          return false;
        }
        this.send(text);
        return true;
      },
      onStop: () => conversation.stop(),
      onDraft: () => this.#remember(),
    });
    this.#panel = new Panel(this.#context.root, { transcript: this.#transcript, tray: this.#tray, composer: this.#composer, region }, {
      onClose: () => this.#context.close(),
      onClear: () => {
        this.clear();
        this.#speaker.say(this.#words['live.cleared']);
        this.#composer.focus();
      },
      onModel: (index) => this.#choose(index),
    });
  }

  #listen() {
    const { signal } = this.#release;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(this.#assistant, 'change', () => this.#assistantChanged());
    on(this.#assistant, 'progress', ({ detail }) => {
      this.#tray.progress(detail);
      this.#context.tell('progress', detail);
    });
    on(this.#conversation, 'turn', ({ detail: turn }) => this.#turnAdded(turn));
    on(this.#conversation, 'piece', ({ detail: turn }) => {
      this.#transcript.grow(turn);
      if (this.#panel.shown) this.#speaker.grow(turn, partsOf(turn.content).answer);
      this.#showWriting();
      this.#showTray();
    });
    on(this.#conversation, 'end', ({ detail: turn }) => this.#turnEnded(turn));
    on(this.#conversation, 'note', ({ detail: note }) => this.#note(`note.${note}`));
    on(this.#conversation, 'reset', () => this.#drawn());
    on(globalThis, 'pagehide', () => this.#remember());
  }

  get engine() { return this.#assistant.engine; }
  get givenEngine() { return this.#assistant.givenEngine; }
  giveEngine(engine) {
    this.#conversation.stop();
    this.#assistant.give(engine);
    this.#wakeIfOpen();
  }

  get messages() { return this.#conversation.messages; }
  set messages(messages) { this.#conversation.messages = messages; }

  get models() { return this.#models.map(({ given }) => given); }
  set models(models) {
    this.#models = models.map(normalised);
    this.#chosen = 0;
    this.changed();
  }

  open() {
    this.#panel.show();
    this.#transcript.follow();
    this.#assistant.wake();
    this.#speaker.say(this.#words['live.opened']);
    this.#remember();
  }

  close() {
    this.#panel.hide();
    this.#remember();
  }

  /** @param {string} text @returns {Promise<{ role: 'assistant', content: string } | null>} */
  async send(text) {
    const turn = await this.#conversation.send(text);
    return turn && { role: 'assistant', content: this.#conversation.messages.at(-1)?.content ?? turn.content };
  }

  stop() { this.#conversation.stop(); }

  clear() { this.#conversation.clear(); }

  /** The element was moved. */
  connected() {
    if (this.#context.isOpen()) this.#panel.moved();
  }

  /** Attributes are others than before. */
  changed() {
    this.#settings = this.#readSettings();
    const before = this.#assistant.state;
    this.#assistant.change(this.#settings);
    if (this.#assistant.state !== before && this.#conversation.busy && before.kind === 'ready') this.#conversation.stop();
    const language = languageOf(this.#host);
    if (language !== this.#language) {
      this.#language = language;
      wordsFor(language).then((words) => {
        if (this.#language !== language) return;
        this.#words = words;
        this.#relabel();
      }, (error) => this.#context.tell('error', { error }));
    }
    this.#relabel();
    this.#wakeIfOpen();
  }

  dispose() {
    this.#release.abort();
    this.#conversation.stop();
    this.#assistant.dispose();
    this.#panel.dispose();
  }

  #readSettings() {
    const index = this.#models.length > 0 && (this.#chosen > 0 || !this.#host.hasAttribute('model')) ? this.#chosen : -1;
    return readSettings(this.#host, this.#models[index]);
  }

  #choose(index) {
    this.#chosen = index;
    this.changed();
  }

  #wakeIfOpen() {
    if (this.#context.isOpen()) this.#assistant.wake();
  }

  #again() {
    this.#problem = null;
    this.#conversation.again();
  }

  #assistantChanged() {
    const { state } = this.#assistant;
    this.#showStatus();
    this.#greet();
    this.#showWriting();
    this.#showTray();
    if (state.kind === 'ready') {
      const { where } = state;
      this.#context.tell('ready', where === 'device' ? { where, engine: state.engine, info: state.engine.info } : { where, host: state.host });
      if (this.#panel.shown && !this.#conversation.busy) this.#speaker.say(fill(this.#words['live.ready'], { title: this.#title }));
      this.#noteSlowness(state.engine);
    }
    if (state.kind === 'failed') {
      this.#context.tell('error', { error: state.error });
      this.#sayProblem();
    }
    if (state.kind === 'asking') {
      // Asked by a script's message: the question is in the panel.
      if (this.#conversation.busy && !this.#context.isOpen()) this.#context.open();
      this.#sayProblem();
    }
  }

  #noteSlowness(engine) {
    if (!engine || engine === this.#noted || engine.info.device.backend !== 'cpu' || !(engine.info.memory.weights > SLOW_BYTES)) return;
    this.#noted = engine;
    this.#note('note.slow');
  }

  #note(key) {
    this.#transcript.note(this.#words[key]);
  }

  #turnAdded(turn) {
    this.#problem = null;
    this.#transcript.add(turn);
    this.#panel.begun(true);
    this.#showWriting();
    if (turn.role === 'user') this.#context.tell('message', { role: 'user', content: turn.content });
    this.#showTray();
    this.#remember();
  }

  #turnEnded(turn) {
    this.#composer.writing(false);
    this.#transcript.end(turn);
    this.#problem = turn.state === 'failed' ? turn.error : null;
    this.#showTray();
    if (this.#panel.shown) this.#speaker.end();
    if (this.#problem) {
      this.#context.tell('error', { error: turn.error });
      this.#sayProblem();
    } else if (turn.content) {
      this.#context.tell('message', { role: 'assistant', content: this.#conversation.messages.at(-1).content, finish: turn.finish ?? (turn.state === 'stopped' ? 'abort' : null) });
      this.#context.unread();
    }
    this.#remember();
  }

  // The card's own words, for those who do not see it.
  #sayProblem() {
    const text = [...this.#tray.box.querySelectorAll('.card > p')].map(({ textContent }) => textContent).join(' ');
    if (text && this.#panel.shown) this.#speaker.say(text);
  }

  #drawn() {
    this.#problem = null;
    this.#speaker.hush();
    this.#transcript.reset(this.#conversation.turns);
    this.#panel.begun(this.#conversation.turns.length > 0);
    this.#showWriting();
    this.#showTray();
    this.#remember();
  }

  /** A question that waits for a model that could not be loaded is nothing to stop. */
  #showWriting() {
    this.#composer.writing(this.#conversation.busy && this.#assistant.state.kind !== 'failed');
  }

  #showTray() {
    const waits = this.#conversation.turns.at(-1)?.state === 'waiting';
    const { state } = this.#assistant;
    // Progress changes a card, it does not make another one.
    const shown = [state.kind === 'loading' ? state.kind : state, waits, this.#problem, this.#words];
    if (this.#trayShown.length > 0 && this.#trayShown.every((each, i) => each === shown[i])) return;
    this.#trayShown = shown;
    this.#tray.show(state, { queued: waits, problem: this.#problem });
  }

  #showStatus() {
    const { state } = this.#assistant;
    const words = this.#words;
    const texts = { asleep: words['status.asking'], asking: words['status.asking'], loading: words['status.loading'], paused: words['status.paused'], failed: words['status.failed'] };
    const ready = () => (state.where === 'server' ? fill(words['status.server'], { host: state.host }) : words[state.engine.info.device.backend === 'cpu' ? 'status.cpu' : 'status.device']);
    this.#panel.status(texts[state.kind] ?? ready(), state.kind === 'ready' ? `ready ${state.where}` : state.kind);
  }

  get #title() {
    return this.#settings.title || this.#words.title;
  }

  get #story() {
    return this.#assistant.engine !== null && tellsStories(this.#assistant.engine);
  }

  #greet() {
    const kind = this.#story ? 'story' : 'chat';
    this.#transcript.greet(this.#settings.greeting || this.#words[`greeting.${kind}`], this.#settings.suggestions, this.#story ? this.#words['note.story'] : null);
    this.#composer.relabel(this.#words, this.#settings.placeholder || this.#words[`placeholder.${kind}`]);
  }

  #relabel() {
    this.#tray.relabel(this.#words, this.#language);
    this.#transcript.relabel(this.#words);
    this.#panel.relabel({ words: this.#words, title: this.#title });
    this.#panel.models(this.#models.map(({ name }) => name), this.#chosen);
    this.#panel.begun(this.#conversation.turns.length > 0);
    this.#showStatus();
    this.#greet();
    this.#showTray();
  }

  #restore() {
    const kept = this.#host.hasAttribute('remember') ? this.#memory.read() : null;
    const { messages } = this.#context.given;
    if (messages.length > 0 || kept) this.#conversation.messages = messages.length > 0 ? messages : kept.messages;
    if (kept) this.#composer.draft = kept.draft;
  }

  #remember() {
    if (!this.#host.hasAttribute('remember')) return;
    this.#memory.write({ messages: this.#conversation.messages, opened: this.#context.isOpen(), draft: this.#composer.draft });
  }
}

/** A model to choose, from whatever the site gave. */
function normalised(given) {
  if (typeof given === 'string') return { given, name: given.split('/').pop(), model: given };
  const { name, id, model = id, megabytes, integrity } = given;
  return { given, name: String(name ?? model), model, megabytes, integrity };
}
