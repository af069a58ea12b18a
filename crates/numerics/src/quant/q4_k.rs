//! Q4_K: super-blocks of 256 four-bit codes; weight = d × scale × code − dmin × min, scale and min of six bits for 32
//! weights.
//!
//! File block (144 bytes): f16 d, f16 dmin, 12 bytes of scales and mins, 128 bytes of codes: of each 32 bytes the low
//! nibbles are 32 weights and the high ones the next 32.
//! Device row: codes, one vec4<u32> for 32 weights; scale and min, a byte each; the (d, dmin) pairs.

use super::registers::Registers;
use super::shared::{SUPER, fit, half_at, pack, six_bit};
use super::spec::Spec;

const BLOCK_BYTES: usize = 144;

pub const SPEC: Spec = Spec {
    name: "q4_k",
    ggml_type: 12,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[0, 2],
    wgsl: include_str!("../../../../shaders/quant/q4_k.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [words, scale_bytes, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        for (s, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(32)).enumerate() {
            for (codes, words) in four_bits(&block[16..]).chunks_exact(32).zip(words.chunks_exact_mut(4)) {
                pack::bits::<4>(codes, 0, words);
            }
            set_scales_and_mins(scale_bytes, s, &block[4..16]);
            ds[s] = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        }
    },
    quantize: Some(|src, dst| {
        for x in src.chunks_exact(SUPER) {
            let fit = fit::min_block(x, 15.0);
            dst.extend([fit.d.to_le_bytes(), fit.dmin.to_le_bytes()].concat());
            dst.extend(six_bit::pack(&fit.scales, &fit.mins));
            dst.extend(to_bytes(&fit.codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        codes.copy_from_slice(bytemuck::cast_slice(&four_bits(&block[16..])));
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], mins: &mut [f32]) {
    let parts = scales.chunks_exact_mut(8).zip(mins.chunks_exact_mut(8));
    for (block, (scales, mins)) in src.chunks_exact(BLOCK_BYTES).zip(parts) {
        scales_and_mins(block, scales, mins);
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe {
        let (at, j) = (row.add(block / 8 * BLOCK_BYTES), block % 8);
        R::fields(at.add(16 + j / 2 * 32), 4 * (j % 2) as u32, 15, 0)
    }
}

/// vec4<u32> of codes, scales and (d, dmin) for so many super-blocks.
fn sections(blocks: usize) -> [usize; 3] {
    [8 * blocks, blocks, pack::words(blocks)]
}

/// The low four bits of 256 codes, from 128 bytes.
#[inline(always)]
pub fn four_bits(bytes: &[u8]) -> [u8; SUPER] {
    let mut codes = [0; SUPER];
    for (bytes, codes) in bytes.chunks_exact(32).zip(codes.chunks_exact_mut(64)) {
        let (low, high) = codes.split_at_mut(32);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (byte & 15, byte >> 4);
        }
    }
    codes
}

/// The inverse of [`four_bits`].
pub fn to_bytes(codes: &[u8; SUPER]) -> [u8; SUPER / 2] {
    std::array::from_fn(|i| {
        let low = i / 32 * 64 + i % 32;
        codes[low] & 15 | codes[low + 32] << 4
    })
}

/// Q4_K's and Q5_K's scales and mins as bytes, in turn, for super-block `s`.
pub fn set_scales_and_mins(words: &mut [u32], s: usize, bytes: &[u8]) {
    let (scales, mins) = six_bit::unpack(bytes);
    for i in 0..8 {
        pack::set_byte(words, 16 * s + 2 * i, scales[i]);
        pack::set_byte(words, 16 * s + 2 * i + 1, mins[i]);
    }
}

/// Q4_K's and Q5_K's scales and mins: both begin with d, dmin and the six bits of each.
#[inline(always)]
pub fn scales_and_mins(block: &[u8], scales: &mut [f32], mins: &mut [f32]) {
    let (d, dmin) = (half_at(block), half_at(&block[2..]));
    let (six_scales, six_mins) = six_bit::unpack(&block[4..16]);
    for i in 0..8 {
        (scales[i], mins[i]) = (d * f32::from(six_scales[i]), dmin * f32::from(six_mins[i]));
    }
}
