//! Everything that can go wrong, with the facts a person needs to act on it.
//!
//! Each variant maps to one stable `code` (the contract of the JavaScript and command-line surfaces); `Display` is
//! one sentence. Bad input becomes an `Error`; a broken internal contract panics.

use serde_json::json;
use std::borrow::Cow;
use std::fmt;

/// The result of functions that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No usable WebGPU adapter, and the caller insisted on one.
    #[error("WebGPU is not available: {reason}")]
    WebGpuUnavailable {
        /// Why, as a part of a sentence.
        reason: String,
        /// Facts that help to mend it: a JSON object.
        facts: serde_json::Value,
    },

    /// No file, URL or registry id of that name.
    #[error("{what} was not found{hint}")]
    ModelNotFound {
        /// The file, address or id that was asked for.
        what: String,
        /// Advice, from a semicolon on; or empty.
        hint: Cow<'static, str>,
    },

    /// Malformed, truncated, or not a model at all.
    #[error("{file}: {reason}")]
    Format {
        /// The file, or the part of it.
        file: String,
        /// The fault in the file.
        reason: String,
    },

    /// A tensor the architecture needs is not in the file.
    #[error("the file has no tensor named {tensor}, which the {architecture} architecture needs")]
    MissingTensor {
        /// Whose tensors were looked for.
        architecture: &'static str,
        /// The tensor's name in the file's words.
        tensor: String,
    },

    /// A tensor has another shape than the configuration implies. Shapes are row-major: [rows, columns].
    #[error("{tensor}: expected shape {want:?}, the file has {got:?}")]
    Shape {
        /// The tensor's name in the file.
        tensor: String,
        /// The shape that the configuration implies.
        want: Vec<usize>,
        /// The shape in the file.
        got: Vec<usize>,
    },

    /// An adapter of which a tensor has no place in the model.
    #[error("{tensor}: {reason}; the adapter was made for another model than this {model}")]
    AdapterMismatch {
        /// The tensor's name in the adapter's file.
        tensor: String,
        /// The architecture and sizes of the model that is loaded.
        model: String,
        /// Why it has no place.
        reason: String,
    },

    /// NaN or infinity where a model's answer should be.
    #[error(
        "the model's {what} holds NaN or infinity: the file is damaged, or this device computes wrongly; get the file again, or load it on the CPU"
    )]
    NotNumbers {
        /// The part of the answer.
        what: String,
    },

    /// A well-formed model that this build cannot run.
    #[error("{what} is not supported{hint}")]
    Unsupported {
        /// The architecture, tensor type, tokenizer or setting.
        what: String,
        /// The supported alternatives, from a semicolon on; or empty.
        hint: Cow<'static, str>,
    },

    /// The device or the browser's memory cannot hold it.
    #[error("{what} needs {need_mb} MB, but {limit}")]
    OutOfMemory {
        /// The thing that needs the memory.
        what: String,
        /// Megabytes that it takes.
        need_mb: u64,
        /// The limit that it exceeds.
        limit: MemoryLimit,
    },

    /// The prompt does not fit the context. (An answer that does not fit ends with `finish_reason: "length"`.)
    #[error(
        "the prompt has {prompt} tokens, but the context holds {context}; shorten the prompt or load with a larger contextLength"
    )]
    ContextOverflow {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens that the context holds.
        context: usize,
    },

    /// The network failed.
    #[error("download of {what} failed: {reason}")]
    Download {
        /// The file that was downloaded.
        what: String,
        /// The network's or the server's message.
        reason: String,
    },

    /// The bytes are not those that were promised.
    #[error("{what} has SHA-256 {got}, expected {want}; the file was changed or damaged")]
    Integrity {
        /// The file.
        what: String,
        /// The SHA-256 that was promised, in hexadecimal digits.
        want: String,
        /// The SHA-256 of what came.
        got: String,
    },

    /// The graphics device went away.
    #[error("the graphics device was lost: {reason}")]
    DeviceLost {
        /// The driver's or the browser's message.
        reason: String,
    },

    /// A field of the request is invalid.
    #[error("{field}: {reason}")]
    InvalidRequest {
        /// The field's name, as the caller wrote it.
        field: Cow<'static, str>,
        /// The condition that it must meet.
        reason: String,
    },

    /// The chat template could not be parsed or rendered.
    #[error("chat template, line {line}: {reason}")]
    Template {
        /// The line of the template, from 1; 1 where none is known.
        line: usize,
        /// The message of the template or of its parser.
        reason: String,
    },

    /// The cache or the disk refused.
    #[error("storage: {reason}")]
    Storage {
        /// Which file, and why it could not be read or written.
        reason: String,
    },

    /// An error of the page's side of a file in its own words, under one of the codes above.
    #[error("{message}")]
    Source {
        /// One of the codes that [`Error::code`] gives.
        code: &'static str,
        /// The page's message.
        message: String,
    },

    /// The caller stopped it.
    #[error("the request was aborted")]
    Aborted,

    /// Our bug.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

/// The limit that memory runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// A page's memory, where the CPU computes.
    Page {
        /// Megabytes that it has.
        mb: u64,
    },
    /// One binding of a graphics device.
    Binding {
        /// Megabytes that it holds.
        mb: u64,
    },
    /// A graphics device as a whole, which does not say how much it has.
    Device,
    /// The memory that is free.
    Memory,
    /// The addresses of this platform.
    Platform,
}

impl MemoryLimit {
    /// Its stable name, and megabytes where they are known.
    fn facts(self) -> (&'static str, Option<u64>) {
        match self {
            MemoryLimit::Page { mb } => ("page", Some(mb)),
            MemoryLimit::Binding { mb } => ("binding", Some(mb)),
            MemoryLimit::Device => ("device", None),
            MemoryLimit::Memory => ("memory", None),
            MemoryLimit::Platform => ("platform", None),
        }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            MemoryLimit::Page { mb } => write!(f, "on the CPU a page has {mb} MB"),
            MemoryLimit::Binding { mb } => write!(f, "this device takes at most {mb} MB in one piece"),
            MemoryLimit::Device => {
                f.write_str("the graphics device refused so much; try a smaller model or a shorter context")
            }
            MemoryLimit::Memory => f.write_str("there is not so much memory"),
            MemoryLimit::Platform => f.write_str("that is more than this platform can address"),
        }
    }
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
            | Error::NotNumbers { .. }
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
            Error::WebGpuUnavailable { facts, .. } => facts.clone(),
            Error::Format { file, .. } => json!({ "file": file }),
            Error::MissingTensor { architecture, tensor } => json!({ "architecture": architecture, "tensor": tensor }),
            Error::Shape { tensor, want, got } => json!({ "tensor": tensor, "expected": want, "actual": got }),
            Error::AdapterMismatch { tensor, model, .. } => json!({ "tensor": tensor, "model": model }),
            Error::OutOfMemory { need_mb, limit, .. } => {
                let (limit, mb) = limit.facts();
                let mut details = json!({ "neededMegabytes": need_mb, "limit": limit });
                if let Some(mb) = mb {
                    details["limitMegabytes"] = json!(mb);
                }
                details
            }
            Error::ContextOverflow { prompt, context } => json!({ "promptTokens": prompt, "contextLength": context }),
            Error::Integrity { want, got, .. } => json!({ "expected": want, "actual": got }),
            Error::InvalidRequest { field, .. } => json!({ "field": field }),
            Error::Template { line, .. } => json!({ "line": line }),
            _ => serde_json::Value::Null,
        }
    }

    /// As programs see it: `{ code, message, details }`.
    pub fn to_json(&self) -> serde_json::Value {
        let details = Some(self.details()).filter(|details| !details.is_null()).unwrap_or_else(|| json!({}));
        json!({ "code": self.code(), "message": self.to_string(), "details": details })
    }

    /// [`Error::Format`]: what is wrong with a file.
    pub fn format(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Format { file: file.into(), reason: reason.into() }
    }

    /// [`Error::NotNumbers`]: logits of a position of the sequence, from 0.
    pub fn not_numbers(position: usize) -> Self {
        Error::NotNumbers { what: format!("row of logits at position {position}") }
    }

    /// [`Error::Unsupported`] without a hint.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Error::Unsupported { what: what.into(), hint: "".into() }
    }

    /// [`Error::InvalidRequest`]: what a field must be.
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
        let message = "the request was aborted";
        assert_eq!(Error::Aborted.to_json(), json!({ "code": "ABORTED", "message": message, "details": {} }));
    }

    #[test]
    fn what_bounds_the_memory_is_a_sentence_and_a_name() {
        let (page, binding) = (MemoryLimit::Page { mb: 3072 }, MemoryLimit::Binding { mb: 128 });
        let limits = [page, binding, MemoryLimit::Device, MemoryLimit::Memory, MemoryLimit::Platform];
        let facts = limits.map(|limit| {
            let error = Error::OutOfMemory { what: "the model".into(), need_mb: 5120, limit };
            assert!(error.to_string().starts_with("the model needs 5120 MB, but "), "{error}");
            error.details()
        });
        let names = facts.each_ref().map(|facts| format!("'{}'", facts["limit"].as_str().expect("a name")));
        let types = include_str!("../www/cresset.d.ts");
        assert!(types.contains(&format!("type MemoryLimit = {};", names.join(" | "))), "{names:?}");
        assert_eq!(facts[0], json!({ "neededMegabytes": 5120, "limit": "page", "limitMegabytes": 3072 }));
        assert_eq!(facts[2], json!({ "neededMegabytes": 5120, "limit": "device" }));
    }
}
