//! The error of a tokenizer's file that cannot be right.

use crate::Error;

/// An error about what the tokenizer's file says.
pub(super) fn malformed(reason: impl Into<String>) -> Error {
    Error::format("tokenizer", reason)
}
