//! What a request tells while its answer is not there yet.

use serde::Serialize;

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RequestProgress {
    /// `prompt`: it is read. `context`: it grew. `sound`: it is heard.
    pub status: &'static str,
    /// Tokens that were read, or were cached; tokens that the context holds; frames of 10 ms that were heard.
    pub loaded: u64,
    /// All of them; tokens that it may come to hold.
    pub total: u64,
}

/// Is told how far a request is.
pub type OnProgress = dyn Fn(RequestProgress);
