// Logits with their bias, as numbers and as ordered keys; shared by argmax and sample. The struct of src/ops/argmax.rs.
struct LogitParams {
    vocab: u32,
    stride: u32,         // floats from one row of logits to the next
    partial_stride2: u32, // pairs from one row of partials to the next
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: LogitParams;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>; // [L, V]
@group(0) @binding(3) var<storage, read> bias: array<f32>;   // [slots, V]

// Infinities become the largest finite numbers, NaN the lowest: by their bits, since a compiler may assume that there
// are none.
fn finite(z: f32) -> f32 {
    let bits = bitcast<u32>(z);
    if ((bits & 0x7fffffffu) < 0x7f800000u) { return z; }
    return select(-3.0e38, 3.0e38, bits == 0x7f800000u);
}

fn biased_logit(row: u32, slot: u32, flags: u32, id: u32) -> f32 {
    var z = finite(logits[row * params.stride + id]);
    if ((flags & USES_BIAS) != 0u) { z = finite(z + bias[slot * params.vocab + id]); }
    return z;
}

// Keys order as their numbers do. No number has key 0.
fn key_of(z: f32) -> u32 {
    let bits = bitcast<u32>(z);
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn number_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

struct Best { key: u32, id: u32 }

// The larger of two; of equals, the lower id.
fn better(a: Best, b: Best) -> Best {
    if (b.key > a.key || (b.key == a.key && b.id < a.id)) { return b; }
    return a;
}
