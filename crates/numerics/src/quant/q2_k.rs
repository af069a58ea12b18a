//! Q2_K: super-blocks of 256 two-bit codes; weight = d × scale × code − dmin × min, scale and min of four bits for 16
//! weights.
//!
//! File block (84 bytes): 16 bytes (scale below, min above), 64 bytes of codes, f16 d, f16 dmin.
//! Device row: codes, two words for 32 weights; those bytes; the (d, dmin) pairs.

use super::registers::Registers;
use super::shared::{SUPER, half_at, pack, pairs};
use super::spec::Spec;

const BLOCK_BYTES: usize = 84;

pub const SPEC: Spec = Spec {
    name: "q2_k",
    ggml_type: 10,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[80, 82],
    wgsl: include_str!("../../../../shaders/quant/q2_k.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [words, scales, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        let mut codes = [0; SUPER];
        for (s, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(16)).enumerate() {
            pairs(&block[16..80], &mut codes);
            for (codes, words) in codes.chunks_exact(32).zip(words.chunks_exact_mut(2)) {
                pack::bits::<2>(codes, 0, words);
            }
            block[..16].iter().enumerate().for_each(|(i, &byte)| pack::set_byte(scales, 16 * s + i, byte));
            ds[s] = u32::from_le_bytes([block[80], block[81], block[82], block[83]]);
        }
    },
    quantize: None,
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        pairs(&block[16..80], bytemuck::cast_slice_mut(codes));
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], mins: &mut [f32]) {
    let parts = scales.chunks_exact_mut(16).zip(mins.chunks_exact_mut(16));
    for (block, (scales, mins)) in src.chunks_exact(BLOCK_BYTES).zip(parts) {
        let (d, dmin) = (half_at(&block[80..]), half_at(&block[82..]));
        for ((scale, min), byte) in scales.iter_mut().zip(mins).zip(&block[..16]) {
            (*scale, *min) = (d * f32::from(byte & 15), dmin * f32::from(byte >> 4));
        }
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe {
        let (at, j) = (row.add(block / 8 * BLOCK_BYTES), block % 8);
        R::fields(at.add(16 + j / 4 * 32), 2 * (j % 4) as u32, 3, 0)
    }
}

/// vec4<u32> of codes, scales and (d, dmin) for so many super-blocks.
fn sections(blocks: usize) -> [usize; 3] {
    [4 * blocks, blocks, pack::words(blocks)]
}
