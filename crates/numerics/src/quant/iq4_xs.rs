//! IQ4_XS: super-blocks of 256 four-bit codes; weight = d × scale × value of the code, sixteen values spread unevenly, a
//! signed scale of six bits for 32 weights.
//!
//! File block (136 bytes): f16 d, u16 of the scales' high bits, 4 bytes of their low bits, 128 bytes of codes: of each
//! 16 bytes the low nibbles are 16 weights and the high ones the next 16.
//! Device row: codes, one vec4<u32> for 32 weights; scales, a byte for 32 weights; the d.

use super::registers::Registers;
use super::shared::{IQ4_VALUES, SUPER, half_at, nibbles, pack};
use super::spec::Spec;

const BLOCK_BYTES: usize = 136;

pub const SPEC: Spec = Spec {
    name: "iq4_xs",
    ggml_type: 23,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[0],
    wgsl: include_str!("../../../../shaders/quant/iq4_xs.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [words, scale_bytes, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        let mut codes = [0; 32];
        for (s, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(32)).enumerate() {
            for (bytes, words) in block[8..].chunks_exact(16).zip(words.chunks_exact_mut(4)) {
                nibbles(bytes, |code| code, &mut codes);
                pack::bits::<4>(&codes, 0, words);
            }
            for (i, scale) in scales_of(block).into_iter().enumerate() {
                pack::set_byte(scale_bytes, 8 * s + i, scale as u8);
            }
            pack::set_half(ds, s, u16::from_le_bytes([block[0], block[1]]));
        }
    },
    quantize: None,
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        for (bytes, codes) in block[8..].chunks_exact(16).zip(codes.chunks_exact_mut(32)) {
            nibbles(bytes, |code| IQ4_VALUES[usize::from(code)], codes);
        }
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], _: &mut [f32]) {
    for (block, scales) in src.chunks_exact(BLOCK_BYTES).zip(scales.chunks_exact_mut(8)) {
        let d = half_at(block);
        scales.iter_mut().zip(scales_of(block)).for_each(|(to, scale)| *to = d * f32::from(scale));
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe { R::lookup(row.add(block / 8 * BLOCK_BYTES + 8 + block % 8 * 16), &IQ4_VALUES) }
}

/// vec4<u32> of codes, scales and d for so many super-blocks.
fn sections(blocks: usize) -> [usize; 3] {
    [8 * blocks, pack::bytes(8 * blocks), pack::halves(blocks)]
}

#[inline(always)]
fn scales_of(block: &[u8]) -> [i8; 8] {
    let high = u16::from_le_bytes([block[2], block[3]]);
    std::array::from_fn(|i| {
        let low = block[4 + i / 2] >> (4 * (i % 2)) & 15;
        (low | ((high >> (2 * i) & 3) as u8) << 4) as i8 - 32
    })
}
