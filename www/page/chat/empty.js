// What a chat shows before anything is said: an invitation, or the way to a model that can chat.

import { answers, rowOf } from '../bundled.js';
import { activeTransfer } from '../downloads.js';
import { element } from '../dom.js';
import { flame } from '../flame.js';
import { session } from '../session.js';
import { currentLanguage } from '../text.js';

const PROMPTS = ['chat.try.explain', 'chat.try.plan', 'chat.try.rewrite', 'chat.try.code'];

let shown = '';

/** Whether what is being loaded may answer: of what comes with the site that is known. */
function expectsAnswers() {
  return session.loading !== null && answers(rowOf(session.loading.model) ?? {}) && (session.engine === null || !activeTransfer()?.quiet);
}

/** At a new visit to the view: what is offered there may have come meanwhile, or gone. @param {HTMLElement} host */
export function renewEmpty(host) {
  if (host.childElementCount > 0) shown = '';
}

/**
 * @param {HTMLElement} host
 * @param {import('./composer.js').PageComposer} composer
 */
export async function showEmpty(host, composer) {
  const coming = !session.canChat && expectsAnswers();
  const invites = session.canChat || coming;
  const reads = !coming && session.engine?.info.model.encoderDecoder;
  // What is there already stays, with the focus that may be in it.
  const now = [invites, coming, session.engine?.info.model.name, currentLanguage()].join();
  if (now === shown && host.childElementCount > 0) return;
  shown = now;
  if (invites) {
    const chips = element('div', { class: 'tries', role: 'group', label: 'chat.try' });
    host.replaceChildren(
      flame('large'),
      reads ? element('h2', { textContent: session.label }) : element('h2', { text: 'chat.empty.title' }),
      element('p', { class: 'soft', text: `chat.empty.${coming ? 'coming' : reads ? 'each' : 'text'}` }),
      ...(reads ? [] : [chips]),
    );
    if (!reads) composer.suggest(PROMPTS, chips);
    return;
  }
  const { suggestions } = await import('../models/suggestions.js');
  // Meanwhile another model may have come.
  if (now !== shown) return;
  host.replaceChildren(
    flame('large'),
    element('h2', { text: 'chat.offer.title' }),
    element('p', { class: 'soft', text: session.engine ? 'chat.offer.beside' : 'chat.offer.text' }),
    suggestions(),
    element(
      'p',
      { class: 'chips' },
      element('a', { class: 'chip', href: '#/models', text: 'chat.allModels' }),
      session.engine ? element('a', { class: 'chip', href: '#/write', text: 'chat.writeInstead' }) : null,
    ),
  );
}
