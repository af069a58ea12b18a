//! Pretraining with burn: text files in, a GGUF model out. Native; the only crate that sees burn.
//!
//! `data` makes batches, `decoder` is the model, `trainer` the loop, `export` the files other programs read; `cli` is
//! the `cresset train` command. Attention in training and in the engine are written twice on purpose: each is the
//! other's oracle.

pub mod cli;
pub mod data;
pub mod decoder;
pub mod export;
pub mod trainer;
