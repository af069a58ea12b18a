// What the page makes of a visitor's own data when it is odd, or cannot be had: rows of the database, a database that does not
// answer, the browser's storage, files.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { newPage, startBrowser, startServer } from './harness.mjs';
import { leave, ready, say, toasted, turns, visit } from './visitor.mjs';

let browser, server, page;

before(async () => {
  browser = await startBrowser();
  server = await startServer({ mock: true, bundled: 'chat fast' });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  const left = page;
  page = null;
  await leave(left);
});

/** A page of ours without a script, whose storage can be filled before the page opens. */
async function blank() {
  page = await newPage(browser);
  await page.goto(`${server.url}blank.html`);
}

async function openChat() {
  await page.goto(`${server.url}#/chat`);
  await ready(page);
  await page.waitForSelector('#conversations > *', { state: 'attached' });
}

const titles = () => page.locator('#conversations a .title').allTextContents();

test('an imported conversation with an absurd date leaves the list as it is', async () => {
  page = await visit(browser, server, 'chat');
  const conversation = (title, time) => ({
    title,
    created: time,
    updated: time,
    turns: [
      { id: 'a', parent: 'b', role: 'user', content: `${title}?`, created: time },
      { id: 'b', parent: 'a', role: 'assistant', content: 'Yes.', created: time },
    ],
  });
  const file = { format: 'cresset-conversations', conversations: [conversation('Late', 1e300), conversation('Early', -1e300), conversation('Usual', 1e12)] };
  await page.setInputFiles('#import', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) });
  await toasted(page, '3 conversations were imported');
  await page.waitForFunction(() => document.querySelectorAll('#conversations a').length === 3);
  assert.deepEqual((await titles()).sort(), ['Early', 'Late', 'Usual']);
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll('#conversations a').length === 3);
  await page.click('#conversations a:has-text("Late")');
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 2);
});

test('of odd rows in the database each is set aside and named, and the rest is shown', async () => {
  await blank();
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open('cresset', 1);
        request.onupgradeneeded = () => {
          const conversations = request.result.createObjectStore('conversations', { keyPath: 'id' });
          const turns = request.result.createObjectStore('turns', { keyPath: ['conversation', 'id'] });
          const row = { named: true, created: 1, updated: 2, system: '', chosen: {} };
          conversations.put({ ...row, id: 'good', title: 'About lamps' });
          conversations.put({ ...row, id: 'late', title: 'About the end of time', created: Infinity, updated: 1e300 });
          conversations.put({ ...row, id: '%ZZ #/?', title: 'About addresses' });
          conversations.put({ ...row, id: 'bad', title: 'About ships', updated: '2020' });
          conversations.put({ id: 7 });
          conversations.put({ ...row, id: new Date(5), title: { toString: 1 } });
          const turn = { conversation: 'good', parent: null, role: 'user', content: 'Are lamps warm?', created: 1 };
          turns.put({ ...turn, id: 'one' });
          turns.put({ ...turn, id: 'two', parent: 'one', role: 'assistant', content: 'They are.' });
          turns.put({ ...turn, id: 'three', content: 7 });
          turns.put({ ...turn, id: 4, role: 'tool' });
          turns.put({ conversation: 'bad', id: 'lost' });
          turns.put({ ...turn, conversation: '%ZZ #/?', id: 'address', content: 'Where?' });
        };
        request.onsuccess = () => resolve(request.result.close());
      }),
  );
  await openChat();
  assert.deepEqual(await titles(), ['About the end of time', 'About addresses', 'About lamps']);
  assert.deepEqual(await page.locator('#conversations .unreadable .title').allTextContents(), ['Untitled', 'Untitled', 'About ships']);
  await page.fill('#conversation-search', 'warm');
  await page.waitForFunction(() => document.querySelectorAll('#conversations a').length === 1);
  await page.click('#conversations a:has-text("About lamps")');
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 2);
  await toasted(page, '2 messages of this conversation cannot be read');
  assert.deepEqual(await turns(page), ['Are lamps warm?', 'They are.']);
  await page.fill('#conversation-search', '');
  await page.click('#conversations a:has-text("About addresses")');
  await page.waitForFunction(() => document.querySelector('.turn.user .words')?.textContent === 'Where?');
  await page.reload();
  await page.waitForFunction(() => document.querySelector('.turn.user .words')?.textContent === 'Where?');
  // They are left alone until the visitor deletes them.
  for (const left of [2, 1, 0]) {
    await page.locator('#conversations .unreadable button').first().click();
    await page.click('#conversations .confirm .danger');
    await page.waitForFunction(
      (left) => document.querySelectorAll('#conversations .unreadable li').length === left && !document.querySelector('.confirm'),
      left,
    );
  }
  assert.equal((await titles()).length, 3);
});

test('a conversation of 20,000 turns, one of 500, comes and opens by its end; the rest comes when it is asked for', { timeout: 300_000 }, async () => {
  page = await visit(browser, server, 'chat');
  const long = Array.from({ length: 20_000 }, (_, i) => ({ id: i, parent: i - 1, role: i % 2 ? 'assistant' : 'user', content: `Turn ${i}`, created: i }));
  const others = Array.from({ length: 500 }, (_, i) => ({ title: `Other ${i}`, updated: i, turns: [{ id: 'q', role: 'user', content: 'Hm?' }] }));
  const file = { format: 'cresset-conversations', conversations: [{ title: 'Long', updated: 1e12, turns: long }, ...others] };
  // How much is put into the database at once, and how much is on the page.
  await page.evaluate(() => {
    window.most = { puts: 0, turns: 0, rows: 0 };
    let puts = 0;
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
      if (puts === 0) setTimeout(() => (puts = 0));
      window.most.puts = Math.max(window.most.puts, (puts += 1));
      return put.apply(this, given);
    };
    new MutationObserver(() => {
      window.most.turns = Math.max(window.most.turns, document.querySelectorAll('.turn').length);
      window.most.rows = Math.max(window.most.rows, document.querySelectorAll('#conversations a').length);
    }).observe(document.body, { childList: true, subtree: true });
  });
  await page.setInputFiles('#import', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) });
  await page.waitForFunction(() => document.querySelector('.turn:last-child .words')?.textContent.trim() === 'Turn 19999');
  assert.equal(await page.textContent('.earlier'), 'Show earlier messages (19,900)');
  assert.equal((await turns(page))[0], 'Turn 19900');
  const { top, height } = await page.evaluate(() => {
    const scroller = document.getElementById('chat-scroll');
    scroller.scrollTop = 10;
    return { top: document.querySelector('.turn').getBoundingClientRect().top, height: scroller.scrollHeight };
  });
  await page.evaluate(() => document.querySelector('.earlier').click());
  await page.waitForFunction(() => document.querySelector('.turn .words')?.textContent.trim() === 'Turn 19800');
  await page.waitForFunction((height) => document.getElementById('chat-scroll').scrollTop > height / 2, height);
  const now = await page.evaluate(() => document.querySelectorAll('.turn')[100].getBoundingClientRect().top);
  assert.ok(Math.abs(now - top) < 60, `what is read stays where it is: ${top}, ${now}`);
  // It goes on, and nothing of the rest comes with it.
  await say(page, 'And now?');
  assert.deepEqual(await page.evaluate(() => [window.most.turns, document.querySelectorAll('.turn').length]), [202, 202]);
  const most = await page.evaluate(() => window.most);
  assert.ok(most.puts <= 500 && most.rows <= 200, JSON.stringify(most));
  await page.click('#conversations > button');
  await page.waitForFunction(() => document.querySelectorAll('#conversations a').length === 400);
});

/** Databases that do not work: what is put in place of the browser's. */
const BROKEN = {
  'never answers': () => {
    IDBFactory.prototype.open = () => ({});
  },
  'is blocked': () => {
    IDBFactory.prototype.open = () => {
      const request = {};
      setTimeout(() => request.onblocked(new Event('blocked')));
      return request;
    };
  },
  'opens and then says nothing': () => {
    const transaction = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...given) {
      const real = transaction.apply(this, given);
      return { objectStore: (name) => new Proxy(real.objectStore(name), { get: () => () => ({}) }) };
    };
  },
  'loses its stores': () => {
    IDBDatabase.prototype.transaction = () => {
      throw new DOMException('no such store', 'NotFoundError');
    };
  },
  'is closed under the page': () => {
    const open = IDBFactory.prototype.open;
    let opened = 0;
    IDBFactory.prototype.open = function (...given) {
      opened += 1;
      if (opened > 2) throw new DOMException('damaged', 'UnknownError');
      const request = open.apply(this, given);
      request.addEventListener('success', () => request.result.close());
      return request;
    };
  },
};

for (const [what, breakIt] of Object.entries(BROKEN)) {
  test(`where the database ${what}, the page says so and works without`, async () => {
    await blank();
    await page.addInitScript(breakIt);
    await openChat();
    await toasted(page, 'until the tab is closed');
    await say(page, 'Unkept');
    await page.click('#new-chat');
    await page.click('#conversations a:has-text("Unkept")');
    await page.waitForFunction(() => document.querySelectorAll('.turn').length === 2);
    assert.equal((await turns(page))[0], 'Unkept');
    assert.equal(await page.locator('.problem').count(), 0);
  });
}

test('a database that stops answering takes nothing of the open conversation with it', async () => {
  page = await visit(browser, server, 'chat');
  await say(page, 'Before');
  await page.evaluate(() => {
    IDBDatabase.prototype.transaction = () => ({ objectStore: () => ({ put: () => ({}), getAll: () => ({}), get: () => ({}) }) });
  });
  await say(page, 'After');
  await toasted(page, 'until the tab is closed');
  await page.click('#new-chat');
  await page.click('#conversations a:has-text("Before")');
  await page.waitForFunction(() => document.querySelectorAll('.turn').length === 4);
  const said = await turns(page);
  assert.deepEqual([said[0], said[2]], ['Before', 'After']);
});

const KEYS =
  'view language device context model paused told-device asked-to-persist text inspect tint write-panel chat-list chat-panel system thinking sampling estimates embed draft.new theme contrast'.split(
    ' ',
  );
// As text of JSON, and as what each key would have on the surface.
const ODD = ['7', '"x"', '[null]', '{"toString":1,"valueOf":1}', '{"a":{"toString":1},"seed":{"toString":1},"top_k":{"valueOf":1}}'];

test('whatever the browser remembers under our names, every view opens', async () => {
  await blank();
  for (const odd of ODD) {
    await page.goto(`${server.url}blank.html`);
    await page.evaluate(([keys, odd]) => keys.forEach((key) => localStorage.setItem(`cresset.${key}`, odd)), [KEYS, odd]);
    await page.goto(server.url);
    await ready(page);
    for (const [view, part] of Object.entries({ chat: '#message', models: '#catalogue .model', embed: '#snippet', write: '#text' })) {
      await page.click(`.views [data-view=${view}]`);
      await page.locator(part).first().waitFor();
    }
    assert.deepEqual(page.problems, [], odd);
  }
});

test('what is nearly right in the browser’s storage is left out by itself', async () => {
  await blank();
  await page.evaluate(() => {
    const set = (key, value) => localStorage.setItem(`cresset.${key}`, JSON.stringify(value));
    set('text', [
      null,
      { by: 'model', text: 'A lamp', logprob: -1, top: [['x'], 'y', [' a', -1]] },
      { text: { toString: 1 } },
      { by: 'visitor', text: ' burns' },
    ]);
    set('paused', {
      a: null,
      b: 7,
      c: { model: {}, label: 1 },
      d: { model: 'hf:a/b/c.gguf', label: 'Kept', state: 'paused', status: 'download', loaded: 5, total: 'x' },
    });
    set('model', { model: ['default'], label: {} });
  });
  await page.goto(`${server.url}#/write`);
  await ready(page);
  assert.equal(await page.inputValue('#text'), 'A lamp burns');
  await page.click('.views [data-view=models]');
  await page.waitForSelector('.transfer:has-text("Kept"), #transfers :text("Kept")');
});

test('odd entries among the models that are kept leave the others in the list', async () => {
  await blank();
  await page.evaluate(async () => {
    const { openFolder } = await import('/files/opfs.js');
    const folder = await openFolder();
    const right = {
      key: 'k',
      model: 'hf:a/b/right.gguf',
      url: 'https://example.org/right.gguf',
      name: 'right.gguf',
      bytes: 5,
      stored: new Date().toISOString(),
    };
    const odd = [
      null,
      7,
      [],
      { ...right, model: 7 },
      { ...right, stored: 'never' },
      { ...right, stored: 1e300 },
      { ...right, bytes: -1 },
      { ...right, bytes: 'x' },
      { ...right, url: { toString: 1 } },
    ];
    const put = async (name, value) => {
      const file = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await file.write(JSON.stringify(value));
      await file.close();
    };
    await put('right.json', right);
    for (const [i, value] of odd.entries()) await put(`odd${i}.json`, value);
    for (const [i, value] of odd.entries()) await put(`half${i}.part`, value);
  });
  await page.goto(`${server.url}#/models`);
  await ready(page);
  await page.waitForSelector('#view-models :text("right.gguf")');
  const models = await page.evaluate(async () => (await (await import('/cresset.js')).Cresset.cache.list({ partial: true })).map(({ model }) => model));
  assert.deepEqual(
    models.filter((model) => /right|undefined|7/.test(model)),
    ['hf:a/b/right.gguf'],
  );
});
