//! A GGUF model → the same model with its matrices in another format. Streams: some MiB are in memory at a time.

use std::io::Write;

use pollster::block_on;

use crate::quant::Format;
use crate::{Error, Result};

use super::checkpoint::{Checkpoint, FileFormat};
use super::gguf_write::{GgufWriter, unwritable};
use super::tensor::TensorInfo;

/// Bytes of a tensor read at a time.
const CHUNK: u64 = 8 << 20;

/// The planned format of each tensor of a checkpoint.
pub struct Quantization<'a> {
    checkpoint: &'a Checkpoint,
    to: Format,
    tensors: Vec<(&'a TensorInfo, Format, Format)>,
}

impl<'a> Quantization<'a> {
    /// Chooses a format for each tensor. Nothing is made larger.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for what is no GGUF, for a format that cannot be written, if nothing would change, and for a matrix
    /// that is quantised already, unless `requantize` says that this is meant; `MODEL_UNSUPPORTED` for a tensor type
    /// that this build does not know.
    pub fn plan(checkpoint: &'a Checkpoint, to: Format, requantize: bool) -> Result<Self> {
        if !matches!(checkpoint.file_format(), FileFormat::Gguf { .. }) {
            let why = "is no GGUF; safetensors and others are converted, not rewritten";
            return Err(Error::invalid("--model", why));
        }
        if !to.is_writable() {
            let why = format!("{} can be read but not written; choose one of {}", to.name(), Format::writable_names());
            return Err(Error::invalid("--to", why));
        }
        let mut tensors = Vec::with_capacity(checkpoint.tensors().len());
        for tensor in checkpoint.tensors() {
            let from = tensor.dtype.format().ok_or_else(|| Error::Unsupported {
                what: format!("the tensor type {} (of {})", tensor.dtype, tensor.name),
                hint: "".into(),
            })?;
            let chosen = checkpoint.format_when_quantized(tensor, tensor.columns(), to);
            if chosen.is_some() && from.is_quantized() && !requantize {
                let why = format!(
                    "{} is quantised already ({}), and quantising again loses more than once would have; start from the \
                     unquantised model, or say --allow-requantize",
                    tensor.name,
                    from.name()
                );
                return Err(Error::invalid("--model", why));
            }
            tensors.push((tensor, from, chosen.unwrap_or(from)));
        }
        if tensors.iter().all(|(_, from, to)| from == to) {
            let why = format!("{} would make none of the model's matrices smaller", to.name());
            return Err(Error::invalid("--to", why));
        }
        Ok(Quantization { checkpoint, to, tensors })
    }

    /// How many tensors will be in which format, the most frequent first.
    pub fn summary(&self) -> Vec<(Format, usize)> {
        let mut counts: Vec<(Format, usize)> = Vec::new();
        for (.., to) in &self.tensors {
            match counts.iter_mut().find(|(format, _)| format == to) {
                Some((_, count)) => *count += 1,
                None => counts.push((*to, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Writes the new file. `on_read` is told of bytes as they are read; together they are the tensors' bytes.
    ///
    /// # Errors
    /// `STORAGE` if the output refuses, what reading reports, and `MODEL_FORMAT` for weights that are no numbers.
    pub fn write(&self, out: impl Write, on_read: &dyn Fn(u64)) -> Result<()> {
        let mut writer = GgufWriter::new();
        // The parts of a split model become one file.
        for (key, value) in self.checkpoint.metadata().iter().filter(|(key, _)| !key.starts_with("split.")) {
            writer = writer.set(key, value.clone());
        }
        writer = writer.set("general.quantization_version", 2u32).set("general.file_type", file_type(self.to));
        for &(tensor, from, to) in &self.tensors {
            writer = writer.tensor_made(&tensor.name, &tensor.shape, to, move |out| {
                self.write_tensor(tensor, from, to, out, on_read)
            });
        }
        writer.write(out)
    }

    fn write_tensor(
        &self,
        tensor: &TensorInfo,
        from: Format,
        to: Format,
        out: &mut dyn Write,
        on_read: &dyn Fn(u64),
    ) -> Result<()> {
        let step = (CHUNK / tensor.row_bytes().max(1)).max(1) as usize;
        for first in (0..tensor.rows()).step_by(step) {
            let rows = first..tensor.rows().min(first.saturating_add(step));
            let bytes = block_on(self.checkpoint.read_rows(tensor, rows))?;
            on_read(bytes.len() as u64);
            if from == to {
                out.write_all(&bytes).map_err(unwritable)?;
                continue;
            }
            let converted = from.convert_rows(&bytes, tensor.columns(), to).ok_or_else(|| {
                Error::format(
                    &tensor.name,
                    "some of its weights are infinite or no numbers, which has no quantised form",
                )
            })?;
            out.write_all(&converted).map_err(unwritable)?;
        }
        Ok(())
    }
}

/// `general.file_type`, llama.cpp's number for a model that is mostly in this format.
pub(crate) fn file_type(format: Format) -> u32 {
    match format {
        Format::F32 => 0,
        Format::F16 => 1,
        Format::Q4_0 => 2,
        Format::Q4_1 => 3,
        Format::Q8_0 => 7,
        Format::Q5_0 => 8,
        Format::Q5_1 => 9,
        Format::Q2_K => 10,
        Format::Q3_K => 12,
        // The numbers of the "small" mixtures, which are the even ones.
        Format::Q4_K => 14,
        Format::Q5_K => 16,
        Format::Q6_K => 18,
        Format::IQ4_NL => 25,
        Format::IQ4_XS => 30,
        Format::BF16 => 32,
        Format::MXFP4 => 38,
    }
}
