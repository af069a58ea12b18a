// Styles that come with a part of the page.

import { element } from './dom.js';

/** @param {string} href @returns {Promise<unknown>} once it holds */
export function addStyle(href) {
  return new Promise((resolve, reject) => {
    const link = element('link', { rel: 'stylesheet', href });
    link.addEventListener('load', resolve);
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(`${href} could not be fetched`));
    });
    document.head.append(link);
  });
}
