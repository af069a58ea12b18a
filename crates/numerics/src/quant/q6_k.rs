//! Q6_K: super-blocks of 256 six-bit codes; weight = d × scale × (code − 32), a signed byte of scale for 16 weights.
//!
//! File block (210 bytes): 128 bytes of the codes' low bits, 64 of their high bits, 16 scales, f16 d. Of each 64 bytes
//! of low bits the low nibbles are 64 weights and the high ones the next 64.
//! Device row: low bits, one vec4<u32> for 32 weights; high bits, two words; scales, a byte for 16 weights; the d.

use super::registers::Registers;
use super::shared::{SUPER, fit, half_at, pack, pairs};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 210;

pub const SPEC: Spec = Spec {
    name: "q6_k",
    ggml_type: 14,
    block_len: SUPER,
    block_bytes: BLOCK_BYTES,
    halves: &[208],
    wgsl: include_str!("../../../../shaders/quant/q6_k.wgsl"),
    device_vec4s: |blocks| sections(blocks.div_ceil(8)).iter().sum(),
    repack: |src, dst| {
        let [low, high, scales, ds] = pack::sections(dst, sections(src.len() / BLOCK_BYTES));
        for (s, block) in src.chunks_exact(BLOCK_BYTES).enumerate() {
            let (low, high) = (&mut low[32 * s..], &mut high[16 * s..]);
            for (i, codes) in six_bits(block).chunks_exact(32).enumerate() {
                pack::bits::<4>(codes, 0, &mut low[4 * i..]);
                pack::bits::<2>(codes, 4, &mut high[2 * i..]);
            }
            block[192..208].iter().enumerate().for_each(|(i, &scale)| pack::set_byte(scales, 16 * s + i, scale));
            pack::set_half(ds, s, u16::from_le_bytes([block[208], block[209]]));
        }
    },
    quantize: Some(|src, dst| src.chunks_exact(SUPER).for_each(|x| quantize(x, dst))),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(SUPER)) {
        codes.iter_mut().zip(six_bits(block)).for_each(|(to, code)| *to = code as i8 - 32);
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], _: &mut [f32]) {
    for (block, scales) in src.chunks_exact(BLOCK_BYTES).zip(scales.chunks_exact_mut(16)) {
        let d = half_at(&block[208..]);
        scales.iter_mut().zip(&block[192..208]).for_each(|(to, &scale)| *to = d * f32::from(scale as i8));
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe {
        let (at, half, j) = (row.add(block / 8 * BLOCK_BYTES), block % 8 / 4, block % 4);
        let low = R::fields(at.add(64 * half + j % 2 * 32), 4 * (j / 2) as u32, 15, 0);
        R::offset(R::plus(low, R::fields(at.add(128 + 32 * half), 2 * j as u32, 3, 4)), -32)
    }
}

/// vec4<u32> of low bits, high bits, scales and d for so many super-blocks.
fn sections(blocks: usize) -> [usize; 4] {
    [8 * blocks, 4 * blocks, blocks, pack::halves(blocks)]
}

#[inline(always)]
fn six_bits(block: &[u8]) -> [u8; SUPER] {
    let mut codes = [0; SUPER];
    pairs(&block[128..192], &mut codes);
    for (low, codes) in block[..128].chunks_exact(64).zip(codes.chunks_exact_mut(128)) {
        let (first, second) = codes.split_at_mut(64);
        for ((first, second), low) in first.iter_mut().zip(second).zip(low) {
            *first = low & 15 | *first << 4;
            *second = low >> 4 | *second << 4;
        }
    }
    codes
}

fn quantize(x: &[f32], dst: &mut Vec<u8>) {
    let mut fits = [0f32; 16];
    for (fit, x) in fits.iter_mut().zip(x.chunks_exact(16)) {
        *fit = fit::scale(x, -32.0, |x| fit::nearest(x).clamp(-32.0, 31.0));
    }
    // The scale of largest magnitude, with its sign, becomes -128.
    let largest = fits.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
    let half = f16::from_f32(largest / -128.0);
    let d = half.to_f32();
    let scales = fits.map(|fit| if d == 0.0 { 0 } else { fit::nearest(fit / d).clamp(-128.0, 127.0) as i8 });
    let mut codes = [0u8; SUPER];
    for ((codes, x), &scale) in codes.chunks_exact_mut(16).zip(x.chunks_exact(16)).zip(&scales) {
        let inverse = if scale == 0 { 0.0 } else { 1.0 / (d * f32::from(scale)) };
        for (code, x) in codes.iter_mut().zip(x) {
            *code = (fit::nearest(x * inverse).clamp(-32.0, 31.0) + 32.0) as u8;
        }
    }
    dst.extend((0..128).map(|i| {
        let low = i / 64 * 128 + i % 64;
        codes[low] & 15 | codes[low + 64] << 4
    }));
    dst.extend((0..64).map(|i| {
        let first = i / 32 * 128 + i % 32;
        (0..4).map(|j| codes[first + 32 * j] >> 4 << (2 * j)).sum::<u8>()
    }));
    dst.extend(scales.map(|scale| scale as u8));
    dst.extend(half.to_le_bytes());
}
