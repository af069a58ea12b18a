// Markdown of a model → nodes. marked only splits the text into tokens; every node is made here, of a few kinds and from
// text, so nothing that a model writes becomes markup. Links say where they lead; images are links, never fetched.

import { Lexer } from '../../vendor/marked.esm.js';
import { element, icon } from '../dom.js';
import { isNamed, placeOf, safeUrl } from './address.js';

const OUT = 'M8 5h11v11M18.5 5.5 6 18';
/** @type {Record<string, string>} */
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', hellip: '…', ndash: '–', mdash: '—' };

/**
 * @typedef {import('../types.d.ts').RenderOptions} RenderOptions
 * @typedef {import('../../vendor/marked.esm.js').Token} Token
 * @typedef {RenderOptions & { outline: number[], linked?: boolean }} Around   `linked`: within a link
 */

/** The tokens of a text's blocks; one that cannot be parsed is a block of plain text. @param {string} text @returns {Token[]} */
export function blocksOf(text) {
  try {
    return Lexer.lex(text, { gfm: true, breaks: true });
  } catch {
    return [{ type: 'plain', raw: text }];
  }
}

/**
 * @param {Token} token   of a block
 * @param {RenderOptions} around
 * @param {number[]} outline   depths of the headings that it stands below; is brought up to what follows it
 * @returns {HTMLElement | null}
 */
export function renderBlock(token, around, outline) {
  try {
    const node = block(token, { ...around, outline });
    return node && around.check(node);
  } catch {
    return paragraph(token.raw); // too deep for this browser's stack
  }
}

/** @param {string} text */
function paragraph(text) {
  return element('p', { dir: 'auto', text });
}

/** @param {any} token   marked's types tell plugins' kinds from none @param {Around} around @returns {HTMLElement | null} */
function block(token, around) {
  switch (token.type) {
    case 'paragraph':
    case 'text':
      return element('p', { dir: 'auto' }, ...inline(within(token), around));
    case 'heading':
      return element(`h${levelOf(token.depth, around)}`, { class: `depth-${token.depth}`, dir: 'auto' }, ...inline(token.tokens, around));
    case 'code':
      return code(token, around);
    case 'list':
      return element(
        token.ordered ? 'ol' : 'ul',
        { dir: 'auto', start: token.ordered && token.start !== 1 ? token.start : null },
        ...token.items.map((/** @type {any} */ item) => element('li', { dir: 'auto' }, ...listItem(item, token.loose, around))),
      );
    case 'blockquote':
      return element('blockquote', { dir: 'auto' }, ...blocks(token.tokens, around));
    case 'table':
      return table(token, around);
    case 'hr':
      return element('hr');
    case 'plain':
      return element('p', { class: 'plain', dir: 'auto', text: token.raw.replace(/^\n+|\s+$/g, '') });
    case 'space':
    case 'def':
      return null;
    default:
      // Raw HTML, above all: its characters.
      return paragraph(token.raw.trim());
  }
}

/** @param {Token[]} tokens @param {Around} around */
function blocks(tokens, around) {
  return tokens.map((token) => block(token, around)).filter(Boolean);
}

/** One level at a time, whatever depths a model begins with or skips. @param {number} depth @param {Around} around */
function levelOf(depth, { level, outline }) {
  while ((outline.at(-1) ?? 0) >= depth) outline.pop();
  return Math.min(level + outline.push(depth) - 1, 6);
}

/** @param {any} item @param {boolean} loose @param {Around} around */
function listItem({ tokens, task, checked }, loose, around) {
  const mark = task ? [`${checked ? '☑' : '☐'} `] : [];
  // In a tight list a line is no paragraph.
  const rest = /** @type {Token[]} */ (tokens)
    .filter(({ type }) => type !== 'checkbox')
    .flatMap((token) => (!loose && token.type === 'text' ? inline(within(token), around) : [block(token, around)]));
  return [...mark, ...rest.filter(Boolean)];
}

/** @param {any} token @param {Around} around */
function code({ text, lang }, { say, copyButton }) {
  const language = /^[\w+#.-]{1,24}/.exec(lang ?? '')?.[0] ?? '';
  return element(
    'figure',
    { class: 'code', part: 'code', dir: 'ltr' },
    element('figcaption', {}, element('span', { text: language }), copyButton()),
    element('pre', { tabindex: '0', role: 'group', 'aria-label': language ? say('language', { language }) : say('code') }, element('code', { text })),
  );
}

/** @param {any} token @param {Around} around */
function table({ header, rows, align }, around) {
  const cell =
    (/** @type {string} */ tag) =>
    (/** @type {any} */ { tokens }, /** @type {number} */ i) =>
      element(tag, { dir: 'auto', class: align[i] ? `align-${align[i]}` : null, scope: tag === 'th' ? 'col' : null }, ...inline(tokens, around));
  return element(
    'div',
    { class: 'scroller', tabindex: '0', role: 'group', 'aria-label': around.say('table') },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...header.map(cell('th')))),
      element('tbody', {}, ...rows.map((/** @type {any[]} */ row) => element('tr', {}, ...row.map(cell('td'))))),
    ),
  );
}

/** What a token consists of, or itself. @param {any} token @returns {Token[]} */
function within(token) {
  return Object.hasOwn(token, 'tokens') ? token.tokens : [token];
}

/** @param {any[]} tokens @param {Around} around @returns {(Node | string)[]} */
function inline(tokens, around) {
  return tokens.flatMap((token) => {
    switch (token.type) {
      case 'text':
      case 'escape':
        return Object.hasOwn(token, 'tokens') ? inline(token.tokens, around) : [decoded(token.text)];
      case 'strong':
      case 'em':
      case 'del':
        return [element(token.type, {}, ...inline(token.tokens, around))];
      case 'codespan':
        return [element('code', { dir: 'auto', text: token.text })];
      case 'br':
        return [element('br')];
      case 'link':
        return [link(token.href, inline(token.tokens, { ...around, linked: true }), around)];
      case 'image':
        return [link(token.href, [around.say('image', { text: token.text || token.href })], around)];
      case 'html':
        return /^<br\s*\/?>$/i.test(token.raw) ? [element('br')] : [token.raw];
      default:
        return [token.raw];
    }
  });
}

/**
 * A link that says where it leads, or, where it leads nowhere safe, its words. Both stand apart in their direction, so that neither can
 * turn the other around.
 * @param {string} href
 * @param {(Node | string)[]} children
 * @param {Around} around
 */
function link(href, children, { say, base, linked }) {
  // A link within a link would be another way out of the same words.
  const url = linked ? null : safeUrl(decoded(href), base);
  if (!url) return element('span', {}, ...children);
  const words = element('bdi', {}, ...children);
  const place = placeOf(url);
  return element(
    'a',
    { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow ugc', title: url.href, part: 'link' },
    words,
    isNamed(words.textContent, url) ? null : element('span', { class: 'place' }, ' (', element('bdi', { dir: 'ltr', text: place }), ')'),
    icon(OUT),
    element('span', { class: 'unseen', text: ` (${say('leads', { host: place })})` }),
  );
}

/** @param {string} text */
function decoded(text) {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,8}));/gi, (whole, decimal, hex, name) => {
    if (name) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}
