// Taking apart what src/quant/shared/pack.rs puts together. The eight codes of a part come as two words of four bytes.

// Four bits a code; `word` is the part's own.
fn code_nibbles(word: u32) -> vec2u {
    return vec2u(word, word >> 4u) & vec2u(0x0f0f0f0fu);
}

// Two bits a code; two parts share a word.
fn code_pairs(word: u32, part: u32) -> vec2u {
    let bits = word >> ((part & 1u) * 4u);
    return vec2u(bits, bits >> 2u) & vec2u(0x03030303u);
}

// One bit a code; the block's four parts share a word.
fn code_bits(word: u32, part: u32) -> vec2u {
    let bits = word >> (part * 2u);
    return vec2u(bits, bits >> 1u) & vec2u(0x01010101u);
}

// Four bytes as numbers.
fn code_floats(word: u32) -> vec4f {
    return vec4f((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u));
}

// The f16 number that a row keeps as its `index`-th, from the word it shares with a neighbour.
fn scale_half(word: u32, index: u32) -> f32 {
    return unpack2x16float(word >> ((index & 1u) * 16u)).x;
}

// The signed byte that a row keeps as its `index`-th, from the word it shares with three neighbours.
fn scale_i8(word: u32, index: u32) -> f32 {
    return f32(bitcast<i32>(word << (24u - (index & 3u) * 8u)) >> 24u);
}

// IQ4's sixteen values, -127 to 113. A polynomial comes within 0.38 of each of them, so that rounding gives them
// exactly: a few multiply-adds where a table would be a load for every weight.
fn iq4_values(word: u32) -> vec4f {
    let c = code_floats(word) - 7.5;
    let p = ((((1.44791394e-4 * c + 1.08435767e-3) * c + 6.97852645e-2) * c - 0.113498156) * c + 11.6164499) * c;
    return floor(p - 3.917675);
}
