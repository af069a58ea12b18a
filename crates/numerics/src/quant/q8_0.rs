//! Q8_0: 32 signed bytes and one f16 scale; weight = scale × code.
//!
//! File block (34 bytes): f16 scale, 32 × i8. Device row: two vec4<u32> of codes a block; the scales.

use super::registers::Registers;
use super::shared::{half_at, pack};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 34;

pub const SPEC: Spec = Spec {
    name: "q8_0",
    ggml_type: 8,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0],
    wgsl: include_str!("../../../../shaders/quant/q8_0.wgsl"),
    device_vec4s: |blocks| 2 * blocks + pack::halves(blocks),
    repack: |src, dst| {
        let blocks = src.len() / BLOCK_BYTES;
        let [codes, scales] = pack::sections(dst, [2 * blocks, pack::halves(blocks)]);
        for (b, (block, codes)) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(8)).enumerate() {
            pack::set_half(scales, b, u16::from_le_bytes([block[0], block[1]]));
            for (word, bytes) in codes.iter_mut().zip(block[2..].chunks_exact(4)) {
                *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
    },
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            let max = block.iter().fold(0f32, |max, x| max.max(x.abs()));
            let scale = max / 127.0;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        codes.copy_from_slice(bytemuck::cast_slice(&block[2..]));
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], _: &mut [f32]) {
    for (block, scale) in src.chunks_exact(BLOCK_BYTES).zip(scales) {
        *scale = half_at(block);
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe { R::bytes(row.add(BLOCK_BYTES * block + 2)) }
}
