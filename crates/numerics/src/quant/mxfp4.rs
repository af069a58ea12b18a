//! MXFP4 (OCP's microscaling formats): 32 four-bit floats and one power of two.
//!
//! File block (17 bytes): an exponent byte (E8M0), 16 bytes whose low nibbles are weights 0..16 and high nibbles 16..32.
//! Device row: the codes, one vec4<u32> a block; the exponents, a byte a block.

use super::registers::Registers;
use super::shared::{nibbles, pack};
use super::spec::Spec;

const BLOCK_BYTES: usize = 17;

/// E2M1's numbers by code, doubled, so that they are whole.
const VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub const SPEC: Spec = Spec {
    name: "mxfp4",
    ggml_type: 39,
    block_len: 32,
    block_bytes: BLOCK_BYTES,
    halves: &[],
    wgsl: include_str!("../../../../shaders/quant/mxfp4.wgsl"),
    device_vec4s: |blocks| blocks + pack::bytes(blocks),
    repack: |src, dst| {
        let blocks = src.len() / BLOCK_BYTES;
        let [words, exponents] = pack::sections(dst, [blocks, pack::bytes(blocks)]);
        let mut codes = [0; 32];
        for (b, (block, words)) in src.chunks_exact(BLOCK_BYTES).zip(words.chunks_exact_mut(4)).enumerate() {
            nibbles(&block[1..], |code| code, &mut codes);
            pack::bits::<4>(&codes, 0, words);
            pack::set_byte(exponents, b, block[0]);
        }
    },
    quantize: None,
};

#[inline(always)]
pub fn codes(src: &[u8], codes: &mut [i8]) {
    for (block, codes) in src.chunks_exact(BLOCK_BYTES).zip(codes.chunks_exact_mut(32)) {
        nibbles(&block[1..], |code| VALUES[usize::from(code)], codes);
    }
}

#[inline(always)]
pub fn scales(src: &[u8], scales: &mut [f32], _: &mut [f32]) {
    for (block, to) in src.chunks_exact(BLOCK_BYTES).zip(scales) {
        *to = scale(block[0]);
    }
}

/// # Safety
/// As [`super::Codec::registers`].
#[inline(always)]
pub unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes {
    // SAFETY: as this function's.
    unsafe { R::lookup(row.add(BLOCK_BYTES * block + 1), &VALUES) }
}

/// 2^(exponent − 127), halved because the values are doubled; the two smallest are subnormal.
fn scale(exponent: u8) -> f32 {
    f32::from_bits(match exponent {
        0..2 => 0x0020_0000 << exponent,
        _ => u32::from(exponent - 1) << 23,
    })
}
