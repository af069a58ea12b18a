// Reads answers aloud: fetched with the first one that is to be read.

import { Aloud } from '../../chat/answer/aloud.js';
import { partsOf } from '../../chat/answer/thought.js';
import { toast } from '../problems.js';
import { currentLanguage, t } from '../text.js';

/** @typedef {import('../../chat/types.d.ts').Turn} Turn */

/** @param {(turn: Turn | null) => void} onChange   the turn that is read now, if any */
export function createReader(onChange) {
  /** @type {Turn | null} */
  let turn = null;
  const aloud = new Aloud({
    language: currentLanguage,
    onChange: () => {
      if (turn && !aloud.reads(turn)) turn = null;
      onChange(turn);
    },
    onSilent: () => toast(t('aloud.none'), undefined, 'aloud'),
  });
  const of = (/** @type {Turn} */ next) => {
    if (!aloud.reads(next)) aloud.stop();
    turn = next;
    return partsOf(next.content).answer;
  };
  return {
    /** More of an answer is there. @param {Turn} next */
    grow: (next) => aloud.grow(next, of(next)),
    /** It is whole. @param {Turn} next */
    end: (next) => aloud.end(next, partsOf(next.content).answer),
    /** Reads a whole one, or stops where it is read already. @param {Turn} next */
    toggle: (next) => (aloud.reads(next) ? aloud.stop() : aloud.read(next, of(next))),
    stop: () => aloud.stop(),
  };
}
