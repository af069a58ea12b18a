// The address after `#` → one of the page's views, fetched when it is first opened. `#/chat/ID` opens a conversation. Which
// views there are is app.js's to say: the views themselves use `go`.

import { byId, memory } from './dom.js';
import { showProblem } from './problems.js';

/**
 * A view: built once into its section, then shown and hidden.
 * @typedef {{ show?: (rest: string) => void, hide?: () => void, search?: () => void, importFiles?: (files: File[]) => Promise<unknown> }} View
 * @typedef {() => Promise<(section: HTMLElement) => View | Promise<View>>} FetchView   gives what builds it
 */

/** @type {Map<string, Promise<View>>} */
const built = new Map();
/** @type {Record<string, FetchView>} */
let views = {};
/** @type {string | null} */
let current = null;
let first = '';

/**
 * Follows the address from now on.
 * @param {Record<string, FetchView>} all   by name
 * @param {string} view   the one that is shown where the address names none
 */
export function startRouter(all, view) {
  views = all;
  first = view;
  addEventListener('hashchange', follow);
  return follow();
}

/** The address of a view, or of something in it. @param {string} view */
export const addressOf = (view, rest = '') => `#/${view}${rest ? `/${encodeURIComponent(rest)}` : ''}`;

/** What an address says; one that nobody of ours has written stands for itself. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Opens a view by its address: `go('chat', id)`. @param {string} view */
export function go(view, rest = '') {
  const hash = addressOf(view, rest);
  if (hash !== location.hash) history.pushState(null, '', hash);
  return follow();
}

/** The name of the view that is shown. */
export const currentView = () => current;

/** A view, once it was built. @param {string} name */
export const viewOf = (name) => built.get(name);

/** @param {string} selector @returns {NodeListOf<HTMLElement>} */
const allOf = (selector) => document.querySelectorAll(selector);

async function follow() {
  const [, name, rest = ''] = /^#\/(\w+)(?:\/(.*))?$/.exec(location.hash) ?? [];
  const view = name && Object.hasOwn(views, name) ? name : first;
  const section = byId(`view-${view}`);
  if (view !== current) {
    if (current) built.get(current)?.then((view) => view.hide?.());
    for (const other of allOf('.view')) other.hidden = other !== section;
    for (const link of allOf('[data-view]')) {
      if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    const moved = current !== null;
    current = view;
    document.documentElement.dataset.view = view;
    // Where the visitor has gone, not where the page put them.
    if (moved || name) memory.set('view', view);
    scrollTo(0, 0);
    if (moved) byId('main').focus({ preventScroll: true });
  }
  const building = built.get(view) ?? views[view]().then((create) => create(section));
  built.set(view, building);
  building.catch((error) => {
    built.delete(view); // it may come the next time
    showProblem({ code: 'INTERNAL', message: `this view could not be opened: ${error?.message ?? error}`, details: {} });
  });
  const { show } = await building;
  if (current === view) show?.(decoded(rest));
}
