// Conversations to files and back: JSON holds everything, Markdown what is shown, for people.

import { pictures as picturesOf, withPictures } from '../../chat/picture.js';
import { sound } from '../../chat/tree.js';
import { table } from '../../chat/shapes.js';
import { MOST } from './rows.js';

const FORMAT = 'cresset-conversations';
const ROLES = ['system', 'user', 'assistant'];
// What a Markdown file is parted by: invisible where it is rendered, and not found in anybody's words.
const MARK = /^<!-- cresset:(system|user|assistant)(?: (.*?))? -->$/;

// A picture of a Markdown file, in a line of its own.
const PICTURE = /^!\[(.*)\]\((data:image\/[^)\s]+)\)$/;

/** What a file may bring: characters of a message, turns of a conversation. */
export const IMPORTED = { words: 1_000_000, turns: 50_000 };
/** Characters of pictures that a file is given. */
const EXPORTED = 180_000_000;

/**
 * @typedef {import('./types.d.ts').Whole} Whole
 * @typedef {import('../../chat/types.d.ts').Turn} Turn
 */

/**
 * Conversations with as many pictures as one file holds, the first ones first; `left`: how many are left out.
 * @param {Whole[]} all
 * @param {number} [most]   characters
 */
export function withinLimit(all, most = EXPORTED) {
  let left = 0;
  const turnOf = (/** @type {Turn} */ { pictures = [], ...turn }) => {
    const kept = pictures.filter(({ url }) => (most -= url.length) >= 0);
    left += pictures.length - kept.length;
    return { ...turn, ...withPictures(kept) };
  };
  return { all: all.map((whole) => ({ ...whole, turns: whole.turns.map(turnOf) })), left };
}

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
    ...path.map(({ role, content, model, pictures = [] }) =>
      part(role, [...pictures.map(({ name, url }) => `![${name.replace(/[[\]\n]/g, ' ')}](${url})`), content].join('\n\n'), role === 'assistant' ? model : ''),
    ),
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
  /** @type {unknown[]} */
  const all = Array.isArray(given?.turns) ? given.turns : [];
  const turns = all.slice(0, IMPORTED.turns).filter(isTurn);
  if (turns.length === 0) return null;
  /** Of turns of one id, the first has the answers. @type {Map<string, string>} */
  const ids = new Map();
  const owned = turns.map(({ id }) => {
    const renamed = crypto.randomUUID();
    if (!ids.has(String(id))) ids.set(String(id), renamed);
    return renamed;
  });
  const renamed = (/** @type {unknown} */ id) => (isId(id) ? (ids.get(String(id)) ?? null) : null);
  /** @type {Record<string, string>} */
  const chosen = {};
  for (const [parent, child] of Object.entries(table(id, IMPORTED.turns)(given.chosen) ?? {})) {
    const [from, to] = [parent ? renamed(parent) : '', renamed(child)];
    if (from !== null && to) chosen[from] = to;
  }
  let cut = all.length - turns.length;
  const pictures = (/** @type {any} */ given) => {
    const found = picturesOf(given) ?? [];
    cut += Array.isArray(given) && given.length > found.length ? 1 : 0;
    return withPictures(found);
  };
  const content = (/** @type {string} */ words) => {
    if (words.length > IMPORTED.words) cut += 1;
    return clamped(words, IMPORTED.words);
  };
  const adopted = turns.map((turn, i) => ({
    id: owned[i],
    parent: renamed(turn.parent),
    role: turn.role,
    content: content(turn.content),
    created: time(turn.created, i),
    ...(turn.role === 'assistant' ? { model: clamped(turn.model, MOST.title), finish: clamped(turn.finish, MOST.name) || 'stop' } : pictures(turn.pictures)),
  }));
  return {
    conversation: conversationOf(given.title, {
      named: given.named === true,
      created: time(given.created),
      updated: time(given.updated),
      system: clamped(given.system, IMPORTED.words),
      chosen,
    }),
    turns: sound(adopted),
    missing: cut,
  };
}

const isId = (/** @type {unknown} */ id) => typeof id === 'string' || typeof id === 'number';
const id = (/** @type {unknown} */ value) => (isId(value) ? value : null);

/** @param {any} turn @returns {turn is Record<string, any> & { role: Turn['role'], content: string }} */
function isTurn(turn) {
  return ['user', 'assistant'].includes(turn?.role) && typeof turn.content === 'string' && isId(turn.id);
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
    .map(({ role, note, lines }) => {
      const words = lines
        .join('\n')
        .replace(/^## .*\n/, '')
        .trim();
      return { role, note, ...(role === 'user' ? parted(words) : { content: words }) };
    })
    .filter(({ content, pictures }) => content || pictures);
  const all = said.filter(({ role }) => role !== 'system');
  const cut = Math.max(all.length - IMPORTED.turns, 0) + all.filter(({ content }) => content.length > IMPORTED.words).length;
  /** @type {Turn[]} */
  const turns = all.slice(0, IMPORTED.turns).map(({ role, note, content, pictures }, i) => ({
    id: crypto.randomUUID(),
    parent: null,
    role: role === 'user' ? 'user' : 'assistant',
    content: clamped(content, IMPORTED.words),
    created: Date.now() + i,
    ...(role === 'assistant' ? { model: clamped(note, MOST.title), finish: 'stop' } : withPictures(pictures)),
  }));
  for (let i = 1; i < turns.length; i += 1) turns[i].parent = turns[i - 1].id;
  if (turns.length === 0) return [];
  const title = /^# (.+)$/m.exec(source)?.[1].trim() ?? name.replace(/\.\w+$/, '');
  const system = clamped(said.find(({ role }) => role === 'system')?.content, IMPORTED.words);
  return [{ conversation: conversationOf(title, { system }), turns, missing: cut }];
}

/** A question's pictures, which stand before its words, and the words. @param {string} words @returns {{ content: string, pictures?: import('../../chat/types.d.ts').Picture[] }} */
function parted(words) {
  const lines = words.split('\n');
  const count = lines.findIndex((line) => line && !PICTURE.test(line));
  const shown = lines.slice(0, count < 0 ? lines.length : count);
  const given = shown.flatMap((line) => {
    const [, name, url] = PICTURE.exec(line) ?? [];
    return url ? [{ name, url }] : [];
  });
  const pictures = picturesOf(given) ?? [];
  return pictures.length === given.length ? { content: lines.slice(shown.length).join('\n').trim(), ...withPictures(pictures) } : { content: words };
}

/** @param {unknown} title @param {object} [rest] @returns {import('./types.d.ts').Conversation} */
function conversationOf(title, rest = {}) {
  const now = Date.now();
  return { id: crypto.randomUUID(), title: clamped(title, MOST.title), named: true, created: now, updated: now, system: '', chosen: {}, ...rest };
}

const clamped = (/** @type {unknown} */ value, /** @type {number} */ most) => (typeof value === 'string' ? value.slice(0, most) : '');
/** Nobody has written after today. */
const time = (/** @type {unknown} */ value, later = 0) =>
  typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(value, 0), Date.now() + later) : Date.now() + later;
