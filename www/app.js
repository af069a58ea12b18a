// The page: joins the engine's session with the two ways of using it and the panels around them.

import { Cresset } from './cresset.js';
import { Chat } from './page/chat.js';
import { fitPrompt } from './page/context.js';
import { announce, byId, memory } from './page/dom.js';
import { showFacts } from './page/facts.js';
import { Meter } from './page/meter.js';
import { clearNotice, showError } from './page/notices.js';
import { setUpPicker } from './page/picker.js';
import { samplingOptions, setUpSampling } from './page/sampling.js';
import { Session } from './page/session.js';
import { Writer } from './page/writer.js';

const STARTERS = ['Once upon a time', 'One day, a little girl', 'The old dog was sad because'];
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

byId('outdated').remove();

const session = new Session();
const meter = new Meter();
const writer = new Writer((text, onPiece, how) => generate('completion', (engine, options) => fitPrompt(engine, text, options.max_tokens), onPiece, how));
const chat = new Chat((messages, onPiece) => generate('chat', () => ({ messages }), onPiece));
const openPicker = setUpPicker(load);

/**
 * Runs a request and shows how it goes; gives how it ended, null if it failed.
 * @param {(engine: object, options: object) => object} prepare   `prompt` (and whether it was `cut`) or `messages`
 */
async function generate(kind, prepare, onPiece, how) {
  clearNotice();
  const options = samplingOptions(how);
  let readEnd = '';
  try {
    meter.begin(options.seed);
    const request = async (engine) => {
      const { cut = false, ...input } = await prepare(engine, options);
      if (cut) readEnd = ` The model read the end of the text only: its context holds ${engine.info.model.contextLength} tokens.`;
      return { ...input, ...options };
    };
    const { finish, usage } = await session.generate(kind, request, (text, tokens) => {
      meter.add(tokens);
      onPiece(text);
    });
    meter.end(usage);
    byId('state').textContent = endLine(finish, meter.tokens, options.max_tokens) + readEnd;
    return finish;
  } catch (error) {
    meter.end(null);
    const reload = error.details?.reload || error.code === 'DEVICE_LOST';
    const actions = [];
    if (reload) actions.push({ label: 'Load it again', run: () => load(session.model, session.label) });
    if (error.code === 'CONTEXT_OVERFLOW' && kind === 'chat') actions.push({ label: 'New chat', run: () => chat.clear() });
    showError(error, { actions });
    return null;
  }
}

function endLine(finish, tokens, wanted) {
  if (finish === 'abort') return tokens > 0 ? 'Stopped.' : 'Ready.';
  if (finish === 'length') return tokens < wanted ? 'Done: the model’s context is full.' : 'Done: the length you set is reached.';
  return tokens > 0 ? 'Done: the model ended the text.' : 'For the model this text is finished: add a few words, or take back its last turn.';
}

async function load(model, label) {
  clearNotice();
  byId('state').textContent = `Loading ${label}…`;
  try {
    await session.load(model, label);
    announce(`${label} is ready.`);
  } catch (error) {
    if (error.code === 'ABORTED') return;
    const title = session.engine ? `${label} was not loaded; ${session.label} is still here.` : `${label} was not loaded.`;
    const again = { label: 'Try again', run: () => load(model, label) };
    const other = { label: 'Choose another', run: openPicker };
    showError(error, { title, actions: ['DOWNLOAD', 'INTEGRITY', 'STORAGE'].includes(error.code) ? [again, other] : [other] });
  }
}

let shownEngine = null;
let shownState = null;

session.addEventListener('change', () => {
  const { state, engine, busy, label } = session;
  document.documentElement.dataset.state = state;
  byId('progress').hidden = state !== 'loading';
  byId('model-name').textContent = label ?? 'choose one';
  for (const [id, idle] of [['write-go', 'Write on'], ['chat-go', 'Send']]) {
    const button = byId(id);
    button.classList.toggle('stop', busy);
    button.querySelector('.label').textContent = busy ? 'Stop' : idle;
    button.querySelector('kbd').textContent = busy ? 'Esc' : id === 'chat-go' ? '↵' : MAC ? '⌘↵' : 'Ctrl ↵';
  }
  if (state === 'running') byId('state').textContent = 'Writing…';
  if (state === 'ready' && shownState === 'loading') byId('state').textContent = 'Ready.';
  if (state === 'empty') byId('state').textContent = 'No model is loaded.';
  if (engine && engine !== shownEngine) showEngine(engine);
  shownEngine = engine;
  shownState = state;
});

session.addEventListener('progress', ({ detail: { fraction, text } }) => {
  const bar = byId('progress');
  if (fraction === null) bar.removeAttribute('aria-valuenow');
  else bar.setAttribute('aria-valuenow', Math.round(fraction * 100));
  bar.setAttribute('aria-valuetext', text);
  bar.classList.toggle('unknown', !fraction); // a stage of one step would show nothing until it ends
  bar.style.setProperty('--fraction', fraction ?? 0);
  if (session.state === 'loading') byId('state').textContent = `${text}…`;
});

function showEngine(engine) {
  showFacts(engine.info);
  const bundled = Cresset.models.find(({ id }) => id === session.model || session.model === 'default');
  writer.setStarters(bundled?.starters ?? STARTERS);
  const canChat = engine.info.model.hasChatTemplate;
  const chatChoice = document.querySelector('input[name=mode][value=chat]');
  chatChoice.disabled = !canChat;
  if (canChat) chatChoice.removeAttribute('aria-describedby');
  else chatChoice.setAttribute('aria-describedby', 'chat-hint');
  showMode(canChat ? memory.get('mode') ?? 'chat' : 'write');
}

function showMode(mode) {
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  byId('write').hidden = mode !== 'write';
  byId('chat').hidden = mode !== 'chat';
  byId('lede').textContent = mode === 'write'
    ? 'Write a beginning. The model goes on, here on your own device.'
    : 'Talk with the model. What you say stays on your own device.';
}

byId('modes').addEventListener('change', ({ target }) => {
  session.stop();
  memory.set('mode', target.value);
  showMode(target.value);
});

function startWriting() {
  if (writer.empty) {
    byId('state').textContent = 'Write a few words first, or take one of the beginnings.';
    announce('Write a few words first.');
    byId('text').focus();
  } else {
    writer.write();
  }
}

for (const [id, start] of [['write', startWriting], ['chat', () => chat.send()]]) {
  byId(id).addEventListener('submit', (event) => {
    event.preventDefault();
    if (session.busy) session.stop();
    else if (session.state === 'empty') openPicker();
    else start();
  });
}

addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && session.busy && !byId('models').open) {
    event.preventDefault();
    session.stop();
  }
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing && !session.busy && !byId('models').open) {
    event.preventDefault();
    byId(byId('chat').hidden ? 'write' : 'chat').requestSubmit();
  }
});

// On a narrow screen the panels come after the text: closed, so that the text is the page.
for (const panel of document.querySelectorAll('.panel')) panel.open = matchMedia('(min-width: 60rem)').matches;

const device = byId('device');
session.device = device.value = memory.get('device') ?? 'auto';
device.addEventListener('change', () => {
  memory.set('device', device.value);
  session.device = device.value;
  if (session.model) load(session.model, session.label);
});

setUpSampling();
writer.setStarters(Cresset.models[0]?.starters ?? STARTERS);
session.dispatchEvent(new Event('change'));
if (Cresset.models.length > 0) load('default', Cresset.models[0].name);
