// Models that think aloud put it between marks at the beginning of an answer: what is thought, what is said.

const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * @param {string} content
 * @returns {{ thought: string | null, answer: string, thinking: boolean }} `thinking`: the mark that ends it has not come
 */
export function splitThought(content) {
  const text = content.trimStart();
  const end = text.indexOf(CLOSE);
  // Some templates open the thought themselves: then only its end is in the answer.
  if (!text.startsWith(OPEN)) {
    if (end < 0) return { thought: null, answer: OPEN.startsWith(text) ? '' : content, thinking: false };
    return { thought: text.slice(0, end).trim(), answer: text.slice(end + CLOSE.length).trimStart(), thinking: false };
  }
  if (end < 0) return { thought: text.slice(OPEN.length).trimStart(), answer: '', thinking: true };
  return { thought: text.slice(OPEN.length, end).trim(), answer: text.slice(end + CLOSE.length).trimStart(), thinking: false };
}
