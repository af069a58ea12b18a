//! Model files: bytes in, named tensors out. Knows no device.
//!
//! A [`Source`] reads byte ranges (a file here; a `Blob` or an HTTP address in `web/`). [`Files`] are the sources that make
//! one model. [`Checkpoint::open`] reads their headers only and refuses what is malformed; tensor bytes are then read
//! by rows, as they lie in the file.
//!
//! | file | what it does |
//! |---|---|
//! | `source` | byte ranges of memory and files |
//! | `files` | which files make one model |
//! | `checkpoint` | opens them, reads tensors |
//! | `choice` | which tensors are quantised, and to what |
//! | `special_tokens` | older files beside `tokenizer_config.json` |
//! | `gguf`, `safetensors` | parse headers (pure: bytes in, tables out) |
//! | `whisper_cpp` | opens whisper.cpp's files as what the hub has of the same model |
//! | `metadata`, `tensor` | what a header says |
//! | `python_json` | what Python writes where JSON has no word for a number |
//! | `recommended` | the sampling parameters that a model's makers recommend |
//! | `gguf_write` | writes GGUF v3 |
//! | `gguf_quantize` | a GGUF model with its matrices in another format |
//! | `foreign` | names the files that are no models |
//! | `insertion` | short lists in order |

mod checkpoint;
mod choice;
mod files;
mod foreign;
mod gguf;
#[cfg(not(target_arch = "wasm32"))]
mod gguf_quantize;
mod gguf_write;
mod insertion;
mod metadata;
mod python_json;
mod recommended;
mod safetensors;
mod source;
mod special_tokens;
mod tensor;
mod whisper_cpp;

pub use checkpoint::{Checkpoint, FileFormat};
pub use files::Files;
#[cfg(not(target_arch = "wasm32"))]
pub use files::open_path;
#[cfg(not(target_arch = "wasm32"))]
pub use gguf_quantize::Quantization;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use gguf_quantize::file_type;
pub use gguf_write::GgufWriter;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use gguf_write::unwritable;
pub use insertion::insertion_sort;
pub use metadata::{Array, Metadata, Value};
pub use recommended::{Recommended, recommended};
#[cfg(not(target_arch = "wasm32"))]
pub use source::FileSource;
pub use source::{LocalBoxFuture, MemorySource, Source};
pub(crate) use special_tokens::{special_tokens, token_text};
pub use tensor::{DType, TensorInfo};
