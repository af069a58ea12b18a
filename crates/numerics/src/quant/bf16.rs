//! BF16: 16-bit floats. A device block of 32 is four vec4<u32>, two weights a word.

use super::spec::{Spec, repack_halves};
use half::bf16 as Half;

pub const SPEC: Spec = Spec {
    name: "bf16",
    ggml_type: 30,
    block_len: 1,
    block_bytes: 2,
    halves: &[],
    wgsl: include_str!("../../../../shaders/quant/bf16.wgsl"),
    device_vec4s: |blocks| 4 * blocks,
    repack: repack_halves,
    quantize: Some(|src, dst| dst.extend(src.iter().flat_map(|&x| Half::from_f32(x).to_le_bytes()))),
};

#[inline(always)]
pub fn dequantize(src: &[u8], dst: &mut [f32]) {
    for (src, dst) in src.chunks_exact(2).zip(dst) {
        *dst = f32::from_bits(u32::from(u16::from_le_bytes([src[0], src[1]])) << 16);
    }
}
