// What stands between the widget's head and its field: a welcome, the turns, notes among them, the way back to the end.

import { attribute, element, icon } from '../chat/dom.js';
import { Transcript } from '../chat/transcript.js';
import { copyText, viewOf } from './turn.js';

const DOWN = 'm6 9.5 6 6 6-6';

export class Messages extends Transcript {
  /** Nodes for the panel. */
  box;
  latest;
  #welcome;
  /** @type {import('../chat/i18n.js').Translator} */
  #words;
  #onSuggestion;

  /**
   * @param {() => import('../chat/conversation.js').Conversation} conversation
   * @param {import('../chat/i18n.js').Translator} words
   * @param {{ onAgain: () => void, onGoOn: (id: string) => void, onSuggestion: (text: string) => void, voice: () => import('./voice.js').Voice | null }} actions
   */
  constructor(conversation, words, { onAgain, onGoOn, onSuggestion, voice }) {
    const welcome = element('div', { class: 'welcome', part: 'greeting' });
    const list = element('ol', { class: 'turns' });
    const box = element('div', { class: 'messages', part: 'messages', tabindex: '0', role: 'log', 'aria-live': 'off' }, welcome, list);
    const latest = element('button', { type: 'button', class: 'latest', part: 'latest', hidden: true, onclick: () => this.follow() }, icon(DOWN));
    super({
      conversation,
      box,
      list,
      makeView: (turn, onDrawn) => viewOf(turn, { words: () => this.#words, onAgain, onGoOn, onDrawn, voice }),
      onAway: (away) => attribute(latest, 'hidden', !away),
      sayEarlier: (count) => this.#words.t('answer.earlier', { count }),
      onCopy: (button, text) => copyText(button, text, this.#words),
    });
    this.box = box;
    this.latest = latest;
    this.#welcome = welcome;
    this.#words = words;
    this.#onSuggestion = onSuggestion;
    this.relabel(words);
  }

  /** @param {import('../chat/i18n.js').Translator} words */
  relabel(words) {
    const others = words !== this.#words;
    this.#words = words;
    this.box.setAttribute('aria-label', words.t('messages'));
    this.latest.setAttribute('aria-label', words.t('latest'));
    if (others) this.renew();
  }

  /** What stands above the first message. @param {string} text @param {string[]} suggestions @param {string | null} hint */
  greet(text, suggestions, hint) {
    this.#welcome.replaceChildren(
      element('p', { class: 'greeting', dir: 'auto', text }),
      ...(hint ? [element('p', { class: 'hint', text: hint })] : []),
      ...(suggestions.length > 0
        ? [
            element(
              'ul',
              { class: 'suggestions' },
              ...suggestions.map((each) =>
                element(
                  'li',
                  {},
                  element('button', {
                    type: 'button',
                    class: 'suggestion',
                    part: 'suggestion',
                    dir: 'auto',
                    text: each,
                    onclick: () => this.#onSuggestion(each),
                  }),
                ),
              ),
            ),
          ]
        : []),
    );
    this.grown();
  }

  /** There are turns: suggestions are no longer offered. */
  begun() {
    attribute(this.#welcome, 'data-begun', true);
  }

  /** @param {string} text */
  say(text) {
    this.note(element('li', { class: 'note', part: 'note', dir: 'auto', text }));
  }
}
