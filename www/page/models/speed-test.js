// How fast this device is, without a download: `Cresset.probe` measures what reading a weight takes, in the format of the
// model that it looks at, and what a step takes. A small made-up model for each format, whose weights are nothing but
// zeros, makes it do so; from its measure follows an estimate for every row of the catalogue.

import { Cresset } from '../../cresset.js';
import { memory } from '../dom.js';
import { session } from '../session.js';
import { mayFetch } from '../save-data.js';

// GGUF's numbers: value types of its metadata, and the block layout of the formats that are measured.
const UINT32 = 4,
  FLOAT32 = 6,
  STRING = 8;
const F32 = { type: 0, block: 1, bytes: 4 };
/** @type {Record<string, Format>} */
const FORMATS = { q8_0: { type: 8, block: 32, bytes: 34 }, q4_k: { type: 12, block: 256, bytes: 144 } };
const ALIGNMENT = 32;
const ZEROS = 1 << 20;

// So long it waits for the page's model to be loaded, and for an answer to end.
const QUIET_MS = 10_000;

const SMALL = { layers: 1, width: 256, heads: 4, kvHeads: 4, headWidth: 64, hidden: 256, vocabulary: 256 };

/**
 * @typedef {import('../types.d.ts').SpeedMeasure} Measure
 * @typedef {import('../types.d.ts').ModelShape} Shape
 * @typedef {{ type: number, block: number, bytes: number }} Format
 */

/** @type {Promise<Measure | null> | null} */
let measuring = null;

/**
 * Measures once for each choice of device; null where that failed. That takes the engine: where data is to be
 * saved it is not fetched for this, unless the visitor `asked`, and what an earlier visit measured has to do.
 * @param {{ asked?: boolean }} [options]
 * @returns {Promise<Measure | null>}
 */
export async function measureDevice({ asked = false } = {}) {
  if (!measuring && !asked && !mayFetch()) return memory.get(keyOf());
  measuring ??= measure().catch(() => null);
  const mine = measuring;
  const result = await mine;
  // What failed may work the next time.
  if (!result && measuring === mine) measuring = null;
  return result;
}

/** The device was changed: measure again when it is asked for. */
export function forgetMeasure() {
  measuring = null;
}

/** Tokens a second for a model of this shape, or null. @param {Measure | null} measure @param {Shape} shape @param {string} quantization */
export function estimate(measure, shape, quantization) {
  if (!measure) return null;
  const weight = measure.weight[quantization] ?? measure.weight.q4_k;
  return 1 / Math.max(weight * weightsOf(shape) + measure.step * stepsOf(shape), 1e-6);
}

/** Weights that one token reads, as the engine counts them. @param {Shape} shape */
export function weightsOf({ layers, width, heads, kvHeads, headWidth, hidden, vocabulary }) {
  return layers * (width * headWidth * (2 * heads + 2 * kvHeads) + 3 * width * hidden) + vocabulary * width;
}

/** Dispatches of a token, likewise. @param {Shape} shape */
const stepsOf = ({ layers }) => 5 * layers + 3;

const keyOf = () => `measure.${session.device}`;

/** @returns {Promise<Measure | null>} */
async function measure() {
  const key = keyOf();
  const kept = memory.get(key);
  const options = { device: session.device, cache: false };
  if (!kept) await session.quiet(QUIET_MS);
  /** @type {Record<string, number>} */
  const weight = {};
  let step = Infinity;
  let device;
  for (const format of Object.keys(FORMATS)) {
    const fit = await Cresset.probe(speedTestFile(SMALL, format), options);
    // The same device as the last time need not be measured again.
    if (kept && JSON.stringify(kept.device) === JSON.stringify(fit.device)) return kept;
    if (!fit.pace?.weight) return null;
    weight[format] = fit.pace.weight;
    step = Math.min(step, fit.pace.dispatch);
    device = fit.device;
  }
  if (!device) return null;
  const result = { weight, step, device };
  memory.set(key, result);
  return result;
}

/** A GGUF file of this shape: a header, and zeros that share one piece of memory. @param {Shape} shape @param {string} format @returns {Blob} */
export function speedTestFile(shape, format) {
  const { bytes, dataBytes } = header(shape, format);
  const zeros = new Blob([new Uint8Array(ZEROS)]);
  const pieces = Array.from({ length: Math.ceil(dataBytes / ZEROS) }, () => zeros);
  return new File([bytes, ...pieces], `speedTestFile-${format}.gguf`);
}

/**
 * What comes before the weights of such a file, and how many bytes they take.
 * @param {Shape} shape
 * @param {string} name
 * @returns {{ bytes: Blob, dataBytes: number }}
 */
export function header(shape, name) {
  const format = FORMATS[name];
  const { layers, width, heads, kvHeads, headWidth, hidden, vocabulary } = shape;
  /** @type {[string, number, any][]} */
  const meta = [
    ['general.architecture', STRING, 'llama'],
    ['llama.block_count', UINT32, layers],
    ['llama.context_length', UINT32, 256],
    ['llama.embedding_length', UINT32, width],
    ['llama.feed_forward_length', UINT32, hidden],
    ['llama.attention.head_count', UINT32, heads],
    ['llama.attention.head_count_kv', UINT32, kvHeads],
    ['llama.attention.key_length', UINT32, headWidth],
    ['llama.attention.value_length', UINT32, headWidth],
    ['llama.rope.dimension_count', UINT32, headWidth],
    ['llama.attention.layer_norm_rms_epsilon', FLOAT32, 1e-5],
  ];
  /** @type {[string, number[], Format][]} */
  const tensors = [
    ['token_embd.weight', [width, vocabulary], format],
    ['output_norm.weight', [width], F32],
  ];
  for (let i = 0; i < layers; i += 1) {
    for (const [name, dims, type] of /** @type {typeof tensors} */ ([
      ['attn_norm', [width], F32],
      ['ffn_norm', [width], F32],
      ['attn_q', [width, heads * headWidth], format],
      ['attn_k', [width, kvHeads * headWidth], format],
      ['attn_v', [width, kvHeads * headWidth], format],
      ['attn_output', [heads * headWidth, width], format],
      ['ffn_gate', [width, hidden], format],
      ['ffn_up', [width, hidden], format],
      ['ffn_down', [hidden, width], format],
    ]))
      tensors.push([`blk.${i}.${name}.weight`, dims, type]);
  }
  const out = new Bytes();
  out.raw('GGUF').uint32(3).uint64(tensors.length).uint64(meta.length);
  for (const [key, type, value] of meta) {
    out.string(key).uint32(type);
    if (type === STRING) out.string(value);
    else if (type === FLOAT32) out.float32(value);
    else out.uint32(value);
  }
  let offset = 0;
  for (const [name, dims, { type, block, bytes }] of tensors) {
    out.string(name).uint32(dims.length);
    for (const dim of dims) out.uint64(dim);
    out.uint32(type).uint64(offset);
    offset += align((dims.reduce((product, dim) => product * dim) / block) * bytes);
  }
  return { bytes: out.padded(ALIGNMENT), dataBytes: offset };
}

const align = (/** @type {number} */ size) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** Little-endian bytes, one after another. */
class Bytes {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  #parts = [];
  #length = 0;

  /** @param {string} text @returns {Bytes} */
  raw(text) {
    return this.#add(new TextEncoder().encode(text));
  }

  /** @param {string} text */
  string(text) {
    return this.uint64(new TextEncoder().encode(text).length).raw(text);
  }

  uint32 = (/** @type {number} */ value) => this.#number(4, (view) => view.setUint32(0, value, true));
  uint64 = (/** @type {number} */ value) => this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  float32 = (/** @type {number} */ value) => this.#number(4, (view) => view.setFloat32(0, value, true));

  /** @param {number} alignment */
  padded(alignment) {
    const rest = (alignment - (this.#length % alignment)) % alignment;
    return new Blob([...this.#parts, new Uint8Array(rest)]);
  }

  /** @param {number} size @param {(view: DataView) => void} write */
  #number(size, write) {
    const bytes = new Uint8Array(size);
    write(new DataView(bytes.buffer));
    return this.#add(bytes);
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes */
  #add(bytes) {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}
