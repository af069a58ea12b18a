//! Writes GGUF version 3, little endian, aligned to 32 bytes. A tensor's bytes are there, or are made when it is their
//! turn, so that a file need not fit into memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::quant::Format;
use crate::{Error, Result};

use super::gguf::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC};
use super::metadata::{Array, Value};

/// Gathers metadata and tensors, then writes them in one go.
#[derive(Default)]
pub struct GgufWriter<'a> {
    metadata: BTreeMap<String, Value>,
    tensors: Vec<Tensor<'a>>,
}

struct Tensor<'a> {
    name: String,
    shape: Vec<usize>,
    format: Format,
    bytes: Bytes<'a>,
}

/// Writes a tensor's bytes.
type Make<'a> = dyn Fn(&mut dyn Write) -> Result<()> + 'a;

enum Bytes<'a> {
    There(Cow<'a, [u8]>),
    Made(Box<Make<'a>>),
}

impl Tensor<'_> {
    /// Bytes that the shape and the format ask for.
    fn len(&self) -> Option<usize> {
        let rows = self.shape.split_last().map_or(1, |(_, leading)| leading.iter().product());
        self.format.row_bytes(self.shape.last().copied().unwrap_or(1))?.checked_mul(rows)
    }

    fn wrong_len(&self, bytes: u64) -> Error {
        let Tensor { name, shape, format, .. } = self;
        Error::Internal(format!("{name}: {bytes} bytes for shape {shape:?} of {}", format.name()))
    }
}

impl<'a> GgufWriter<'a> {
    /// A file with no keys and no tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key; the last value of a key counts. `general.alignment` is the writer's own affair and is left out, so that all
    /// metadata of another file can be passed on.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let key = key.into();
        if key != ALIGNMENT_KEY {
            self.metadata.insert(key, value.into());
        }
        self
    }

    /// Adds a tensor. `shape` is row-major, `[out, in]`; `bytes` are the rows in GGUF's own layout of the format.
    pub fn tensor(
        mut self,
        name: impl Into<String>,
        shape: &[usize],
        format: Format,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        let bytes = Bytes::There(bytes.into());
        self.tensors.push(Tensor { name: name.into(), shape: shape.to_vec(), format, bytes });
        self
    }

    /// Adds a tensor whose bytes `make` writes when all before it are written.
    pub fn tensor_made(
        mut self,
        name: impl Into<String>,
        shape: &[usize],
        format: Format,
        make: impl Fn(&mut dyn Write) -> Result<()> + 'a,
    ) -> Self {
        let bytes = Bytes::Made(Box::new(make));
        self.tensors.push(Tensor { name: name.into(), shape: shape.to_vec(), format, bytes });
        self
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `STORAGE` if the output refuses; `INTERNAL` if a tensor's bytes do not match its shape and format; what a
    /// tensor's maker reports.
    pub fn write(&self, out: impl Write) -> Result<()> {
        let mut lengths = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            match (&tensor.bytes, tensor.len()) {
                (Bytes::There(bytes), len) if len != Some(bytes.len()) => {
                    return Err(tensor.wrong_len(bytes.len() as u64));
                }
                (_, Some(len)) => lengths.push(len),
                (_, None) => return Err(tensor.wrong_len(0)),
            }
        }
        let mut out = Counted { out: io::BufWriter::new(out), written: 0 };
        self.write_header(&mut out, &lengths).map_err(unwritable)?;
        for (tensor, len) in self.tensors.iter().zip(lengths) {
            let start = out.written;
            match &tensor.bytes {
                Bytes::There(bytes) => out.write_all(bytes).map_err(unwritable)?,
                Bytes::Made(make) => make(&mut out)?,
            }
            if out.written - start != len as u64 {
                return Err(tensor.wrong_len(out.written - start));
            }
            out.pad().map_err(unwritable)?;
        }
        out.flush().map_err(unwritable)
    }

    fn write_header<W: Write>(&self, out: &mut Counted<W>, lengths: &[usize]) -> io::Result<()> {
        out.write_all(&MAGIC)?;
        out.write_all(&3u32.to_le_bytes())?;
        out.u64(self.tensors.len())?;
        out.u64(self.metadata.len())?;
        for (key, value) in &self.metadata {
            out.str(key)?;
            out.value(value)?;
        }
        let mut offset = 0;
        for (tensor, len) in self.tensors.iter().zip(lengths) {
            out.str(&tensor.name)?;
            out.write_all(&(tensor.shape.len() as u32).to_le_bytes())?;
            for &dim in tensor.shape.iter().rev() {
                out.u64(dim)?;
            }
            out.write_all(&tensor.format.ggml_type().to_le_bytes())?;
            out.u64(offset)?;
            offset += len.next_multiple_of(DEFAULT_ALIGNMENT as usize);
        }
        out.pad()
    }
}

/// An output's refusal as an error.
pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::Storage { reason: format!("writing GGUF: {error}") }
}

/// A writer that knows how far it is.
struct Counted<W> {
    out: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Counted<W> {
    fn pad(&mut self) -> io::Result<()> {
        let padding = self.written.next_multiple_of(DEFAULT_ALIGNMENT) - self.written;
        self.write_all(&[0; DEFAULT_ALIGNMENT as usize][..padding as usize])
    }

    fn u64(&mut self, x: usize) -> io::Result<()> {
        self.write_all(&(x as u64).to_le_bytes())
    }

    fn str(&mut self, text: &str) -> io::Result<()> {
        self.u64(text.len())?;
        self.write_all(text.as_bytes())
    }

    /// The type's number, then the value.
    fn value(&mut self, value: &Value) -> io::Result<()> {
        let kind = |out: &mut Self, kind: u32| out.write_all(&kind.to_le_bytes());
        match value {
            Value::U8(x) => kind(self, 0).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::I8(x) => kind(self, 1).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::U16(x) => kind(self, 2).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::I16(x) => kind(self, 3).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::U32(x) => kind(self, 4).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::I32(x) => kind(self, 5).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::F32(x) => kind(self, 6).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::Bool(x) => kind(self, 7).and_then(|()| self.write_all(&[*x as u8])),
            Value::String(x) => kind(self, 8).and_then(|()| self.str(x)),
            Value::Array(x) => kind(self, 9).and_then(|()| self.array(x)),
            Value::U64(x) => kind(self, 10).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::I64(x) => kind(self, 11).and_then(|()| self.write_all(&x.to_le_bytes())),
            Value::F64(x) => kind(self, 12).and_then(|()| self.write_all(&x.to_le_bytes())),
        }
    }

    /// The elements' type, their count, then the elements.
    fn array(&mut self, array: &Array) -> io::Result<()> {
        macro_rules! numbers {
            ($kind:expr, $items:expr) => {{
                self.write_all(&($kind as u32).to_le_bytes())?;
                self.u64($items.len())?;
                $items.iter().try_for_each(|x| self.write_all(&x.to_le_bytes()))
            }};
        }
        match array {
            Array::U8(x) => numbers!(0, x),
            Array::I8(x) => numbers!(1, x),
            Array::U16(x) => numbers!(2, x),
            Array::I16(x) => numbers!(3, x),
            Array::U32(x) => numbers!(4, x),
            Array::I32(x) => numbers!(5, x),
            Array::F32(x) => numbers!(6, x),
            Array::Bool(x) => {
                let bytes: Vec<u8> = x.iter().map(|&x| x as u8).collect();
                numbers!(7, bytes)
            }
            Array::String(x) => {
                self.write_all(&8u32.to_le_bytes())?;
                self.u64(x.len())?;
                x.iter().try_for_each(|x| self.str(x))
            }
            Array::U64(x) => numbers!(10, x),
            Array::I64(x) => numbers!(11, x),
            Array::F64(x) => numbers!(12, x),
        }
    }
}
