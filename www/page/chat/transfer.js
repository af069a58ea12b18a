// Conversations to files and back: JSON holds everything, Markdown what is shown, for people.

const FORMAT = 'cresset-conversations';
const ROLES = ['system', 'user', 'assistant'];
// What a Markdown file is parted by: invisible where it is rendered, and not found in anybody's words.
const MARK = /^<!-- cresset:(system|user|assistant)(?: (.*?))? -->$/;

/**
 * @typedef {import('./types.d.ts').Whole} Whole
 * @typedef {import('../../chat/types.d.ts').Turn} Turn
 */

/** @param {Whole[]} all */
export function toJson(all) {
  return `${JSON.stringify({ format: FORMAT, version: 1, conversations: all.map(({ conversation, turns }) => ({ ...conversation, turns })) }, null, 2)}\n`;
}

/**
 * @param {string} title
 * @param {Turn[]} path
 * @param {string} system
 * @param {Record<string, string>} names   of the roles
 */
export function toMarkdown(title, path, system, names) {
  const part = (/** @type {string} */ role, /** @type {string} */ text, /** @type {string} */ note = '') =>
    `<!-- cresset:${role}${note ? ` ${note.replace(/--+>?/g, '–')}` : ''} -->\n## ${names[role]}${note ? ` (${note})` : ''}\n\n${text.trim()}\n`;
  return [
    `# ${title}\n`,
    ...(system.trim() ? [part('system', system)] : []),
    ...path.map(({ role, content, model }) => part(role, content, role === 'assistant' ? model : '')),
  ].join('\n');
}

/**
 * Reads either kind of file. Ids are new, so that nothing that is here is replaced.
 * @param {string} text
 * @param {string} name   of the file
 * @returns {Whole[]} none, if it is neither
 */
export function fromFile(text, name) {
  return text.trimStart().startsWith('{') ? fromJson(text) : fromMarkdown(text, name);
}

/** @param {string} text @returns {Whole[]} */
function fromJson(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    return [];
  }
  if (file?.format !== FORMAT || !Array.isArray(file.conversations)) return [];
  return file.conversations.flatMap((/** @type {unknown} */ given) => adopt(given) ?? []);
}

/** A conversation of somebody's file, made of nothing but what is expected there. @param {any} given @returns {Whole | null} */
function adopt(given) {
  /** @type {any[]} */
  const turns = (Array.isArray(given?.turns) ? given.turns : []).filter(
    (/** @type {any} */ turn) => ['user', 'assistant'].includes(turn?.role) && typeof turn.content === 'string' && turn.id !== undefined,
  );
  if (turns.length === 0) return null;
  const ids = new Map(turns.map(({ id }) => [String(id), crypto.randomUUID()]));
  const renamed = (/** @type {unknown} */ id) => ids.get(String(id)) ?? null;
  const chosen = Object.entries(given.chosen ?? {}).map(([parent, child]) => [parent ? renamed(parent) : '', renamed(child)]);
  return {
    conversation: conversationOf(text(given.title), {
      named: given.named === true,
      created: time(given.created),
      updated: time(given.updated),
      system: text(given.system),
      chosen: Object.fromEntries(chosen.filter(([parent, child]) => parent !== null && child)),
    }),
    turns: turns.map((turn, i) => ({
      id: renamed(turn.id) ?? '',
      parent: renamed(turn.parent),
      role: turn.role,
      content: turn.content,
      created: time(turn.created, i),
      ...(turn.role === 'assistant' ? { model: text(turn.model), finish: text(turn.finish) || 'stop' } : {}),
    })),
  };
}

/** @param {string} source @param {string} name @returns {Whole[]} */
function fromMarkdown(source, name) {
  /** @type {{ role: string, note: string, lines: string[] }[]} */
  const parts = [];
  for (const line of source.replaceAll('\r\n', '\n').split('\n')) {
    const [, role = '', note = ''] = MARK.exec(line) ?? [];
    if (ROLES.includes(role)) parts.push({ role, note, lines: [] });
    else parts.at(-1)?.lines.push(line);
  }
  // The heading after each mark is for people.
  const said = parts
    .map(({ role, note, lines }) => ({
      role,
      note,
      content: lines
        .join('\n')
        .replace(/^## .*\n/, '')
        .trim(),
    }))
    .filter(({ content }) => content);
  /** @type {Turn[]} */
  const turns = said
    .filter(({ role }) => role !== 'system')
    .map(({ role, note, content }, i) => ({
      id: crypto.randomUUID(),
      parent: null,
      role: role === 'user' ? 'user' : 'assistant',
      content,
      created: Date.now() + i,
      ...(role === 'assistant' ? { model: note, finish: 'stop' } : {}),
    }));
  for (let i = 1; i < turns.length; i += 1) turns[i].parent = turns[i - 1].id;
  if (turns.length === 0) return [];
  const title = /^# (.+)$/m.exec(source)?.[1].trim() ?? name.replace(/\.\w+$/, '');
  return [{ conversation: conversationOf(title, { system: said.find(({ role }) => role === 'system')?.content ?? '' }), turns }];
}

/** @param {string} title @param {object} [rest] @returns {import('./types.d.ts').Conversation} */
function conversationOf(title, rest = {}) {
  const now = Date.now();
  return { id: crypto.randomUUID(), title, named: true, created: now, updated: now, system: '', chosen: {}, ...rest };
}

const text = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : '');
const time = (/** @type {unknown} */ value, later = 0) => (typeof value === 'number' && Number.isFinite(value) ? value : Date.now() + later);
