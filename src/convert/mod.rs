//! A Hugging Face folder as one GGUF file.

mod file;
mod model;
mod outline;
mod rope;
mod tensor;

pub use file::Conversion;
