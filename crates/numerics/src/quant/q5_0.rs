//! Q5_0: 32 five-bit codes and one f16 scale; weight = scale × (code − 16).
//!
//! File block (22 bytes): f16 scale, u32 of the codes' fifth bits, 16 bytes whose low nibbles are weights 0..16 and high
//! nibbles 16..32. Device row: low bits, one vec4<u32> a block; fifth bits, one word a block; the scales.

use super::registers::Registers;
use super::shared::{half_at, nibbles, pack, to_nibbles};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 22;

pub const SPEC: Spec = Spec {
    name: "q5_0",
    ggml_type: 6,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0],
    wgsl: include_str!("../../../../shaders/quant/q5_0.wgsl"),
    device_vec4s: |blocks| blocks + pack::words(blocks) + pack::halves(blocks),
    repack: |src, dst| {
        let blocks = src.len() / BLOCK_BYTES;
        let [low, fifth, scales] = pack::sections(dst, [blocks, pack::words(blocks), pack::halves(blocks)]);
        for (b, (block, low)) in src.chunks_exact(BLOCK_BYTES).zip(low.chunks_exact_mut(4)).enumerate() {
            let codes = five_bits(&block[2..]);
            pack::bits::<4>(&codes, 0, low);
            pack::bits::<1>(&codes, 4, &mut fifth[b..=b]);
            pack::set_half(scales, b, u16::from_le_bytes([block[0], block[1]]));
        }
    },
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            // The weight of largest magnitude, with its sign, maps to code 0: scale × (0 − 16).
            let extreme = block.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
            let scale = extreme / -16.0;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            let codes: [u8; 32] = std::array::from_fn(|i| ((block[i] * inverse + 16.5) as u8).min(31));
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend(fifth_bits(&codes).to_le_bytes());
            dst.extend(to_nibbles(&codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        codes.iter_mut().zip(five_bits(&block[2..])).for_each(|(to, code)| *to = code as i8 - 16);
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
    unsafe {
        let at = row.add(BLOCK_BYTES * block + 2);
        R::offset(R::plus(R::nibbles(at.add(4)), R::flags(at.cast::<u32>().read_unaligned())), -16)
    }
}

/// Q5_0's and Q5_1's codes, from the fifth bits and the nibbles after them.
#[inline(always)]
pub fn five_bits(bytes: &[u8]) -> [u8; 32] {
    let fifth = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut codes = [0; 32];
    nibbles(&bytes[4..], |code| code, &mut codes);
    for (i, code) in codes.iter_mut().enumerate() {
        *code |= ((fifth >> i & 1) as u8) << 4;
    }
    codes
}

/// Bit `i` is the fifth bit of code `i`.
pub fn fifth_bits(codes: &[u8; 32]) -> u32 {
    codes.iter().enumerate().map(|(i, code)| u32::from(code >> 4 & 1) << i).sum()
}
