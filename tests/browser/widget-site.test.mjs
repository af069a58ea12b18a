// The widget as a site owner puts it in: attributes, properties and events, several on a page, strict policies, frames,
// React, pages that are hostile to it, models that are hostile to the page, and servers of the site's own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startBrowser, startServer } from './harness.mjs';
import { startSites, widgetOn } from './sites.mjs';

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url));

let browser, site, page;
let common; // the context of visitors who need nothing of their own
let server = null; // answers of the site's own server

before(async () => {
  browser = await startBrowser();
  common = await browser.newContext();
  const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' };
  site = await startSites({
    headers: cors,
    routes: {
      '/v1/chat/completions': (request, response) => {
        if (request.method === 'OPTIONS') return response.writeHead(204).end();
        let body = '';
        request
          .on('data', (piece) => {
            body += piece;
          })
          .on('end', () => server(JSON.parse(body), response));
      },
      '/react.js': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(reactModule()),
      '/plain.js': (request, response) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end('window.ran = true;'),
    },
  });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

afterEach(async () => {
  await (page?.context() === common ? page.close() : page?.context().close());
  page = null;
  server = null;
});

async function visit(body, options = {}) {
  page = await site.visit(browser, body, { context: common, ...options });
  return widgetOn(page);
}

const chat = (attributes = '') => `<cresset-chat model="/files/quick.gguf" ${attributes}></cresset-chat>`;
const evaluate = (use, argument) => page.evaluate(use, argument);
const lastRequest = () => evaluate(async () => (await document.querySelector('cresset-chat').engine.stats()).last_request);

test('attributes may change at any time', async () => {
  const widget = await visit(chat('title="First" greeting="Hi there." placeholder="Say…" system="Be brief." temperature="0.3" max-tokens="40"'));
  await widget.open();
  await widget.ready();
  assert.equal(await widget.inside('.title').textContent(), 'First');
  assert.equal(await widget.inside('.greeting').textContent(), 'Hi there.');
  assert.equal(await widget.input.getAttribute('placeholder'), 'Say…');
  await widget.say('One');
  await widget.answered();
  const first = await lastRequest();
  assert.deepEqual(first.messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'One' },
  ]);
  assert.deepEqual([first.temperature, first.max_tokens, first.enable_thinking], [0.3, 40, false]);
  const corner = async () => {
    const box = await widget.launcher.boundingBox();
    return [box.x < 400 ? 'left' : 'right', box.y < 300 ? 'top' : 'bottom'].join(' ');
  };
  assert.equal(await corner(), 'right bottom');
  await evaluate(() => {
    const chat = document.querySelector('cresset-chat');
    for (const [name, value] of Object.entries({
      title: 'Second',
      greeting: '',
      lang: 'zh',
      position: 'top-left',
      theme: 'dark',
      system: 'Be long.',
      thinking: '',
    }))
      chat.setAttribute(name, value);
    chat.removeAttribute('placeholder');
  });
  await widget.inside('.greeting', { hasText: '你好' }).filter({ hasText: '你好' }).waitFor();
  assert.equal(await widget.inside('.title').textContent(), 'Second');
  assert.equal(await widget.input.getAttribute('placeholder'), '输入消息……');
  assert.equal(await widget.launcher.getAttribute('aria-label'), 'Second: 关闭聊天');
  assert.equal(await corner(), 'left top');
  assert.equal(await widget.panel.evaluate((node) => getComputedStyle(node).backgroundColor), 'rgb(29, 25, 22)');
  await widget.say('Two');
  await widget.answered(2);
  const second = await lastRequest();
  assert.equal(second.messages[0].content, 'Be long.');
  assert.equal(second.enable_thinking, true);
  await evaluate(() => document.querySelector('cresset-chat').setAttribute('model', '/files/drowsy.gguf'));
  await page.waitForFunction(() => document.querySelector('cresset-chat').engine?.info.model.name === 'drowsy');
  assert.equal(await widget.questions.count(), 2, 'the conversation stays');
});

test('messages, engine and models are properties, set before or after the script is there', async () => {
  const head = '<script type="module" src="/early.js"></script>';
  const widget = await visit('', { head });
  await evaluate(async () => {
    const early = document.createElement('cresset-chat');
    early.messages = [
      { role: 'user', content: 'Before' },
      { role: 'assistant', content: 'As *before*' },
    ];
    early.models = [
      { name: 'Small', model: '/files/quick.gguf' },
      { name: 'Other', model: '/files/drowsy.gguf', megabytes: 12 },
    ];
    document.body.append(early);
  });
  await widget.open();
  await widget.ready();
  assert.deepEqual(await widget.questions.allTextContents(), ['Before']);
  assert.equal(await widget.inside('.words em').textContent(), 'before');
  assert.deepEqual(await widget.inside('select option').allTextContents(), ['Small', 'Other']);
  assert.equal(await evaluate(() => document.querySelector('cresset-chat').engine.info.model.name), 'quick');
  await widget.inside('select').selectOption('Other');
  await page.waitForFunction(() => document.querySelector('cresset-chat').engine?.info.model.name === 'drowsy');
  const given = await evaluate(async () => {
    const { Cresset } = await import('/cresset.js');
    const chat = document.querySelector('cresset-chat');
    window.own = await Cresset.load('/files/echo.gguf');
    chat.engine = window.own;
    chat.messages = [];
    const answer = await chat.send('From a script');
    return { answer, same: chat.engine === window.own, messages: chat.messages };
  });
  assert.deepEqual(given.answer, { role: 'assistant', content: 'From a script' });
  assert.equal(given.same, true);
  assert.equal(given.messages.length, 2);
  await evaluate(() => document.querySelector('cresset-chat').remove());
  await page.waitForFunction(() => document.querySelector('cresset-chat') === null);
  assert.equal(
    await evaluate(async () => (await own.completions.create({ prompt: 'x', max_tokens: 1 })).choices.length),
    1,
    'the site’s own engine is left alone',
  );
});

test('a property set on an element that is not upgraded yet is taken over', async () => {
  const widget = await visit(`${chat()}<script>document.querySelector('cresset-chat').messages = [{ role: 'user', content: 'Early' }];</script>`);
  await widget.open();
  await widget.ready();
  assert.deepEqual(await widget.questions.allTextContents(), ['Early']);
});

test('several on a page share an engine; the last one to go takes it away', async () => {
  await visit(
    `<cresset-chat id="a" model="/files/quick.gguf"></cresset-chat><cresset-chat id="b" model="/files/quick.gguf" position="bottom-left"></cresset-chat>`,
  );
  const [a, b] = [widgetOn(page, '#a'), widgetOn(page, '#b')];
  await a.open();
  await b.open();
  await a.ready();
  await b.ready();
  assert.equal(page.workers().length, 1);
  assert.equal(await evaluate(() => document.querySelector('#a').engine === document.querySelector('#b').engine), true);
  await Promise.all([evaluate(() => document.querySelector('#a').send('to a')), evaluate(() => document.querySelector('#b').send('to b'))]);
  assert.deepEqual([await a.answers.allTextContents(), await b.answers.allTextContents()], [['to a'], ['to b']]);
  await evaluate(() => document.querySelector('#a').remove());
  await evaluate(() => document.querySelector('#b').send('still'));
  assert.equal(await b.answers.count(), 2);
  await evaluate(() => document.querySelector('#b').remove());
  await until(() => page.workers().length === 0);
});

test('what is removed is released, in the middle of anything; what is moved goes on', async () => {
  const widget = await visit('<div id="one"><cresset-chat model="/files/slow-chat.gguf"></cresset-chat></div><div id="two"></div>');
  await widget.open();
  await widget.ready();
  await widget.say('A long story');
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length > 10);
  await evaluate(() => document.querySelector('#two').append(document.querySelector('cresset-chat')));
  assert.equal(await widget.panel.isVisible(), true);
  const length = await evaluate(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length);
  await page.waitForFunction((length) => document.querySelector('cresset-chat').shadowRoot.querySelector('.words').textContent.length > length, length);
  await evaluate(() => {
    window.chat = document.querySelector('cresset-chat');
    chat.remove();
  });
  await until(() => page.workers().length === 0);
  assert.equal(await evaluate(() => chat.shadowRoot.querySelector('dialog')), null);
  await evaluate(() => document.body.append(chat));
  assert.ok((await evaluate(() => chat.messages)).length >= 1, 'the conversation is still the element’s');
  await widget.open();
  await widget.ready();
  assert.deepEqual(await widget.questions.allTextContents(), ['A long story']);
  // Removed while it loads.
  await evaluate(() => {
    chat.setAttribute('model', '/files/echo.gguf');
    chat.remove();
  });
  await until(() => page.workers().length === 0);
  assert.deepEqual(page.problems, []);
});

const STRICT = (origin) =>
  `default-src 'none'; script-src 'self' ${origin} 'wasm-unsafe-eval'; worker-src blob:; connect-src ${origin}; style-src 'self'; img-src 'self'; require-trusted-types-for 'script'; trusted-types cresset`;

test('under a strict policy, from another origin, with trusted types', async (t) => {
  const shop = await startServer({
    mock: true,
    routes: {
      '/site.html': (request, response) =>
        response
          .writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': STRICT(new URL(site.url).origin) })
          .end(
            `<!doctype html><html lang="en"><title>Shop</title><script type="module" src="${site.url}cresset-chat.js"></script><cresset-chat model="${site.url}files/quick.gguf" accent="#06603f"></cresset-chat></html>`,
          ),
    },
  });
  t.after(() => shop.close());
  const widget = await visit('', { at: shop.url });
  await evaluate(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
  });
  await widget.open();
  await widget.ready();
  await widget.say('**Bold** and [a link](https://example.com)');
  await widget.answered();
  assert.equal(await widget.inside('.words strong').textContent(), 'Bold');
  assert.equal(await widget.launcher.evaluate((node) => getComputedStyle(node).borderRadius), '50%');
  const colour = () => widget.launcher.evaluate((node) => getComputedStyle(node).backgroundColor);
  assert.equal(await colour(), 'rgb(6, 96, 63)');
  for (const [accent, shown] of [
    ['navy', 'rgb(0, 0, 128)'],
    ['no colour', 'rgb(184, 66, 15)'],
    ['red; } * { display: none }', 'rgb(184, 66, 15)'],
    ['oklch(0.5 0.2 260)', 'oklch(0.5 0.2 260)'],
    [null, 'rgb(184, 66, 15)'],
  ]) {
    await evaluate(
      (accent) =>
        accent === null
          ? document.querySelector('cresset-chat').removeAttribute('accent')
          : document.querySelector('cresset-chat').setAttribute('accent', accent),
      accent,
    );
    assert.equal(await colour(), shown, accent);
  }
  assert.deepEqual(await evaluate(() => violations), []);
  assert.deepEqual(page.problems, []);
});

test('in a frame, and in one that may do next to nothing', async () => {
  site.serveSite(chat());
  page = await site.visit(browser, chat(), { context: common });
  await page.setContent(
    `<iframe id="plain" src="${site.url}site.html" width="600" height="600"></iframe><iframe id="boxed" sandbox="allow-scripts" src="${site.url}site.html" width="600" height="600"></iframe>`,
  );
  for (const id of ['plain', 'boxed']) {
    const widget = widgetOn(page.frameLocator(`#${id}`));
    await widget.launcher.click();
    await widget.ready();
    await widget.say(`Hello from ${id}`);
    await widget.answered();
    assert.deepEqual(await widget.answers.allTextContents(), [`Hello from ${id}`]);
  }
});

test('in a page made with React', async () => {
  const widget = await visit('<div id="root"></div><script type="module" src="/react.js"></script>');
  await widget.open();
  await widget.ready();
  assert.deepEqual(await widget.questions.allTextContents(), ['From React']);
  await widget.say('Hi');
  await widget.answered(1);
  assert.match(await page.textContent('#log'), /user: Hi.*assistant: From React\s+Hi/);
  await page.click('#rename');
  assert.equal(await widget.inside('.title').textContent(), 'Renamed');
  await page.click('#hide');
  await until(() => page.workers().length === 0);
  assert.equal(await widget.host.count(), 0);
  assert.deepEqual(page.problems, []);
});

const HOSTILE_CSS = `<style>
  * { all: unset !important; display: none !important; color: transparent !important; font-size: 3px !important; transition: all 9s !important; }
  html, body, main, div, cresset-chat { display: block !important; }
  html { font-size: 4px; } body { transform: rotate(2deg); overflow: hidden; height: 40px; }
  cresset-chat, cresset-chat * { visibility: hidden !important; opacity: 0 !important; pointer-events: none !important; }
</style>`;

const HOSTILE_JS = `<script>
  // As old libraries did, and worse.
  Object.prototype.extend = function () {};
  for (const name of ['warning', 'role', 'integrity', 'adapter', 'model', 'device', 'text', 'href', 'tokens', 'title', 'state', 'words', 'error', 'raw', 'lang', 'begun']) Object.prototype[name] = 'polluted';
  Array.prototype.each = function () {};
  Array.prototype.toJSON = () => 'broken';
  String.prototype.toJSON = () => 'broken';
  Array.prototype.entries = function () { return this; };
  window.fetch = () => { throw new Error('no fetch here'); };
  window.XMLHttpRequest = class { constructor() { throw new Error('none of these either'); } };
  window.name = 'cresset';
  document.title = 'clobbered';
</script><form name="baseURI"><input name="baseURI"></form><img id="customElements" alt="" name="Worker">`;

test('pages that are hostile by their styles and scripts', async (t) => {
  const widget = await visit(`<div style="transform: scale(.5); overflow: hidden; width: 30px; height: 30px">${chat('title="Still here"')}</div>`, {
    head: HOSTILE_CSS + HOSTILE_JS.replace('</script>', '</script>'),
  });
  await widget.launcher.click();
  await widget.ready();
  await widget.say('# Head\n\n- a\n- b\n\n`code`');
  await widget.answered();
  assert.equal(await widget.inside('.words li').count(), 2);
  const look = await widget.panel.evaluate((node) => {
    const { width, height, right, bottom } = node.getBoundingClientRect();
    const { fontSize, visibility, opacity, color } = getComputedStyle(node.querySelector('.words'));
    return {
      width: Math.round(width),
      tall: height > 400,
      right: Math.round(innerWidth - right),
      below: bottom < innerHeight,
      fontSize: Number.parseFloat(fontSize) > 14,
      visibility,
      opacity,
      color,
    };
  });
  assert.deepEqual(look, { width: 400, tall: true, right: 20, below: true, fontSize: true, visibility: 'visible', opacity: '1', color: 'rgb(35, 30, 26)' });
  assert.deepEqual(
    page.problems.filter((problem) => !/favicon/.test(problem)),
    [],
  );
  t.diagnostic(JSON.stringify(look));
});

const ATTACKS = [
  '<img src=x onerror="window.hacked = 1">',
  '<script>window.hacked = 2</script>',
  '<svg onload=window.hacked=3><a href="javascript:window.hacked=4">x</a></svg>',
  '<iframe srcdoc="<script>parent.hacked = 5</script>"></iframe>',
  '[a](javascript:window.hacked=6)',
  '[b](JaVaScRiPt:window.hacked=7)',
  '[c](&#106;avascript:window.hacked=8)',
  '[d](data:text/html,<script>window.hacked=9</script>)',
  '![e](https://tracker.example/pixel.png)',
  '![f](javascript:window.hacked=10)',
  '<https://evil.example/?q=secret>',
  'https://auto.example/path',
  '[g](vbscript:x)',
  '[h](file:///etc/passwd)',
  '<a href="https://evil.example" onclick="window.hacked=11">i</a>',
  '<style>*{display:none}</style>',
  '[j](https://evil.example "title\\" onmouseover=\\"window.hacked=12")',
  '<cresset-chat model="/files/slow.gguf"></cresset-chat>',
  '```html"><img src=x onerror=window.hacked=13>\n<script>window.hacked=14</script>\n```',
  '| <img src=x onerror=window.hacked=15> | b |\n|---|---|\n| <script>window.hacked=16</script> | d |',
  '<details open ontoggle=window.hacked=17>k</details>',
  '<form action="https://evil.example"><button>l</button></form>',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  '[https://bank.example](https://evil.example/login)',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '> '.repeat(400) + 'deep',
  '[ '.repeat(3000),
  '*'.repeat(4000),
  '<!-- x -->',
  '[m]: https://evil.example\n\n[m]',
  '&lt;img src=x onerror=window.hacked=18&gt;',
  '\u202Emoc.elpmaxe.live\u202C',
];

test('what a model writes never becomes markup, script or a request', async () => {
  const widget = await visit(chat('max-tokens="9000"'));
  await widget.open();
  await widget.ready();
  const before = page.addresses.length;
  for (const [i, attack] of [ATTACKS.join('\n\n'), ...ATTACKS.slice(-9)].entries()) {
    await widget.say(attack);
    await widget.answered(i + 1);
  }
  const found = await evaluate(() => {
    const words = [...document.querySelector('cresset-chat').shadowRoot.querySelectorAll('.words')];
    const nodes = words.flatMap((box) => [...box.querySelectorAll('*')]);
    return {
      hacked: window.hacked,
      tags: [...new Set(nodes.map(({ localName }) => localName))].sort(),
      attributes: [...new Set(nodes.flatMap((node) => [...node.attributes].map(({ name }) => name)))].sort(),
      links: nodes
        .filter(({ localName }) => localName === 'a')
        .map((node) => ({ href: node.href, rel: node.rel, target: node.target, text: node.textContent })),
      text: words.map(({ textContent }) => textContent).join('\n'),
    };
  });
  assert.equal(found.hacked, undefined);
  const allowed = [
    'a',
    'bdi',
    'blockquote',
    'br',
    'button',
    'code',
    'del',
    'div',
    'em',
    'figcaption',
    'figure',
    'h3',
    'hr',
    'li',
    'ol',
    'p',
    'path',
    'pre',
    'span',
    'strong',
    'svg',
    'table',
    'tbody',
    'td',
    'th',
    'thead',
    'tr',
    'ul',
  ];
  assert.deepEqual(
    found.tags.filter((tag) => !allowed.includes(tag)),
    [],
  );
  assert.deepEqual(
    found.attributes.filter((name) => name.startsWith('on') || ['style', 'src', 'srcdoc', 'id', 'name'].includes(name)),
    [],
  );
  assert.ok(found.links.length >= 6);
  for (const { href, rel, target, text } of found.links) {
    assert.match(href, /^(https?|mailto):/);
    assert.deepEqual([rel, target], ['noopener noreferrer nofollow ugc', '_blank']);
    assert.ok(text.includes(new URL(href).host), `${text} hides where it leads: ${href}`);
  }
  assert.match(found.text, /<img src=x onerror="window\.hacked = 1">/);
  const fetched = page.addresses.slice(before).filter((address) => !address.endsWith('/vendor/highlight.min.js'));
  assert.deepEqual(fetched, [], 'nothing was fetched, but what colours code');
  assert.deepEqual(page.problems, []);
});

test('local-only is kept: no request leaves once it is ready', async () => {
  const widget = await visit(chat(`local-only endpoint="${site.url}v1"`));
  await widget.open();
  await widget.ready();
  const before = page.addresses.length;
  await widget.say('A question with ![a picture](https://tracker.example/x.png), `code` and https://example.com');
  await widget.answered();
  await widget.inside('.last .again').click();
  await widget.answered();
  await widget.inside('[part=clear]').click();
  await page.keyboard.press('Escape');
  await widget.open();
  await widget.say('Another');
  await widget.answered();
  assert.deepEqual(page.addresses.slice(before), []);
});

test('local-only is kept on a device that cannot run the model', async () => {
  server = () => assert.fail('the server was asked');
  const widget = await visit(`<cresset-chat model="/files/oom.gguf" local-only endpoint="${site.url}v1"></cresset-chat>`);
  await widget.open();
  await widget.state('failed');
  assert.match(await widget.card.textContent(), /too little memory/);
});

const event = (delta, finish = null) => `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\r\n\r\n`;

test('the site’s server answers where the device cannot, the visitor is told, and asked where there is consent', async () => {
  const bodies = [];
  server = (body, response) => {
    bodies.push(body);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const text = Buffer.from(
      `: a comment\r\n\r\n${event({ role: 'assistant' })}${event({ content: 'From the ' })}${event({ content: 'server: 猫 **bold**' })}${event({}, 'stop')}data: [DONE]\n\n`,
    );
    // Cut wherever it hurts: within characters, within line ends.
    for (let at = 0; at < text.length; at += 7) response.write(text.subarray(at, at + 7));
    response.end();
  };
  const body = `<cresset-chat model="/files/oom.gguf" system="Be kind." endpoint="${site.url}v1" endpoint-model="big-one" consent></cresset-chat>`;
  const widget = await visit(body, { context: undefined, head: '<script>window.fetch = () => { throw new Error("not this one"); };</script>' });
  await widget.open();
  await widget.state('asking');
  await widget.primary.click();
  await widget.inside('.card', { hasText: 'leave this device' }).filter({ hasText: 'leave this device' }).waitFor();
  const { host } = new URL(site.url);
  assert.ok((await widget.card.textContent()).includes(`${host} can answer instead, and then receives what you send`));
  await widget.say('Typed before the answer');
  assert.deepEqual(bodies, []);
  await widget.primary.click();
  await widget.answered();
  assert.deepEqual(await widget.answers.allTextContents(), ['From the server: 猫 bold']);
  assert.deepEqual(bodies[0], {
    model: 'big-one',
    messages: [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'Typed before the answer' },
    ],
    stream: true,
    max_tokens: 768,
  });
  assert.ok((await widget.status.textContent()).includes(host));
  assert.ok((await widget.inside('.notice').textContent()).includes(`what you send goes to ${host}`));
});

test('a server that fails is told in words, one that does not stream answers too, and stopping stops', async () => {
  server = (body, response) => response.writeHead(500).end('out of order');
  const widget = await visit(`<cresset-chat model="/files/oom.gguf" endpoint="${site.url}v1/chat/completions"></cresset-chat>`);
  await widget.open();
  await widget.ready();
  await widget.say('Hello?');
  await widget.inside('.problem').waitFor();
  assert.match(await widget.card.textContent(), /did not answer.*Your message is still here.*HTTP 500: out of order/s);
  for (const [type, text] of [
    ...['null', '{}', '{"choices":[]}', '{"choices":[null]}', '<!doctype html>', ''].map((text) => ['application/json', text]),
    ...['', 'data: null\n\n', 'data: {}\n\ndata: [DONE]\n\n', 'data: Hello\n\n'].map((text) => ['text/event-stream', text]),
  ]) {
    let asked = false;
    server = (body, response) => {
      asked = true;
      response.writeHead(200, { 'Content-Type': type }).end(text);
    };
    await widget.primary.click();
    await until(() => asked);
    await widget.inside('.problem').waitFor();
    assert.match(await widget.card.textContent(), /did not answer.*Your message is still here.*what it sent is no chat completion/s, text);
  }
  server = (body, response) =>
    response
      .writeHead(200, { 'Content-Type': 'application/json' })
      .end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'All at once.' }, finish_reason: 'stop' }] }));
  await widget.primary.click();
  await widget.answered();
  assert.deepEqual(await widget.answers.allTextContents(), ['All at once.']);
  let closed = false;
  server = (body, response) => {
    response.on('close', () => {
      closed = true;
    });
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(event({ content: 'Begun' }));
  };
  await widget.say('And now');
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelectorAll('.words')[1]?.textContent === 'Begun');
  await widget.sendButton.click();
  await widget.answered(2);
  await until(() => closed);
});

/** A widget whose device cannot run its model, so that the server answers; its page's clock can be put forward. */
async function served() {
  const widget = await visit(`<cresset-chat model="/files/oom.gguf" endpoint="${site.url}v1"></cresset-chat>`);
  await page.clock.install();
  await widget.open();
  await widget.ready();
  return widget;
}

test('a server that sends on to another address is not followed: what was written goes nowhere else', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const other = [];
    const elsewhere = await startServer({
      mock: true,
      routes: {
        '/v1/chat/completions': (request, response) => {
          other.push(request.method);
          response.writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' }).end('{}');
        },
      },
    });
    server = (body, response) => response.writeHead(status, { Location: `${elsewhere.url}v1/chat/completions` }).end();
    const widget = await served();
    await widget.say('My secret');
    await widget.inside('.problem').waitFor();
    assert.match(await widget.card.textContent(), /did not answer.*redirects to another address/s);
    assert.deepEqual(other, [], `HTTP ${status}`);
    await elsewhere.close();
  }
});

test('a server that never ends, sends too much at once, or falls silent ends in words; the page goes on', async () => {
  const stream = (response) => response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const flood = (response, piece) => {
    const more = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more);
    more();
  };
  const large = Buffer.alloc(65_536, 'x');
  for (const [answer, words] of [
    [(body, response) => flood(stream(response), event({ content: 'x'.repeat(10_000) })), /answer of more than 1048576 characters/],
    [(body, response) => flood(stream(response), ': nothing\n\n'.repeat(5000)), /answer of more than 33554432 bytes/],
    [
      (body, response) => {
        stream(response).write('data: ');
        flood(response, large);
      },
      /event of more than 1048576 characters/,
    ],
    [(body, response) => flood(response.writeHead(200, { 'Content-Type': 'application/json' }), large), /answer of more than 1048576 bytes/],
    [(body, response) => flood(response.writeHead(500), large), /HTTP 500/],
    [(body, response) => stream(response).end(`data: ${JSON.stringify({ error: { message: `no ${'!'.repeat(5000)}` } })}\n\n`), /no !{200,300}(?!!)/],
  ]) {
    server = answer;
    const widget = await served();
    await widget.say('Hello?');
    await widget.inside('.problem').waitFor();
    assert.match(await widget.card.textContent(), words);
    assert.deepEqual(await widget.questions.allTextContents(), ['Hello?']);
  }
  let asked = false;
  server = (body, response) => {
    asked = true;
    stream(response).write(event({ content: 'Begun' }));
  };
  const widget = await served();
  await widget.say('Hello?');
  await until(() => asked);
  await page.waitForFunction(() => document.querySelector('cresset-chat').shadowRoot.querySelector('.words')?.textContent === 'Begun');
  await page.clock.runFor(121_000);
  await widget.inside('.problem').waitFor();
  assert.match(await widget.card.textContent(), /nothing came for 120 seconds/);
  assert.match(await widget.answers.first().textContent(), /Begun/);
});

test('the server is not asked where the device can run the model', async () => {
  server = () => assert.fail('the server was asked');
  const widget = await visit(chat(`endpoint="${site.url}v1"`));
  await widget.open();
  await widget.ready();
  await widget.say('Local');
  await widget.answered();
  assert.deepEqual(await widget.answers.allTextContents(), ['Local']);
});

test('a conversation that the site wants kept goes along over its pages', async () => {
  const widget = await visit(chat('remember'));
  await widget.open();
  await widget.ready();
  await widget.say('Keep this');
  await widget.answered();
  await widget.input.fill('half a thought');
  await page.reload();
  await widget.panel.waitFor();
  assert.deepEqual(await widget.questions.allTextContents(), ['Keep this']);
  assert.equal(await widget.input.inputValue(), 'half a thought');
  await widget.inside('[part=clear]').click();
  await page.keyboard.press('Escape');
  await page.reload();
  await widget.launcher.waitFor();
  assert.equal(await widget.panel.count(), 0);
});

test('sites style it by custom properties and parts', async () => {
  const widget = await visit(chat(), {
    head: '<style>cresset-chat { --cresset-accent: rgb(0, 90, 60); --cresset-width: 333px; --cresset-radius: 2px; } cresset-chat::part(title) { color: rgb(1, 2, 3); } cresset-chat::part(launcher) { border-radius: 8px; }</style>',
  });
  await widget.open();
  const styles = await widget.panel.evaluate((node) => [
    node.offsetWidth,
    getComputedStyle(node).borderRadius,
    getComputedStyle(node.querySelector('.title')).color,
  ]);
  assert.deepEqual(styles, [333, '2px', 'rgb(1, 2, 3)']);
  assert.deepEqual(await widget.launcher.evaluate((node) => [getComputedStyle(node).backgroundColor, getComputedStyle(node).borderRadius]), [
    'rgb(0, 90, 60)',
    '8px',
  ]);
});

async function until(holds) {
  for (let tries = 0; tries < 250; tries += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`it never became true: ${holds}`);
}

/** React as a page's bundler would put it together, and a component with the widget. */
function reactModule() {
  const files = {
    react: 'react/cjs/react.production.js',
    'react-dom': 'react-dom/cjs/react-dom.production.js',
    'react-dom/client': 'react-dom/cjs/react-dom-client.production.js',
    scheduler: 'scheduler/cjs/scheduler.production.js',
  };
  const modules = Object.entries(files).map(
    ([name, path]) => `${JSON.stringify(name)}: (exports, require) => {${readFileSync(`${MODULES}${path}`, 'utf8')}\n}`,
  );
  return `const process = { env: { NODE_ENV: 'production' } };
const modules = {${modules.join(',\n')}};
const made = {};
function require(name) { if (!made[name]) modules[name](made[name] = {}, require); return made[name]; }
const { createElement: h, useState, useEffect, useRef, StrictMode } = require('react');
function App() {
  const [shown, setShown] = useState(true);
  const [title, setTitle] = useState('From a state');
  const [log, setLog] = useState([]);
  const ref = useRef(null);
  useEffect(() => {
    const chat = ref.current;
    const hear = ({ detail }) => setLog((log) => [...log, detail.role + ': ' + detail.content.trim()]);
    chat?.addEventListener('cresset-message', hear);
    return () => chat?.removeEventListener('cresset-message', hear);
  }, [shown]);
  return h('section', null, h('button', { id: 'rename', onClick: () => setTitle('Renamed') }, 'Rename'), h('button', { id: 'hide', onClick: () => setShown(false) }, 'Hide'),
    h('p', { id: 'log' }, log.join(' ')), shown && h('cresset-chat', { ref, model: '/files/quick.gguf', title, messages: EARLY }));
}
const EARLY = [{ role: 'user', content: 'From React' }];
require('react-dom/client').createRoot(document.getElementById('root')).render(h(StrictMode, null, h(App)));`;
}
