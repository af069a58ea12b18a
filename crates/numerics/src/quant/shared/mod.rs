//! Pieces that several formats share.

pub mod fit;
pub mod pack;
pub mod six_bit;

/// Weights of a super-block, the block of the formats whose names end in `_K` and of IQ4_XS.
pub const SUPER: usize = 256;

/// IQ4_NL's and IQ4_XS's values by code: dense where weights are, near zero.
pub const IQ4_VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The number of an f16 bit pattern at the start of `bytes`.
#[inline(always)]
pub fn half_at(bytes: &[u8]) -> f32 {
    half_value(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// The number of an f16 bit pattern, without a branch: loops over it become vector code.
#[inline(always)]
pub fn half_value(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let magnitude = (bits & 0x7fff) << 13;
    // Read as f32 the exponent is 112 too small. The product mends that, and makes subnormals normal.
    let finite = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
    let infinite = magnitude | 0x7f80_0000;
    let value = if magnitude >= 0x7c00 << 13 { infinite } else { finite.to_bits() };
    f32::from_bits(value | (bits & 0x8000) << 16)
}

/// 16 bytes → the numbers of 32 nibbles: low ones are weights 0..16, high ones 16..32.
#[inline(always)]
pub fn nibbles<T>(bytes: &[u8], of: impl Fn(u8) -> T, to: &mut [T]) {
    // Arrays by value: the loops over them become vector code.
    let bytes: [u8; 16] = bytes[..16].try_into().expect("16 bytes");
    let (low, high) = to[..32].split_at_mut(16);
    for (to, nibbles) in [(low, bytes.map(|byte| byte & 15)), (high, bytes.map(|byte| byte >> 4))] {
        to.iter_mut().zip(nibbles).for_each(|(to, nibble)| *to = of(nibble));
    }
}

/// The inverse of [`nibbles`]; only the low four bits of each code are kept.
pub fn to_nibbles(codes: &[u8]) -> [u8; 16] {
    std::array::from_fn(|i| codes[i] & 15 | codes[i + 16] << 4)
}

/// Four 2-bit codes a byte, as Q2_K and Q3_K keep them and Q6_K its high bits: of each 32 bytes the lowest pairs are
/// weights 0..32, the next 32..64, and so on.
#[inline(always)]
pub fn pairs(bytes: &[u8], codes: &mut [u8]) {
    for (bytes, codes) in bytes.chunks_exact(32).zip(codes.chunks_exact_mut(128)) {
        for (j, codes) in codes.chunks_exact_mut(32).enumerate() {
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code = byte >> (2 * j) & 3;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::half_value;

    #[test]
    fn every_half() {
        for bits in 0..=u16::MAX {
            let (got, want) = (half_value(bits), half::f16::from_bits(bits).to_f32());
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{bits:#x}: {got} {want}");
        }
    }
}
