// What is tried in Firefox, by the page itself: each scene gives plain data, which ../firefox.test.mjs looks at.

const { Cresset } = await import('/cresset.js');
const outcome = (promise) =>
  promise.then(
    (value) => ({ value }),
    ({ code, message }) => ({ code, message }),
  );
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(holds) {
  for (let tries = 0; tries < 400; tries += 1) {
    const value = await holds();
    if (value) return value;
    await pause(25);
  }
  throw new Error(`it never became true: ${holds}`);
}

async function load(model, options = {}) {
  const statuses = new Set();
  const warnings = new Set();
  const onProgress = ({ status, warning }) => {
    statuses.add(status);
    if (warning) warnings.add(warning.code);
  };
  const engine = await Cresset.load(model, { onProgress, ...options });
  await engine.unload();
  return { checksum: engine.info.variants.checksum, statuses: [...statuses], warnings: [...warnings] };
}

export const mock = {
  async 'downloads go on after breaks, are kept, and mended'() {
    const first = await load('/flaky.gguf');
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('cresset-models');
    for await (const [name, handle] of folder.entries()) {
      if (!name.endsWith('.bin')) continue;
      const writer = await handle.createWritable({ keepExistingData: true });
      await writer.write({ type: 'write', position: 1_100_000, data: Uint8Array.of(1, 2, 3) });
      await writer.close();
    }
    const second = await load('/flaky.gguf');
    const usage = await Cresset.cache.usage();
    return { first, second, usage, deleted: await Cresset.cache.delete(new URL('/flaky.gguf', location).href) };
  },

  async 'a pause keeps what is here, and two loads share a download'() {
    const controller = new AbortController();
    const paused = await outcome(
      Cresset.load('/slow.gguf', { signal: controller.signal, onProgress: ({ loaded }) => loaded > 1_300_000 && controller.abort() }),
    );
    const [partial] = await until(async () => (await Cresset.cache.list({ partial: true })).filter(({ bytes }) => bytes > 0));
    const both = await Promise.all([load('/slow.gguf'), load('/slow.gguf')]);
    return { code: paused.code, partial: { bytes: partial.bytes, complete: partial.complete }, both };
  },

  async 'streams, aborts and errors by code'() {
    const engine = await Cresset.load('/files/slow.gguf');
    const controller = new AbortController();
    let seen = 0;
    const aborted = await outcome(
      (async () => {
        for await (const chunk of await engine.completions.create({ prompt: 'x', stream: true, signal: controller.signal }))
          if (chunk && (seen += 1) === 3) controller.abort();
      })(),
    );
    const whole = await engine.completions.create({ prompt: 'x', max_tokens: 3 });
    await engine.unload();
    const missing = await outcome(Cresset.load('/nothing.gguf'));
    return { seen, aborted: aborted.code, text: whole.choices[0].text, missing: missing.code };
  },

  async 'the widget asks, answers and closes'() {
    await import('/cresset-chat.js');
    const chat = document.createElement('cresset-chat');
    chat.setAttribute('model', '/files/quick.gguf');
    chat.setAttribute('consent', '');
    document.body.append(chat);
    const inside = (selector) => chat.shadowRoot.querySelector(selector);
    inside('.launcher').click();
    await until(() => inside('.card .primary'));
    const asked = inside('.card').textContent;
    inside('.card .primary').click();
    await until(() => chat.engine);
    const answer = await chat.send('**Bold** and `code`, <b>plain</b>\n\n- one');
    await until(() => inside('.words li'));
    const words = inside('.words').textContent;
    const tags = [...inside('.words').querySelectorAll('*')].map(({ localName }) => localName);
    const { width, bottom } = inside('dialog').getBoundingClientRect();
    inside('textarea').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true }));
    const closed = !inside('dialog').open;
    chat.remove();
    return { asked, answer: answer.content, words, tags, shown: width > 300 && bottom <= innerHeight, closed };
  },

  async 'a service worker keeps the build'() {
    const { registerOffline } = await import('/page/service-worker.js');
    const registration = await registerOffline();
    await until(() => navigator.serviceWorker.controller);
    const kept = [];
    for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) kept.push(new URL(url).pathname);
    await registration.unregister();
    return { kept };
  },
};

export const engine = {
  async 'the bundled model writes on the processor'() {
    const device = navigator.gpu ? 'webgpu here' : 'no webgpu';
    const alone = await Cresset.load('stories', { device: 'cpu', threads: 1 });
    await alone.unload();
    const engine = await Cresset.load('stories', { device: 'cpu', threads: 2 });
    const {
      choices: [{ token_ids: ids, text }],
    } = await engine.completions.create({ prompt: window.promptIds, max_tokens: window.count, temperature: 0, ignore_eos: true, return_token_ids: true });
    const {
      device: { backend },
    } = engine.info;
    const threads = [alone, engine].map(({ info }) => info.device.threads);
    await engine.unload();
    const auto = await Cresset.probe('stories');
    return { device, backend, threads, ids, text, auto: auto.device.backend };
  },
};
