//! Weight formats. One file a format: block layout, device layout, dequantise.
//!
//! In a *file* a row is a sequence of the format's own blocks (GGUF's layout). On the *device* every format is read as
//! blocks of 32 weights in four parts of eight, through one WGSL function, `dequant(row, block, part)`.

use half::{bf16, f16};

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types)]
pub enum Format {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
}

impl Format {
    pub const ALL: [Format; 5] = [Format::F32, Format::F16, Format::BF16, Format::Q8_0, Format::Q4_0];

    /// The name people write: `f32`, `q4_0`.
    pub fn name(self) -> &'static str {
        match self {
            Format::F32 => "f32",
            Format::F16 => "f16",
            Format::BF16 => "bf16",
            Format::Q8_0 => "q8_0",
            Format::Q4_0 => "q4_0",
        }
    }

    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The type number of GGUF's tensor table (ggml's `enum ggml_type`).
    pub fn ggml_type(self) -> u32 {
        match self {
            Format::F32 => 0,
            Format::F16 => 1,
            Format::BF16 => 30,
            Format::Q8_0 => 8,
            Format::Q4_0 => 2,
        }
    }

    pub fn from_ggml_type(id: u32) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.ggml_type() == id)
    }

    /// Weights in one file block.
    pub fn block_len(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::BF16 => 1,
            Format::Q8_0 | Format::Q4_0 => 32,
        }
    }

    /// Bytes of one file block.
    pub fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::BF16 => 2,
            Format::Q8_0 => 34, // f16 scale, 32 × i8
            Format::Q4_0 => 18, // f16 scale, 32 × 4 bits
        }
    }

    /// Bytes of a row of `columns` weights in the file; `None` if the row is not a whole number of blocks or too long.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        (columns % self.block_len() == 0).then_some(())?;
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }
}
