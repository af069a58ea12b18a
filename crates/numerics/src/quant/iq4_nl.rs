//! IQ4_NL: 32 four-bit codes and one f16 scale; weight = scale × value of the code, sixteen values spread unevenly.
//!
//! File block (18 bytes): f16 scale, 16 bytes whose low nibbles are weights 0..16 and high nibbles weights 16..32.
//! Device row: the codes, one vec4<u32> a block; the scales.

use super::q4_0::pack_nibbles_and_scale;
use super::registers::Registers;
use super::shared::{IQ4_VALUES, fit, half_at, nibbles, pack, to_nibbles};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 18;

pub const SPEC: Spec = Spec {
    name: "iq4_nl",
    ggml_type: 20,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0],
    wgsl: include_str!("../../../../shaders/quant/iq4_nl.wgsl"),
    device_vec4s: |blocks| blocks + pack::halves(blocks),
    repack: pack_nibbles_and_scale,
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            let scale = f16::from_f32(fit::scale(block, value(0), |x| value(nearest_code(x))));
            let inverse = if scale.to_f32() == 0.0 { 0.0 } else { 1.0 / scale.to_f32() };
            let codes: [u8; 32] = std::array::from_fn(|i| nearest_code(block[i] * inverse));
            dst.extend(scale.to_le_bytes());
            dst.extend(to_nibbles(&codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        nibbles(&block[2..], |code| IQ4_VALUES[usize::from(code)], codes);
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
    unsafe { R::lookup(row.add(BLOCK_BYTES * block + 2), &IQ4_VALUES) }
}

fn value(code: u8) -> f32 {
    f32::from(IQ4_VALUES[usize::from(code)])
}

/// The code whose value is nearest to `x`: as many as there are midpoints below it.
fn nearest_code(x: f32) -> u8 {
    (0..15).map(|code| u8::from(x > (value(code) + value(code + 1)) / 2.0)).sum()
}
