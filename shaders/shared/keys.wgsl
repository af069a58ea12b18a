// Logits as numbers and as keys that order like them.

// A logit of -∞ as the sampler sees it.
const LEAST: f32 = -3.0e38;

// Infinities become the largest finite numbers, NaN the lowest: by their bits, since a compiler may assume that there
// are none.
fn finite(z: f32) -> f32 {
    let bits = bitcast<u32>(z);
    if ((bits & 0x7fffffffu) < 0x7f800000u) { return z; }
    return select(LEAST, -LEAST, bits == 0x7f800000u);
}

// Keys order as their numbers do. No number has key 0.
fn key_of(z: f32) -> u32 {
    let bits = bitcast<u32>(z);
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// The key of a logit that is not a number: above those of all numbers.
const NOT_A_NUMBER: u32 = 0xffffffffu;

fn number_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

struct Best { key: u32, id: u32 }

// The larger of two; of equals, the lower id.
fn better(a: Best, b: Best) -> Best {
    if (b.key > a.key || (b.key == a.key && b.id < a.id)) { return b; }
    return a;
}
