// The widget with the real engine and the bundled model, as a visitor of a strict site meets it, the second time without a
// network. Needs dist/: run build.sh first.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { STRICT_CSP, newPage, script, startBrowser, startServer, withFile } from './harness.mjs';
import { widgetOn } from './sites.mjs';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const SITE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Stories</title><script type="module" src="cresset-chat.js"></script>
  <script type="module" src="start.js"></script><cresset-chat model="stories" title="Storyteller" max-tokens="40" consent local-only></cresset-chat></html>`;

let browser, server;

before(async () => {
  assert.ok(existsSync(`${DIST}/cresset_engine_bg.wasm`), 'dist/ has no engine: run ./build.sh first');
  browser = await startBrowser();
  const send = (type, text) => (request, response) => response.writeHead(200, { 'Content-Type': type }).end(text);
  server = await startServer({
    headers: { 'Content-Security-Policy': STRICT_CSP },
    routes: {
      // The page's own place, so that the service worker answers for it.
      '/': send('text/html', SITE),
      '/index.html': send('text/html', SITE),
      '/sw.js': script(withFile(readFileSync(`${DIST}/sw.js`, 'utf8'), 'index.html', SITE)),
      '/start.js': send('text/javascript', "import { registerOffline } from './page/service-worker.js'; window.registered = registerOffline();"),
    },
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test('a visitor agrees, writes, reads a story; later the same without a network', async (t) => {
  const page = await newPage(browser);
  t.after(() => page.context().close());
  await page.goto(server.url);
  const widget = widgetOn(page);
  await widget.open();
  await widget.state('asking');
  assert.match(await widget.card.textContent(), /downloaded once: \d+(\.\d)? MB/);
  assert.deepEqual(
    server.requests.filter(({ method, path }) => method === 'GET' && path.endsWith('.gguf')),
    [],
  );
  await widget.primary.click();
  await widget.ready();
  assert.match(await widget.inside('.welcome').textContent(), /Write how a story begins/);
  const ready = page.addresses.length;
  await widget.say('Once upon a time');
  await widget.answered();
  const story = await widget.answers.first().textContent();
  assert.ok(story.split(/\s+/).length > 12, story);
  await widget.inside('.last .go-on').click();
  await page.waitForFunction((length) => document.querySelector('cresset-chat').messages[1]?.content.length > length + 20, story.length);
  await widget.answered();
  // The service worker may still be fetching the build; the page itself asks for nothing.
  assert.deepEqual(
    page.addresses.slice(ready).filter((address) => !server.url.startsWith(new URL(address).origin)),
    [],
  );
  assert.deepEqual(page.problems, []);

  await page.waitForFunction(async () => (await window.registered)?.active);
  await page.reload();
  await page.context().setOffline(true);
  await page.reload();
  await widget.open();
  await widget.ready();
  await widget.say('One day a fox');
  await widget.answered();
  assert.ok((await widget.answers.first().textContent()).length > 30);
});
