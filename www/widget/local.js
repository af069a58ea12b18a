// Answers from an engine on this device: a chat where the model has a template for one, else the text carried on.

/**
 * @param {import('../cresset.js').Engine} engine
 * @param {import('./settings.js').Settings} settings
 * @param {object} request
 * @param {{ role: string, content: string }[]} request.turns   of visitor and assistant, the visitor's last
 * @param {string} request.begun   the beginning of the answer, from before a device was lost
 * @param {AbortSignal} request.signal
 * @param {(text: string) => void} request.onPiece
 * @param {() => void} request.onDropped   the beginning of the conversation no longer fits
 * @returns {Promise<{ finish: string | null }>}
 */
export async function answerLocally(engine, settings, request) {
  return tellsStories(engine) ? carryOn(engine, settings, request) : chat(engine, settings, request);
}

/** Whether a model can only carry a text on. */
export function tellsStories(engine) {
  return engine.info.model.hasChatTemplate === false;
}

async function chat(engine, settings, { turns, begun, signal, onPiece, onDropped }) {
  const wanted = settings.maxTokens(false);
  const template = { enable_thinking: settings.thinking };
  const system = settings.system ? [{ role: 'system', content: settings.system }] : [];
  const { kept, dropped } = await fitTurns(engine, system, turns, wanted, template);
  if (dropped) onDropped();
  const messages = [...system, ...kept];
  const request = { ...template, ...sampling(settings), max_tokens: wanted, stream: true, signal };
  if (begun) {
    const continued = { ...request, messages: [...messages, { role: 'assistant', content: begun }], continue_final_message: true };
    return read(await engine.chat.completions.create(continued), (choice) => choice.delta?.content, onPiece);
  }
  return read(await engine.chat.completions.create({ ...request, messages }), (choice) => choice.delta?.content, onPiece);
}

async function carryOn(engine, settings, { turns, begun, signal, onPiece, onDropped }) {
  const wanted = settings.maxTokens(true);
  const { prompt, cut } = await fitText(engine, joined([...turns, ...(begun ? [{ content: begun }] : [])]), wanted);
  if (cut) onDropped();
  const request = { prompt, ...sampling(settings), max_tokens: wanted, stream: true, signal };
  return read(await engine.completions.create(request), (choice) => choice.text, onPiece);
}

function sampling({ temperature }) {
  return { temperature: temperature ?? 0.7, top_p: 0.95 };
}

async function read(stream, textOf, onPiece) {
  let finish = null;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    const piece = choice && textOf(choice);
    if (piece) onPiece(piece);
    finish = choice?.finish_reason ?? finish;
  }
  return { finish };
}

/** The turns of a story as one text. */
function joined(turns) {
  return turns.reduce((text, { content }) => text + (text === '' || /\s$/.test(text) || /^[\s,.;:!?]/.test(content) ? '' : ' ') + content, '');
}

// Room for the answer, or half a context for it.
function budget(engine, wanted) {
  const { contextLength } = engine.info.model;
  return contextLength - Math.min(wanted, Math.floor(contextLength / 2));
}

/** The last turns that leave room for the answer: a question is dropped with its answer, the last one never. */
async function fitTurns(engine, system, turns, wanted, template) {
  const most = budget(engine, wanted);
  const count = async (some) => (await engine.tokenize(await engine.applyChatTemplate([...system, ...some], template))).length;
  let kept = turns;
  while (kept.length > 1 && await count(kept) > most) {
    const next = kept.findIndex(({ role }, i) => i > 0 && role === 'user');
    if (next < 0) break;
    kept = kept.slice(next);
  }
  return { kept, dropped: kept.length < turns.length };
}

/** The end of a text that leaves room for what comes, beginning with a whole word. */
async function fitText(engine, text, wanted) {
  const most = budget(engine, wanted);
  const ids = await engine.tokenize(text);
  if (ids.length <= most) return { prompt: text, cut: false };
  // Cut text may tokenise into a few more tokens than it had within the whole.
  const tail = await engine.detokenize(ids.slice(-Math.max(most - 8, 1)));
  const end = text.slice(-tail.length);
  return { prompt: end.slice(Math.max(end.search(/\s/), 0)), cut: true };
}
