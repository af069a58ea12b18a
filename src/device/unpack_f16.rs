//! How shaders read f16 numbers.

use super::shared::piece;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How f16 numbers are read: scales, weights, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnpackF16 {
    /// By `unpack2x16float`, which may take subnormal numbers for zero.
    Native,
    /// From their bits.
    Bits,
    /// As a device reads them that does take subnormal numbers for zero: for tests.
    #[doc(hidden)]
    Flushed,
}

impl UnpackF16 {
    pub(super) fn piece(self) -> &'static str {
        match self {
            UnpackF16::Native => piece!("unpack_f16_native"),
            UnpackF16::Bits => piece!("unpack_f16_bits"),
            UnpackF16::Flushed => piece!("unpack_f16_flushed"),
        }
    }
}

impl fmt::Display for UnpackF16 {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            UnpackF16::Native => "native",
            UnpackF16::Bits => "by bits",
            UnpackF16::Flushed => "flushed",
        })
    }
}
