//! The layout of a format: sizes of its blocks, and how shaders read them.

use super::shared::pack;

/// Weights → file rows, appended to `dst`.
pub type Quantize = fn(src: &[f32], dst: &mut Vec<u8>);

/// One format.
pub struct Spec {
    /// The name people write: `f32`, `q4_0`.
    pub name: &'static str,
    /// The type number of GGUF's tensor table (ggml's `enum ggml_type`).
    pub ggml_type: u32,
    /// Weights in one file block.
    pub block_len: usize,
    /// Bytes of one file block.
    pub block_bytes: usize,
    /// Where in a file block the f16 numbers lie that its weights are multiples of, if it has such scales.
    pub halves: &'static [usize],
    /// `dequant` for this format.
    pub wgsl: &'static str,
    /// vec4<u32> of a device row of this many blocks of 32 weights.
    pub device_vec4s: fn(blocks: usize) -> usize,
    /// File row → device row; `dst` is zeroed and [`Format::device_row_words`](super::Format::device_row_words) long.
    pub repack: fn(src: &[u8], dst: &mut [u32]),
    /// `None` for formats that are only read.
    pub quantize: Option<Quantize>,
}

/// 16-bit floats, two a word, in the file's order.
pub fn repack_halves(src: &[u8], dst: &mut [u32]) {
    for (i, half) in src.chunks_exact(2).enumerate() {
        pack::set_half(dst, i, u16::from_le_bytes([half[0], half[1]]));
    }
}
