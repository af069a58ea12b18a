// The two f16 numbers of a word, from their bits: WGSL lets a device take subnormal ones, as small scales are, for zero.
fn unpack_f16(word: u32) -> vec2f {
    let bits = vec2u(word, word >> 16u);
    let size = (bits & vec2u(0x7fffu)) << vec2u(13u);
    let exponent = size >> vec2u(23u);
    // f16's exponent is biased by 15, f32's by 127; that of infinities is the highest of either.
    let rebias = select(vec2u(112u << 23u), vec2u(224u << 23u), exponent == vec2u(31u));
    let subnormal = bitcast<vec2u>(vec2f(bits & vec2u(0x3ffu)) * 5.9604644775390625e-8); // 2^-24
    let number = select(size + rebias, subnormal, exponent == vec2u());
    return bitcast<vec2f>(number | ((bits & vec2u(0x8000u)) << vec2u(16u)));
}
