//! Reads the headers of a file, every length checked against it.

use super::hub::{self, HubFiles, Sizes};
use super::vocabulary::Vocabulary;
use crate::weights::gguf::{MAX_NAME, tensor_type};
use crate::weights::source::{Source, read_exact};
use crate::weights::tensor::{TensorInfo, conflict, count};
use crate::{Error, Result};

/// "ggml" as a little-endian number.
const MAGIC: [u8; 4] = *b"lmgg";
/// Frequencies that the filter bank sees: half a spectrum of 400 samples.
const FREQUENCIES: u32 = 201;
/// Bytes of the magic and of the eleven sizes.
const SIZES_END: usize = 48;
/// Bytes that are read at a time where headers stand between tensors: more than any header has.
const READ: usize = 4096;
/// Bytes of a token; the longest of Whisper's have 128.
const MAX_TOKEN: u32 = 1024;
/// Tokens of text; Whisper's vocabularies have 50,257.
const MAX_TOKENS: u32 = 1 << 18;
/// large-v3 has 1,259.
const MAX_TENSORS: usize = 2048;
const MAX_DIMS: u32 = 4;

/// The file as the hub would have it.
pub(in crate::weights) struct WhisperCpp {
    pub beside: HubFiles,
    /// `file` is 0 in all of them.
    pub tensors: Vec<TensorInfo>,
}

/// Whether these first bytes open such a file: other programs used the same magic, but have no filter bank behind the sizes.
pub(in crate::weights) fn recognise(head: &[u8]) -> bool {
    let number = |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    head.starts_with(&MAGIC) && number(SIZES_END - 8) == number(SIZES_END) && number(SIZES_END + 4) == Some(FREQUENCIES)
}

/// Reads the headers of a source whose first bytes are `head`.
pub(in crate::weights) async fn read(source: &dyn Source, head: Vec<u8>) -> Result<WhisperCpp> {
    let mut reader = Reader { source, bytes: head, start: 0, at: MAGIC.len() as u64, what: "the header" };
    reader.fill(SIZES_END).await?;
    let mut numbers = [0; 11];
    for number in &mut numbers {
        *number = reader.number()?;
    }
    let [vocabulary, positions, encoder_width, encoder_heads, encoder_layers, context, width, heads, layers, mels, _] =
        numbers;
    let sizes = Sizes { vocabulary, positions, encoder_heads, encoder_layers, context, width, heads, layers, mels };
    if encoder_width != width {
        return reader.bad(format!("the encoder has {encoder_width} columns, but the decoder {width}"));
    }
    reader.what = "the filter bank";
    reader.fill(8).await?;
    let (bands, frequencies) = (reader.number()?, reader.number()?);
    // It is computed anew; the file's is the same.
    reader.skip(u64::from(bands).saturating_mul(4 * u64::from(frequencies)))?;
    let tokens = tokens(&mut reader).await?;
    let (n, ids) = (tokens.len(), tokens.ids());
    if n >= vocabulary || ids.len() < n as usize {
        return reader.bad(format!("of {n} tokens of text, {} differ, for a vocabulary of {vocabulary}", ids.len()));
    }
    let tensors = tensors(&mut reader).await?;
    let beside = HubFiles {
        config: hub::config(&sizes, &tensors),
        generation_config: hub::generation_config(&sizes, n, &ids),
        tokenizer_json: tokens.tokenizer_json(&ids),
    };
    Ok(WhisperCpp { beside, tensors })
}

/// The tokens of text.
async fn tokens(reader: &mut Reader<'_>) -> Result<Vocabulary> {
    reader.what = "the vocabulary";
    reader.fill(4).await?;
    let n = reader.number()?;
    if n > MAX_TOKENS {
        return reader.bad(format!("the vocabulary claims {n} tokens, which is absurd"));
    }
    reader.check(4 * u64::from(n))?;
    let mut tokens = Vocabulary::default();
    for id in 0..n {
        reader.fill(4 + MAX_TOKEN as usize).await?;
        let length = reader.number()?;
        if length > MAX_TOKEN {
            return reader.bad(format!("token {id} claims {length} bytes"));
        }
        tokens.push(reader.take(length)?);
    }
    Ok(tokens)
}

/// The headers of all tensors, up to the end of the file.
async fn tensors(reader: &mut Reader<'_>) -> Result<Vec<TensorInfo>> {
    reader.what = "a tensor's header";
    let mut tensors = Vec::new();
    while reader.at < reader.source.len() {
        if tensors.len() == MAX_TENSORS {
            return reader.bad("there are too many tensors".into());
        }
        reader.fill(READ).await?;
        let (n_dims, name_length, kind) = (reader.number()?, reader.number()?, reader.number()?);
        if n_dims > MAX_DIMS || name_length as usize > MAX_NAME {
            return reader.bad(format!("a tensor claims {n_dims} dimensions and a name of {name_length} bytes"));
        }
        let mut shape = Vec::with_capacity(n_dims as usize);
        for _ in 0..n_dims {
            shape.push(reader.number()? as usize);
        }
        let name = String::from_utf8_lossy(reader.take(name_length)?).into_owned();
        let Some((dtype, block_len, block_bytes)) = tensor_type(kind) else {
            let what = format!("{}: the type of tensor {name:?}, ggml type {kind},", reader.source.name());
            return Err(Error::unsupported(what));
        };
        let columns = shape.first().copied().unwrap_or(1) as u64;
        if !columns.is_multiple_of(block_len) {
            return reader.bad(format!("tensor {name:?} has rows of {columns} weights; {dtype} packs {block_len}"));
        }
        let bytes = count(&shape).and_then(|n| (n as u64 / block_len).checked_mul(block_bytes));
        let Some(bytes) = bytes else { return reader.bad(format!("tensor {name:?} has an absurd shape, {shape:?}")) };
        shape.reverse(); // the fastest dimension comes first
        let name = hub::tensor(&name);
        if name.ends_with(".bias") && shape.last() == Some(&1) {
            shape.pop(); // the convolutions' are columns
        }
        tensors.push(TensorInfo { name, shape, dtype, file: 0, offset: reader.at, bytes });
        reader.skip(bytes)?;
    }
    match conflict(&tensors) {
        None => Ok(tensors),
        Some(why) => reader.bad(why),
    }
}

/// Goes through the file, with a part of it at hand.
struct Reader<'a> {
    source: &'a dyn Source,
    /// The bytes from `start` on.
    bytes: Vec<u8>,
    start: u64,
    /// The next byte.
    at: u64,
    /// What is being read, for messages.
    what: &'static str,
}

impl Reader<'_> {
    fn bad<T>(&self, reason: String) -> Result<T> {
        Err(Error::format(self.source.name(), reason))
    }

    /// Makes sure that the file has `n` more bytes.
    fn check(&self, n: u64) -> Result<()> {
        match self.at.checked_add(n) {
            Some(end) if end <= self.source.len() => Ok(()),
            _ => self.bad(format!("the file is truncated or corrupt: it ends in {}", self.what)),
        }
    }

    fn skip(&mut self, n: u64) -> Result<()> {
        self.check(n)?;
        self.at += n;
        Ok(())
    }

    /// Has the next `n` bytes at hand, or those up to the end of the file.
    async fn fill(&mut self, n: usize) -> Result<()> {
        let left = self.source.len().saturating_sub(self.at);
        let end = self.at + left.min(n as u64);
        if self.at < self.start || end > self.start + self.bytes.len() as u64 {
            self.bytes = read_exact(self.source, self.at, left.min(n.max(READ) as u64) as usize).await?;
            self.start = self.at;
        }
        Ok(())
    }

    /// The next `n` bytes, which are at hand unless the file ends before.
    fn take(&mut self, n: u32) -> Result<&[u8]> {
        let first = (self.at - self.start) as usize;
        self.skip(n.into())?;
        match self.bytes.get(first..first + n as usize) {
            Some(bytes) => Ok(bytes),
            None => Err(Error::Internal(format!("{} was not read far enough", self.what))),
        }
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(std::array::from_fn(|i| bytes[i])))
    }
}
