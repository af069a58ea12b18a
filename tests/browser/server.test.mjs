// The library and the widget where pages are rendered on a server, by Next, Nuxt or Astro: in Node, which is no browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** What pages have and servers have not; later versions of Node have some of it. */
const OF_BROWSERS = ['window', 'document', 'navigator', 'location', 'HTMLElement', 'customElements', 'Worker', 'localStorage', 'sessionStorage'];
for (const name of OF_BROWSERS) delete globalThis[name];
const before = Object.getOwnPropertyNames(globalThis).sort();

const { Cresset, CressetError, Stream } = await import('../../www/cresset.js');
const { CressetChat } = await import('../../www/cresset-chat.js');

test('both files can be imported and do nothing', () => {
  assert.deepEqual(
    OF_BROWSERS.filter((name) => name in globalThis),
    [],
  );
  assert.deepEqual(Object.getOwnPropertyNames(globalThis).sort(), before);
  assert.ok(Cresset.models.length > 0);
  assert.deepEqual([typeof CressetChat, typeof Stream], ['function', 'function']);
});

test('whatever would need a browser says so', async () => {
  const asked = ['default', 'stories.gguf', '/stories.gguf', 'hf:owner/repo', 'https://site.example/m.gguf', new Blob(['GGUF'])].flatMap((model) => [
    Cresset.load(model),
    Cresset.probe(model),
    Cresset.measure(model),
  ]);
  for (const question of [...asked, Cresset.estimate([])]) {
    const error = await question.catch((error) => error);
    assert.ok(error instanceof CressetError);
    assert.equal(error.code, 'INVALID_REQUEST');
    assert.match(
      error.message,
      /^Cresset runs in pages and their workers, not on a server or in a service worker; call it where only the browser runs your code: .+/,
    );
  }
});

test('nothing is kept there', async () => {
  assert.deepEqual(await Cresset.cache.list(), []);
  assert.equal((await Cresset.cache.usage()).models, 0);
  assert.equal(await Cresset.cache.delete('default'), false);
  assert.equal(await Cresset.cache.persist(), false);
  await Cresset.cache.clear();
});
