//! Q5_1: 32 five-bit codes, f16 scale and min; weight = scale × code + min.
//!
//! File block (24 bytes): f16 scale, f16 min, u32 of the codes' fifth bits, 16 bytes whose low nibbles are weights 0..16
//! and high nibbles 16..32. Device row: low bits, one vec4<u32> a block; fifth bits, one word a block; the (scale, min)
//! pairs.

use super::q4_1::scale_min_codes;
use super::q5_0::{fifth_bits, five_bits};
use super::registers::Registers;
use super::shared::{half_at, pack, to_nibbles};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 24;

pub const SPEC: Spec = Spec {
    name: "q5_1",
    ggml_type: 7,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0, 2],
    wgsl: include_str!("../../../../shaders/quant/q5_1.wgsl"),
    device_vec4s: |blocks| blocks + 2 * pack::words(blocks),
    repack: |src, dst| {
        let blocks = src.len() / BLOCK_BYTES;
        let [low, fifth, pairs] = pack::sections(dst, [blocks, pack::words(blocks), pack::words(blocks)]);
        for (b, (block, low)) in src.chunks_exact(BLOCK_BYTES).zip(low.chunks_exact_mut(4)).enumerate() {
            let codes = five_bits(&block[4..]);
            pack::bits::<4>(&codes, 0, low);
            pack::bits::<1>(&codes, 4, &mut fifth[b..=b]);
            pairs[b] = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        }
    },
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            let (scale, min, codes) = scale_min_codes(block, 31);
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend(f16::from_f32(min).to_le_bytes());
            dst.extend(fifth_bits(&codes).to_le_bytes());
            dst.extend(to_nibbles(&codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        codes.iter_mut().zip(five_bits(&block[4..])).for_each(|(to, code)| *to = code as i8);
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], mins: &mut [f32]) {
    for (block, (scale, min)) in src.chunks_exact(BLOCK_BYTES).zip(scales.iter_mut().zip(mins)) {
        (*scale, *min) = (half_at(block), -half_at(&block[2..]));
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe {
        let at = row.add(BLOCK_BYTES * block + 4);
        R::plus(R::nibbles(at.add(4)), R::flags(at.cast::<u32>().read_unaligned()))
    }
}
