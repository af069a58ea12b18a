//! A Hugging Face folder as one GGUF file.

mod file;
mod model;
mod outline;

pub use file::Conversion;
