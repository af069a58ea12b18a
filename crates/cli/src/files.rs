//! Opening what paths name.

use crate::fetch::{Kind, look};
use cresset::error::{Error, Result};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, open_path};
use pollster::block_on;
use std::path::Path;

/// A model or an adapter.
pub fn checkpoint(path: &Path) -> Result<Checkpoint> {
    block_on(Checkpoint::open(open_path(path)?))
}

/// A model or an adapter for a look at it: of one that is not on this machine only what is read is downloaded.
pub fn checkpoint_to_look_at(given: &Path) -> Result<Checkpoint> {
    block_on(Checkpoint::open(look(given, Kind::Model)?))
}

/// The tokenizer of a model, or of a `tokenizer.json` by itself.
pub fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let checkpoint = match checkpoint(path) {
        Err(error) => return tokenizer_json(path).unwrap_or(Err(error)),
        Ok(checkpoint) => checkpoint,
    };
    Tokenizer::from_checkpoint(&checkpoint)?
        .ok_or_else(|| Error::Unsupported { what: "text".into(), hint: ": the model came without a tokenizer".into() })
}

/// The `tokenizer.json` that `path` is (by whatever name), or that is in it; `None` if there is none.
pub fn tokenizer_json(path: &Path) -> Option<Result<Tokenizer>> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
    if file.extension()? != "json" || !file.is_file() {
        return None;
    }
    let text =
        std::fs::read_to_string(&file).map_err(|error| Error::format(file.display().to_string(), error.to_string()));
    Some(text.and_then(|text| Tokenizer::from_json(&text, None, None, None)))
}
