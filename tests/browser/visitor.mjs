// What a visitor does on the page, for the tests of its views: come, wait, choose a model, say something.

import assert from 'node:assert/strict';
import { PATIENCE, gguf, newPage } from './harness.mjs';

/** A fresh profile on a view of the page. @param {string} [view]   'chat', 'write', … */
export async function visit(browser, server, view = '', options = {}) {
  const page = await newPage(browser, options);
  await page.goto(`${server.url}${view ? `#/${view}` : ''}`);
  await ready(page);
  return page;
}

/** Closes a visitor's page, if there is one, on which nothing went wrong that no test knows of. */
export async function leave(page) {
  const problems = page?.problems ?? [];
  await page?.context().close();
  assert.deepEqual(problems, []);
}

/** Until a model is loaded, and nothing goes on. */
export function ready(page) {
  return page.waitForFunction(() => document.documentElement.dataset.state === 'ready' && document.getElementById('progress').hidden, null, {
    timeout: PATIENCE,
  });
}

/** Drops a model with these traits onto the page, and waits until it is loaded. */
export async function drop(page, name, traits) {
  await dropFiles(page, [{ name, bytes: gguf(traits) }]);
  await page.waitForFunction((name) => document.getElementById('model-name').textContent === name, name);
  await ready(page);
}

/** Drops files. @param {{ name: string, bytes: Buffer }[]} files */
export async function dropFiles(page, files) {
  const transfer = await page.evaluateHandle(
    (files) => {
      const transfer = new DataTransfer();
      for (const { name, bytes } of files) transfer.items.add(new File([Uint8Array.from(bytes)], name));
      return transfer;
    },
    files.map(({ name, bytes }) => ({ name, bytes: [...bytes] })),
  );
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** Says something in the chat, and waits for the end of the answer. */
export async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
  await answered(page);
}

/** Until the model has answered the last question. */
export function answered(page) {
  return page.waitForFunction(
    () => document.documentElement.dataset.state === 'ready' && document.querySelector('#turns > :last-child.assistant:not(.writing)'),
    null,
    { timeout: PATIENCE },
  );
}

/**
 * Until the page has said these words in passing, which may be gone again: on a busy machine nobody looks every second. What it said
 * up to them is forgotten.
 * @param {string} words
 */
export function toasted(page, words) {
  return page.waitForFunction((words) => {
    const at = window.toasted.findIndex((text) => text.includes(words));
    return at >= 0 && window.toasted.splice(0, at + 1);
  }, words);
}

/** Whatever was said in passing since the page was opened, or since the last words that a test waited for. */
export const toasts = (page) => page.evaluate(() => window.toasted);

/** The words of the turns that are shown. */
export const turns = async (page) => (await page.locator('#turns .words').allTextContents()).map((text) => text.trim());

/**
 * As if the visitor looked at another tab: the page is hidden and draws no frames, until `inFront`. With a selector, from the very
 * moment on when what it names has so many characters: more may come before a test that waited for them could say so.
 */
export function behind(page, selector = 'html', characters = 0) {
  return page.evaluate(
    async ([selector, characters]) => {
      const isThere = () => document.querySelector(selector)?.textContent.length >= characters;
      if (!isThere()) {
        await new Promise((resolve) => {
          new MutationObserver((_, observer) => {
            if (!isThere()) return;
            observer.disconnect();
            resolve();
          }).observe(document.body, { childList: true, characterData: true, subtree: true });
        });
      }
      const held = new Map();
      let id = 0;
      const [draw, undraw] = [requestAnimationFrame, cancelAnimationFrame].map((deed) => deed.bind(window));
      window.requestAnimationFrame = (deed) => {
        held.set((id -= 1), deed);
        return id;
      };
      window.cancelAnimationFrame = (which) => (held.delete(which) ? undefined : undraw(which));
      const seen = (state) => {
        for (const [name, value] of [
          ['visibilityState', state],
          ['hidden', state === 'hidden'],
        ])
          Object.defineProperty(document, name, { configurable: true, value });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      window.comeBack = () => {
        Object.assign(window, { requestAnimationFrame: draw, cancelAnimationFrame: undraw });
        seen('visible');
        for (const deed of held.values()) draw(deed);
      };
      seen('hidden');
    },
    [selector, characters],
  );
}

export const inFront = (page) => page.evaluate(() => window.comeBack());
