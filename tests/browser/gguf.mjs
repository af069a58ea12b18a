// GGUF files whose weights are nothing but zeros, of any shape: what the page says of a model needs only the header.

// GGUF's numbers: value types of its metadata, and the block layout of the formats that are written.
const UINT32 = 4;
const FLOAT32 = 6;
const STRING = 8;
const F32 = { type: 0, block: 1, bytes: 4 };
const Q8_0 = { type: 8, block: 32, bytes: 34 };
const ALIGNMENT = 32;

/**
 * The header of a llama in Q8_0, and the bytes of the whole file.
 * @param {import('../../www/cresset.js').ModelShape} shape
 * @returns {{ head: Buffer, size: number }}
 */
export function llama({ nLayers: layers, dModel: width, nHeads: heads, nKvHeads: kvHeads, headDim: headWidth, dFfn: hidden, vocabulary, context }) {
  const format = Q8_0;
  const meta = [
    ['general.architecture', STRING, 'llama'],
    ['llama.block_count', UINT32, layers],
    ['llama.context_length', UINT32, context],
    ['llama.embedding_length', UINT32, width],
    ['llama.feed_forward_length', UINT32, hidden],
    ['llama.attention.head_count', UINT32, heads],
    ['llama.attention.head_count_kv', UINT32, kvHeads],
    ['llama.attention.key_length', UINT32, headWidth],
    ['llama.attention.value_length', UINT32, headWidth],
    ['llama.rope.dimension_count', UINT32, headWidth],
    ['llama.attention.layer_norm_rms_epsilon', FLOAT32, 1e-5],
  ];
  const tensors = [
    ['token_embd.weight', [width, vocabulary], format],
    ['output_norm.weight', [width], F32],
  ];
  for (let i = 0; i < layers; i += 1) {
    for (const [name, dims, type] of [
      ['attn_norm', [width], F32],
      ['ffn_norm', [width], F32],
      ['attn_q', [width, heads * headWidth], format],
      ['attn_k', [width, kvHeads * headWidth], format],
      ['attn_v', [width, kvHeads * headWidth], format],
      ['attn_output', [heads * headWidth, width], format],
      ['ffn_gate', [width, hidden], format],
      ['ffn_up', [width, hidden], format],
      ['ffn_down', [hidden, width], format],
    ])
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
  const head = out.padded(ALIGNMENT);
  return { head, size: head.length + offset };
}

const align = (size) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/** Little-endian bytes, one after another. */
class Bytes {
  #parts = [];
  #length = 0;

  raw(text) {
    return this.#add(new TextEncoder().encode(text));
  }

  string(text) {
    return this.uint64(new TextEncoder().encode(text).length).raw(text);
  }

  uint32 = (value) => this.#number(4, (view) => view.setUint32(0, value, true));
  uint64 = (value) => this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  float32 = (value) => this.#number(4, (view) => view.setFloat32(0, value, true));

  padded(alignment) {
    const rest = (alignment - (this.#length % alignment)) % alignment;
    return Buffer.concat([...this.#parts, new Uint8Array(rest)]);
  }

  #number(size, write) {
    const bytes = new Uint8Array(size);
    write(new DataView(bytes.buffer));
    return this.#add(bytes);
  }

  #add(bytes) {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}
