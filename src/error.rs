//! Everything that can go wrong, with the facts a person needs to act on it.
//!
//! Each variant maps to one stable `code` (the contract of the JavaScript and command-line surfaces); `Display` is
//! one sentence. Bad input becomes an `Error`; a broken internal contract panics.

use serde_json::json;
use std::borrow::Cow;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No usable WebGPU adapter, and the caller insisted on one.
    #[error("WebGPU is not available: {reason}")]
    WebGpuUnavailable { reason: String },

    /// No file, URL or registry id of that name.
    #[error("{what} was not found{hint}")]
    ModelNotFound { what: String, hint: Cow<'static, str> },

    /// Malformed, truncated, or not a model at all. `file` names the file or the part of it.
    #[error("{file}: {reason}")]
    Format { file: String, reason: String },

    /// A tensor the architecture needs is not in the file.
    #[error("the file has no tensor named {tensor}, which the {architecture} architecture needs")]
    MissingTensor { architecture: &'static str, tensor: String },

    /// A tensor has another shape than the configuration implies. Shapes are row-major: [rows, columns].
    #[error("{tensor}: expected shape {want:?}, the file has {got:?}")]
    Shape { tensor: String, want: Vec<usize>, got: Vec<usize> },

    /// An adapter of which `tensor` has no place in the model.
    #[error("{tensor}: {reason}; the adapter was made for another model than this {model}")]
    AdapterMismatch { tensor: String, model: String, reason: String },

    /// A well-formed model that this build cannot run; `what` names the architecture, tensor type or tokenizer.
    #[error("{what} is not supported{hint}")]
    Unsupported { what: String, hint: Cow<'static, str> },

    /// The device or the browser's memory cannot hold it.
    #[error("{what} needs {need_mb} MB, but {have}")]
    OutOfMemory { what: String, need_mb: u64, have: String },

    /// The prompt does not fit the context. (An answer that does not fit ends with `finish_reason: "length"`.)
    #[error(
        "the prompt has {prompt} tokens, but the context holds {context}; shorten the prompt or load with a larger contextLength"
    )]
    ContextOverflow { prompt: usize, context: usize },

    /// The network failed.
    #[error("download of {what} failed: {reason}")]
    Download { what: String, reason: String },

    /// The bytes are not those that were promised.
    #[error("{what} has SHA-256 {got}, expected {want}; the file was changed or damaged")]
    Integrity { what: String, want: String, got: String },

    /// The graphics device went away.
    #[error("the graphics device was lost: {reason}")]
    DeviceLost { reason: String },

    /// A field of the request is invalid.
    #[error("{field}: {reason}")]
    InvalidRequest { field: Cow<'static, str>, reason: String },

    /// The chat template could not be parsed or rendered.
    #[error("chat template, line {line}: {reason}")]
    Template { line: usize, reason: String },

    /// The cache or the disk refused.
    #[error("storage: {reason}")]
    Storage { reason: String },

    /// What the page's side of a file said in its own words, under one of the codes above.
    #[error("{message}")]
    Source { code: &'static str, message: String },

    /// The caller stopped it.
    #[error("the request was aborted")]
    Aborted,

    /// Our bug.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

impl Error {
    /// The stable code of API.md.
    pub fn code(&self) -> &'static str {
        match self {
            Error::WebGpuUnavailable { .. } => "WEBGPU_UNAVAILABLE",
            Error::ModelNotFound { .. } => "MODEL_NOT_FOUND",
            Error::Format { .. }
            | Error::MissingTensor { .. }
            | Error::Shape { .. }
            | Error::AdapterMismatch { .. } => "MODEL_FORMAT",
            Error::Unsupported { .. } => "MODEL_UNSUPPORTED",
            Error::OutOfMemory { .. } => "OUT_OF_MEMORY",
            Error::ContextOverflow { .. } => "CONTEXT_OVERFLOW",
            Error::Download { .. } => "DOWNLOAD",
            Error::Integrity { .. } => "INTEGRITY",
            Error::DeviceLost { .. } => "DEVICE_LOST",
            Error::InvalidRequest { .. } => "INVALID_REQUEST",
            Error::Template { .. } => "TEMPLATE",
            Error::Storage { .. } => "STORAGE",
            Error::Source { code, .. } => code,
            Error::Aborted => "ABORTED",
            Error::Internal(_) => "INTERNAL",
        }
    }

    /// The facts of the sentence by name, for programs; null where the sentence says it all.
    pub fn details(&self) -> serde_json::Value {
        match self {
            Error::Format { file, .. } => json!({ "file": file }),
            Error::MissingTensor { architecture, tensor } => json!({ "architecture": architecture, "tensor": tensor }),
            Error::Shape { tensor, want, got } => json!({ "tensor": tensor, "expected": want, "actual": got }),
            Error::AdapterMismatch { tensor, model, .. } => json!({ "tensor": tensor, "model": model }),
            Error::OutOfMemory { need_mb, .. } => json!({ "neededMegabytes": need_mb }),
            Error::ContextOverflow { prompt, context } => json!({ "promptTokens": prompt, "contextLength": context }),
            Error::Integrity { want, got, .. } => json!({ "expected": want, "actual": got }),
            Error::InvalidRequest { field, .. } => json!({ "field": field }),
            Error::Template { line, .. } => json!({ "line": line }),
            _ => serde_json::Value::Null,
        }
    }

    pub fn format(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Format { file: file.into(), reason: reason.into() }
    }

    pub fn unsupported(what: impl Into<String>) -> Self {
        Error::Unsupported { what: what.into(), hint: "".into() }
    }

    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Error::InvalidRequest { field: field.into(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_code_a_sentence_and_its_facts() {
        let error = Error::ContextOverflow { prompt: 300, context: 256 };
        assert_eq!(error.code(), "CONTEXT_OVERFLOW");
        assert!(error.to_string().starts_with("the prompt has 300 tokens, but the context holds 256;"));
        assert_eq!(error.details(), json!({ "promptTokens": 300, "contextLength": 256 }));
        assert_eq!(Error::invalid("top_p", "must be a number").details(), json!({ "field": "top_p" }));
        assert_eq!(Error::Aborted.details(), serde_json::Value::Null);
    }
}
