// A Firefox to drive from a test, over Marionette, the protocol that it brings along itself: no further program is needed.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Where Firefox is, if it is here. */
export const FIREFOX = [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => path && existsSync(path));

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'; // WebDriver's key of a reference to an element
const KEYS = { Enter: '\ue007', Escape: '\ue00c', Tab: '\ue004', Control: '\ue009', Home: '\ue011', ArrowRight: '\ue014', ArrowLeft: '\ue012' };
const PATIENCE_MS = 20_000;
const POLL_MS = 25;

// Quiet: nothing of Firefox's own leaves the machine while it is tested. And a mouse, whatever the machine has.
const PREFS = {
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'app.update.enabled': false,
  'services.settings.server': '',
  'browser.tabs.warnOnClose': false,
  'marionette.port': 0,
  'intl.accept_languages': 'en-GB, en',
  'intl.locale.requested': 'en-GB',
  'layout.css.prefers-color-scheme.content-override': 1,
  'ui.primaryPointerCapabilities': 6,
};

export async function startFirefox() {
  const profile = mkdtempSync(join(tmpdir(), 'cresset-firefox-'));
  writeFileSync(
    join(profile, 'user.js'),
    Object.entries(PREFS)
      .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`)
      .join('\n'),
  );
  // Windows are as narrow as a phone only if they are told so from within the browser: hence the access to it.
  const child = spawn(FIREFOX, ['--headless', '--no-remote', '--marionette', '--remote-allow-system-access', '--profile', profile, 'about:blank'], {
    stdio: 'ignore',
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const close = async () => {
    child.kill();
    await exited;
    rmSync(profile, { recursive: true, force: true });
  };
  try {
    const port = join(profile, 'MarionetteActivePort');
    await until(() => existsSync(port) && readFileSync(port, 'utf8').trim(), 'Firefox did not open its port');
    const wire = await Wire.open(Number(readFileSync(port, 'utf8')));
    await wire.send('WebDriver:NewSession', { pageLoadStrategy: 'eager' });
    return new Visitor(wire, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Messages over a socket: `length:[0, id, command, parameters]` there, `length:[1, id, error, result]` back. */
class Wire {
  #socket;
  #held = Buffer.alloc(0);
  #waiting = new Map();
  #next = 1;

  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Wire(socket)));
      socket.once('error', reject);
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Firefox has gone'));
    });
  }

  send(command, parameters = {}) {
    const id = this.#next++;
    const body = Buffer.from(JSON.stringify([0, id, command, parameters]));
    this.#socket.write(Buffer.concat([Buffer.from(`${body.length}:`), body]));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #take(data) {
    this.#held = Buffer.concat([this.#held, data]);
    for (;;) {
      const colon = this.#held.indexOf(':');
      const end = colon + 1 + Number(this.#held.subarray(0, Math.max(colon, 0)));
      if (colon < 0 || this.#held.length < end) return;
      const message = JSON.parse(this.#held.subarray(colon + 1, end));
      this.#held = this.#held.subarray(end);
      if (!Array.isArray(message)) continue; // its greeting
      const [, id, error, result] = message;
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(result);
    }
  }
}

/** What a person does with a page, by CSS selectors; waits where a person would. */
class Visitor {
  #wire;

  constructor(wire, close) {
    this.#wire = wire;
    this.close = close;
  }

  async goto(url) {
    await this.#wire.send('WebDriver:Navigate', { url });
  }

  /** As a person does: the protocol's own way passes by the service worker. */
  async reload() {
    await this.evaluate(() => {
      document.documentElement.dataset.old = '';
      location.reload();
    });
    await this.until(() => document.documentElement && !('old' in document.documentElement.dataset));
  }

  /** What a function of the page gives for these arguments. */
  async evaluate(deed, ...args) {
    return (await this.#wire.send('WebDriver:ExecuteScript', { script: `return (${deed}).apply(null, arguments);`, args })).value;
  }

  /** Until a function of the page gives something; gives that. */
  async until(holds, ...args) {
    return until(
      () => this.evaluate(holds, ...args),
      () => `it never became true: ${holds} ${args}`,
    );
  }

  /** Until an element is there and seen. */
  async seen(selector) {
    await this.until((selector) => document.querySelector(selector)?.checkVisibility({ visibilityProperty: true }), selector);
    return this.#find(selector);
  }

  async click(selector) {
    await this.seen(selector);
    await this.#wire.send('WebDriver:ElementClick', { id: await this.#find(selector) });
  }

  /** Types into an element; into a field of files, their paths. */
  async type(selector, text) {
    await this.#wire.send('WebDriver:ElementSendKeys', { id: await this.#find(selector), text });
  }

  /** Keys one after another, `Control+Home` together. */
  async press(...presses) {
    const key = (name) => KEYS[name] ?? name;
    const actions = presses
      .map((press) => press.split('+'))
      .flatMap((names) => [
        ...names.map((name) => ({ type: 'keyDown', value: key(name) })),
        ...names.toReversed().map((name) => ({ type: 'keyUp', value: key(name) })),
      ]);
    await this.#wire.send('WebDriver:PerformActions', { actions: [{ type: 'key', id: 'keys', actions }] });
  }

  /** Moves the mouse to a point of the window. */
  async point(x, y) {
    await this.#wire.send('WebDriver:PerformActions', {
      actions: [
        {
          type: 'pointer',
          id: 'mouse',
          parameters: { pointerType: 'mouse' },
          actions: [{ type: 'pointerMove', x: Math.round(x), y: Math.round(y), duration: 0, origin: 'viewport' }],
        },
      ],
    });
  }

  text(selector) {
    return this.evaluate((selector) => document.querySelector(selector).textContent, selector);
  }

  /** The page's size in CSS pixels, which may be less than a window of this browser can be. */
  async resize(width, height) {
    await this.#inside(
      (width, height) => {
        const { style } = gBrowser.selectedBrowser;
        for (const [name, value] of [
          ['width', width],
          ['height', height],
        ])
          for (const bound of ['', 'min-', 'max-']) style.setProperty(`${bound}${name}`, `${value}px`);
      },
      width,
      height,
    );
    await this.until((width, height) => innerWidth === width && innerHeight === height, width, height);
  }

  /** Sets one of Firefox's own settings. */
  async prefer(name, value) {
    await this.#inside(
      (name, value) => {
        const { prefs } = Services;
        prefs[{ boolean: 'setBoolPref', number: 'setIntPref', string: 'setStringPref' }[typeof value]](name, value);
      },
      name,
      value,
    );
  }

  /** What the window shows, as PNG. */
  async screenshot(path) {
    const { value } = await this.#wire.send('WebDriver:TakeScreenshot', { full: false });
    writeFileSync(path, Buffer.from(value, 'base64'));
  }

  async #find(selector) {
    const { value } = await this.#wire.send('WebDriver:FindElement', { using: 'css selector', value: selector });
    return value[ELEMENT];
  }

  /** In the browser's own window, not in the page. */
  async #inside(deed, ...args) {
    await this.#wire.send('Marionette:SetContext', { value: 'chrome' });
    try {
      await this.evaluate(deed, ...args);
    } finally {
      await this.#wire.send('Marionette:SetContext', { value: 'content' });
    }
  }
}

/** Asks again until there is an answer; a page that is on its way out has none. */
async function until(ask, what) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await Promise.resolve(ask()).catch(() => null);
    if (answer) return answer;
    if (Date.now() > end) throw new Error(typeof what === 'function' ? what() : what);
    await pause(POLL_MS);
  }
}
