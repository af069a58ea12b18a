//! One tensor of the new file: what it is made of, and how it is written.

use crate::error::{Error, Result};
use crate::load::record::{Relation, UsedTensor};
use crate::load::{Shape, Tensors};
use crate::quant::Format;
use crate::weights::{Checkpoint, TensorInfo, unwritable};
use pollster::block_on;
use std::io::Write;

/// Bytes of a tensor read at a time, where its rows stay in their order.
const CHUNK: u64 = 8 << 20;

/// A tensor of the new file.
pub struct PlannedTensor {
    pub name: String,
    /// Row-major.
    pub shape: Vec<usize>,
    /// The format of Hugging Face's tensor, and that of the new one.
    from: Format,
    pub to: Format,
    contents: Contents,
}

/// Hugging Face's tensors by their names.
enum Contents {
    /// Rows of one tensor; `order` maps each of GGUF's rows to the source's.
    Rows {
        tensor: String,
        order: Option<Vec<usize>>,
    },
    Transposed(String),
    Vector {
        tensor: String,
        offset: f32,
        order: Option<Vec<usize>>,
    },
    Stacked(Vec<String>),
    /// From the configuration.
    Numbers(Vec<f32>),
}

/// The error of something that has no form in GGUF.
pub fn no_form(what: &str, kind: &str) -> Error {
    Error::Unsupported { what: format!("{kind} {what} in GGUF"), hint: "; load the safetensors as they are".into() }
}

impl PlannedTensor {
    /// The tensor that the model uses, quantised to `to` where it is one that is quantised.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` where GGUF has no name for it.
    pub fn of(used: &UsedTensor, tensors: &Tensors, shape: &Shape, to: Format) -> Result<PlannedTensor> {
        let (_, gguf, _) = tensors.name(used.name);
        if gguf.is_empty() {
            return Err(no_form(&tensors.file_name(used.name, used.layer), "the tensor"));
        }
        let order = |name: &str| tensors.family.row_order.rows(shape, name, used.layer);
        let tensor = tensors.file_name(used.name, used.layer);
        let contents = match used.relation {
            Relation::Rows => Contents::Rows { tensor, order: order(used.name) },
            Relation::Transposed => Contents::Transposed(tensor),
            Relation::Vector { offset } => {
                Contents::Vector { tensor, offset, order: order(used.name.trim_end_matches(".bias")) }
            }
            Relation::Stacked => {
                Contents::Stacked((0..used.shape[0]).map(|j| tensor.replace("{j}", &j.to_string())).collect())
            }
        };
        let name = gguf.replace("{i}", &used.layer.to_string());
        let shape = used.shape.clone();
        let mut planned = PlannedTensor { name, shape, from: Format::F32, to: Format::F32, contents };
        let checkpoint = tensors.checkpoint;
        let first = planned.infos(checkpoint).next().cloned();
        if let Some(info) = first {
            planned.from = info.dtype.format().expect("it was checked when it was found");
            if info.shape.len() > 1 {
                planned.to = checkpoint.format_when_quantized(&info, planned.columns(), to).unwrap_or(planned.from);
            }
        }
        Ok(planned)
    }

    /// A vector of computed numbers.
    pub fn of_numbers(name: &str, numbers: Vec<f32>) -> PlannedTensor {
        let (shape, contents) = (vec![numbers.len()], Contents::Numbers(numbers));
        PlannedTensor { name: name.into(), shape, from: Format::F32, to: Format::F32, contents }
    }

    fn columns(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Hugging Face's tensors that it is made of.
    pub fn infos<'c>(&'c self, checkpoint: &'c Checkpoint) -> impl Iterator<Item = &'c TensorInfo> {
        let names = match &self.contents {
            Contents::Rows { tensor, .. } | Contents::Transposed(tensor) | Contents::Vector { tensor, .. } => {
                std::slice::from_ref(tensor)
            }
            Contents::Stacked(tensors) => tensors,
            Contents::Numbers(_) => &[],
        };
        names.iter().filter_map(|name| checkpoint.tensor(name))
    }

    /// Writes its bytes. `on_read` is told of bytes as they are read.
    ///
    /// # Errors
    /// `STORAGE` if the output refuses, what reading reports, and `MODEL_FORMAT` for weights that cannot be quantised.
    pub fn write(&self, checkpoint: &Checkpoint, out: &mut dyn Write, on_read: &dyn Fn(u64)) -> Result<()> {
        if let Contents::Numbers(numbers) = &self.contents {
            return out.write_all(bytemuck::cast_slice(numbers)).map_err(unwritable);
        }
        for info in self.infos(checkpoint) {
            if let Contents::Rows { order: None, .. } | Contents::Stacked(_) = &self.contents {
                self.write_in_chunks(info, checkpoint, out, on_read)?;
                continue;
            }
            let bytes = block_on(checkpoint.read_all(info))?;
            on_read(info.bytes);
            self.write_whole(info, &bytes, out)?;
        }
        Ok(())
    }

    /// The rows of a tensor in their order.
    fn write_in_chunks(
        &self,
        info: &TensorInfo,
        checkpoint: &Checkpoint,
        out: &mut dyn Write,
        on_read: &dyn Fn(u64),
    ) -> Result<()> {
        let step = (CHUNK / info.row_bytes().max(1)).max(1) as usize;
        for first in (0..info.rows()).step_by(step) {
            let rows = first..info.rows().min(first.saturating_add(step));
            let bytes = block_on(checkpoint.read_rows(info, rows))?;
            on_read(bytes.len() as u64);
            self.put(info, &bytes, out)?;
        }
        Ok(())
    }

    /// A tensor that was read whole, since its order is another.
    fn write_whole(&self, info: &TensorInfo, bytes: &[u8], out: &mut dyn Write) -> Result<()> {
        let columns = self.columns();
        match &self.contents {
            Contents::Rows { order, .. } => {
                let row = info.row_bytes() as usize;
                let rows = order.iter().flatten().flat_map(|r| &bytes[r * row..][..row]);
                self.put(info, &rows.copied().collect::<Vec<u8>>(), out)
            }
            Contents::Transposed(_) => {
                let (rows, size) = (self.shape[0], self.from.block_bytes());
                let cell = |row: usize, column: usize| &bytes[(column * rows + row) * size..][..size];
                let transposed = (0..rows).flat_map(|row| (0..columns).flat_map(move |column| cell(row, column)));
                self.put(info, &transposed.copied().collect::<Vec<u8>>(), out)
            }
            Contents::Vector { offset, order, .. } => {
                let mut values = vec![0f32; columns];
                self.from.dequantize(bytes, &mut values);
                values.iter_mut().for_each(|x| *x += offset);
                if let Some(order) = order {
                    values = order.iter().map(|i| values[*i]).collect();
                }
                out.write_all(bytemuck::cast_slice(&values)).map_err(unwritable)
            }
            Contents::Stacked(_) | Contents::Numbers(_) => unreachable!("written in their order"),
        }
    }

    /// Rows of the file, in the new format.
    fn put(&self, info: &TensorInfo, rows: &[u8], out: &mut dyn Write) -> Result<()> {
        if self.from == self.to {
            return out.write_all(rows).map_err(unwritable);
        }
        let columns = if info.shape.len() > 1 { self.columns() } else { info.elements() };
        let converted = self.from.convert_rows(rows, columns, self.to).ok_or_else(|| {
            let why = "some of its weights are infinite or no numbers, which has no quantised form";
            Error::format(&info.name, why)
        })?;
        out.write_all(&converted).map_err(unwritable)
    }
}
