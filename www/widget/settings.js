// Attributes of the element → what they mean.

import { WIDGET } from '../chat/sampling.js';

/**
 * @typedef {object} Settings
 * @property {import('../cresset.js').Model} model
 * @property {string} [integrity]
 * @property {number | null} bytes        of the download, where the site says it
 * @property {string} system
 * @property {{ url: string, host: string, model: string } | null} endpoint
 * @property {'always' | 'large' | 'never'} consent   when a download is asked for
 * @property {boolean} localOnly
 * @property {boolean} thinking
 * @property {'auto' | 'webgpu' | 'cpu'} device
 * @property {number | undefined} temperature
 * @property {(story: boolean) => number} maxTokens
 * @property {string} title
 * @property {string} greeting
 * @property {string} placeholder
 * @property {string[]} suggestions
 * @property {{ model: string | null } | null} voice   answers can be read aloud; with a model, what is said is written down
 * @property {boolean} images   visitors may attach pictures
 */

/**
 * @param {HTMLElement} host
 * @param {{ model: import('../cresset.js').Model, megabytes?: number, integrity?: string } | undefined} chosen   of `models`
 * @returns {Settings}
 */
export function readSettings(host, chosen) {
  const text = (/** @type {string} */ name) => (host.getAttribute(name) ?? '').trim();
  const number = (/** @type {string} */ name) => (text(name) !== '' && Number(text(name)) >= 0 ? Number(text(name)) : undefined);
  const localOnly = host.hasAttribute('local-only');
  const model = chosen?.model ?? (text('model') || 'default');
  const megabytes = chosen ? chosen.megabytes : number('megabytes');
  return {
    model: typeof model === 'string' ? address(model, host) : model,
    integrity: (chosen ? chosen.integrity : text('integrity')) || undefined,
    bytes: megabytes !== undefined && megabytes >= 0 ? 1_000_000 * megabytes : null,
    system: text('system'),
    endpoint: localOnly ? null : endpoint(text('endpoint'), text('endpoint-model') || (typeof model === 'string' ? model : 'default'), host),
    consent: !host.hasAttribute('consent') ? 'large' : text('consent') === 'false' ? 'never' : 'always',
    localOnly,
    thinking: host.hasAttribute('thinking'),
    device: /** @type {Settings['device']} */ (['webgpu', 'cpu'].includes(text('device')) ? text('device') : 'auto'),
    temperature: number('temperature'),
    maxTokens: (story) => Math.max(1, Math.round(number('max-tokens') ?? (story ? WIDGET.story : WIDGET.answer))),
    title: text('title'),
    greeting: text('greeting'),
    placeholder: text('placeholder'),
    suggestions: text('suggestions')
      .split('|')
      .map((each) => each.trim())
      .filter(Boolean),
    images: host.hasAttribute('images'),
    voice: host.hasAttribute('voice') ? { model: text('voice') ? address(text('voice'), host) : null } : null,
  };
}

/**
 * Settings for the speech model, as if it were one that answers: consent and device are the site's.
 * @param {Settings} settings
 * @returns {Settings | null}
 */
export function earsOf(settings) {
  const model = settings.voice?.model;
  return model ? { ...settings, model, integrity: undefined, bytes: null, endpoint: null, localOnly: true } : null;
}

// The element's own base: the document's can be hidden by a form or an image of that name.
/** @param {string} model @param {HTMLElement} host */
function address(model, host) {
  return /^(\.{0,2}\/|[^:]*\.(gguf|safetensors|json)$)/i.test(model) ? new URL(model, host.baseURI).href : model;
}

/** @param {string} text @param {string} model @param {HTMLElement} host */
function endpoint(text, model, host) {
  if (!text) return null;
  let url;
  try {
    url = new URL(text, host.baseURI);
  } catch {
    return null;
  }
  if (!/\/chat\/completions\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/chat/completions`;
  return { url: url.href, host: url.host, model };
}
