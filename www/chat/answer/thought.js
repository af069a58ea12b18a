// Models that think aloud put it between tags. What they thought is shown apart, and not sent back to them.

const TAGS = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<|channel|>analysis<|message|>', '<|end|>'],
];

/**
 * @param {string} text   an answer, perhaps unfinished
 * @returns {{ thought: string, thinking: boolean, answer: string }} `thinking`: it has not come to the answer yet
 */
export function partsOf(text) {
  const start = text.trimStart();
  for (const [open, close] of TAGS) {
    if (start.startsWith(open)) {
      const end = start.indexOf(close);
      if (end < 0) return { thought: start.slice(open.length).trim(), thinking: true, answer: '' };
      return { thought: start.slice(open.length, end).trim(), thinking: false, answer: start.slice(end + close.length).trimStart() };
    }
    // Templates that open the thought in the prompt leave only its end in the answer.
    const end = text.indexOf(close);
    if (end >= 0 && close !== '<|end|>' && !text.slice(0, end).includes(open))
      return { thought: text.slice(0, end).trim(), thinking: false, answer: text.slice(end + close.length).trimStart() };
    if (start !== '' && open.startsWith(start)) return { thought: '', thinking: true, answer: '' };
  }
  return { thought: '', thinking: false, answer: text };
}
