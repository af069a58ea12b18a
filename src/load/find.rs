//! Names → tensors of the file, their shapes and types checked. Reads no weights: what has been found this way for all of
//! a model's tensors is a whole model.

use super::family::Family;
use super::hyper::Hyper;
use super::names::Name;
use crate::error::{Error, Result};
use crate::quant::Format;
use crate::weights::{Checkpoint, FileFormat, TensorInfo};

/// config.json's switches for biases, with our names of them.
const BIASES: &[(&str, &[&str])] = &[
    ("attention_bias", &["attn.q.bias", "attn.k.bias", "attn.v.bias", "attn.o.bias"]),
    ("use_qkv_bias", &["attn.q.bias", "attn.k.bias", "attn.v.bias"]),
    ("mlp_bias", &["ffn.gate.bias", "ffn.up.bias", "ffn.down.bias"]),
];

/// A tensor of the file, in a format that this build reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// Where it lies, and its shape.
    pub info: &'a TensorInfo,
    /// The format of its numbers in the file.
    pub format: Format,
}

/// A checkpoint's tensors under our names.
pub struct Tensors<'a> {
    /// The files they are in.
    pub checkpoint: &'a Checkpoint,
    /// Whose names they have.
    pub family: &'static Family,
    /// Our names of the biases that must be there; others may.
    required: Vec<&'static str>,
}

impl<'a> Tensors<'a> {
    /// Biases that the family has names of its own for must be there, and those that config.json speaks of.
    pub fn new(hyper: &Hyper<'a>) -> Self {
        let said = |(key, _): &&(&str, _)| hyper.flag("", key).ok().flatten() == Some(true);
        let said = BIASES.iter().filter(said).flat_map(|(_, names)| names.iter().copied());
        let own = hyper.family.tensors.iter().map(|row| row.0).filter(|name| name.ends_with(".bias"));
        Tensors { checkpoint: hyper.checkpoint, family: hyper.family, required: own.chain(said).collect() }
    }

    /// Biases for which `which` holds may be missing.
    pub fn may_lack(&mut self, which: impl Fn(&str) -> bool) {
        self.required.retain(|name| !which(name));
    }

    /// Whether the files are GGUF, and not safetensors.
    pub fn is_gguf(&self) -> bool {
        matches!(self.checkpoint.file_format(), FileFormat::Gguf { .. })
    }

    /// The names of one of our tensors. Panics where the architecture has none: that is a mistake in its file.
    pub fn name(&self, name: &str) -> &'static Name {
        self.family.tensor(name).unwrap_or_else(|| panic!("{}: no name for {name}", self.family.name))
    }

    /// The file's name of one of our tensors.
    pub fn file_name(&self, name: &str, layer: usize) -> String {
        let &(_, gguf, hf) = self.name(name);
        if self.is_gguf() {
            return gguf.replace("{i}", &layer.to_string());
        }
        let full = hf.replace("{i}", &layer.to_string());
        let mut variants = self.family.hf_variants(&full).into_iter();
        variants.find(|name| self.checkpoint.tensor(name).is_some()).unwrap_or(full)
    }

    /// Whether the architecture has a name for this tensor, and the file the tensor.
    pub fn has(&self, name: &str, layer: usize) -> bool {
        self.family.tensor(name).is_some() && self.checkpoint.tensor(&self.file_name(name, layer)).is_some()
    }

    /// Whether an optional tensor is there, or has to be.
    pub fn expects(&self, name: &str, layer: usize) -> bool {
        self.has(name, layer) || self.required.contains(&name)
    }

    /// Rows and columns of a matrix of the file, zeros where it is none.
    pub fn size(&self, name: &str, layer: usize) -> [usize; 2] {
        let info = self.checkpoint.tensor(&self.file_name(name, layer));
        info.and_then(|info| info.shape[..].try_into().ok()).unwrap_or_default()
    }

    /// Rows of a matrix of the file, or 0 where it is none.
    pub fn rows(&self, name: &str, layer: usize) -> usize {
        self.size(name, layer)[0]
    }

    /// The tensor `name` of `layer`.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where it is missing or has another shape; `MODEL_UNSUPPORTED` for a type that this build does not
    /// read.
    pub fn find(&self, name: &str, layer: usize, shape: &[usize]) -> Result<Found<'a>> {
        self.find_file_name(self.file_name(name, layer), shape)
    }

    fn find_file_name(&self, tensor: String, shape: &[usize]) -> Result<Found<'a>> {
        let Some(info) = self.checkpoint.tensor(&tensor) else {
            return Err(Error::MissingTensor { architecture: self.family.name, tensor });
        };
        if info.shape != shape {
            return Err(Error::Shape { tensor, want: shape.to_vec(), got: info.shape.clone() });
        }
        let format = info.dtype.format().ok_or_else(|| Error::Unsupported {
            what: format!("the tensor type {} (of {tensor})", info.dtype),
            hint: format!("; this build reads {}", Format::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "))
                .into(),
        })?;
        Ok(Found { info, format })
    }

    /// A matrix [rows, columns] of whole blocks.
    ///
    /// # Errors
    /// Those of [`Self::find`], and `MODEL_FORMAT` where columns are no whole number of blocks.
    pub fn matrix(&self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Found<'a>> {
        let found = self.find(name, layer, &shape)?;
        check_blocks(found, shape[1])?;
        Ok(found)
    }

    /// Finds a tensor [n, `shape`…] that safetensors may keep as `n` tensors of `shape` (`{j}` in their name).
    ///
    /// # Errors
    /// Those of [`Self::find`], for any of them.
    pub fn stacked(&self, name: &str, layer: usize, n: usize, shape: &[usize]) -> Result<Vec<Found<'a>>> {
        let template = self.file_name(name, layer);
        if self.is_gguf() {
            return Ok(vec![self.find_file_name(template, &[&[n], shape].concat())?]);
        }
        (0..n).map(|j| self.find_file_name(template.replace("{j}", &j.to_string()), shape)).collect()
    }

    /// `n` matrices [rows, columns] of whole blocks, all in one format.
    ///
    /// # Errors
    /// Those of [`Self::matrix`], and `MODEL_FORMAT` where one is in another format than the first.
    pub fn stacked_matrices(&self, name: &str, layer: usize, [n, rows, columns]: [usize; 3]) -> Result<Vec<Found<'a>>> {
        let found = self.stacked(name, layer, n, &[rows, columns])?;
        if let Some(odd) = found.iter().find(|other| other.format != found[0].format) {
            return Err(Error::format(&odd.info.name, "is of another type than the first expert's"));
        }
        check_blocks(found[0], columns)?;
        Ok(found)
    }

    /// A small tensor's numbers on the host, now.
    ///
    /// # Errors
    /// Those of [`Self::find`], and those of the file's source.
    pub async fn values(&self, name: &str, layer: usize, shape: &[usize]) -> Result<Vec<f32>> {
        read_values(self.checkpoint, self.find(name, layer, shape)?).await
    }
}

fn check_blocks(found: Found, columns: usize) -> Result<()> {
    match found.format.row_bytes(columns) {
        Some(_) => Ok(()),
        None => {
            let why = format!("{columns} columns are no whole blocks of {}", found.format.name());
            Err(Error::format(&found.info.name, why))
        }
    }
}

/// A small tensor's numbers on the host.
pub(super) async fn read_values(checkpoint: &Checkpoint, found: Found<'_>) -> Result<Vec<f32>> {
    let bytes = checkpoint.read_all(found.info).await?;
    let mut values = vec![0f32; found.info.elements()];
    found.format.dequantize(&bytes, &mut values);
    Ok(values)
}
