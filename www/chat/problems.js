// Errors in words: which of them an error calls for, and what can be done about it. The words themselves are the page's and
// the widget's, which speak to other people: `problem.CODE.kind.title` and `.advice`, or `problem.CODE.title` for all kinds.

/**
 * @typedef {import('./types.d.ts').Failure} Failure
 * @typedef {import('./types.d.ts').Problem} Problem
 * @typedef {import('./types.d.ts').Way} Way
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
  INVALID_REQUEST: { kind: ({ sightless }) => (sightless ? 'sightless' : ''), answer: ['other', 'again'] },
  CONTEXT_OVERFLOW: { answer: ['larger', 'shorter', 'anew'] },
};

/**
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

/** The engine is of no more use, but another one may be. @param {Failure} error */
export function isBroken({ code, details }) {
  return code === 'DEVICE_LOST' || details?.reload === true;
}

/** What can be done where an answer failed. @param {Failure} error @returns {Way[]} */
export function waysToAnswer(error) {
  return isBroken(error) ? ['reload', 'again'] : (PROBLEMS[error.code]?.answer ?? ['again']);
}

function isOffline() {
  return globalThis.navigator?.onLine === false;
}
