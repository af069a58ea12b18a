//! Model files: real ones, round trips through the writer, the files of a folder, and a grid of broken ones.

use cresset::weights::{Checkpoint, Files, MemorySource, Source};
use cresset::{Error, Result};
use pollster::block_on;

mod folders;
mod malformed_gguf;
mod malformed_safetensors;
mod real;
mod round_trip;
mod whisper_cpp;

/// Opens files of these names and bytes.
fn open_all<B: Into<Vec<u8>>>(files: impl IntoIterator<Item = (&'static str, B)>) -> Result<Checkpoint> {
    let source = |(name, bytes)| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>;
    block_on(Checkpoint::open(Files::new(files.into_iter().map(source).collect())))
}

fn open(name: &'static str, bytes: impl Into<Vec<u8>>) -> Result<Checkpoint> {
    open_all([(name, bytes)])
}

/// Opening must fail with this code, in a sentence that holds this piece.
#[track_caller]
fn refused(result: Result<Checkpoint>, code: &str, piece: &str) {
    let error = result.err().unwrap_or_else(|| panic!("accepted; expected {code} … {piece} …"));
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(piece), "{error}\nlacks: {piece}");
}

/// A safetensors file of this header and data.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn code(result: Result<impl Sized>) -> Option<&'static str> {
    result.err().as_ref().map(Error::code)
}
