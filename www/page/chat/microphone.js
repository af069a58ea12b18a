// The microphone of the message field: fetched when its button is first pressed. Settled words are typed, what may still change stands in the
// line below.

import { Dictation } from '../../chat/dictation.js';
import { announce, byId, element } from '../dom.js';
import { icon } from '../icons.js';
import { showProblem } from '../problems.js';
import { chooseSpeech } from '../speech/chooser.js';
import { speech } from '../speech/engine.js';
import { prepareSpeech } from '../speech/prepare.js';
import { say, t } from '../text.js';

/** @typedef {import('../../chat/dictation.js').State} State */

/** What is said of each state, in the line and to screen readers. @type {Record<State, string>} */
const STATES = { off: '', starting: 'dictation.starting', on: 'dictation.on', ending: 'dictation.ending' };

export async function createMicrophone() {
  await prepareSpeech();
  const [button, line] = [byId('dictate'), byId('dictation')];
  const name = element('strong', { class: 'dictation-state' });
  const open = element('span', { class: 'dictation-open', dir: 'auto' });
  const dictation = new Dictation(byId('message'), {
    withEngine: (work) => speech.with(work),
    onState: show,
    onOpen: (text) => {
      open.textContent = text;
    },
    onProblem: (kind, error) => {
      if (kind) line.replaceChildren(element('span', { role: 'alert' }, icon('warn'), element('span', { text: `dictation.${kind}` })));
      else showProblem(error, { subject: speech.chosen?.label, actions: [{ label: 'speech.other', run: () => chooseSpeech() }] });
      line.hidden = !kind;
    },
  });

  /** @param {State} state */
  function show(state) {
    const running = state !== 'off';
    button.setAttribute('aria-pressed', String(running));
    button.replaceChildren(icon(running ? 'stop' : 'mic'));
    for (const place of /** @type {const} */ (['label', 'hint'])) say(button, place, running ? 'dictation.stop' : 'dictation.start');
    if (!running) {
      line.hidden ||= line.contains(name);
      if (line.contains(name)) announce(t('dictation.off'));
      return;
    }
    say(name, 'text', STATES[state]);
    line.replaceChildren(icon('mic'), name, open);
    line.hidden = false;
    announce(t(STATES[state]));
  }

  speech.addEventListener('progress', ({ detail: { status, fraction } }) => {
    if (dictation.state !== 'starting' || status === 'ready') return;
    open.textContent = fraction === null ? '' : t('state.percent', { percent: Math.round(100 * fraction) });
  });
  // Before anything else that Escape means.
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape' || event.isComposing || !isOn() || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    event.stopPropagation();
    dictation.stop();
  };
  addEventListener('keydown', onKey, { capture: true });

  function isOn() {
    return dictation.state !== 'off';
  }

  return {
    async toggle() {
      if (isOn()) return void dictation.stop();
      line.hidden = true;
      if ((await speech.isHere()) || (await chooseSpeech())) dictation.start();
      return undefined;
    },
    /** Ends; resolves when the last word is written. */
    stop: () => dictation.stop(),
    /** Ends at once. */
    cancel: () => dictation.cancel(),
  };
}
