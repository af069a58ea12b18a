// Taking apart what crates/numerics/src/quant/shared/pack.rs puts together. The 32 codes of a block come as eight words of four bytes,
// in order.

// Four bits a code; two vec4 of weights share a word.
fn codes_of_4(words: vec4u) -> array<u32, 8> {
    let even = words & vec4u(0x0f0f0f0fu);
    let odd = (words >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
    return array(even.x, odd.x, even.y, odd.y, even.z, odd.z, even.w, odd.w);
}

// Two bits a code; four vec4 of weights share a word.
fn codes_of_2(words: vec2u) -> array<u32, 8> {
    let first = (vec4u(words.x) >> vec4u(0u, 2u, 4u, 6u)) & vec4u(0x03030303u);
    let second = (vec4u(words.y) >> vec4u(0u, 2u, 4u, 6u)) & vec4u(0x03030303u);
    return array(first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w);
}

// One bit a code; the whole block shares a word.
fn codes_of_1(word: u32) -> array<u32, 8> {
    let first = (vec4u(word) >> vec4u(0u, 1u, 2u, 3u)) & vec4u(0x01010101u);
    let second = (vec4u(word) >> vec4u(4u, 5u, 6u, 7u)) & vec4u(0x01010101u);
    return array(first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w);
}

// Codes whose higher bits are kept apart from their lower ones.
fn joined(low: array<u32, 8>, high: array<u32, 8>, shift: u32) -> array<u32, 8> {
    return array(
        low[0] | (high[0] << shift), low[1] | (high[1] << shift), low[2] | (high[2] << shift), low[3] | (high[3] << shift),
        low[4] | (high[4] << shift), low[5] | (high[5] << shift), low[6] | (high[6] << shift), low[7] | (high[7] << shift),
    );
}

// Four bytes as numbers.
fn code_floats(word: u32) -> vec4f {
    return vec4f((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u));
}

// The f16 number that a row keeps as its `index`-th, from the word it shares with a neighbour.
fn scale_half(word: u32, index: u32) -> f32 {
    return unpack_f16(word >> ((index & 1u) * 16u)).x;
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

fn iq4_scaled(codes: array<u32, 8>, scale: f32) -> Weights {
    return scaled(array(
        iq4_values(codes[0]), iq4_values(codes[1]), iq4_values(codes[2]), iq4_values(codes[3]),
        iq4_values(codes[4]), iq4_values(codes[5]), iq4_values(codes[6]), iq4_values(codes[7]),
    ), scale);
}
