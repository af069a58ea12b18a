// The embed view as a site owner uses it: the form, the lines it makes, the preview.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { script, startBrowser, startServer } from './harness.mjs';
import { widgetOn } from './sites.mjs';
import { leave, visit } from './visitor.mjs';

// Stands in for the widget: what counts here is what it is told.
const WIDGET = `customElements.define('cresset-chat', class extends HTMLElement {
  connectedCallback() { this.textContent = 'widget'; }
});`;

let browser, server, real, page; // `real` has the widget itself

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, bundled: '', routes: { '/cresset-chat.js': script(WIDGET) } });
  real = await startServer({ mock: true, bundled: 'chat' });
});

after(async () => {
  await browser?.close();
  await server?.close();
  await real?.close();
});

afterEach(async () => {
  const left = page;
  page = null;
  await leave(left);
});

test('the form writes the lines for a site, and remembers what was chosen', async () => {
  page = await visit(browser, server, 'embed', { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.fill('#embed-title', 'Ask "us" <now>');
  await page.fill('#embed-base', 'https://cdn.example/cresset/');
  await page.selectOption('#embed-position', 'top-left');
  await page.check('#embed-local-only');
  const snippet = await page.textContent('#snippet');
  assert.match(snippet, /^<script type="module" src="https:\/\/cdn\.example\/cresset\/cresset-chat\.js"><\/script>/);
  assert.match(snippet, /model="default".*title="Ask &quot;us&quot; &lt;now>".*position="top-left".*consent.*local-only/s);
  assert.doesNotMatch(snippet, /theme=|lang=|endpoint=|style=/);
  assert.match(await page.textContent('#policy'), /script-src https:\/\/cdn\.example/);
  await page.click('#snippet-copy');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), snippet);
  assert.doesNotMatch(await page.textContent('#embed-model'), /stories/i, 'a model that answers');
  await page.selectOption('#embed-model', 'other');
  await page.fill('#embed-address', 'hf:o/r/f.gguf');
  assert.match(await page.textContent('#snippet'), /model="hf:o\/r\/f\.gguf"/);
  await page.reload();
  await page.waitForSelector('#snippet');
  assert.match(await page.textContent('#snippet'), /title="Ask &quot;us&quot;/);
  await page.click('#embed-reset');
  assert.match(await page.textContent('#snippet'), /model="default"\n\s+title="Assistant"/);
});

test('a language that was kept by an older name is still the one', async () => {
  page = await visit(browser, server);
  await page.evaluate(() => {
    localStorage.setItem('cresset.embed', JSON.stringify({ lang: 'zh', title: '助手' }));
    localStorage.setItem('cresset.language', JSON.stringify('zh'));
  });
  await page.goto(`${server.url}#/embed`);
  await page.reload();
  await page.waitForSelector('#snippet');
  assert.match(await page.textContent('#snippet'), /lang="zh-CN"/);
  assert.equal(await page.inputValue('#embed-lang'), 'zh-CN');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
});

test('the preview is the widget itself, told of every change', async () => {
  page = await visit(browser, real, 'embed');
  const widget = page.frameLocator('#preview').locator('cresset-chat');
  await widget.waitFor({ state: 'attached' });
  assert.deepEqual(
    [await widget.getAttribute('title'), await widget.getAttribute('consent'), await widget.getAttribute('model')],
    ['Assistant', '', 'default'],
  );
  await page.fill('#embed-title', 'Shop');
  await page.uncheck('#embed-consent');
  await page.check('#embed-colours');
  await page.fill('#accent', '#123456');
  await page.frameLocator('#preview').locator('cresset-chat[title="Shop"][consent="false"][accent="#123456"]').waitFor({ state: 'attached' });
  assert.equal(await widget.locator('.launcher').evaluate((node) => getComputedStyle(node).backgroundColor), 'rgb(18, 52, 86)');
  await page.uncheck('#embed-colours');
  await page.frameLocator('#preview').locator('cresset-chat:not([accent])').waitFor({ state: 'attached' });
  assert.equal(await widget.locator('.launcher').evaluate((node) => getComputedStyle(node).backgroundColor), 'rgb(184, 66, 15)');
});

test('without the widget the preview says so', async (t) => {
  const bare = await startServer({ mock: true, bundled: '', routes: { '/cresset-chat.js': (request, response) => response.writeHead(404).end() } });
  t.after(() => bare.close());
  page = await visit(browser, bare, 'embed');
  await page.frameLocator('#preview').locator('#missing:not([hidden])').waitFor();
  assert.match(await page.frameLocator('#preview').locator('#missing').textContent(), /came without the widget/);
  page.problems = []; // the 404 itself
});

test('the preview’s launcher is in the window, whatever its height', async () => {
  page = await visit(browser, real, 'embed');
  const launcher = page.frameLocator('#preview').locator('cresset-chat button.launcher');
  await launcher.waitFor();
  for (const viewport of [
    { width: 1360, height: 760 },
    { width: 1360, height: 900 },
    { width: 1360, height: 720 },
  ]) {
    await page.setViewportSize(viewport);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    const { y, height } = await launcher.boundingBox();
    assert.ok(y > 0 && y + height < viewport.height, `${y} + ${height} in ${viewport.height}`);
    const copy = await page.locator('#snippet-copy').boundingBox();
    assert.ok(copy.y + copy.height < viewport.height, 'the button that copies the lines is too');
  }
});

test('the preview is the real widget: it opens, and greets as the form says', async () => {
  page = await visit(browser, real, 'embed', { viewport: { width: 1360, height: 760 } });
  const widget = widgetOn(page.frameLocator('#preview'));
  await page.fill('#embed-greeting', 'Ahoy! Lanterns or lamps?');
  await page.fill('#embed-title', 'Harbour shop');
  await widget.open();
  await widget.inside('dialog').getByText('Ahoy! Lanterns or lamps?').waitFor();
  await widget.inside('dialog').getByRole('heading', { name: 'Harbour shop' }).waitFor();
  // What is changed while it is open changes there.
  await page.fill('#embed-title', 'Lamp shop');
  await widget.inside('dialog').getByRole('heading', { name: 'Lamp shop' }).waitFor();
  await widget.ready();
  await widget.say('Once');
  await widget.answered();
  assert.match(await widget.answers.first().textContent(), /there was a small lamp/);
});
