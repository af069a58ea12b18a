//! A tokenizer's parts, whichever file they come from.

use super::pipeline::Pipeline;
use super::table::TokenKind;

/// A tokenizer's parts, as `json.rs` and `gguf.rs` read them from a file.
pub(super) struct Parts {
    /// By id; the table of decoded bytes.
    pub(super) tokens: Vec<(TokenKind, Vec<u8>)>,
    pub(super) strip_first_space: bool,
    pub(super) pipeline: Pipeline,
    pub(super) prefix: Vec<u32>,
    pub(super) suffix: Vec<u32>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) stop_ids: Vec<u32>,
    pub(super) kind: &'static str,
    pub(super) pre: String,
}
