// The write view: one text that visitor and model write in turn.

import { flag } from '../../chat/shapes.js';
import { answers, rowOf } from '../bundled.js';
import { announce, byId, copy, element, memory } from '../dom.js';
import { reload } from '../downloads.js';
import { setUpDrawer } from '../drawer.js';
import { fitPrompt } from '../../chat/fit-prompt.js';
import { waysToAnswer } from '../../chat/problems.js';
import { Reading, readingText } from '../../chat/reading.js';
import { duration } from '../format.js';
import { icon } from '../icons.js';
import { clearProblems, showProblem } from '../problems.js';
import { go } from '../router.js';
import { samplingOptions } from '../sampling.js';
import { session } from '../session.js';
import { modKey, withMod } from '../shortcuts.js';
import { stateLine } from '../state.js';
import { currentLanguage, t, words } from '../text.js';
import { TokenCard } from './card.js';
import { buildFrame } from './frame.js';
import { Inked, Tokens, kept } from './runs.js';
import { Readout } from './readout.js';
import { Sheet } from './sheet.js';

const ALTERNATIVES = 6;
const KEPT_UNITS = 200_000; // of text, in the page's memory between visits
const UNDO_STEPS = 50;
const SAVE_MS = 400;
// For a model that only continues English stories.
const STARTERS = ['Once upon a time', 'One day, a little girl', 'The old dog was sad because'];

/** @param {HTMLElement} section @returns {import('../router.js').View} */
export function createWrite(section) {
  buildFrame(section);
  setUpDrawer(byId('write-panel'), byId('write-panel-button'), { wide: '(min-width: 70rem)', name: 'write-panel', open: true });
  const sheet = new Sheet(new Inked(memory.get('text', kept) ?? []), { edited });
  const card = new TokenCard(sheet, goOnFrom);
  /** Texts before the model's turns. @type {import('./runs.js').Piece[][]} */
  const past = [];
  /** What the model's last turn began with. @type {import('./runs.js').Piece[] | null} */
  let begun = null;
  let saving = 0;

  function edited() {
    card.hide();
    past.length = 0;
    begun = null;
    later();
    showButtons();
  }

  function later() {
    clearTimeout(saving);
    saving = setTimeout(save, SAVE_MS);
  }

  function save() {
    const { pieces, text } = sheet.inked;
    if (text.length > KEPT_UNITS) return;
    // Where all of it is too much for the browser, the words are what counts.
    if (!memory.set('text', pieces)) memory.set('text', [{ by: 'visitor', text }]);
  }

  /** The model continues the text as it stands. @param {{ newSeed?: boolean }} [how] */
  async function write(how = {}) {
    if (session.busy) return session.stop();
    const { text } = sheet.inked;
    if (!text.trim()) {
      announce(t('write.empty'));
      byId('text').focus();
      return undefined;
    }
    if (session.state === 'empty') return go('models');
    remember();
    return run(text, how);
  }

  /** @param {string} text @param {{ newSeed?: boolean }} how */
  async function run(text, how) {
    begun = copied(sheet.inked.pieces);
    card.hide();
    clearProblems();
    const options = samplingOptions('write', how);
    const inspect = byId('inspect').checked;
    const tokens = new Tokens();
    const readout = new Readout(options.seed);
    let cut = false;
    let contextLength = 0;
    sheet.writing = true;
    showButtons();
    const reading = new Reading((progress) => {
      byId('write-end').textContent = progress ? readingText(progress, { say: t, locale: currentLanguage(), duration }) : '';
    });
    try {
      const { finish, usage } = await session
        .generate(
          'completion',
          async (engine) => {
            const fitted = await fitPrompt(engine, text, options.max_tokens);
            cut = fitted.cut;
            contextLength = engine.info.model.contextLimit;
            return { ...options, prompt: fitted.prompt, ...(inspect ? { logprobs: ALTERNATIVES } : {}) };
          },
          (choice) => {
            reading.end();
            readout.add(choice.token_ids?.length ?? (choice.text ? 1 : 0));
            const piece = tokens.add(choice);
            if (piece) sheet.add(piece);
          },
          (progress) => reading.tell(progress),
        )
        .finally(() => reading.end());
      readout.end(usage);
      const end = endLine(finish, readout.tokens, options.max_tokens);
      byId('write-end').textContent = cut ? `${end} ${t('write.cut', { count: contextLength })}` : end;
    } catch (/** @type {any} */ error) {
      readout.end(null);
      const renews = session.renews(error);
      if (renews) reload();
      const reloads = !renews && waysToAnswer(error).includes('reload');
      const action = reloads ? { label: 'problem.reload', run: reload } : { label: 'problem.again', run: () => write() };
      showProblem(error, { renews, actions: [{ ...action, primary: true }] });
    }
    sheet.writing = false;
    save();
    showButtons();
    const written = sheet.inked.text.slice(text.length);
    announce(written ? t('write.said', { text: written }) : t('write.saidNothing'));
  }

  /** Another token in place of this one, and on from there. @param {number} index @param {[string, number]} token */
  function goOnFrom(index, [text, logprob]) {
    if (session.busy) return;
    remember();
    const { top } = sheet.inked.pieces[index];
    const inked = new Inked(sheet.inked.pieces.slice(0, index));
    inked.append({ by: 'model', text, logprob, top });
    sheet.inked = inked;
    run(inked.text, { newSeed: true });
  }

  function remember() {
    past.push(copied(sheet.inked.pieces));
    if (past.length > UNDO_STEPS) past.shift();
  }

  function takeBack() {
    if (past.length === 0 || session.busy) return;
    sheet.inked = new Inked(past.pop());
    begun = null;
    byId('write-end').textContent = '';
    save();
    showButtons();
    byId('text').focus({ preventScroll: true });
  }

  function tryAnother() {
    if (!begun || session.busy) return undefined;
    sheet.inked = new Inked(begun);
    return run(sheet.inked.text, { newSeed: true });
  }

  function clear() {
    remember();
    begun = null;
    sheet.inked = new Inked();
    byId('write-end').textContent = '';
    save();
    showButtons();
    byId('text').focus();
  }

  async function copyAll() {
    if (!(await copy(sheet.inked.text))) {
      // No clipboard (an insecure origin): select it for the visitor instead.
      byId('text').focus();
      byId('text').select();
      return announce(t('common.notCopied'));
    }
    announce(t('common.copied'));
    const label = byId('write-copy').querySelector('span');
    if (!label) return undefined;
    label.textContent = t('common.copied');
    setTimeout(() => {
      label.textContent = t('common.copy');
    }, 1600);
    return undefined;
  }

  function showButtons() {
    const { busy } = session;
    const empty = sheet.inked.text.length === 0;
    byId('starters').hidden = !empty || busy;
    byId('write-undo').disabled = past.length === 0 || busy;
    byId('write-again').disabled = begun === null || busy;
    byId('write-copy').disabled = empty;
    byId('write-clear').disabled = empty || busy;
    const button = byId('write-go');
    button.classList.toggle('stop', busy);
    // The other face lies unseen behind: the button is as wide as both need, and the ones beside it stay where they are.
    button.replaceChildren(face(busy), face(!busy));
  }

  function showStarters() {
    const model = rowOf(session.model);
    byId('write-for').hidden = !model || answers(model);
    const starters = model?.starters ?? (session.canChat ? [t('write.start.1'), t('write.start.2'), t('write.start.3')] : STARTERS);
    byId('starters').replaceChildren(
      ...starters.map((text) =>
        element('button', {
          type: 'button',
          class: 'chip',
          textContent: text,
          onclick: () => {
            remember();
            sheet.inked = new Inked([{ by: 'visitor', text }]);
            run(text, {});
          },
        }),
      ),
    );
  }

  byId('write-form').addEventListener('submit', (event) => {
    event.preventDefault();
    write();
  });
  byId('text').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !withMod(event) || event.isComposing) return;
    event.preventDefault();
    write();
  });
  byId('write-undo').addEventListener('click', takeBack);
  byId('write-again').addEventListener('click', tryAnother);
  byId('write-clear').addEventListener('click', clear);
  byId('write-copy').addEventListener('click', copyAll);
  for (const box of [byId('inspect'), byId('tint')]) {
    box.checked = memory.get(box.id, flag) ?? box.id === 'inspect';
    box.addEventListener('change', () => {
      memory.set(box.id, box.checked);
      byId('ink').classList.toggle('tinted', byId('tint').checked);
    });
  }
  byId('ink').classList.toggle('tinted', byId('tint').checked);
  addEventListener('pagehide', save);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) save();
  });
  let known = '';
  session.addEventListener('change', () => {
    const now = [session.busy, session.label, session.state].join();
    if (now === known) return;
    known = now;
    showButtons();
    showStarters();
  });
  words.addEventListener('change', () => {
    showButtons();
    showStarters();
  });
  stateLine(byId('write-state'));
  showButtons();
  showStarters();

  return {
    show: () => {
      document.title = `${t('view.write')} – Cresset`;
    },
    hide: () => card.hide(),
  };
}

/** @param {import('./runs.js').Piece[]} pieces */
const copied = (pieces) => pieces.map((piece) => ({ ...piece }));

/** What is on the first button while the model writes, or while it does not. @param {boolean} busy */
function face(busy) {
  return element(
    'span',
    { class: 'face' },
    icon(busy ? 'stop' : 'write'),
    element('span', { text: busy ? 'common.stop' : 'write.go' }),
    element('kbd', { 'aria-hidden': 'true', textContent: busy ? 'Esc' : `${modKey} ↵` }),
  );
}

/** @param {string | null} finish @param {number} tokens @param {number} wanted */
function endLine(finish, tokens, wanted) {
  if (finish === 'abort') return t('write.end.stopped');
  if (finish === 'repetition') return t('write.end.repetition');
  if (finish === 'length') return t(tokens < wanted ? 'write.end.full' : 'write.end.length');
  return t(tokens > 0 ? 'write.end.model' : 'write.end.nothing');
}
