//! F32: IEEE single precision. A device block of 32 is eight vec4.

use super::spec::Spec;

pub const SPEC: Spec = Spec {
    name: "f32",
    ggml_type: 0,
    block_len: 1,
    block_bytes: 4,
    halves: &[],
    wgsl: include_str!("../../../../shaders/quant/f32.wgsl"),
    device_vec4s: |blocks| 8 * blocks,
    repack: |src, dst| {
        for (src, dst) in src.chunks_exact(4).zip(dst) {
            *dst = u32::from_le_bytes([src[0], src[1], src[2], src[3]]);
        }
    },
    quantize: Some(|src, dst| dst.extend(src.iter().flat_map(|x| x.to_le_bytes()))),
};

#[inline(always)]
pub fn dequantize(src: &[u8], dst: &mut [f32]) {
    for (src, dst) in src.chunks_exact(4).zip(dst) {
        *dst = f32::from_le_bytes([src[0], src[1], src[2], src[3]]);
    }
}
