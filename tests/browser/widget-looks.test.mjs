// What the widget looks like, and what axe-core says of it, in every state, both themes, both languages, on a desk and on a
// phone. Pictures go to target/screenshots; tests/browser/reference/ keeps a few for people to compare with, when
// UPDATE_REFERENCE=1 says so.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SCREENSHOTS, gguf, startBrowser } from './harness.mjs';
import { startSites, widgetOn } from './sites.mjs';

const AXE = readFileSync(fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8');
const REFERENCE = fileURLToPath(new URL('./reference', import.meta.url));
const SIZE = 640_000_000;

// Two looks have every colour and every layout; the others are for the pictures.
const LOOKS = {
  'desk-light-en': { viewport: { width: 1100, height: 760 }, colorScheme: 'light', lang: 'en', always: true },
  'desk-dark-zh': { viewport: { width: 1100, height: 760 }, colorScheme: 'dark', lang: 'zh-CN' },
  'phone-light-zh': { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'light', lang: 'zh-CN' },
  'phone-dark-en': { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark', lang: 'en', always: true },
};
const TEXTS = {
  en: { title: 'Lantern helper', suggestions: 'When do you open?|Which lantern is brightest?|How do I trim a wick?', question: 'Which lantern is the brightest you have?' },
  'zh-CN': { title: '灯笼小助手', suggestions: '几点开门？|哪盏灯最亮？|怎么修灯芯？', question: '你们最亮的灯笼是哪一盏？' },
};
const ANSWER = `The **Harbour No. 4** is our brightest, at *400 lumens*. It is described in [the catalogue](https://lanterns.example/harbour-4).

### To light it

1. Trim the wick to \`5 mm\`
2. Fill the bowl, slowly
   - never to the brim

| Lantern | Lumens |
|---|---:|
| Harbour No. 4 | 400 |
| Hall | 120 |

> Keep it away from curtains.

\`\`\`js
lamp.light({ wick: 5 });
\`\`\`

![a lantern](https://lanterns.example/4.png)`;

let browser, site;
let download; // how the slow file is sent

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  if (process.env.UPDATE_REFERENCE) mkdirSync(REFERENCE, { recursive: true });
  browser = await startBrowser();
  const slow = (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': SIZE, ETag: '"a"' });
    if (request.method === 'HEAD' || request.headers.range) return response.end(request.method === 'HEAD' ? undefined : gguf('chat'));
    response.write(gguf('chat', 220_000_000));
  };
  site = await startSites({
    routes: {
      '/files/large.gguf': (request, response) => (download ?? slow)(request, response),
      '/v1/chat/completions': (request, response) => response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(`data: ${JSON.stringify({ choices: [{ delta: { content: 'At your service.' } }] })}\n\n`),
    },
  });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** Each state: attributes, and how a visitor gets there. */
const STATES = {
  closed: ['model="default"', async (widget) => widget.launcher.waitFor()],
  welcome: ['model="/files/quick.gguf"', async (widget) => { await widget.open(); await widget.ready(); }],
  consent: ['model="/files/large.gguf" consent megabytes="640"', async (widget) => { await widget.open(); await widget.state('asking'); }],
  answer: ['model="/files/quick.gguf" max-tokens="3000"', async (widget, page, { question }) => {
    await widget.open();
    await widget.ready();
    await page.evaluate(([question, answer]) => { document.querySelector('cresset-chat').messages = [{ role: 'user', content: question }, { role: 'assistant', content: answer }]; }, [question, ANSWER]);
    await widget.inside('.words table').waitFor();
  }],
  writing: ['model="/files/slow-chat.gguf"', async (widget, page, { question }) => {
    await widget.open();
    await widget.ready();
    await widget.say(question);
    await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length > 60);
  }],
  problem: ['model="/files/none.gguf"', async (widget, page, { question }) => {
    await widget.open();
    await widget.say(question);
    await widget.state('failed');
  }],
  server: ['model="/files/oom.gguf" endpoint="/v1"', async (widget, page, { question }) => {
    await widget.open();
    await widget.ready();
    await widget.say(question);
    await widget.answered();
  }],
  story: ['model="default"', async (widget, page) => {
    await widget.open();
    await widget.ready();
    await page.evaluate(() => document.querySelector('cresset-chat').setAttribute('max-tokens', '40'));
    await widget.say('Once upon a time');
    await widget.answered();
  }],
};

// Kept as references: one look of each state, all looks of the two that show most.
const KEPT = new Set(['desk-light-en closed', 'desk-light-en consent', 'desk-light-en welcome', 'desk-light-en answer', 'desk-dark-zh answer', 'phone-light-zh consent', 'phone-dark-en answer', 'desk-dark-zh problem', 'phone-dark-en server', 'desk-light-en story', 'phone-light-zh writing']);

for (const [look, { lang, always, ...options }] of Object.entries(LOOKS)) {
  const skip = always || process.env.UPDATE_REFERENCE ? false : 'UPDATE_REFERENCE=1 takes all pictures';
  test(`no state is held against it by axe-core: ${look}`, { skip }, async () => {
    const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const words = TEXTS[lang];
    for (const [state, [attributes, reach]] of Object.entries(STATES)) {
      await site.visit(browser, `<cresset-chat ${attributes} title="${words.title}" suggestions="${words.suggestions}"></cresset-chat>`, { page, lang });
      await reach(widgetOn(page), page, words);
      await page.waitForTimeout(150); // what fades has faded
      await page.screenshot({ path: `${SCREENSHOTS}/widget-${look}-${state}.png` });
      if (process.env.UPDATE_REFERENCE && KEPT.has(`${look} ${state}`)) await page.screenshot({ path: `${REFERENCE}/widget-${look}-${state}.jpg`, type: 'jpeg', quality: 70 });
      const violations = await violationsOn(page);
      assert.deepEqual(violations, [], `${look}, ${state}`);
    }
    await context.close();
  });
}

async function violationsOn(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ target, failureSummary }) => `${target.flat().join(' ')}: ${failureSummary}`) }));
  });
}

test('a download in the middle, and paused', async () => {
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, reducedMotion: 'reduce' });
  const page = await site.visit(browser, '<cresset-chat model="/files/large.gguf" title="Lantern helper"></cresset-chat>', { context });
  const widget = widgetOn(page);
  download = (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': 48_000_000, ETag: '"a"' });
    if (request.method === 'HEAD') return response.end();
    const piece = Buffer.alloc(1_000_000);
    response.write(gguf('chat', 8_000_000));
    const timer = setInterval(() => response.write(piece), 100);
    response.on('close', () => clearInterval(timer));
  };
  await widget.open();
  await widget.inside('.amount', { hasText: 'left' }).filter({ hasText: 'left' }).waitFor();
  await page.screenshot({ path: `${SCREENSHOTS}/widget-download.png` });
  if (process.env.UPDATE_REFERENCE) await page.screenshot({ path: `${REFERENCE}/widget-download.jpg`, type: 'jpeg', quality: 70 });
  assert.deepEqual(await violationsOn(page), []);
  await widget.inside('.card .quiet').click();
  await widget.state('paused');
  await page.screenshot({ path: `${SCREENSHOTS}/widget-paused.png` });
  assert.deepEqual(await violationsOn(page), []);
  download = null;
  await context.close();
});
