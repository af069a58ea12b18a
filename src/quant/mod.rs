//! Weight formats. One file a format: block layout, device layout, dequantise.
//!
//! In a *file* a row is a sequence of the format's own blocks (GGUF's layout), which the CPU executor keeps. On the
//! *device* every format is read as blocks of 32 weights in four parts of eight, through one WGSL function:
//!
//! ```wgsl
//! // `row`: where the row begins, in vec4<u32>; `blocks`: 32-weight blocks a row.
//! fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2>
//! ```
//!
//! A row of the device layout is self-contained (the codes of all its blocks, then its scales, padded to 16 bytes), so
//! rows can be streamed to the device and split over bindings.

mod bf16;
mod f16;
mod f32;
mod q4_0;
mod q8_0;

/// What a format's file says about it.
pub struct Spec {
    /// The name people write: `f32`, `q4_0`.
    pub name: &'static str,
    /// The type number of GGUF's tensor table (ggml's `enum ggml_type`).
    pub ggml_type: u32,
    /// Weights in one file block.
    pub block_len: usize,
    /// Bytes of one file block.
    pub block_bytes: usize,
    /// `dequant` for this format.
    pub wgsl: &'static str,
    /// vec4<u32> words of codes in one device block of 32 weights.
    pub code_vec4s: usize,
    /// Whether an f16 scale per device block follows the codes.
    pub scales: bool,
    /// File row → device row; `dst` is zeroed and [`Format::device_row_words`] long.
    pub repack: fn(src: &[u8], dst: &mut [u32]),
    /// File row → weights.
    pub dequantize: fn(src: &[u8], dst: &mut [::core::primitive::f32]),
    /// Weights → file row, rounding as ggml's reference does.
    pub quantize: fn(src: &[::core::primitive::f32], dst: &mut Vec<u8>),
}

macro_rules! formats {
    ($($variant:ident => $module:ident),* $(,)?) => {
        /// How the numbers of a tensor are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types)]
        pub enum Format { $($variant),* }

        impl Format {
            pub const ALL: &'static [Format] = &[$(Format::$variant),*];

            pub fn spec(self) -> &'static Spec {
                match self { $(Format::$variant => &$module::SPEC),* }
            }
        }
    };
}

formats! {
    F32 => f32,
    F16 => f16,
    BF16 => bf16,
    Q8_0 => q8_0,
    Q4_0 => q4_0,
}

/// Weights in a device block, whatever the format.
pub const DEVICE_BLOCK: usize = 32;

impl Format {
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| f.name() == name)
    }

    pub fn ggml_type(self) -> u32 {
        self.spec().ggml_type
    }

    pub fn from_ggml_type(id: u32) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| f.ggml_type() == id)
    }

    pub fn block_len(self) -> usize {
        self.spec().block_len
    }

    pub fn block_bytes(self) -> usize {
        self.spec().block_bytes
    }

    /// Bytes of a row of `columns` weights in the file; `None` if that is no whole number of blocks, or too long.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_len()).then_some(())?;
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }

    /// u32 words of a row of `columns` weights in the device layout: a whole number of vec4<u32>.
    pub fn device_row_words(self, columns: usize) -> usize {
        let blocks = columns.div_ceil(DEVICE_BLOCK);
        let scales = if self.spec().scales { blocks.div_ceil(8) } else { 0 };
        4 * (blocks * self.spec().code_vec4s + scales)
    }

    /// File rows → device rows. `src` holds whole rows of `columns` weights.
    pub fn repack_rows(self, src: &[u8], columns: usize) -> Vec<u32> {
        let (bytes, words) = (self.row_bytes(columns).expect("whole blocks"), self.device_row_words(columns));
        let mut dst = vec![0; src.len() / bytes * words];
        for (src, dst) in src.chunks_exact(bytes).zip(dst.chunks_exact_mut(words)) {
            (self.spec().repack)(src, dst);
        }
        dst
    }

    /// File bytes → weights. `src` holds whole blocks for `dst`.
    pub fn dequantize(self, src: &[u8], dst: &mut [::core::primitive::f32]) {
        (self.spec().dequantize)(src, dst);
    }

    /// Weights → file bytes. The length must be a multiple of the block.
    pub fn quantize(self, src: &[::core::primitive::f32]) -> Vec<u8> {
        let mut dst = Vec::with_capacity(self.row_bytes(src.len()).expect("whole blocks"));
        (self.spec().quantize)(src, &mut dst);
        dst
    }
}

/// Two f16 bit patterns in a u32 word, low half first, as WGSL's `unpack2x16float` reads them.
fn set_half(words: &mut [u32], index: usize, bits: u16) {
    words[index / 2] |= u32::from(bits) << (16 * (index % 2));
}

/// 16-bit floats, two a word, in the file's order.
fn repack_halves(src: &[u8], dst: &mut [u32]) {
    for (i, half) in src.chunks_exact(2).enumerate() {
        set_half(dst, i, u16_at(half));
    }
}

/// The little-endian u16 at the start of `bytes`.
fn u16_at(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}
