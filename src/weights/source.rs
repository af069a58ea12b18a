//! Random-access bytes.

use std::future::{Future, ready};
use std::pin::Pin;

use crate::{Error, Result};

/// A future that stays on its thread, as the browser's do.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Bytes that can be read in any order. Reads are asynchronous because on the web they are (`Blob`, HTTP ranges).
pub trait Source {
    /// The file's own name without folders, such as `model-00001-of-00002.safetensors`: it decides the file's role.
    fn name(&self) -> &str;

    /// Bytes in all.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset`; fewer are an error. Callers ask for ranges inside `0..self.len()` only.
    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>>;
}

/// A file that is already in memory.
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// A file of this name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        MemorySource { name: name.into(), bytes: bytes.into() }
    }
}

impl Source for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        let range = usize::try_from(offset).ok().and_then(|start| self.bytes.get(start..start.checked_add(len)?));
        Box::pin(ready(match range {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(past_end(&self.name, offset, len, self.len())),
        }))
    }
}

fn past_end(name: &str, offset: u64, len: usize, have: u64) -> Error {
    Error::format(name, format!("{len} bytes were wanted from byte {offset}, but the file has {have}"))
}

/// A file on disk.
#[cfg(not(target_arch = "wasm32"))]
pub struct FileSource {
    name: String,
    len: u64,
    file: std::fs::File,
}

#[cfg(not(target_arch = "wasm32"))]
impl FileSource {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// `MODEL_NOT_FOUND` if there is no such file, `STORAGE` if it cannot be opened.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let shown = path.display();
        let file = std::fs::File::open(path).map_err(|e| io_error(&shown.to_string(), &e))?;
        let facts = file.metadata().map_err(|e| io_error(&shown.to_string(), &e))?;
        if !facts.is_file() {
            return Err(Error::Storage { reason: format!("{shown} is not a file") });
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(FileSource { name, len: facts.len(), file })
    }

    /// This file under another name: its path inside its folder.
    pub fn named(self, name: &str) -> Self {
        FileSource { name: name.to_owned(), ..self }
    }
}

/// `MODEL_NOT_FOUND` for what does not exist, `STORAGE` for every other refusal of the operating system.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn io_error(what: &str, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::ModelNotFound { what: what.to_owned(), hint: "".into() },
        _ => Error::Storage { reason: format!("{what}: {error}") },
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        let inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        Box::pin(ready(if inside {
            let mut bytes = vec![0; len];
            match read_exact_at(&self.file, &mut bytes, offset) {
                Ok(()) => Ok(bytes),
                Err(error) => Err(io_error(&self.name, &error)),
            }
        } else {
            Err(past_end(&self.name, offset, len, self.len))
        }))
    }
}

/// Positioned: the file keeps no cursor that two readers could fight over.
#[cfg(unix)]
fn read_exact_at(file: &std::fs::File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &std::fs::File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

/// Reads a range and holds the source to its word on the length.
pub(super) async fn read_exact(source: &dyn Source, offset: u64, len: usize) -> Result<Vec<u8>> {
    let bytes = source.read(offset, len).await?;
    match bytes.len() == len {
        true => Ok(bytes),
        false => Err(past_end(source.name(), offset, len, offset.saturating_add(bytes.len() as u64))),
    }
}
