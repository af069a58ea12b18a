// The two f16 numbers of a word.
fn unpack_f16(word: u32) -> vec2f { return unpack2x16float(word); }
