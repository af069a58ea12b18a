// Pages of site owners, for tests of the widget: plain HTML with one script tag, whatever else the page does.

import { PATIENCE, newPage, noteProblems, startServer } from './harness.mjs';

/** A server with the widget on the mock engine, whose `/site.html` is what a test says it is. */
export async function startSites({ headers, routes } = {}) {
  let html = '';
  const server = await startServer({
    mock: true,
    // The library stays in the browser's cache from one test to the next.
    headers: { 'Cache-Control': 'max-age=600', ...headers },
    routes: {
      '/site.html': (request, response) => response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(html),
      ...routes,
    },
  });
  return {
    ...server,
    /** Opens a page with this in its body. */
    async visit(browser, body, { context, page, head = '', lang = 'en', script = `${server.url}cresset-chat.js`, at = server.url, ...options } = {}) {
      html = siteOf(body, head, lang, script);
      const visitor = page ?? (context ? await inContext(context) : await newPage(browser, options));
      await visitor.goto(`${at}site.html`);
      return visitor;
    },
    serveSite(body, { head = '', lang = 'en', script = `${server.url}cresset-chat.js` } = {}) {
      html = siteOf(body, head, lang, script);
    },
  };
}

function siteOf(body, head, lang, script) {
  return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Example Shop</title>${head}<script type="module" src="${script}"></script></head>
    <body><main><h1>Example Shop</h1><p>Lanterns since 1911.</p><p><a href="#about" id="link">About us</a></p></main>${body}</body></html>`;
}

async function inContext(context) {
  const page = await context.newPage();
  noteProblems(page);
  page.addresses = [];
  page.on('request', (request) => page.addresses.push(request.url()));
  return page;
}

/** What a visitor does with the widget of a page (or of a frame). */
export function widgetOn(page, selector = 'cresset-chat') {
  const host = page.locator(selector);
  const inside = (part) => host.locator(part);
  return {
    host,
    inside,
    launcher: inside('button.launcher'),
    panel: inside('dialog'),
    input: inside('textarea'),
    sendButton: inside('.send'),
    status: inside('.status'),
    card: inside('.card'),
    primary: inside('.card .primary'),
    answers: inside('.turn.assistant:not(.waiting):not(.writing) .words'),
    questions: inside('.turn.user .bubble'),
    notes: inside('.note'),
    async open() {
      await inside('button.launcher').click();
      await inside('dialog[open]').waitFor();
    },
    /** Until it can answer. */
    ready: () => inside('dialog[data-state^="ready"]').waitFor({ timeout: PATIENCE }),
    state: (state) => inside(`dialog[data-state^="${state}"]`).waitFor({ timeout: PATIENCE }),
    async say(text) {
      await inside('textarea').fill(text);
      await inside('textarea').press('Enter');
    },
    /** Until answer number `count` is whole. */
    answered: (count = 1) =>
      inside('.turn.assistant:not(.waiting):not(.writing) .words')
        .nth(count - 1)
        .waitFor({ state: 'attached', timeout: PATIENCE }),
  };
}
