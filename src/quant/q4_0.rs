//! Q4_0: 32 four-bit codes and one f16 scale; weight = scale × (code − 8).
//!
//! File block (18 bytes): f16 scale, 16 bytes whose low nibbles are weights 0..16 and high nibbles weights 16..32.
//! Device block: those 16 bytes as one vec4<u32>; the scales follow the row's codes.

use super::{Spec, set_half, u16_at};
use half::f16;

const BLOCK_BYTES: usize = 18;

pub const SPEC: Spec = Spec {
    name: "q4_0",
    ggml_type: 2,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    wgsl: include_str!("../../shaders/quant/q4_0.wgsl"),
    code_vec4s: 1,
    scales: true,
    repack: |src, dst| {
        let (codes, scales) = dst.split_at_mut(src.len() / BLOCK_BYTES * 4);
        for (b, (block, codes)) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(4)).enumerate() {
            set_half(scales, b, u16_at(block));
            for (word, bytes) in codes.iter_mut().zip(block[2..].chunks_exact(4)) {
                *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
    },
    dequantize: |src, dst| {
        for (block, dst) in src.chunks_exact(BLOCK_BYTES).zip(dst.chunks_exact_mut(32)) {
            let scale = f16::from_bits(u16_at(block)).to_f32();
            let (low, high) = dst.split_at_mut(16);
            for ((low, high), &code) in low.iter_mut().zip(high).zip(&block[2..]) {
                *low = scale * (f32::from(code & 15) - 8.0);
                *high = scale * (f32::from(code >> 4) - 8.0);
            }
        }
    },
    quantize: |src, dst| {
        for block in src.chunks_exact(32) {
            // The weight of largest magnitude, with its sign, maps to code 0: scale × (0 − 8).
            let extreme = block.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
            let scale = extreme / -8.0;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            let code = |x: f32| ((x * inverse + 8.5) as i8).min(15) as u8;
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend((0..16).map(|i| code(block[i]) | code(block[i + 16]) << 4));
        }
    },
};
