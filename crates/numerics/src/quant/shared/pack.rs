//! Rows of the device layout. `shaders/shared/codes.wgsl` takes apart what is put together here.

/// vec4<u32> that hold this many numbers of 8, 16 or 32 bits.
pub const fn bytes(n: usize) -> usize {
    n.div_ceil(16)
}

pub const fn halves(n: usize) -> usize {
    n.div_ceil(8)
}

pub const fn words(n: usize) -> usize {
    n.div_ceil(4)
}

/// `N` bits, from bit `from` on, of the codes of 32 weights, into `N` words. Byte `j` of a part's word has the weights
/// `j` and `j + 4` of the part's eight side by side, so that two masks give two words of four bytes each.
pub fn bits<const N: usize>(codes: &[u8], from: u32, words: &mut [u32]) {
    let mask = u32::from_le_bytes([(1 << N) - 1; 4]);
    let four = |codes: &[u8]| u32::from_le_bytes([codes[0], codes[1], codes[2], codes[3]]) >> from & mask;
    for (part, codes) in codes.chunks_exact(8).enumerate() {
        let bytes = four(codes) | four(&codes[4..]) << N;
        words[part * N / 4] |= bytes << (2 * N * (part % (4 / N)));
    }
}

/// Puts the `index`-th 16-bit number of a section, low half first, as WGSL's `unpack2x16float` reads it.
pub fn set_half(words: &mut [u32], index: usize, bits: u16) {
    words[index / 2] |= u32::from(bits) << (16 * (index % 2));
}

/// Puts the `index`-th byte of a section.
pub fn set_byte(words: &mut [u32], index: usize, byte: u8) {
    words[index / 4] |= u32::from(byte) << (8 * (index % 4));
}

/// Cuts a row into its sections of so many vec4<u32>, in order.
pub fn sections<const N: usize>(mut row: &mut [u32], vec4s: [usize; N]) -> [&mut [u32]; N] {
    vec4s.map(|n| {
        let (section, rest) = std::mem::take(&mut row).split_at_mut(4 * n);
        row = rest;
        section
    })
}
