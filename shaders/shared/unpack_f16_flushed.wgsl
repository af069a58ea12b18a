// For tests: the two f16 numbers of a word on a device that takes subnormal ones for zero.
fn unpack_f16(word: u32) -> vec2f {
    let numbers = unpack2x16float(word);
    return select(numbers, vec2f(), abs(numbers) < vec2f(6.103515625e-5)); // 2^-14
}
