//! whisper.cpp's `ggml-*.bin` (written by its models/convert-pt-to-ggml.py): sizes, a filter bank, the vocabulary, then tensors, each
//! with its header before its data. Such a file is opened as what Hugging Face's hub has of the same model: config.json,
//! generation_config.json, tokenizer.json, and the hub's names of tensors.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | reads the headers, every length checked against the file |
//! | `hub` | the hub's names and configurations |
//! | `vocabulary` | bytes of tokens become tokenizer.json |

mod file;
mod hub;
mod vocabulary;

pub(super) use file::{WhisperCpp, read, recognise};
pub(super) use hub::HubFiles;
