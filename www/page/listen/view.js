// The listen view: a recording becomes text with times, which can be searched, played from, copied and saved.

import { oneOf } from '../../chat/shapes.js';
import { Pace } from '../../lib/progress.js';
import { soundOf } from '../../lib/sound.js';
import { announce, byId, copy, download, element, memory } from '../dom.js';
import { duration } from '../format.js';
import { icon } from '../icons.js';
import { problemCard, toast } from '../problems.js';
import { speech } from '../speech/engine.js';
import { prepareSpeech } from '../speech/prepare.js';
import { currentLanguage, say, t, words } from '../text.js';
import { FORMATS, plain, timeOf } from './formats.js';
import { Job } from './job.js';
import { LANGUAGES } from './languages.js';
import { Sheet } from './sheet.js';

/** @param {HTMLElement} section @returns {Promise<import('../router.js').View>} */
export async function createListen(section) {
  await prepareSpeech();
  build(section);
  const player = /** @type {HTMLAudioElement} */ (byId('listen-player'));
  const sheet = new Sheet(byId('transcript'), {
    play: (at) => {
      player.currentTime = at;
      player.play().catch(() => {});
    },
  });
  /** @type {Job | null} */
  let job = null;
  let name = '';
  /** Of what goes on. @type {AbortController | null} */
  let running = null;
  let pace = new Pace();

  /** Opens a recording, in place of the one before. @param {File} file */
  async function open(file) {
    running?.abort();
    job = null;
    name = file.name;
    sheet.clear();
    problem();
    URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(file);
    byId('listen-name').textContent = name;
    byId('listen-work').hidden = false;
    await begin(() => soundOf(file));
  }

  /** Writes it down from the beginning. @param {() => Promise<Float32Array>} sound */
  async function begin(sound) {
    const controller = take();
    say(byId('listen-progress'), 'text', 'listen.reading');
    try {
      samples = await sound().catch((error) => (error.details?.field === 'file' ? null : Promise.reject(error)));
      if (controller.signal.aborted) return;
      if (!samples) return tell('listen.noRecording', { name });
      if (samples.length === 0) return tell('listen.noSound', { name });
      job = new Job(samples, { language: byId('listen-language').value || null, translate: byId('listen-translate').checked });
      if (job.isSilent) return tell('listen.silent', { name });
      sheet.clear();
      await proceed(controller);
    } catch (/** @type {any} */ error) {
      if (controller.signal.aborted) return;
      problem(error);
    } finally {
      leave(controller);
    }
  }
  /** Of the recording that is open. @type {Float32Array | null} */
  let samples = null;

  /** Goes on with what is open. @param {AbortController} controller */
  async function proceed({ signal }) {
    if (!job || !(await haveModel())) return;
    const current = job;
    pace = new Pace();
    const onChange = () => {
      if (signal.aborted || job !== current) return;
      sheet.grow(current.passages);
      showMatches();
      byId('listen-result').hidden = current.passages.length === 0;
      showProgress();
    };
    signal.addEventListener('abort', () => speech.cancel());
    say(byId('listen-progress'), 'text', 'speech.loading');
    await speech.with((engine) => current.run(engine, { signal, onChange }));
    if (current.passages.length === 0) tell('listen.silent', { name });
    announce(t('listen.done'));
  }

  /** Asks for a speech model where there is none. */
  async function haveModel() {
    if (await speech.isHere()) return true;
    const { chooseSpeech } = await import('../speech/chooser.js');
    return chooseSpeech();
  }

  function take() {
    running?.abort();
    running = new AbortController();
    showState();
    return running;
  }

  /** @param {AbortController} controller */
  function leave(controller) {
    if (running !== controller) return;
    running = null;
    showState();
  }

  async function goOn() {
    if (!job) return;
    const controller = take();
    problem();
    try {
      await proceed(controller);
    } catch (/** @type {any} */ error) {
      if (!controller.signal.aborted) problem(error);
    } finally {
      leave(controller);
    }
  }

  function again() {
    const sound = samples;
    if (!sound || byId('listen-work').hidden) return;
    problem();
    begin(async () => sound);
  }

  /** What is wrong with the recording, or to be known of it. @param {string} key @param {import('../types.d.ts').Values} values */
  function tell(key, values) {
    byId('listen-problem').replaceChildren(element('p', { class: 'note', role: 'alert' }, icon('warn'), element('span', { text: [key, values] })));
  }

  /** @param {import('../problems.js').Failure} [error] */
  function problem(error) {
    const actions = [
      { label: 'problem.again', primary: true, run: goOn },
      { label: 'speech.other', run: change },
    ];
    // Models of one language refuse others, and have nothing to translate.
    if (error?.code === 'INVALID_REQUEST') return tell('listen.cannot', { label: speech.chosen?.label ?? '' });
    byId('listen-problem').replaceChildren(...(error ? [problemCard(error, { subject: speech.chosen?.label, actions })] : []));
  }

  function showProgress() {
    const bar = /** @type {HTMLProgressElement} */ (byId('listen-bar'));
    if (!job) return;
    bar.value = job.seconds > 0 ? job.done / job.seconds : 0;
    const speed = pace.at(job.done);
    const left = speed && running ? t('state.left', { time: duration((job.seconds - job.done) / speed) }) : null;
    delete byId('listen-progress').dataset.text;
    byId('listen-progress').textContent = [t('listen.progress', { done: timeOf(job.done), all: timeOf(job.seconds) }), left].filter(Boolean).join(' · ');
  }

  function showState() {
    const busy = running !== null;
    const begun = job !== null && !job.isSilent;
    byId('listen-status').hidden = !busy && (!begun || job?.isWhole === true);
    byId('listen-stop').hidden = !busy;
    byId('listen-on').hidden = busy || !begun || job?.isWhole === true;
    byId('listen-result').hidden = (job?.passages.length ?? 0) === 0;
    if (!busy) showProgress();
    byId('transcript').setAttribute('aria-busy', String(busy));
  }

  function showModel() {
    const { chosen } = speech;
    say(byId('listen-model'), 'text', chosen ? ['listen.model', { label: chosen.label }] : 'listen.noModel');
    say(byId('listen-change'), 'text', chosen ? 'listen.change' : 'speech.choose');
  }

  async function change() {
    const { chooseSpeech } = await import('../speech/chooser.js');
    if ((await chooseSpeech()) && job && !job.isWhole && !running) goOn();
  }

  speech.addEventListener('change', showModel);
  speech.addEventListener('progress', ({ detail: { status, fraction } }) => {
    if (!running || status === 'ready') return;
    const percent = fraction === null ? null : t('state.percent', { percent: Math.round(100 * fraction) });
    delete byId('listen-progress').dataset.text;
    byId('listen-progress').textContent = [t('speech.loading'), percent].filter(Boolean).join(' · ');
  });
  words.addEventListener('change', () => {
    fillLanguages();
    showState();
  });
  const chosen = byId('listen-file');
  chosen.addEventListener('change', () => {
    const [file] = chosen.files ?? [];
    if (file) open(file);
    chosen.value = '';
  });
  player.addEventListener('timeupdate', () => sheet.playing(player.currentTime));
  byId('listen-stop').addEventListener('click', () => {
    running?.abort();
    running = null;
    showState();
    byId('listen-on').focus();
  });
  byId('listen-on').addEventListener('click', goOn);
  byId('listen-change').addEventListener('click', change);
  byId('listen-language').addEventListener('change', () => {
    memory.set('listen-language', byId('listen-language').value);
    again();
  });
  byId('listen-translate').addEventListener('change', again);
  byId('listen-copy').addEventListener('click', async () => {
    if (!job) return;
    toast(t((await copy(plain(job.passages))) ? 'common.copied' : 'listen.notCopied'), undefined, 'copy');
  });
  for (const [format, { type, write }] of Object.entries(FORMATS))
    byId(`listen-${format}`).addEventListener('click', () => job && download(`${name.replace(/\.\w+$/, '')}.${format}`, type, write(job.passages)));
  byId('listen-search').addEventListener('input', () => {
    sheet.search(byId('listen-search').value);
    showMatches();
  });
  byId('listen-search').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    sheet.step(event.shiftKey ? -1 : 1);
    showMatches();
  });

  function showMatches() {
    const { found } = sheet;
    byId('listen-matches').textContent = found === null ? '' : found.of === 0 ? t('chat.search.none') : t('chat.place', found);
  }

  fillLanguages();
  showModel();
  showState();
  return {
    show() {
      document.title = `${t('view.listen')} – Cresset`;
    },
    hide: () => player.pause(),
    importFiles: async ([file]) => open(file),
  };
}

/** The languages that speech models know best, by their names here. */
function fillLanguages() {
  const select = byId('listen-language');
  const value = select.options.length > 0 ? select.value : (memory.get('listen-language', oneOf(LANGUAGES)) ?? '');
  const names = new Intl.DisplayNames(currentLanguage(), { type: 'language' });
  const named = LANGUAGES.map((code) => ({ value: code, textContent: names.of(code) ?? code }));
  named.sort((a, b) => a.textContent.localeCompare(b.textContent, currentLanguage()));
  select.replaceChildren(element('option', { value: '', text: 'listen.language.auto' }), ...named.map((option) => element('option', option)));
  select.value = value;
}

/** @param {HTMLElement} section */
function build(section) {
  const button = (/** @type {string} */ id, /** @type {import('../types.d.ts').Message} */ text, /** @type {string} */ name = '') =>
    element('button', { type: 'button', id, class: 'quiet small' }, name && icon(name), element('span', { text }));
  section.append(
    element(
      'div',
      { class: 'page listen' },
      element('header', { class: 'page-head' }, element('h1', { text: 'listen.title' }), element('p', { class: 'lede', text: 'listen.lede' })),
      element(
        'section',
        { class: 'card listen-open', label: 'listen.recording' },
        element(
          'div',
          { class: 'listen-choose' },
          element(
            'label',
            { class: 'primary file-label' },
            element('input', { type: 'file', id: 'listen-file', class: 'sr-only', accept: 'audio/*,video/*' }),
            icon('listen'),
            element('span', { text: 'listen.open' }),
          ),
          element('p', { class: 'hint', text: 'listen.drop' }),
        ),
        element(
          'div',
          { class: 'listen-how' },
          element('label', { class: 'filter' }, element('span', { text: 'listen.language' }), element('select', { id: 'listen-language' })),
          element(
            'label',
            { class: 'toggle' },
            element('input', { type: 'checkbox', id: 'listen-translate' }),
            element('span', {}, element('span', { text: 'listen.translate' }), element('span', { class: 'hint', text: 'listen.translate.hint' })),
          ),
        ),
        element(
          'p',
          { class: 'hint' },
          element('span', { id: 'listen-model' }),
          ' ',
          element('button', { type: 'button', id: 'listen-change', class: 'link' }),
        ),
      ),
      element(
        'section',
        { id: 'listen-work', 'aria-labelledby': 'listen-name', hidden: true },
        element('h2', { id: 'listen-name', dir: 'auto' }),
        element('audio', { id: 'listen-player', controls: true, preload: 'metadata', label: 'listen.player' }),
        element('div', { id: 'listen-problem' }),
        element(
          'div',
          { id: 'listen-status', class: 'listen-status' },
          element('progress', { id: 'listen-bar', max: 1, value: 0, label: 'listen.bar' }),
          element(
            'div',
            { class: 'listen-row' },
            element('p', { id: 'listen-progress', class: 'hint numbers' }),
            element('button', { type: 'button', id: 'listen-stop', class: 'outline small' }, icon('stop'), element('span', { text: 'common.stop' })),
            element('button', { type: 'button', id: 'listen-on', class: 'outline small', text: 'listen.on' }),
          ),
        ),
        element(
          'div',
          { id: 'listen-result', class: 'listen-result' },
          element(
            'div',
            { class: 'listen-row' },
            element(
              'div',
              { class: 'search' },
              icon('search'),
              element('input', { type: 'search', id: 'listen-search', label: 'listen.search', placeholder: 'listen.search', autocomplete: 'off' }),
            ),
            element('p', { id: 'listen-matches', class: 'hint numbers', role: 'status' }),
            element(
              'div',
              { class: 'listen-take' },
              button('listen-copy', 'common.copy', 'copy'),
              ...Object.keys(FORMATS).map((format) => button(`listen-${format}`, `listen.save.${format}`)),
            ),
          ),
          element('ol', { id: 'transcript', label: 'listen.transcript', dir: 'auto' }),
        ),
      ),
    ),
  );
}
