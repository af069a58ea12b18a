// What a chat shows before anything is said: an invitation, or the way to a model that can chat.

import { element } from '../dom.js';
import { flame } from '../flame.js';
import { session } from '../session.js';

const PROMPTS = ['chat.try.explain', 'chat.try.plan', 'chat.try.rewrite', 'chat.try.code'];

let shown = 0;

/**
 * @param {HTMLElement} host
 * @param {import('./composer.js').PageComposer} composer
 */
export async function showEmpty(host, composer) {
  const showing = ++shown;
  const chips = element('div', { class: 'tries', role: 'group', label: 'chat.try' });
  if (session.canChat || session.state === 'loading') {
    host.replaceChildren(flame('large'), element('h2', { text: 'chat.empty.title' }), element('p', { class: 'soft', text: 'chat.empty.text' }), chips);
    composer.suggest(PROMPTS, chips);
    return;
  }
  const { suggestions } = await import('../models/suggestions.js');
  const cards = await suggestions();
  // Meanwhile another model may have come.
  if (showing !== shown) return;
  host.replaceChildren(
    flame('large'),
    element('h2', { text: session.engine ? 'chat.cannot.title' : 'chat.none.title' }),
    element('p', { class: 'soft', text: session.engine ? 'chat.cannot.text' : 'chat.none.text' }),
    cards,
    element(
      'p',
      { class: 'chips' },
      element('a', { class: 'chip', href: '#/models', text: 'chat.allModels' }),
      session.engine ? element('a', { class: 'chip', href: '#/write', text: 'chat.writeInstead' }) : null,
    ),
  );
}
