//! Q3_K: super-blocks of 256 three-bit codes; weight = d × scale × (code − 4), a signed scale of six bits for 16 weights.
//!
//! File block (110 bytes): 32 bytes of the codes' third bits, 64 bytes of their low bits, 12 bytes of scales, f16 d.
//! Device row: low bits, two words for 32 weights; third bits, one word; scales, a byte for 16 weights; the d.

use super::registers::Registers;
use super::shared::{SUPER, half_at, pack, pairs};
use super::spec::Spec;

const BLOCK_BYTES: usize = 110;

pub const SPEC: Spec = Spec {
    name: "q3_k",
    ggml_type: 11,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[108],
    wgsl: include_str!("../../../../shaders/quant/q3_k.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [low, third, scale_bytes, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        for (s, block) in src.chunks_exact(BLOCK_BYTES).enumerate() {
            let (low, third) = (&mut low[16 * s..], &mut third[8 * s..]);
            for (i, codes) in codes_of(block).chunks_exact(32).enumerate() {
                pack::bits::<2>(codes, 0, &mut low[2 * i..]);
                pack::bits::<1>(codes, 2, &mut third[i..]);
            }
            for (i, scale) in scales_of(&block[96..108]).into_iter().enumerate() {
                pack::set_byte(scale_bytes, 16 * s + i, scale as u8);
            }
            pack::set_half(ds, s, u16::from_le_bytes([block[108], block[109]]));
        }
    },
    quantize: None,
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        codes.iter_mut().zip(codes_of(block)).for_each(|(to, code)| *to = code as i8 - 4);
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], _: &mut [f32]) {
    for (block, scales) in src.chunks_exact(BLOCK_BYTES).zip(scales.chunks_exact_mut(16)) {
        let d = half_at(&block[108..]);
        scales.iter_mut().zip(scales_of(&block[96..108])).for_each(|(to, scale)| *to = d * f32::from(scale));
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe {
        let (at, j) = (row.add(block / 8 * BLOCK_BYTES), block % 8);
        let low = R::fields(at.add(32 + j / 4 * 32), 2 * (j % 4) as u32, 3, 0);
        R::offset(R::plus(low, R::fields(at, j as u32, 1, 2)), -4)
    }
}

/// vec4<u32> of low bits, third bits, scales and d for so many super-blocks.
fn sections(blocks: usize) -> [usize; 4] {
    [4 * blocks, 2 * blocks, blocks, pack::halves(blocks)]
}

/// The third bits of weights `32 i..32 (i + 1)` are the bits `i` of the first 32 bytes.
#[inline(always)]
fn codes_of(block: &[u8]) -> [u8; SUPER] {
    let mut codes = [0; SUPER];
    pairs(&block[32..96], &mut codes);
    for (i, codes) in codes.chunks_exact_mut(32).enumerate() {
        for (code, third) in codes.iter_mut().zip(&block[..32]) {
            *code |= (third >> i & 1) << 2;
        }
    }
    codes
}

/// Sixteen scales: the low four bits in bytes 0..8 (scales 8.. above), the high two in bytes 8..12, four a byte.
#[inline(always)]
fn scales_of(bytes: &[u8]) -> [i8; 16] {
    std::array::from_fn(|i| {
        let low = bytes[i % 8] >> (4 * (i / 8)) & 15;
        let high = bytes[8 + i % 4] >> (2 * (i / 4)) & 3;
        (low | high << 4) as i8 - 32
    })
}
