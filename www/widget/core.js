// What the widget is once it has been opened: joins the assistant, the conversation and what is seen of them.

import { Speaker } from '../chat/answer/speaker.js';
import { partsOf } from '../chat/answer/thought.js';
import { Conversation } from '../chat/conversation.js';
import { element } from '../chat/dom.js';
import { Translator } from '../chat/i18n.js';
import { contentOf, messageOf } from '../chat/picture.js';
import { Assistant } from './assistant.js';
import { WidgetComposer } from './composer.js';
import { tellsStories } from './local.js';
import { Memory } from './memory.js';
import { Messages } from './messages.js';
import { Panel } from './panel.js';
import { earsOf, readSettings } from './settings.js';
import { Tray } from './tray.js';
import { localeFor } from './words.js';

// On a processor, models beyond this are slow enough to say so.
const SLOW_BYTES = 150_000_000;

/** All the words. @param {string} locale @returns {Promise<Translator>} */
async function loadWords(locale) {
  const [{ default: shared }, { default: own }] = await Promise.all([import(`../chat/locales/${locale}.js`), import(`../widget/locales/${locale}.js`)]);
  return new Translator(locale, shared, own);
}

/**
 * @typedef {import('../cresset.js').Engine} Engine
 * @typedef {import('../cresset-chat.js').WidgetMessage} Message
 *
 * What the element gives.
 * @typedef {object} Context
 * @property {HTMLElement} root
 * @property {{ engine: Engine | null, messages: Message[], models: unknown[] }} given
 * @property {(type: 'ready' | 'progress' | 'message' | 'error', detail: object) => void} tell
 * @property {() => void} close
 * @property {() => void} open
 * @property {() => boolean} isOpen
 * @property {() => void} unread
 */

export class Core {
  #host;
  #context;
  #locale; // that is asked for: its words may still be on their way
  #words;
  #settings;
  /** @type {ReturnType<typeof normalised>[]} */
  #models = [];
  #chosen = 0; // of the models
  #assistant;
  #conversation;
  #memory;
  /** @type {Messages} */
  #log;
  /** @type {Tray} */
  #tray;
  /** @type {WidgetComposer} */
  #composer;
  /** @type {Panel} */
  #panel;
  /** @type {Speaker} */
  #speaker;
  /** Of the last answer. @type {import('../lib/errors.js').CressetError | null} */
  #problem = null;
  /** @type {unknown[]} */
  #trayShown = [];
  /** The engine whose slowness was told. @type {Engine | null} */
  #noted = null;
  /** What is left out of this conversation, once it was told. @type {Set<string>} */
  #told = new Set();
  /** @type {import('./voice.js').Voice | null} */
  #voice = null;
  #voiceKey = ''; // what it was made of
  /** @type {import('./pictures.js').Pictures | null} */
  #pictures = null;
  #release = new AbortController();

  /** @param {HTMLElement} host @param {Context} context */
  static async create(host, context) {
    return new Core(host, context, await loadWords(localeFor(host)));
  }

  /** @param {HTMLElement} host @param {Context} context @param {import('../chat/i18n.js').Translator} words */
  constructor(host, context, words) {
    this.#host = host;
    this.#context = context;
    this.#locale = words.locale;
    this.#words = words;
    this.#models = context.given.models.map(normalised);
    this.#settings = this.#readSettings();
    this.#assistant = new Assistant(this.#settings);
    this.#conversation = new Conversation({ answerer: this.#assistant.answer, keepsEmpty: true });
    this.#memory = new Memory(host);
    const rooms = this.#build();
    this.#log = rooms.log;
    this.#tray = rooms.tray;
    this.#composer = rooms.composer;
    this.#panel = rooms.panel;
    this.#speaker = rooms.speaker;
    this.#listen();
    this.#relabel();
    this.#restore();
    this.#giveVoice();
    this.#givePictures();
    if (context.given.engine) this.giveEngine(context.given.engine);
  }

  #build() {
    const conversation = this.#conversation;
    const assistant = this.#assistant;
    const region = element('div', { class: 'unseen', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false', 'aria-relevant': 'additions' });
    const speaker = new Speaker(region);
    const log = new Messages(() => conversation, this.#words, {
      onAgain: () => this.#again(),
      onGoOn: (id) => conversation.proceed(id, this.#words.t('goOn')),
      onSuggestion: (text) => this.send(text),
      voice: () => this.#voice,
    });
    const tray = new Tray(
      {
        agree: () => assistant.agree(),
        decline: () => this.#context.close(),
        pause: () => assistant.pause(),
        resume: () => assistant.resume(),
        retry: () => this.#again(),
      },
      this.#words,
    );
    const composer = new WidgetComposer(this.#words, {
      onSend: (text) => {
        const microphone = this.#voice?.microphone;
        if (microphone?.isOn) {
          // What is still being said belongs to it.
          microphone.stop().then(() => this.#composer.send(true));
          return false;
        }
        if (conversation.busy) {
          // The question before still waits for a model that could not be loaded.
          assistant.resume();
          return false;
        }
        return this.#pictures ? this.#sendWith(this.#pictures, text) : (this.send(text), true);
      },
      onStop: () => this.stop(),
      onDraft: () => this.#remember(),
    });
    const panel = new Panel(
      this.#context.root,
      { messages: log, tray, composer, region },
      {
        onClose: () => this.#context.close(),
        onClear: () => {
          this.clear();
          this.#speaker.say(this.#words.t('live.cleared'));
          this.#composer.focus();
        },
        onModel: (index) => this.#choose(index),
      },
    );
    return { log, tray, composer, panel, speaker };
  }

  #listen() {
    const { signal } = this.#release;
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ type, /** @type {(event: any) => void} */ listener) =>
      target.addEventListener(type, listener, { signal });
    on(this.#assistant, 'change', () => this.#assistantChanged());
    on(this.#assistant, 'progress', ({ detail }) => {
      this.#tray.progress(detail);
      this.#context.tell('progress', detail);
    });
    on(this.#conversation, 'path', () => this.#pathChanged());
    on(this.#conversation, 'said', ({ detail: turn }) => {
      this.#voice?.hush();
      this.#log.follow();
      this.#context.tell('message', { role: 'user', content: contentOf(turn) });
    });
    on(this.#conversation, 'started', () => {
      this.#log.update();
      this.#showWriting();
      this.#showTray();
    });
    on(this.#conversation, 'reading', ({ detail: { turn, progress } }) => this.#log.read(turn, progress));
    on(this.#conversation, 'text', ({ detail: turn }) => {
      this.#log.grow(turn);
      if (this.#panel.shown && turn === this.#conversation.written) this.#speaker.grow(turn, partsOf(turn.content).answer);
    });
    on(this.#conversation, 'answered', ({ detail }) => this.#answered(detail));
    on(this.#conversation, 'note', ({ detail: { kind } }) => {
      // What is left out is said once; a lost device each time.
      if (this.#told.has(kind)) return;
      if (kind === 'dropped' || kind === 'unseen') this.#told.add(kind);
      this.#log.say(this.#words.t(`note.${kind}`));
    });
    on(globalThis, 'pagehide', () => this.#remember());
  }

  get engine() {
    return this.#assistant.engine;
  }
  get givenEngine() {
    return this.#assistant.givenEngine;
  }
  /** @param {Engine | null} engine */
  giveEngine(engine) {
    this.#conversation.stop();
    this.#assistant.give(engine);
    this.#wakeIfOpen();
  }

  get messages() {
    return /** @type {Message[]} */ (this.#conversation.messages.map((message) => ({ role: message.role, content: contentOf(message) })));
  }
  set messages(messages) {
    this.#told.clear();
    this.#speaker.hush();
    this.#voice?.hush();
    this.#log.clear();
    this.#conversation.messages = messages.map(messageOf);
  }

  get models() {
    return this.#models.map(({ given }) => given);
  }
  set models(models) {
    this.#models = models.map(normalised);
    this.#chosen = 0;
    this.changed();
  }

  open() {
    this.#panel.show();
    this.#log.follow();
    this.#assistant.wake();
    this.#speaker.say(this.#words.t('live.opened'));
    this.#remember();
  }

  close() {
    this.#voice?.hush();
    this.#voice?.microphone?.cancel();
    this.#panel.hide();
    this.#remember();
  }

  /** @param {string} text @param {import('../chat/types.d.ts').Picture[]} [pictures] @returns {Promise<{ role: 'assistant', content: string } | null>} */
  async send(text, pictures) {
    const turn = await this.#conversation.ask(text, pictures);
    return turn && { role: 'assistant', content: partsOf(turn.content).answer };
  }

  /** Sends what is typed with the pictures that are attached; gives whether it was taken. @param {import('./pictures.js').Pictures} attached @param {string} text */
  async #sendWith(attached, text) {
    await attached.settled();
    const { pictures } = attached;
    if (this.#conversation.busy || (!text && pictures.length === 0)) return false;
    if (pictures.length > 0 && this.#blind) {
      this.#speaker.say(this.#words.t('pictures.blind'));
      return false;
    }
    attached.set([]);
    this.#composer.holds(false);
    this.send(text, pictures);
    return true;
  }

  /** Whether it is known that who answers sees no pictures. */
  get #blind() {
    const { engine } = this.#assistant;
    return engine !== null && !engine.info.model.vision;
  }

  stop() {
    this.#voice?.hush();
    this.#conversation.stop();
  }

  clear() {
    this.messages = [];
  }

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
    const locale = localeFor(this.#host);
    if (locale !== this.#locale) {
      this.#locale = locale;
      loadWords(locale).then(
        (words) => {
          if (this.#locale !== locale) return;
          this.#words = words;
          this.#relabel();
          this.#giveVoice();
          this.#givePictures();
        },
        (error) => this.#context.tell('error', { error }),
      );
    }
    this.#relabel();
    this.#giveVoice();
    this.#givePictures();
    this.#wakeIfOpen();
  }

  dispose() {
    this.#release.abort();
    this.#voiceKey = '';
    this.#voice?.dispose();
    this.#conversation.stop();
    this.#assistant.dispose();
    this.#pictures?.dispose();
    this.#panel.dispose();
  }

  #readSettings() {
    const index = this.#models.length > 0 && (this.#chosen > 0 || !this.#host.hasAttribute('model')) ? this.#chosen : -1;
    return readSettings(this.#host, this.#models[index]);
  }

  /** Speaking and listening, as the attribute says now: fetched where it is there. */
  async #giveVoice() {
    const { voice, consent, device } = this.#settings;
    const { locale } = this.#words;
    const key = voice ? JSON.stringify([voice.model, consent, device]) : '';
    const isOther = key !== this.#voiceKey;
    this.#voiceKey = key;
    if (isOther) {
      this.#voice?.dispose();
      this.#voice = null;
    }
    if (voice) {
      try {
        const { Voice, loadVoiceWords } = await import('./voice.js');
        const words = this.#words.with(await loadVoiceWords(locale));
        // Since then the attribute may be another one, or the language.
        if (key !== this.#voiceKey || locale !== this.#words.locale) return;
        if (this.#voice) this.#voice.relabel(words);
        else
          this.#voice = new Voice({
            composer: this.#composer,
            ears: earsOf(this.#settings),
            words,
            say: (line) => this.#panel.shown && this.#speaker.say(line),
            note: (line) => this.#log.say(line),
            onReading: () => this.#log.update(),
          });
      } catch (error) {
        this.#voiceKey = ''; // it may come the next time
        this.#context.tell('error', { error });
      }
    }
    this.#log.update();
  }

  /** Pictures, as the attribute says now: what takes them is fetched where it is there. */
  async #givePictures() {
    if (!this.#settings.images) {
      this.#pictures?.dispose();
      this.#pictures = null;
      this.#composer.holds(false);
      return;
    }
    try {
      const { Pictures } = await import('./pictures.js');
      if (this.#release.signal.aborted || !this.#settings.images) return;
      if (this.#pictures) return this.#pictures.relabel(this.#words);
      this.#pictures = new Pictures({
        composer: this.#composer,
        panel: this.#panel.dialog,
        words: () => this.#words,
        blind: () => this.#blind,
        say: (line) => this.#speaker.say(line),
        onTrouble: (error) => this.#context.tell('error', { error }),
      });
    } catch (error) {
      this.#context.tell('error', { error });
    }
  }

  /** @param {number} index */
  #choose(index) {
    this.#chosen = index;
    this.changed();
  }

  #wakeIfOpen() {
    if (this.#context.isOpen()) this.#assistant.wake();
  }

  #again() {
    this.#problem = null;
    this.#log.follow();
    this.#conversation.again();
  }

  #assistantChanged() {
    const { state } = this.#assistant;
    this.#showStatus();
    this.#greet();
    this.#showWriting();
    this.#showTray();
    this.#pictures?.renew();
    if (state.kind === 'ready') {
      const { where } = state;
      this.#context.tell('ready', state.where === 'device' ? { where, engine: state.engine, info: state.engine.info } : { where, host: state.host });
      if (this.#panel.shown && !this.#conversation.busy) this.#speaker.say(this.#words.t('live.ready', { title: this.#title }));
      if (state.where === 'device') this.#noteSlowness(state.engine);
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

  /** @param {Engine} engine */
  #noteSlowness(engine) {
    if (engine === this.#noted || engine.info.device.backend !== 'cpu' || !(engine.info.memory.weights > SLOW_BYTES)) return;
    this.#noted = engine;
    this.#log.say(this.#words.t('note.slow'));
  }

  #pathChanged() {
    const begun = this.#conversation.path.length > 0;
    this.#problem = null;
    this.#log.draw();
    if (begun) this.#log.begun();
    this.#panel.begun(begun);
    this.#showWriting();
    this.#showTray();
    this.#remember();
  }

  /** @param {{ turn: import('../chat/types.d.ts').Turn, error: import('../lib/errors.js').CressetError | null }} end */
  #answered({ turn, error }) {
    this.#log.end(turn);
    this.#problem = error;
    this.#showWriting();
    this.#showTray();
    if (this.#panel.shown) this.#speaker.end();
    if (error) {
      this.#context.tell('error', { error });
      this.#sayProblem();
    } else if (turn.content) {
      this.#context.tell('message', { role: 'assistant', content: partsOf(turn.content).answer, finish: turn.finish ?? null });
      this.#context.unread();
    }
    this.#remember();
  }

  // The card's own words, for those who do not see it.
  #sayProblem() {
    const text = [...this.#tray.box.querySelectorAll('.card > p')].map(({ textContent }) => textContent).join(' ');
    if (text && this.#panel.shown) this.#speaker.say(text);
  }

  /** A question that waits for a model that could not be loaded is nothing to stop. */
  #showWriting() {
    this.#composer.writing(this.#conversation.busy && this.#assistant.state.kind !== 'failed');
  }

  #showTray() {
    const { written } = this.#conversation;
    const waits = written !== null && this.#conversation.stateOf(written) === 'waiting';
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
    if (state.kind !== 'ready') {
      this.#panel.status(words.t(`status.${state.kind === 'asleep' ? 'asking' : state.kind}`), state.kind);
      return;
    }
    const text =
      state.where === 'server'
        ? words.t('status.server', { host: state.host })
        : words.t(state.engine.info.device.backend === 'cpu' ? 'status.cpu' : 'status.device');
    this.#panel.status(text, `ready ${state.where}`);
  }

  get #title() {
    return this.#settings.title || this.#words.t('title');
  }

  get #story() {
    return this.#assistant.engine !== null && tellsStories(this.#assistant.engine);
  }

  #greet() {
    const kind = this.#story ? 'story' : 'chat';
    this.#log.greet(this.#settings.greeting || this.#words.t(`greeting.${kind}`), this.#settings.suggestions, this.#story ? this.#words.t('note.story') : null);
    this.#composer.relabel(this.#words, this.#settings.placeholder || this.#words.t(`placeholder.${kind}`));
  }

  #relabel() {
    this.#tray.relabel(this.#words);
    this.#log.relabel(this.#words);
    this.#panel.relabel({ words: this.#words, title: this.#title });
    this.#panel.models(
      this.#models.map(({ name }) => name),
      this.#chosen,
    );
    this.#panel.begun(this.#conversation.path.length > 0);
    this.#showStatus();
    this.#greet();
    this.#showTray();
  }

  #restore() {
    const kept = this.#host.hasAttribute('remember') ? this.#memory.read() : null;
    const { messages } = this.#context.given;
    const restored = messages.length > 0 ? messages.map(messageOf) : kept?.messages;
    if (restored) this.#conversation.messages = restored;
    if (kept) this.#composer.draft = kept.draft;
  }

  #remember() {
    if (!this.#host.hasAttribute('remember')) return;
    this.#memory.write({ messages: this.#conversation.messages, opened: this.#context.isOpen(), draft: this.#composer.draft });
  }
}

/**
 * A model to choose, from whatever the site gave.
 * @param {any} given
 * @returns {{ given: unknown, name: string, model: any, megabytes?: number, integrity?: string }}
 */
function normalised(given) {
  if (typeof given === 'string') return { given, name: given.split('/').at(-1) ?? '', model: given };
  const { name, id, model = id, megabytes, integrity } = given;
  return { given, name: String(name ?? model), model, megabytes, integrity };
}
