// A transcript as files, and what is found in it. Knows no document.

/** A passage of a transcript; times in seconds. @typedef {{ start: number, end: number, text: string }} Passage */

/** @type {Record<string, { type: string, write: (passages: Passage[]) => string }>} */
export const FORMATS = {
  txt: { type: 'text/plain', write: plain },
  srt: { type: 'application/x-subrip', write: srt },
  vtt: { type: 'text/vtt', write: vtt },
};

/** @param {Passage[]} passages */
export function plain(passages) {
  return `${passages.map(({ text }) => line(text)).join('\n')}\n`;
}

/** SubRip. @param {Passage[]} passages */
function srt(passages) {
  return passages.map(({ start, end, text }, i) => `${i + 1}\n${clock(start, ',')} --> ${clock(end, ',')}\n${line(text)}\n`).join('\n');
}

/** WebVTT (https://www.w3.org/TR/webvtt1/): these characters would be read as markup. @param {Passage[]} passages */
function vtt(passages) {
  const safe = (/** @type {string} */ text) => line(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return ['WEBVTT\n', ...passages.map(({ start, end, text }) => `${clock(start, '.')} --> ${clock(end, '.')}\n${safe(text)}\n`)].join('\n');
}

/** A blank line would end a cue. @param {string} text */
const line = (text) => text.replace(/\s+/g, ' ').trim();

/** `01:02:03.450` @param {number} seconds @param {string} point */
function clock(seconds, point) {
  const ms = Math.round(seconds * 1000);
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, '0');
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, '0')}`;
}

/** For people: 1:05, or 1:02:03. @param {number} seconds */
export function timeOf(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/**
 * Where a text is found, whatever the case and the accents; each match is a stretch of the text.
 * @param {string} text @param {string} wanted
 * @returns {[from: number, to: number][]}
 */
export function matchesOf(text, wanted) {
  const needle = fold(wanted.trim()).text;
  if (!needle) return [];
  const { text: folded, at } = fold(text);
  /** @type {[number, number][]} */
  const found = [];
  for (let i = folded.indexOf(needle); i >= 0; i = folded.indexOf(needle, i + needle.length)) found.push([at[i], at[i + needle.length]]);
  return found;
}

/** A text without case and accents, and where each of its characters comes from. @param {string} text */
function fold(text) {
  let folded = '';
  /** @type {number[]} */
  const at = [];
  let from = 0;
  for (const character of text) {
    const plain = character.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
    for (let i = 0; i < plain.length; i += 1) at.push(from);
    folded += plain;
    from += character.length;
  }
  at.push(text.length);
  return { text: folded, at };
}
