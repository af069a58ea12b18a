//! Q5_K: super-blocks of 256 five-bit codes; weight = d × scale × code − dmin × min, scale and min of six bits for 32
//! weights.
//!
//! File block (176 bytes): as Q4_K's, with 32 bytes of the codes' fifth bits before the 128 of their low bits.
//! Device row: low bits, one vec4<u32> for 32 weights; fifth bits, one word; scale and min, a byte each; (d, dmin) pairs.

use super::q4_k::{scales_and_mins, set_scales_and_mins, to_bytes};
use super::registers::Registers;
use super::shared::{SUPER, fit, pack, six_bit};
use super::spec::Spec;

const BLOCK_BYTES: usize = 176;

pub const SPEC: Spec = Spec {
    name: "q5_k",
    ggml_type: 13,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[0, 2],
    wgsl: include_str!("../../../../shaders/quant/q5_k.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [low, fifth, scale_bytes, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        for (s, block) in src.chunks_exact(BLOCK_BYTES).enumerate() {
            let (low, fifth) = (&mut low[32 * s..], &mut fifth[8 * s..]);
            for (i, codes) in five_bits(&block[16..]).chunks_exact(32).enumerate() {
                pack::bits::<4>(codes, 0, &mut low[4 * i..]);
                pack::bits::<1>(codes, 4, &mut fifth[i..]);
            }
            set_scales_and_mins(scale_bytes, s, &block[4..16]);
            ds[s] = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        }
    },
    quantize: Some(|src, dst| {
        for x in src.chunks_exact(SUPER) {
            let fit = fit::min_block(x, 31.0);
            dst.extend([fit.d.to_le_bytes(), fit.dmin.to_le_bytes()].concat());
            dst.extend(six_bit::pack(&fit.scales, &fit.mins));
            dst.extend(fifth_bits(&fit.codes));
            dst.extend(to_bytes(&fit.codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        codes.copy_from_slice(bytemuck::cast_slice(&five_bits(&block[16..])));
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
        let low = R::fields(at.add(48 + j / 2 * 32), 4 * (j % 2) as u32, 15, 0);
        R::plus(low, R::fields(at.add(16), j as u32, 1, 4))
    }
}

/// vec4<u32> of low bits, fifth bits, scales and (d, dmin) for so many super-blocks.
fn sections(blocks: usize) -> [usize; 4] {
    [8 * blocks, 2 * blocks, blocks, pack::words(blocks)]
}

/// The fifth bits of weights `32 i..32 (i + 1)` are the bits `i` of the first 32 bytes.
#[inline(always)]
fn five_bits(bytes: &[u8]) -> [u8; SUPER] {
    let mut codes = super::q4_k::four_bits(&bytes[32..]);
    for (i, codes) in codes.chunks_exact_mut(32).enumerate() {
        for (code, fifth) in codes.iter_mut().zip(&bytes[..32]) {
            *code |= (fifth >> i & 1) << 4;
        }
    }
    codes
}

fn fifth_bits(codes: &[u8; SUPER]) -> [u8; 32] {
    std::array::from_fn(|j| (0..8).map(|i| (codes[32 * i + j] >> 4 & 1) << i).sum())
}
