// What a person calls a model → the files it consists of. See API.md for the forms a `model` may take.
//
// `parse` runs in the page (it alone knows the page's address), `resolve` in the worker.

import catalogue from '../models/catalogue.json' with { type: 'json' };
import { CressetError } from '../lib/errors.js';
import { baseName, bodyOf, request, requestText } from './http.js';
import { HUB, filesIn, hubFile } from './hub.js';
import { LARGE_TEXT, PARTS, SMALL_TEXT } from './limits.js';
import { retried } from './backoff.js';
import * as store from './store.js';

/** Models that come with the library; the first is 'default'. @type {readonly import('../cresset.js').BundledModel[]} */
export const models = Object.freeze(catalogue.map((entry) => Object.freeze({ ...entry })));

/**
 * @typedef {import('./types.d.ts').ModelFile} ModelFile
 * @typedef {import('./types.d.ts').RemoteFile} RemoteFile
 * @typedef {import('./types.d.ts').Source} Source
 *
 * How small files are read on the way to the others; `readText` may use the cache. `cache`: files kept here may be used.
 * @typedef {{ signal?: AbortSignal, cache?: boolean, readText: (url: string) => Promise<string> }} Reading
 *
 * Where models and adapters differ: what lies beside a weights file, what makes a folder, which file of a repository.
 * @typedef {object} Kind
 * @property {(url: string) => RemoteFile[]} siblings
 * @property {(url: string, access: Reading) => Promise<RemoteFile[]>} folder
 * @property {(names: string[]) => string | undefined} bestFile
 */

/**
 * @param {unknown} model
 * @param {string} base   address that relative URLs start from
 * @returns {Source}
 */
export function parse(model, base) {
  if (typeof model === 'string') return parseText(model.trim(), base);
  return parseBytes(model, 'model');
}

/**
 * A LoRA adapter, likewise. None comes with the library, so any text is an address.
 * @param {unknown} adapter
 * @param {string} base
 * @returns {Source}
 */
export function parseAdapter(adapter, base) {
  if (typeof adapter !== 'string') return { ...parseBytes(adapter, 'adapter'), adapter: true };
  const text = adapter.trim();
  return { ...(text.startsWith('hf:') ? parseHub(text, 'adapter') : parseUrl(text, base, 'adapter')), adapter: true };
}

/** The half of a model that sees, likewise. @param {unknown} projector @param {string} base @returns {Source} */
export function parseProjector(projector, base) {
  if (typeof projector !== 'string') return parseBytes(projector, 'projector');
  const text = projector.trim();
  return text.startsWith('hf:') ? parseHub(text, 'projector') : parseUrl(text, base, 'projector');
}

/** @param {unknown} model @param {string} field @returns {Source} */
function parseBytes(model, field) {
  if (model instanceof URL) return { name: model.href, url: model.href };
  if (model instanceof ArrayBuffer || ArrayBuffer.isView(model)) return { name: field, blobs: [new Blob([/** @type {BlobPart} */ (model)])] };
  /** @type {(Blob & Partial<File>)[]} */
  const blobs = model instanceof Blob ? [model] : isListOfBlobs(model) ? [...model] : [];
  // Of a chosen folder, files of one name may lie in several folders. The way to them is lost when a File is sent on.
  const names = blobs.map(({ name, webkitRelativePath }) => webkitRelativePath || name);
  if (blobs.length > 0) return { name: blobs[0].name ?? field, blobs, names };
  throw new CressetError('INVALID_REQUEST', `${field}: expected a ${field === 'model' ? 'name, a ' : ''}URL, or one or more files`, { field });
}

/** @param {string} text @param {string} base @returns {Source} */
function parseText(text, base) {
  if (text === 'default' && models.length > 0) return { name: models[0].id, id: models[0].id };
  if (models.some(({ id }) => id === text)) return { name: text, id: text };
  if (text.startsWith('hf:')) return parseHub(text);
  if (/^[a-z][a-z0-9+.-]*:|[/\\]|\.(gguf|safetensors|json)$/i.test(text)) return parseUrl(text, base);
  const known = models.map(({ id }) => id).join(', ') || 'none';
  throw new CressetError('MODEL_NOT_FOUND', `there is no model called “${text}” (known here: ${known}); a URL or hf:owner/repo/file works too`, {
    model: text,
  });
}

/** @param {string} text @param {string} base @param {string} [field] @returns {Source} */
function parseUrl(text, base, field = 'model') {
  let url;
  try {
    url = new URL(text, base);
  } catch {
    throw new CressetError('INVALID_REQUEST', `${field}: “${text}” is not a URL`, { field });
  }
  if (!['http:', 'https:', 'blob:', 'data:'].includes(url.protocol)) {
    throw new CressetError('INVALID_REQUEST', `${field}: a page cannot read ${url.protocol} addresses`, { field });
  }
  url.hash = '';
  return { name: url.href, url: url.href };
}

/** `hf:owner/repo[/file][@revision]` @param {string} text @param {string} [field] @returns {Source} */
function parseHub(text, field = 'model') {
  const match = /^hf:([\w.-]+\/[\w.-]+)(?:\/([^@]*))?(?:@([\w./-]+))?$/.exec(text);
  if (!match) throw new CressetError('INVALID_REQUEST', `${field}: “${text}” should look like hf:owner/repo/file.gguf`, { field });
  const [, repo, file, revision = 'main'] = match;
  if (file) return { name: text, url: hubFile(repo, revision, file) };
  return { name: text, hub: { repo, revision } };
}

/** @param {any} model @returns {model is Iterable<Blob>} */
function isListOfBlobs(model) {
  return typeof model?.[Symbol.iterator] === 'function' && [...model].every((item) => item instanceof Blob);
}

/**
 * @param {Source} source
 * @param {Reading} access
 * @returns {Promise<ModelFile[]>} weights first
 */
export async function resolve(source, access) {
  const { projector, ...model } = source;
  if (!projector) return filesOf(model, access);
  const [files, eyes] = [await filesOf(model, access), await filesOf(projector, access)];
  // The engine knows it by its name.
  const named = eyes.map((file) => ({ ...file, name: isProjector(file.name) ? file.name : `mmproj-${file.name.split(/[/\\]/).pop()}.gguf` }));
  return [...files.filter(({ name }) => !isProjector(name)), ...named];
}

/** @param {Source} source @param {Reading} access @returns {Promise<ModelFile[]>} */
async function filesOf(source, access) {
  if (source.blobs) return source.blobs.map((blob, i) => ({ name: source.names?.[i] ?? (source.adapter ? 'adapter' : 'model'), blob }));
  const known = models.find(({ id }) => id === source.id);
  if (known) return [await bundled(known, access)];
  const kind = source.adapter ? ADAPTER : MODEL;
  if (source.hub) return hubFiles(source.hub, access, kind);
  return urlFiles(source.url ?? '', access, kind);
}

/** @type {Kind} */
const MODEL = { siblings, folder, bestFile };
/** @type {Kind} */
const ADAPTER = {
  siblings: (url) => [{ ...remote(new URL('adapter_config.json', url).href), optional: true }],
  // PEFT's file or mlx-lm's; which of them is there shows when they are opened.
  folder: async (url) =>
    ['adapter_model.safetensors', 'adapters.safetensors', 'adapter_config.json'].map((name) => ({ ...remote(new URL(name, url).href), optional: true })),
  bestFile: bestAdapter,
};

/**
 * The file of a model that comes along, beside the library; where the site leaves it out, the one on the hub that takes its
 * place. What is on this device already is neither asked for nor downloaded again.
 * @param {import('../cresset.js').BundledModel} model
 * @param {Reading} access
 * @returns {Promise<RemoteFile>}
 */
async function bundled({ file, sha256, bytes, hub }, { signal, cache }) {
  const url = new URL(file, new URL('../models/', import.meta.url)).href;
  // The hash in the key lets a new version of the file replace the stored one.
  const here = { name: baseName(url), url, key: sha256 ? `${url}#${sha256}` : url, sha256, bytes };
  if (!hub) return here;
  const there = { ...remote(parseHub(hub.model).url ?? ''), sha256: hub.sha256, bytes: hub.bytes };
  for (const one of cache ? [here, there] : []) if ((await store.kept(one.key)).complete) return one;
  return (await retried(() => isThere(url, signal), { signal })) ? here : there;
}

/** Whether there is a file. @param {string} url @param {AbortSignal} [signal] */
async function isThere(url, signal) {
  try {
    await request(url, { signal, method: 'HEAD' });
    return true;
  } catch (/** @type {any} */ error) {
    if (isAbsent(error)) return false;
    // A server that refuses the question may give the file.
    if (error.details?.status && !error.details.transient) return true;
    throw error;
  }
}

/** @param {string} url @param {Reading} access @param {Kind} kind @returns {Promise<RemoteFile[]>} */
async function urlFiles(url, access, kind) {
  const path = new URL(url).pathname.toLowerCase();
  if (path.endsWith('.gguf')) return parts(url).map(remote);
  if (/\/ggml-[^/]*\.bin$/.test(path)) return [remote(url)]; // whisper.cpp's: all is in it
  if (path.endsWith('.index.json')) return shards(url, await access.readText(url));
  if (path.endsWith('.safetensors')) return [remote(url), ...kind.siblings(url)];
  if (path.endsWith('/')) return kind.folder(url, access);
  try {
    return (await isGguf(url, access)) ? [remote(url)] : [remote(url), ...kind.siblings(url)];
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return kind.folder(`${url}/`, access).catch(() => {
      throw error;
    });
  }
}

/** @param {string} url @param {number} count */
function manyPartsError(url, count) {
  return new CressetError('MODEL_FORMAT', `${baseName(url)} claims to be one of ${count} parts; a model has at most ${PARTS}`, { url, parts: count });
}

/** All parts of a split GGUF, of which `url` is any; a whole one alone. @param {string} url */
function parts(url) {
  const [end = '', part = '', count] = /-(\d{5})-of-(\d{5})\.gguf$/i.exec(new URL(url).pathname) ?? [];
  if (!(Number(part) >= 1 && Number(part) <= Number(count))) return [url];
  if (Number(count) > PARTS) throw manyPartsError(url, Number(count));
  return Array.from({ length: Number(count) }, (_, i) => {
    const address = new URL(url);
    address.pathname = address.pathname.slice(0, -end.length) + end.replace(part, String(i + 1).padStart(5, '0'));
    return address.href;
  });
}

/** @param {string} url @param {Reading} access */
async function folder(url, { readText }) {
  const index = new URL('model.safetensors.index.json', url).href;
  const text = await readText(index).catch((error) => {
    if (isAbsent(error)) return null;
    throw error;
  });
  if (text !== null) return shards(index, text);
  const single = new URL('model.safetensors', url).href;
  return [remote(single), ...siblings(single)];
}

/** What an index of tensors names, and the rest of the model. @param {string} url @param {string} text */
function shards(url, text) {
  let names;
  try {
    names = new Set(/** @type {unknown[]} */ (Object.values(JSON.parse(text).weight_map)));
  } catch (/** @type {any} */ error) {
    throw new CressetError('MODEL_FORMAT', `${baseName(url)} has no readable weight_map`, { url, reason: error.message });
  }
  // Files beside the index: nothing in it leads anywhere else.
  const odd = [...names].find((name) => typeof name !== 'string' || !/^[^/\\:?#%]{1,255}$/.test(name) || name.startsWith('.'));
  if (odd !== undefined) {
    throw new CressetError('MODEL_FORMAT', `${baseName(url)} names ${JSON.stringify(odd)?.slice(0, 80)}, which is no file beside it`, { url });
  }
  const files = /** @type {string[]} */ ([...names]).filter((name) => name.endsWith('.safetensors'));
  if (files.length > PARTS) throw manyPartsError(url, files.length);
  if (files.length === 0) throw new CressetError('MODEL_FORMAT', `${baseName(url)} names no .safetensors files`, { url });
  return [...files.map((name) => remote(new URL(name, url).href)), remote(url), ...siblings(url)];
}

/** @param {string} url @returns {RemoteFile[]} */
function siblings(url) {
  const beside = (/** @type {string} */ name, /** @type {boolean} */ optional) => ({ ...remote(new URL(name, url).href), optional });
  return [
    beside('config.json', false),
    beside('tokenizer.json', true),
    beside('tokenizer_config.json', true),
    beside('special_tokens_map.json', true),
    beside('added_tokens.json', true),
    beside('generation_config.json', true),
    beside('preprocessor_config.json', true),
    beside('processor_config.json', true),
    beside('source.spm', true),
    // Other models have one too, which says nothing that their tokenizer.json does not.
    { ...beside('vocab.json', true), onlyWith: 'source.spm' },
    beside('chat_template.jinja', true),
    beside('chat_template.json', true),
    beside('modules.json', true),
    // How sentence-transformers makes a vector of a text; by its whole name, since config.json is another file.
    { ...beside('1_Pooling/config.json', true), name: '1_Pooling/config.json' },
  ];
}

/** @param {import('./types.d.ts').Repository} repository @param {Reading} access @param {Kind} kind */
async function hubFiles({ repo, revision }, access, kind) {
  const listing = `${HUB}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  let hashes;
  try {
    hashes = filesIn(listing, await retried(() => requestText(listing, access), access));
  } catch (/** @type {any} */ error) {
    if (error.details?.status === 401 || error.code === 'MODEL_NOT_FOUND') {
      throw new CressetError('MODEL_NOT_FOUND', `there is no public repository ${repo} with a revision ${revision}`, { repo, revision }, { cause: error });
    }
    throw CressetError.from(error);
  }
  const names = [...hashes.keys()];
  const file = kind.bestFile(names);
  if (!file) throw new CressetError('MODEL_NOT_FOUND', `${repo} has no .gguf or .safetensors file`, { repo, revision });
  const files = await urlFiles(hubFile(repo, revision, file), access, kind);
  const eyes = kind === MODEL && /\.gguf$/i.test(file) ? bestProjector(names) : undefined;
  if (eyes) files.push(remote(hubFile(repo, revision, eyes)));
  const said = new Map([...hashes].map(([name, hash]) => [hubFile(repo, revision, name), hash]));
  return files.map((one) => (said.get(one.url) ? { ...one, said: said.get(one.url) } : one));
}

/** The file a person most likely means: good and small enough for a browser first. @param {string[]} names */
export function bestFile(names) {
  const all = names.filter((name) => /\.gguf$/i.test(name) && !isProjector(name)).sort();
  const whole = all.filter((name) => !/-of-\d+/i.test(name));
  const ggufs = whole.length > 0 ? whole : all.filter((name) => /-00001-of-\d+/.test(name));
  const wanted = [/q8_0/i, /q4_0/i, /(?<!b)f16/i, /bf16/i, /f32/i, /q4_k_m/i, /./];
  for (const pattern of wanted) {
    const match = ggufs.find((name) => pattern.test(name));
    if (match) return match;
  }
  return (
    names.find((name) => name === 'model.safetensors.index.json') ??
    names.find((name) => name === 'model.safetensors') ??
    names.find((name) => /\.safetensors$/i.test(name))
  );
}

/** Of the files with the half of a model that sees, the one as exact as need be. @param {string[]} names */
export function bestProjector(names) {
  const all = names.filter(isProjector);
  return [/(?<!b)f16/i, /bf16/i, /q8_0/i, /./].map((wanted) => all.find((name) => wanted.test(name))).find(Boolean);
}

/** @param {string} name */
const isProjector = (name) => /mmproj[^/]*\.gguf$/i.test(name);

/** The file of a LoRA adapter: as PEFT or mlx-lm saves it, or a GGUF. @param {string[]} names */
export function bestAdapter(names) {
  return (
    names.find((name) => name === 'adapter_model.safetensors') ??
    names.find((name) => name === 'adapters.safetensors') ??
    names.find((name) => /\.(gguf|safetensors)$/i.test(name))
  );
}

/** @param {string} url */
function remote(url) {
  return { name: baseName(url), url, key: url };
}

/** @param {string} url @param {Reading} access */
async function isGguf(url, { signal }) {
  const response = await retried(() => request(url, { signal, range: [0, 3], store: false }), { signal });
  const reader = bodyOf(url, response).getReader();
  const { value = new Uint8Array(0) } = await reader.read();
  reader.cancel().catch(() => {});
  return new TextDecoder('latin1').decode(value.subarray(0, 4)) === 'GGUF';
}

/** Files of a model as they were stored under its name: what `resolve` would find, without the network. @param {import('../cresset.js').StoredModel} stored */
export function storedFiles(stored) {
  const files = stored.files.map(({ key, url, name, sha256 }) => ({ key, url, name, sha256 }));
  return [...files.filter(isWeights), ...files.filter((file) => !isWeights(file))];
}

/** Not a small file beside the weights. @param {{ name: string }} file */
export function isWeights({ name }) {
  return !/\.(json|jinja)$/i.test(name);
}

/** The most bytes that a file of this name may have, if it is none of weights. @param {{ name: string }} file */
export function textLimit({ name }) {
  if (isWeights({ name })) return Infinity;
  return /(^|\/)tokenizer\.json$|\.index\.json$/i.test(name) ? LARGE_TEXT : SMALL_TEXT;
}

/** Nothing is there: a 404, or the page that many hosts give instead of one. @param {any} error   whatever was thrown */
export function isAbsent(error) {
  return error.code === 'MODEL_NOT_FOUND' || error.code === 'MODEL_FORMAT' || [401, 403].includes(error.details?.status);
}
