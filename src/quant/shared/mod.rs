//! What several formats have in common.

pub mod fit;
pub mod pack;
pub mod six_bit;

/// Weights of a super-block, the block of the formats whose names end in `_K` and of IQ4_XS.
pub const SUPER: usize = 256;

/// IQ4_NL's and IQ4_XS's values by code: dense where weights are, near zero.
pub const IQ4_VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The number of an f16 bit pattern at the start of `bytes`.
pub fn half_at(bytes: &[u8]) -> f32 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// The codes of 16 bytes: low nibbles are weights 0..16, high ones 16..32.
pub fn nibbles(bytes: &[u8], codes: &mut [u8]) {
    let (low, high) = codes.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}

/// The inverse of [`nibbles`]; only the low four bits of each code are kept.
pub fn to_nibbles(codes: &[u8]) -> [u8; 16] {
    std::array::from_fn(|i| codes[i] & 15 | codes[i + 16] << 4)
}

/// Four 2-bit codes a byte, as Q2_K and Q3_K keep them and Q6_K its high bits: of each 32 bytes the lowest pairs are
/// weights 0..32, the next 32..64, and so on.
pub fn pairs(bytes: &[u8], codes: &mut [u8]) {
    for (bytes, codes) in bytes.chunks_exact(32).zip(codes.chunks_exact_mut(128)) {
        for (j, codes) in codes.chunks_exact_mut(32).enumerate() {
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code = byte >> (2 * j) & 3;
            }
        }
    }
}
