//! Q4_0: 32 four-bit codes and one f16 scale; weight = scale × (code − 8).
//!
//! File block (18 bytes): f16 scale, 16 bytes whose low nibbles are weights 0..16 and high nibbles weights 16..32.
//! Device row: the codes, one vec4<u32> a block; the scales.

use super::registers::Registers;
use super::shared::{half_at, nibbles, pack, to_nibbles};
use super::spec::Spec;
use half::f16;

const BLOCK_BYTES: usize = 18;

pub const SPEC: Spec = Spec {
    name: "q4_0",
    ggml_type: 2,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[0],
    wgsl: include_str!("../../../../shaders/quant/q4_0.wgsl"),
    device_vec4s: |blocks| blocks + pack::halves(blocks),
    repack: pack_nibbles_and_scale,
    quantize: Some(|src, dst| {
        for block in src.chunks_exact(32) {
            // The weight of largest magnitude, with its sign, maps to code 0: scale × (0 − 8).
            let extreme = block.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
            let scale = extreme / -8.0;
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            let codes: [u8; 32] = std::array::from_fn(|i| ((block[i] * inverse + 8.5) as i8).min(15) as u8);
            dst.extend(f16::from_f32(scale).to_le_bytes());
            dst.extend(to_nibbles(&codes));
        }
    }),
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        nibbles(&block[2..], |code| code as i8 - 8, codes);
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
    unsafe { R::offset(R::nibbles(row.add(BLOCK_BYTES * block + 2)), -8) }
}

/// Q4_0's and IQ4_NL's blocks → codes, one vec4<u32> a block; scales.
pub fn pack_nibbles_and_scale(src: &[u8], dst: &mut [u32]) {
    let blocks = src.len() / BLOCK_BYTES;
    let [words, scales] = pack::sections(dst, [blocks, pack::halves(blocks)]);
    let mut codes = [0; 32];
    for (b, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(4)).enumerate() {
        nibbles(&block[2..], |code| code, &mut codes);
        pack::bits::<4>(&codes, 0, words);
        pack::set_half(scales, b, u16::from_le_bytes([block[0], block[1]]));
    }
}
