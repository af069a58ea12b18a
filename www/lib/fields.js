// The fields that requests and options may have. OpenAI's that would change an answer's meaning, and can not, are refused;
// any other that is in no list is a slip, or a wish without effect: the console names it once.

import { CressetError } from './errors.js';

/** @typedef {{ [name: string]: Known | null }} Known   null: what is in it is checked elsewhere */

/** @param {string} names @param {Known} [nested] @returns {Known} */
const known = (names, nested) => ({ ...Object.fromEntries(names.split(' ').map((name) => [name, null])), ...nested });

const WRITING =
  'temperature top_p top_k min_p seed frequency_penalty presence_penalty repetition_penalty penalty_last_n logit_bias max_tokens max_completion_tokens' +
  ' min_tokens stop ignore_eos n num_beams length_penalty early_stopping logprobs return_token_ids skip_special_tokens cache_prompt adapter stream response_format functions function_call model user';
const STREAM = { stream_options: known('include_usage') };

/** Fields within `messages`, `documents` and the like are a template's to read. @type {Record<string, Known>} */
export const KNOWN = {
  'a chat': known(
    `${WRITING} messages top_logprobs tool_choice documents chat_template chat_template_kwargs enable_thinking reasoning_effort` +
      ' add_generation_prompt continue_final_message allow_special parallel_tool_calls modalities',
    { ...STREAM, tools: known('type', { function: known('name description parameters') }) },
  ),
  // What is for chats alone is refused by the engine.
  'a completion': known(`${WRITING} prompt tools tool_choice documents echo suffix best_of`, STREAM),
  'an embedding': known('input encoding_format dimensions truncate_prompt_tokens pooling normalize model user'),
  'a recording': known('language prompt temperature response_format stream timestamp_granularities model'),
  'a model': known('device contextLength kv quantize selfTest', {
    sampling: known('temperature top_p top_k min_p repetition_penalty frequency_penalty presence_penalty penalty_last_n'),
  }),
  'an adapter': known('alpha default'),
  'a bench': known('prompt generate repeat profile ceilings'),
  'the options': {},
};

/** OpenAI's fields: the one value that changes nothing, as JSON, and why there is no other. @type {Record<string, Record<string, [string, string]>>} */
const FIXED = {
  'a chat': {
    audio: ['null', 'answers are text'],
    modalities: ['["text"]', 'answers are text'],
    moderation: ['null', 'nothing here moderates'],
    parallel_tool_calls: ['true', 'an answer may call several tools'],
    web_search_options: ['null', 'there is no search; give the model texts as documents'],
  },
  'a completion': {
    best_of: ['1', 'no answer is chosen for you; ask for several with n'],
    echo: ['false', 'the prompt is not part of the answer'],
    suffix: ['""', 'a text is carried on, not filled in'],
  },
};

/** @type {Set<string>} */
const warned = new Set();

/**
 * @param {keyof typeof KNOWN} what
 * @param {Record<string, any>} fields   plain values, of no prototype
 */
export function checkFields(what, fields) {
  const fixed = FIXED[what] ?? {};
  for (const name of Object.keys(fixed)) {
    const [value, reason] = fixed[name];
    if (isGiven(fields[name]) && JSON.stringify(fields[name]) !== value)
      throw new CressetError('INVALID_REQUEST', `${name}: can only be ${value}: ${reason}`, { field: name });
  }
  for (const path of unknown(fields, KNOWN[what])) {
    const warning = `Cresset: ${path} is no field of ${what}; it has no effect`;
    if (!warned.has(warning)) console.warn(warning);
    warned.add(warning);
  }
}

/** Paths of the fields that are not known. @param {any} value @param {Known} known @param {string} [before] @returns {string[]} */
function unknown(value, known, before = '') {
  if (Array.isArray(value)) return Array.from(value, (item) => unknown(item, known, before)).flat();
  if (typeof value !== 'object' || value === null) return [];
  const given = Object.keys(value).filter((name) => isGiven(value[name]));
  return given.flatMap((name) => {
    if (!Object.hasOwn(known, name)) return [before + name];
    const within = known[name];
    return within ? unknown(value[name], within, `${before}${name}.`) : [];
  });
}

/** Null is the same as absent. @param {unknown} value */
const isGiven = (value) => value !== undefined && value !== null;
