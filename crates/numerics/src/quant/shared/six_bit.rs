//! The twelve bytes in which Q4_K and Q5_K keep eight scales and eight mins of six bits.
//!
//! Bytes 0..4 have scales 0..4 in their low six bits, bytes 4..8 the mins 0..4. Of scales and mins 4..8 the low four
//! bits are in bytes 8..12 (scale below, min above), the high two on top of bytes 0..4 and 4..8.

/// (scales, mins).
#[inline(always)]
pub fn unpack(bytes: &[u8]) -> ([u8; 8], [u8; 8]) {
    let value = |group: &[u8], i: usize, low: u8| match i {
        0..4 => group[i] & 63,
        _ => low | group[i - 4] >> 6 << 4,
    };
    let scales = std::array::from_fn(|i| value(&bytes[..4], i, bytes[8 + i % 4] & 15));
    let mins = std::array::from_fn(|i| value(&bytes[4..8], i, bytes[8 + i % 4] >> 4));
    (scales, mins)
}

/// The inverse of [`unpack`].
pub fn pack(scales: &[u8; 8], mins: &[u8; 8]) -> [u8; 12] {
    std::array::from_fn(|i| match i {
        0..4 => scales[i] | scales[i + 4] >> 4 << 6,
        4..8 => mins[i - 4] | mins[i] >> 4 << 6,
        _ => scales[i - 4] & 15 | mins[i - 4] << 4,
    })
}
