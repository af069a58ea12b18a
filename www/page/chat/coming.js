// Models on their way, above the composer: how far each is, and the way to pause it and go on.

import { downloads, transfers } from '../downloads.js';
import { session } from '../session.js';
import { words } from '../text.js';

/** Keeps the list true. @param {HTMLElement} host */
export function showComing(host) {
  /** @type {ReturnType<typeof import('../models/rows.js').transferRow>[]} */
  let rows = [];
  /** Those that went on since the page was opened: one that is paused now can go on here. @type {Set<unknown>} */
  const seen = new Set();
  const wanted = () =>
    transfers().filter(({ model, state, quiet }) => {
      if (state === 'loading' && !quiet) seen.add(model);
      return !quiet && (state === 'loading' || seen.has(model) || (!session.canChat && state !== 'elsewhere'));
    });
  const show = async () => {
    if (wanted().length === 0 && host.hidden) return;
    const { transferRow } = await import('../models/rows.js');
    const all = wanted();
    const now = all.map(transferRow);
    if (now.map(({ key }) => key).join() !== rows.map(({ key }) => key).join()) {
      rows = now;
      host.replaceChildren(...rows.map(({ row }) => row));
    }
    rows.forEach(({ update }, i) => update(all[i]));
    host.hidden = all.length === 0;
  };
  downloads.addEventListener('change', show);
  session.addEventListener('change', show);
  words.addEventListener('change', () => {
    rows = [];
    show();
  });
  show();
}
