// What the widget looks like, and what axe-core says of it, in every state and look: themes, languages, on a desk and on a
// phone. Pictures go to target/screenshots. UPDATE_REFERENCE=1 takes every look, and keeps for people in
// tests/browser/reference/ a sheet for each theme and language (a conversation, the question for consent, a problem, the
// closed widget with something unread, on both screens), and a picture of each other state.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SCREENSHOTS, gguf, startBrowser } from './harness.mjs';
import { png } from './photos.mjs';
import { picture, sheet } from './pictures.mjs';
import { startSites, widgetOn } from './sites.mjs';

const AXE = readFileSync(fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8');
const REFERENCE = fileURLToPath(new URL('./reference', import.meta.url));
const SIZE = 640_000_000;
const HARBOUR = { name: 'harbour.png', mimeType: 'image/png', buffer: png(64, 48) };

const SCREENS = {
  desk: { viewport: { width: 796, height: 760 } }, // two are as wide as four phones
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
};
const THEMES = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' }, contrast: { contrast: 'more' } };
const LANGUAGES = { en: 'en', zh: 'zh-CN' };
// These have every colour and every layout; the others are for the pictures.
const ALWAYS = ['desk-light-en', 'phone-dark-en', 'desk-contrast-zh'];
const SITE_STYLE = '<style>:root { color-scheme: light dark; background: Canvas; color: CanvasText; font-family: sans-serif; } body { margin: 24px; }</style>';
const TEXTS = {
  en: {
    title: 'Lantern helper',
    suggestions: 'When do you open?|Which lantern is brightest?|How do I trim a wick?',
    question: 'Which lantern is the brightest you have?',
  },
  'zh-CN': { title: '灯笼小助手', suggestions: '几点开门？|哪盏灯最亮？|怎么修灯芯？', question: '你们最亮的灯笼是哪一盏？' },
};
const ANSWERS = {
  en: `The **Harbour No. 4** is our brightest, at *400 lumens*. It is described in [the catalogue](https://lanterns.example/harbour-4).

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

![a lantern](https://lanterns.example/4.png)`,
  'zh-CN': `最亮的是**港湾四号**，有 *400 流明*。[目录](https://lanterns.example/harbour-4)里有它的介绍。

### 点灯的步骤

1. 把灯芯修到 \`5 mm\`
2. 慢慢加油
   - 不要加满

| 灯笼 | 流明 |
|---|---:|
| 港湾四号 | 400 |
| 厅堂 | 120 |

> 请远离窗帘。

\`\`\`js
lamp.light({ wick: 5 });
\`\`\`

![一盏灯笼](https://lanterns.example/4.png)`,
};

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
      '/v1/chat/completions': (request, response) =>
        response
          .writeHead(200, { 'Content-Type': 'text/event-stream' })
          .end(`data: ${JSON.stringify({ choices: [{ delta: { content: 'At your service.' } }] })}\n\n`),
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
  unread: [
    'model="/files/slow-chat.gguf" max-tokens="6"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.ready();
      // Closed before the answer can be whole.
      await page.evaluate((text) => {
        const chat = document.querySelector('cresset-chat');
        chat.send(text);
        chat.close();
      }, question);
      await widget.inside('.badge:not([hidden])').waitFor();
    },
  ],
  welcome: [
    'model="/files/quick.gguf"',
    async (widget) => {
      await widget.open();
      await widget.ready();
    },
  ],
  consent: [
    'model="/files/large.gguf" consent megabytes="640"',
    async (widget) => {
      await widget.open();
      await widget.state('asking');
    },
  ],
  answer: [
    'model="/files/quick.gguf" max-tokens="3000"',
    async (widget, page, { question, answer }) => {
      await widget.open();
      await widget.ready();
      await page.evaluate(
        ([question, answer]) => {
          document.querySelector('cresset-chat').messages = [
            { role: 'user', content: question },
            { role: 'assistant', content: answer },
          ];
        },
        [question, answer],
      );
      await widget.inside('.words table').waitFor();
    },
  ],
  writing: [
    'model="/files/slow-chat.gguf"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.ready();
      await widget.say(question);
      await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length > 60);
    },
  ],
  voice: [
    'model="/files/quick.gguf" voice="/files/large.gguf"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.ready();
      await widget.say(question);
      await widget.inside('.read').waitFor();
      await widget.inside('.mic').click();
      await widget.inside('.card .primary').waitFor();
    },
  ],
  pictures: [
    'model="/files/sees.gguf" images max-tokens="20"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.ready();
      const choose = async (files, count) => {
        const [chooser] = await Promise.all([page.waitForEvent('filechooser'), widget.inside('.attach').click()]);
        await chooser.setFiles(files);
        const last = widget.inside('.attachment').nth(count - 1);
        await last.waitFor();
      };
      await choose([HARBOUR], 1);
      await widget.say(question);
      await widget.answered();
      await choose([HARBOUR, { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no') }, { ...HARBOUR, name: 'boat.png' }], 2);
      await widget.inside('.attachment-problem').waitFor();
    },
  ],
  problem: [
    'model="/files/none.gguf"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.say(question);
      await widget.state('failed');
    },
  ],
  server: [
    'model="/files/oom.gguf" endpoint="/v1"',
    async (widget, page, { question }) => {
      await widget.open();
      await widget.ready();
      await widget.say(question);
      await widget.answered();
    },
  ],
  story: [
    'model="default"',
    async (widget, page) => {
      await widget.open();
      await widget.ready();
      await page.evaluate(() => document.querySelector('cresset-chat').setAttribute('max-tokens', '40'));
      await widget.say('Once upon a time');
      await widget.answered();
    },
  ],
};

// Kept as references: sheets of these, in this order, and one look of each other state.
const ON_SHEETS = ['answer', 'consent', 'problem', 'unread'];
const KEPT = ['desk-light-en-welcome', 'desk-light-en-story', 'desk-light-en-download', 'phone-dark-en-server', 'phone-light-zh-writing'];
const shots = {}; // of the looks that were taken

for (const screen of Object.keys(SCREENS))
  for (const theme of Object.keys(THEMES))
    for (const language of Object.keys(LANGUAGES)) {
      const look = `${screen}-${theme}-${language}`;
      const skip = ALWAYS.includes(look) || process.env.UPDATE_REFERENCE ? false : 'UPDATE_REFERENCE=1 takes all pictures';
      test(`no state is held against it by axe-core: ${look}`, { skip }, async () => {
        const lang = LANGUAGES[language];
        // High contrast lies on light and on dark: one of them in each language.
        const context = await browser.newContext({
          colorScheme: language === 'zh' ? 'dark' : 'light',
          ...SCREENS[screen],
          ...THEMES[theme],
          reducedMotion: 'reduce',
        });
        const page = await context.newPage();
        const words = { ...TEXTS[lang], answer: ANSWERS[lang] };
        for (const [state, [attributes, reach]] of Object.entries(STATES)) {
          await site.visit(browser, `<cresset-chat ${attributes} title="${words.title}" suggestions="${words.suggestions}"></cresset-chat>`, {
            page,
            lang,
            head: SITE_STYLE,
          });
          await reach(widgetOn(page), page, words);
          await page.waitForTimeout(150); // what fades has faded
          shots[`${look}-${state}`] = await page.screenshot({ path: `${SCREENSHOTS}/widget-${look}-${state}.png` });
          const violations = await violationsOn(page, theme === 'contrast' ? ['color-contrast-enhanced'] : []);
          assert.deepEqual(violations, [], `${look}, ${state}`);
        }
        await context.close();
      });
    }

/** @param {string[]} [rules]   that hold beside the usual ones */
async function violationsOn(page, rules = []) {
  await page.evaluate(AXE);
  return page.evaluate(async (rules) => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'], rules: Object.fromEntries(rules.map((rule) => [rule, { enabled: true }])) });
    return violations.map(({ id, help, nodes }) => ({
      id,
      help,
      nodes: nodes.map(({ target, failureSummary }) => `${target.flat().join(' ')}: ${failureSummary}`),
    }));
  }, rules);
}

test('a download in the middle, and paused', async () => {
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, reducedMotion: 'reduce' });
  const page = await site.visit(browser, '<cresset-chat model="/files/large.gguf" consent="false" title="Lantern helper"></cresset-chat>', { context });
  const widget = widgetOn(page);
  download = (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': 48_000_000, ETag: '"a"' });
    if (request.method === 'HEAD') return response.end();
    const piece = Buffer.alloc(1_000_000);
    response.write(gguf('chat', 8_000_000));
    // It stays in the middle, however long it takes to look at it.
    let left = 30;
    const timer = setInterval(() => {
      if ((left -= 1) >= 0) response.write(piece);
    }, 100);
    response.on('close', () => clearInterval(timer));
  };
  await widget.open();
  await widget.inside('.amount', { hasText: 'left' }).filter({ hasText: 'left' }).waitFor();
  shots['desk-light-en-download'] = await page.screenshot({ path: `${SCREENSHOTS}/widget-download.png` });
  assert.deepEqual(await violationsOn(page), []);
  await widget.inside('.card .quiet').click();
  await widget.state('paused');
  await page.screenshot({ path: `${SCREENSHOTS}/widget-paused.png` });
  assert.deepEqual(await violationsOn(page), []);
  download = null;
  await context.close();
});

test('the pictures for people', { skip: !process.env.UPDATE_REFERENCE }, async () => {
  const page = await browser.newPage();
  const keep = (name, webp) => writeFileSync(`${REFERENCE}/widget-${name}.webp`, webp);
  for (const theme of Object.keys(THEMES))
    for (const language of Object.keys(LANGUAGES)) {
      const on = (screen) => ON_SHEETS.map((state) => shots[`${screen}-${theme}-${language}-${state}`]);
      keep(`${theme}-${language}`, await sheet(page, [on('desk').slice(0, 2), on('desk').slice(2), on('phone')]));
    }
  for (const name of KEPT) keep(name, await picture(page, shots[name]));
  await page.close();
});
