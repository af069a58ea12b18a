// Speech → text in a field, while one speaks: settled words are typed where the caret is, and what may still change is shown beside. The
// microphone is asked for when it begins, and let go of when it ends.

/**
 * @typedef {import('../cresset.js').Engine} Engine
 * @typedef {'off' | 'starting' | 'on' | 'ending'} State   `ending`: the last words are being written down
 */

/** What the platform calls a microphone that may not be used, that is not there, that another program has. @type {Record<string, string>} */
const REFUSALS = { NotAllowedError: 'refused', SecurityError: 'refused', NotFoundError: 'missing', NotReadableError: 'busy' };

export class Dictation {
  /** @type {State} */
  state = 'off';
  #area;
  #with;
  #onState;
  #onOpen;
  #onProblem;
  /** @type {MediaStream | null} */
  #media = null;
  #controller = new AbortController();
  /** The dictation that goes on, until its last word. */
  #ended = Promise.resolve();

  /**
   * @param {HTMLTextAreaElement} area
   * @param {object} options
   * @param {<T>(work: (engine: Engine) => Promise<T>) => Promise<T>} options.withEngine   runs work with a speech engine, loaded for it if need be
   * @param {(state: State) => void} options.onState
   * @param {(text: string) => void} options.onOpen   the newest reading of what is not settled
   * @param {(kind: string | null, error: any) => void} options.onProblem   `kind`: of a microphone, `refused`, `missing` or `busy`
   */
  constructor(area, { withEngine, onState, onOpen, onProblem }) {
    this.#area = area;
    this.#with = withEngine;
    this.#onState = onState;
    this.#onOpen = onOpen;
    this.#onProblem = onProblem;
  }

  /** Begins. */
  start() {
    if (this.state !== 'off') return;
    this.#controller = new AbortController();
    this.#set('starting');
    this.#ended = this.#run(this.#controller.signal);
  }

  /** Ends: resolves when the last word is written. */
  stop() {
    if (this.state === 'starting') this.#controller.abort();
    if (this.state === 'on') this.#set('ending');
    this.#release();
    return this.#ended;
  }

  /** Ends at once, without what is not settled. */
  cancel() {
    this.#controller.abort();
    this.#release();
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    try {
      // The visitor is asked first: a model need not be loaded for a microphone that may not be used.
      const asked = microphone();
      asked.then((media) => signal.aborted && silence(media)).catch(() => {});
      this.#media = await until(signal, asked);
      await until(
        signal,
        this.#with((engine) => this.#write(engine, signal)),
      );
    } catch (/** @type {any} */ error) {
      if (!signal.aborted && error.code !== 'ABORTED') this.#onProblem(REFUSALS[error.name] ?? null, error);
    } finally {
      this.#release();
      this.#onOpen('');
      this.#set('off');
    }
  }

  /** @param {Engine} engine @param {AbortSignal} signal */
  async #write(engine, signal) {
    signal.throwIfAborted();
    const file = /** @type {MediaStream} */ (this.#media);
    const stream = await engine.audio.transcriptions.create({ file, stream: true }, { signal });
    if (this.state === 'starting') this.#set('on');
    for await (const event of stream) {
      if (event.type === 'transcript.text.delta') this.#type(event.delta);
      if (event.type === 'transcript.text.partial') this.#onOpen(event.text);
    }
  }

  /** @param {string} words */
  #type(words) {
    const area = this.#area;
    const at = area.selectionEnd;
    const before = area.value.slice(0, area.selectionStart);
    area.setRangeText(joined(before, words), area.selectionStart, at, 'end');
    area.dispatchEvent(new Event('input', { bubbles: true }));
    area.scrollTop = area.scrollHeight;
  }

  #release() {
    if (this.#media) silence(this.#media);
  }

  /** @param {State} state */
  #set(state) {
    this.state = state;
    this.#onState(state);
  }
}

/** @param {MediaStream} media */
function silence(media) {
  for (const track of media.getTracks()) track.stop();
}

/**
 * What a promise gives, unless the signal is aborted before: a question to the visitor may stay unanswered.
 * @template T
 * @param {AbortSignal} signal
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function until(signal, promise) {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

/** Where nothing but https has microphones, there is none. */
async function microphone() {
  if (!navigator.mediaDevices) throw new DOMException('this page has no access to microphones', 'NotFoundError');
  return navigator.mediaDevices.getUserMedia({ audio: true });
}

/** Words as they stand behind what is there: one space between, none at the beginning of a line. @param {string} before @param {string} words */
export function joined(before, words) {
  const text = words.trimStart();
  const isSpaced = words !== text || /^[\p{L}\p{N}]/u.test(text);
  const wantsSpace =
    before !== '' && !/\s$/.test(before) && isSpaced && !/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(before.at(-1) + text.charAt(0));
  return wantsSpace ? ` ${text}` : text;
}
