//! GGUF headers, versions 2 and 3, little endian: bytes in, metadata and tensor table out.
//! Follows the specification in ggml's docs/gguf.md. Every length is checked against the file before anything is
//! allocated for it, so a header can claim no more memory than a small multiple of the bytes it really has.

use crate::quant::Format;
use crate::{Error, Result};

use super::metadata::{Array, Metadata, Value};
use super::source::{Source, read_exact};
use super::tensor::{DType, TensorInfo, conflict, count};
use std::borrow::Cow;

pub(super) const MAGIC: [u8; 4] = *b"GGUF";
pub(super) const ALIGNMENT_KEY: &str = "general.alignment";
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;

/// Bytes of the first read; more follow, each time at least twice as many.
pub(super) const FIRST_READ: u64 = 1 << 20;
/// The largest vocabularies (262,144 tokens with merges) take about 16 MiB.
const MAX_HEADER: u64 = 64 << 20;
const MAX_KEYS: u64 = 1 << 16;
pub(super) const MAX_TENSORS: u64 = 1 << 18;
/// Bytes of a key or a tensor's name. Real ones stay below 100; messages repeat them.
pub(super) const MAX_NAME: usize = 1024;
/// Dimensions of a tensor (ggml's limit).
const MAX_DIMS: u32 = 4;

/// A parsed GGUF header.
pub(super) struct Gguf {
    pub version: u32,
    pub metadata: Metadata,
    /// `file` is 0 in all of them.
    pub tensors: Vec<TensorInfo>,
}

/// Reads the header of a source whose first bytes are `head`, growing the read until the header is complete.
pub(super) async fn read(source: &dyn Source, mut head: Vec<u8>) -> Result<Gguf> {
    loop {
        match parse(source.name(), &head, source.len()) {
            Ok(gguf) => return Ok(gguf),
            Err(Stop::Bad(error)) => return Err(error),
            Err(Stop::More { end }) => {
                let have = head.len() as u64;
                let end = end.max(2 * have).min(MAX_HEADER).min(source.len());
                // `end` is at most MAX_HEADER, so the length fits.
                let more = read_exact(source, have, (end - have) as usize).await?;
                head.reserve_exact(more.len());
                head.extend_from_slice(&more);
            }
        }
    }
}

/// Why parsing ended early.
enum Stop {
    /// The bytes before `end` are in the file, but not read yet.
    More {
        end: u64,
    },
    Bad(Error),
}

fn parse(file: &str, bytes: &[u8], file_len: u64) -> Result<Gguf, Stop> {
    let mut cursor = Cursor { file, bytes, pos: 0, file_len, at: At::Start };
    let version = version(&mut cursor)?;
    let n_tensors = cursor.u64()?;
    let n_keys = cursor.u64()?;
    if n_keys > MAX_KEYS || n_tensors > MAX_TENSORS {
        return cursor.bad(format!("the header claims {n_keys} keys and {n_tensors} tensors, which is absurd"));
    }
    let metadata = metadata(&mut cursor, n_keys)?;
    let tensors = tensors(&mut cursor, n_tensors, &metadata)?;
    Ok(Gguf { version, metadata, tensors })
}

fn version(cursor: &mut Cursor) -> Result<u32, Stop> {
    if cursor.take(4)? != MAGIC {
        return cursor.bad("the file does not start with GGUF".into());
    }
    let version = cursor.u32()?;
    match version {
        2 | 3 => Ok(version),
        1 => cursor.unsupported("GGUF version 1".into(), "; convert the model again or download a newer file"),
        _ if (1..=3).contains(&version.swap_bytes()) => {
            cursor.unsupported("big-endian GGUF".into(), "; download the little-endian file")
        }
        _ => cursor.unsupported(format!("GGUF version {version}"), "; this build reads versions 2 and 3"),
    }
}

fn metadata(cursor: &mut Cursor, n_keys: u64) -> Result<Metadata, Stop> {
    let mut metadata = Metadata::new(cursor.file);
    for i in 0..n_keys {
        cursor.at = At::Key(i);
        let key = cursor.name()?;
        cursor.at = At::Value(key.clone());
        let kind = cursor.u32()?;
        let value = value(cursor, kind)?;
        if !metadata.insert(&key, value) {
            return cursor.bad(format!("the key {key:?} occurs twice"));
        }
    }
    Ok(metadata)
}

fn value(cursor: &mut Cursor, kind: u32) -> Result<Value, Stop> {
    Ok(match kind {
        0 => Value::U8(u8::from_le_bytes(cursor.array()?)),
        1 => Value::I8(i8::from_le_bytes(cursor.array()?)),
        2 => Value::U16(u16::from_le_bytes(cursor.array()?)),
        3 => Value::I16(i16::from_le_bytes(cursor.array()?)),
        4 => Value::U32(cursor.u32()?),
        5 => Value::I32(i32::from_le_bytes(cursor.array()?)),
        6 => Value::F32(f32::from_le_bytes(cursor.array()?)),
        7 => Value::Bool(boolean(cursor)?),
        8 => Value::String(cursor.str()?.into_owned()),
        9 => Value::Array(array(cursor)?),
        10 => Value::U64(cursor.u64()?),
        11 => Value::I64(i64::from_le_bytes(cursor.array()?)),
        12 => Value::F64(f64::from_le_bytes(cursor.array()?)),
        _ => {
            return cursor.bad(format!("the value of {} has the unknown type {kind}", cursor.at));
        }
    })
}

fn array(cursor: &mut Cursor) -> Result<Array, Stop> {
    let kind = cursor.u32()?;
    let n = cursor.u64()?;
    Ok(match kind {
        0 => Array::U8(cursor.numbers(n, u8::from_le_bytes)?),
        1 => Array::I8(cursor.numbers(n, i8::from_le_bytes)?),
        2 => Array::U16(cursor.numbers(n, u16::from_le_bytes)?),
        3 => Array::I16(cursor.numbers(n, i16::from_le_bytes)?),
        4 => Array::U32(cursor.numbers(n, u32::from_le_bytes)?),
        5 => Array::I32(cursor.numbers(n, i32::from_le_bytes)?),
        6 => Array::F32(cursor.numbers(n, f32::from_le_bytes)?),
        7 => {
            cursor.need_each(n, 1)?;
            Array::Bool((0..n).map(|_| boolean(cursor)).collect::<Result<_, _>>()?)
        }
        8 => {
            cursor.need_each(n, 8)?;
            let mut strings = Vec::with_capacity(n as usize);
            for _ in 0..n {
                strings.push(cursor.str()?.into_owned());
            }
            Array::String(strings)
        }
        9 => {
            return cursor.bad(format!("{} is an array of arrays, which no model file uses", cursor.at));
        }
        10 => Array::U64(cursor.numbers(n, u64::from_le_bytes)?),
        11 => Array::I64(cursor.numbers(n, i64::from_le_bytes)?),
        12 => Array::F64(cursor.numbers(n, f64::from_le_bytes)?),
        _ => {
            return cursor.bad(format!("{} is an array of the unknown type {kind}", cursor.at));
        }
    })
}

fn boolean(cursor: &mut Cursor) -> Result<bool, Stop> {
    match cursor.take(1)?[0] {
        0 => Ok(false),
        1 => Ok(true),
        x => cursor.bad(format!("{} should be 0 or 1 (a boolean), but is {x}", cursor.at)),
    }
}

fn tensors(cursor: &mut Cursor, n_tensors: u64, metadata: &Metadata) -> Result<Vec<TensorInfo>, Stop> {
    let alignment = metadata.u64(ALIGNMENT_KEY).map_err(Stop::Bad)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > MAX_HEADER {
        return cursor.bad(format!("{ALIGNMENT_KEY} is {alignment}; it must be a power of two"));
    }
    // An entry has at least a name's length, its dimensions' count, a type and an offset.
    cursor.at = At::Tensor(0);
    cursor.need_each(n_tensors, 8 + 4 + 4 + 8)?;
    let mut tensors = Vec::with_capacity(n_tensors as usize);
    for i in 0..n_tensors {
        cursor.at = At::Tensor(i);
        let name = cursor.name()?;
        cursor.at = At::TensorNamed(name.clone());
        tensors.push(tensor(cursor, &name, alignment)?);
    }
    // Offsets count from the end of the header, rounded up.
    let data = (cursor.pos as u64).next_multiple_of(alignment);
    for tensor in &mut tensors {
        let end = tensor.offset.checked_add(data).and_then(|start| start.checked_add(tensor.bytes));
        match end {
            Some(end) if end <= cursor.file_len => tensor.offset += data,
            _ => return cursor.past_end(&tensor.name, end),
        }
    }
    match conflict(&tensors) {
        None => Ok(tensors),
        Some(why) => cursor.bad(why),
    }
}

/// One entry; its offset still counts from the start of the data.
fn tensor(cursor: &mut Cursor, name: &str, alignment: u64) -> Result<TensorInfo, Stop> {
    let n_dims = cursor.u32()?;
    if n_dims > MAX_DIMS {
        return cursor.bad(format!("tensor {name:?} has {n_dims} dimensions; GGUF allows {MAX_DIMS}"));
    }
    let mut shape = Vec::with_capacity(n_dims as usize);
    for _ in 0..n_dims {
        let dim = cursor.u64()?;
        match usize::try_from(dim) {
            Ok(dim) => shape.push(dim),
            Err(_) => return cursor.bad(format!("tensor {name:?} has an absurd dimension, {dim}")),
        }
    }
    let (dtype, block_len, block_bytes) = dtype(cursor, name)?;
    let offset = cursor.u64()?;

    let columns = shape.first().copied().unwrap_or(1) as u64;
    if !columns.is_multiple_of(block_len) {
        let why = format!("tensor {name:?} has rows of {columns} weights, but {dtype} packs {block_len} in a block");
        return cursor.bad(why);
    }
    let bytes = count(&shape).and_then(|n| (n as u64 / block_len).checked_mul(block_bytes));
    let Some(bytes) = bytes else {
        return cursor.bad(format!("tensor {name:?} has an absurd shape, {shape:?}"));
    };
    if !offset.is_multiple_of(alignment) {
        let why =
            format!("tensor {name:?} starts at byte {offset} of the data, which is not a multiple of {alignment}");
        return cursor.bad(why);
    }
    shape.reverse(); // GGUF names the fastest dimension first.
    Ok(TensorInfo { name: name.to_owned(), shape, dtype, file: 0, offset, bytes })
}

/// The type of a tensor, weights in a block, bytes of a block.
fn dtype(cursor: &mut Cursor, name: &str) -> Result<(DType, u64, u64), Stop> {
    let id = cursor.u32()?;
    match tensor_type(id) {
        Some(known) => Ok(known),
        None => cursor.unsupported(format!("the type of tensor {name:?}, ggml type {id},"), ""),
    }
}

/// The tensor type of ggml's number, weights in a block, bytes of a block.
pub(super) fn tensor_type(id: u32) -> Option<(DType, u64, u64)> {
    if let Some(format) = Format::from_ggml_type(id) {
        return Some((DType::Known(format), format.block_len() as u64, format.block_bytes() as u64));
    }
    let &(_, other, block_len, block_bytes) = OTHER_TYPES.iter().find(|(other, ..)| *other == id)?;
    Some((DType::Other(other.to_owned()), block_len, block_bytes))
}

/// Tensor types that this build can size but not compute with: (ggml type, name, weights in a block, bytes of a block).
const OTHER_TYPES: [(u32, &str, u64, u64); 17] = [
    (9, "q8_1", 32, 36),
    (15, "q8_k", 256, 292),
    (16, "iq2_xxs", 256, 66),
    (17, "iq2_xs", 256, 74),
    (18, "iq3_xxs", 256, 98),
    (19, "iq1_s", 256, 50),
    (21, "iq3_s", 256, 110),
    (22, "iq2_s", 256, 82),
    (24, "i8", 1, 1),
    (25, "i16", 1, 2),
    (26, "i32", 1, 4),
    (27, "i64", 1, 8),
    (28, "f64", 1, 8),
    (29, "iq1_m", 256, 56),
    (34, "tq1_0", 256, 54),
    (35, "tq2_0", 256, 66),
    (40, "nvfp4", 64, 36),
];

/// Which part of the header is being read, for messages.
enum At<'a> {
    Start,
    Key(u64),
    Value(Cow<'a, str>),
    Tensor(u64),
    TensorNamed(Cow<'a, str>),
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Start => write!(f, "the header"),
            At::Key(i) => write!(f, "key {}", i + 1),
            At::Value(key) => write!(f, "key {key:?}"),
            At::Tensor(i) => write!(f, "the entry of tensor {}", i + 1),
            At::TensorNamed(name) => write!(f, "the entry of tensor {name:?}"),
        }
    }
}

/// Reads values off the bytes that are there so far.
struct Cursor<'a> {
    file: &'a str,
    bytes: &'a [u8],
    pos: usize,
    file_len: u64,
    at: At<'a>,
}

impl<'a> Cursor<'a> {
    fn bad<T>(&self, reason: String) -> Result<T, Stop> {
        Err(Stop::Bad(Error::format(self.file, reason)))
    }

    fn unsupported<T>(&self, what: String, hint: &'static str) -> Result<T, Stop> {
        Err(Stop::Bad(Error::Unsupported { what: format!("{}: {what}", self.file), hint: hint.into() }))
    }

    fn past_end<T>(&self, tensor: &str, end: Option<u64>) -> Result<T, Stop> {
        let have = self.file_len;
        self.bad(match end {
            Some(end) => format!(
                "the file is truncated or corrupt: tensor {tensor:?} ends at byte {end}, but the file has {have} bytes"
            ),
            None => format!("tensor {tensor:?} has an absurd offset"),
        })
    }

    /// Makes sure that `n` items of at least `size` bytes can follow, before anything is allocated for them.
    fn need_each(&self, n: u64, size: u64) -> Result<(), Stop> {
        let end = n.checked_mul(size).and_then(|len| len.checked_add(self.pos as u64));
        let (at, have) = (&self.at, self.file_len);
        match end {
            Some(end) if end <= self.bytes.len() as u64 => Ok(()),
            Some(end) if end <= self.file_len.min(MAX_HEADER) => Err(Stop::More { end }),
            Some(end) if end <= self.file_len => {
                self.bad(format!("the header is larger than {} MiB at {at}", MAX_HEADER >> 20))
            }
            Some(end) => {
                self.bad(format!("the file is truncated or corrupt: {at} needs {end} bytes, but the file has {have}"))
            }
            None => self.bad(format!("the length of {at} is absurd, {n}")),
        }
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], Stop> {
        self.need_each(n, 1)?;
        let start = self.pos;
        self.pos += n as usize;
        Ok(&self.bytes[start..self.pos])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A text. Other writers put bytes there that are no UTF-8, and llama.cpp reads them: they become U+FFFD.
    fn str(&mut self) -> Result<Cow<'a, str>, Stop> {
        let len = self.u64()?;
        Ok(String::from_utf8_lossy(self.take(len)?))
    }

    /// A key or a tensor's name.
    fn name(&mut self) -> Result<Cow<'a, str>, Stop> {
        let name = self.str()?;
        match name.len() {
            0 => self.bad(format!("{} has no name", self.at)),
            n if n > MAX_NAME => self.bad(format!("{} has a name of {n} bytes", self.at)),
            _ => Ok(name),
        }
    }

    fn numbers<T, const N: usize>(&mut self, n: u64, number: fn([u8; N]) -> T) -> Result<Vec<T>, Stop> {
        self.need_each(n, N as u64)?;
        let (items, _) = self.take(n * N as u64)?.as_chunks::<N>();
        Ok(items.iter().map(|&item| number(item)).collect())
    }
}
