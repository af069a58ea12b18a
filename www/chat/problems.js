// Errors in words: which of them an error calls for, and what can be done about it. The words themselves are the page's and
// the widget's, which speak to other people: `problem.CODE.kind.title` and `.advice`, or `problem.CODE.title` for all kinds.

/**
 * What can be done: try the same again; delete what is here and download it again; take another model; load the model again,
 * which has to be done before anything else; begin anew, with less.
 * @typedef {'again' | 'fresh' | 'other' | 'reload' | 'anew'} Way
 *
 * @typedef {object} Problem
 * @property {(details: Record<string, any>) => string} [kind]   which of several, by the facts
 * @property {Way[]} [load]      where loading a model ended so; the first is the likeliest to help
 * @property {Way[]} [answer]    where an answer did
 */

/** @type {Record<string, Problem>} */
const PROBLEMS = {
  DOWNLOAD: {
    kind: ({ endpoint, engine, status }) => {
      if (endpoint) return 'endpoint';
      if (isOffline()) return 'offline';
      if (engine) return 'engine';
      if (status === 401 || status === 403) return 'refused';
      if (status === 429) return 'busy';
      return status ? 'server' : 'broken';
    },
    load: ['again', 'other'],
  },
  // Without a network more than downloads fails: parts of the page, say, that were never fetched.
  INTERNAL: { kind: () => (isOffline() ? 'offline' : ''), load: ['again', 'other'] },
  STORAGE: { kind: ({ moved, damaged }) => (moved ? 'moved' : damaged === undefined ? 'refused' : 'damaged'), load: ['again', 'other'] },
  MODEL_NOT_FOUND: { kind: ({ none }) => (none ? 'none' : 'missing') },
  MODEL_FORMAT: { load: ['fresh', 'other'] },
  INTEGRITY: { load: ['fresh', 'other'] },
  DEVICE_LOST: { load: ['again', 'other'] },
  CONTEXT_OVERFLOW: { answer: ['anew'] },
};

/**
 * @typedef {{ code: string, details?: Record<string, any> }} Failure   a CressetError, say
 *
 * @param {Failure} error
 * @param {import('./i18n.js').Translator} words
 * @returns {{ title: string, advice: string }}
 */
export function explain({ code, details }, words) {
  const facts = details ?? {};
  const kind = PROBLEMS[code]?.kind?.(facts);
  const keys = [kind && `problem.${code}.${kind}`, kind === 'offline' && 'problem.DOWNLOAD.offline', `problem.${code}`, 'problem.INTERNAL'];
  const key = keys.find((each) => each && words.has(`${each}.title`));
  const values = { host: facts.endpoint };
  return { title: words.t(`${key}.title`, values), advice: words.t(`${key}.advice`, values) };
}

/** What can be done where a model could not be loaded. @param {Failure} error @returns {Way[]} */
export function waysToLoad({ code, details }) {
  return details?.moved ? ['other'] : (PROBLEMS[code]?.load ?? ['other']);
}

/** What can be done where an answer failed. @param {Failure} error @returns {Way[]} */
export function waysToAnswer({ code, details }) {
  if (details?.reload || code === 'DEVICE_LOST') return ['reload', 'again'];
  return PROBLEMS[code]?.answer ?? ['again'];
}

function isOffline() {
  return globalThis.navigator?.onLine === false;
}
