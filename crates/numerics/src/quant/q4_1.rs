//! Q4_1: 32 four-bit codes, f16 scale and min; weight = scale × code + min.
//!
//! File block (20 bytes): f16 scale, f16 min, 16 bytes whose low nibbles are weights 0..16 and high nibbles 16..32.
//! Device row: the codes, one vec4<u32> a block; the (scale, min) pairs.

use super::registers::Registers;
use super::shared::{half_at, nibbles, pack, to_nibbles};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 20;

pub const SPEC: Spec = Spec {
    name: "q4_1",
    ggml_type: 3,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0, 2],
    wgsl: include_str!("../../../../shaders/quant/q4_1.wgsl"),
    device_vec4s: |blocks| blocks + pack::words(blocks),
    repack: |src, dst| {
        let blocks = src.len() / BLOCK_BYTES;
        let [words, pairs] = pack::sections(dst, [blocks, pack::words(blocks)]);
        let mut codes = [0; 32];
        for (b, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(4)).enumerate() {
            nibbles(&block[4..], |code| code, &mut codes);
            pack::bits::<4>(&codes, 0, words);
            pairs[b] = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        }
    },
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            let (scale, min, codes) = scale_min_codes(block, 15);
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend(f16::from_f32(min).to_le_bytes());
            dst.extend(to_nibbles(&codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        nibbles(&block[4..], |code| code as i8, codes);
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
    unsafe { R::nibbles(row.add(BLOCK_BYTES * block + 4)) }
}

/// Lays the range of a block over the codes from 0 to `most`, as ggml's Q4_1 and Q5_1 do: (scale, min, codes).
pub fn scale_min_codes(block: &[f32], most: u8) -> (f32, f32, [u8; 32]) {
    let (min, max) = block.iter().fold((f32::MAX, f32::MIN), |(min, max), &x| (x.min(min), x.max(max)));
    let scale = (max - min) / f32::from(most);
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    (scale, min, std::array::from_fn(|i| (((block[i] - min) * inverse + 0.5) as u8).min(most)))
}
