//! Checkpoint tensors → device weights. A [`Loader`] finds them and makes room for them on the device; what it has made
//! room for is read by [`Fills`], in the file's own order, so that a model can be compiled, and found too large, while its
//! file is still on the way. Few numbers decide how a model is built (RoPE's divisors): those are read at once.

use super::Hyper;
use super::hyper::Notes;
use super::names::{Name, find_name};
use super::record::{How, Projection, Use};
use super::rope::RopeSpec;
use super::rows::{RowOrder, Rows, count};
use super::upload::{CHUNK, Fill, Fills, Target, device_row_bytes, read_values};
use crate::device::{BufferId, Device, ProjectionId, Usage, Weight, WeightPiece};
use crate::error::{Error, Result};
use crate::nn::Linear;
use crate::quant::Format;
use crate::weights::{Checkpoint, Kind, TensorInfo};
use std::ops::Range;

/// Reads an architecture's tensors under our names.
pub struct Loader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub device: &'a mut Device,
    /// Positions to make tables for.
    pub context: usize,
    pub architecture: &'static str,
    /// The architecture's own names, then those it shares.
    pub names: [&'static [Name]; 2],
    /// Our names of the biases that must be there; others may.
    pub required: Vec<&'static str>,
    /// Prefixes of Hugging Face's names that stand for each other; the first is the one in `names`.
    pub prefixes: &'static [&'static str],
    /// Finds and checks every tensor, but reads and uploads none of the large ones: for saying beforehand whether a
    /// model is whole. What is loaded so cannot run.
    pub only_check: bool,
    /// What matrices become that are not quantised in the file.
    pub quantize: Option<Format>,
    /// Where GGUF's converter reorders rows; for adapters of the other kind of file.
    pub gguf_order: RowOrder,
    /// The projections loaded so far, by their ids: where adapters find their places.
    pub projections: Vec<Projection>,
    /// Where numbers of the configuration are taken down, and what tensors and rotations were asked for: so that the
    /// model can be written in another kind of file.
    pub notes: Option<&'a Notes>,
    pub uses: Vec<Use>,
    pub ropes: Vec<RopeSpec>,
    fills: Vec<Fill>,
}

impl<'a> Loader<'a> {
    pub fn new(checkpoint: &'a Checkpoint, device: &'a mut Device, context: usize) -> Self {
        Loader {
            checkpoint,
            device,
            context,
            architecture: "",
            names: [&[]; 2],
            required: Vec::new(),
            prefixes: &["model.", ""],
            only_check: false,
            quantize: None,
            gguf_order: |_, _| None,
            projections: Vec::new(),
            notes: None,
            uses: Vec::new(),
            ropes: Vec::new(),
            fills: Vec::new(),
        }
    }

    /// What there is to read.
    pub fn into_fills(self) -> Fills {
        Fills::new(self.fills)
    }

    pub fn is_gguf(&self) -> bool {
        matches!(self.checkpoint.kind(), Kind::Gguf { .. })
    }

    pub fn hyper(&self, architecture: &'static str) -> Hyper<'a> {
        Hyper { notes: self.notes, ..Hyper::new(self.checkpoint, architecture) }
    }

    /// Takes down that a tensor is used.
    fn note(&mut self, name: &str, layer: usize, shape: &[usize], how: How) {
        let Some((name, ..)) = self.name(name).filter(|_| self.notes.is_some()) else { return };
        if !self.uses.iter().rev().take_while(|used| used.layer == layer).any(|used| used.name == *name) {
            self.uses.push(Use { name, layer, shape: shape.to_vec(), how });
        }
    }

    /// The file's name of one of our tensors.
    pub fn file_name(&self, name: &str, layer: usize) -> String {
        let row = self.name(name);
        let &(_, gguf, hf) = row.unwrap_or_else(|| panic!("{}: no name for {name}", self.architecture));
        if self.is_gguf() {
            return gguf.replace("{i}", &layer.to_string());
        }
        let full = hf.replace("{i}", &layer.to_string());
        let Some(stem) = self.prefixes.first().and_then(|prefix| full.strip_prefix(prefix)) else { return full };
        let mut others = self.prefixes.iter().map(|prefix| format!("{prefix}{stem}"));
        others.find(|name| self.checkpoint.tensor(name).is_some()).unwrap_or(full)
    }

    pub fn name(&self, name: &str) -> Option<&'static Name> {
        find_name(&self.names, name)
    }

    /// Takes down a projection that has the rows `runs` of the tensor `name` [out, in], part `part.0` of `part.1`.
    fn register(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        runs: &Rows,
        part: (usize, usize),
    ) -> ProjectionId {
        let (name, _, _) = self.name(name).unwrap_or_else(|| panic!("{}: no name for {name}", self.architecture));
        self.projections.push(Projection { name, layer, shape, runs: runs.clone(), part });
        ProjectionId(self.projections.len() - 1)
    }

    /// A projection [out, in] that is `weight` once more: the embedding table as the way to logits.
    pub fn tied(&mut self, name: &str, weight: Weight) -> Linear {
        let shape = [weight.rows, weight.columns];
        let id = self.register(name, 0, shape, &vec![0..shape[0]], (0, 1));
        Linear { id: Some(id), ..Linear::new(weight, None) }
    }

    /// Whether the architecture has a name for this tensor, and the file the tensor.
    pub fn has(&self, name: &str, layer: usize) -> bool {
        self.name(name).is_some() && self.checkpoint.tensor(&self.file_name(name, layer)).is_some()
    }

    /// Rows of a matrix of the file, or 0 where it is none.
    pub fn rows(&self, name: &str, layer: usize) -> Result<usize> {
        let info = self.checkpoint.tensor(&self.file_name(name, layer));
        Ok(info.filter(|info| info.shape.len() == 2).map_or(0, |info| info.shape[0]))
    }

    /// Whether an optional tensor is there, or has to be.
    fn expects(&self, name: &str, layer: usize) -> bool {
        self.has(name, layer) || self.required.contains(&name)
    }

    fn find(&self, name: &str, layer: usize, shape: &[usize]) -> Result<(&'a TensorInfo, Format)> {
        self.find_tensor(self.file_name(name, layer), shape)
    }

    /// The tensor that the file calls `tensor`.
    fn find_tensor(&self, tensor: String, shape: &[usize]) -> Result<(&'a TensorInfo, Format)> {
        let Some(info) = self.checkpoint.tensor(&tensor) else {
            return Err(Error::MissingTensor { architecture: self.architecture, tensor });
        };
        if info.shape != shape {
            return Err(Error::Shape { tensor, want: shape.to_vec(), got: info.shape.clone() });
        }
        let format = info.dtype.format().ok_or_else(|| Error::Unsupported {
            what: format!("the tensor type {} (of {tensor})", info.dtype),
            hint: format!("; this build reads {}", Format::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "))
                .into(),
        })?;
        Ok((info, format))
    }

    /// What a matrix with rows of `columns` is on the device, `from` in the file.
    fn format_on_device(&self, info: &TensorInfo, from: Format, columns: usize) -> Format {
        let quantize = self.quantize.filter(|_| !from.is_quantized());
        quantize.and_then(|to| self.checkpoint.format_when_quantized(info, columns, to)).unwrap_or(from)
    }

    /// A vector [n] as f32 on the device.
    pub fn vector(&mut self, name: &str, layer: usize, n: usize) -> Result<BufferId> {
        self.vector_plus(name, layer, n, 0.0)
    }

    /// A vector [n], if the file has it; an error if it has not, though it must.
    pub fn optional_vector(&mut self, name: &str, layer: usize, n: usize) -> Result<Option<BufferId>> {
        match self.expects(name, layer) {
            true => Ok(Some(self.vector(name, layer, n)?)),
            false => Ok(None),
        }
    }

    /// A vector [n] with `offset` added to each number.
    pub fn vector_plus(&mut self, name: &str, layer: usize, n: usize, offset: f32) -> Result<BufferId> {
        self.note(name, layer, &[n], How::Vector { offset });
        let found = self.find(name, layer, &[n])?;
        self.numbers(name, &[found], &[vec![0..n]], offset)
    }

    /// Vectors one behind the other, `offset` added to each number.
    pub fn joined_vectors(&mut self, names: &[(&str, usize)], layer: usize, offset: f32) -> Result<BufferId> {
        let found: Result<Vec<_>> = names.iter().map(|&(name, n)| self.find(name, layer, &[n])).collect();
        let runs: Vec<Rows> = names.iter().map(|&(_, n)| vec![0..n]).collect();
        self.numbers(names[0].0, &found?, &runs, offset)
    }

    /// A small tensor's numbers on the host, now.
    pub async fn values(&mut self, name: &str, layer: usize, shape: &[usize]) -> Result<Vec<f32>> {
        let (info, format) = self.find(name, layer, shape)?;
        read_values(self.checkpoint, info, format).await
    }

    /// `n` vectors of `columns` after each other, as f32 on the device: one tensor [n, columns] in GGUF, a tensor for each
    /// in safetensors.
    pub fn stacked_vectors(&mut self, name: &str, layer: usize, [n, columns]: [usize; 2]) -> Result<BufferId> {
        self.note(name, layer, &[n, columns], How::Stacked);
        let file_name = self.file_name(name, layer);
        let (tensors, shape) = match self.is_gguf() {
            true => (1, vec![n, columns]),
            false => (n, vec![columns]),
        };
        let find = |j: usize| self.find_tensor(file_name.replace("{j}", &j.to_string()), &shape);
        let found = (0..tensors).map(find).collect::<Result<Vec<_>>>()?;
        let runs = vec![vec![0..shape.iter().product()]; tensors];
        self.numbers(name, &found, &runs, 0.0)
    }

    /// Room on the device for the numbers `runs` of each tensor, one behind the other, as f32.
    fn numbers(
        &mut self,
        label: &str,
        tensors: &[(&'a TensorInfo, Format)],
        runs: &[Rows],
        offset: f32,
    ) -> Result<BufferId> {
        if self.only_check {
            return Ok(BufferId::default());
        }
        let numbers: usize = runs.iter().map(count).sum();
        let buffer = self.device.create_buffer(label, 4 * numbers as u64, Usage::Weights)?;
        let mut at = 0;
        for (&(info, format), runs) in tensors.iter().zip(runs) {
            let bytes = 4 * count(runs) as u64;
            self.fills.push(Fill {
                info: info.clone(),
                format,
                target: Target::Numbers { buffer, at, runs: runs.clone(), offset },
            });
            at += bytes;
        }
        Ok(buffer)
    }

    /// A computed table [context, columns] on the device; `rows` gives the numbers of a range of positions.
    pub fn upload_rows(
        &mut self,
        label: &str,
        columns: usize,
        rows: impl Fn(Range<usize>) -> Vec<f32>,
    ) -> Result<BufferId> {
        if self.only_check {
            return Ok(BufferId::default());
        }
        let row_bytes = 4 * columns;
        let buffer = self.device.create_buffer(label, self.context as u64 * row_bytes as u64, Usage::Weights)?;
        let step = (CHUNK / row_bytes).max(1);
        for first in (0..self.context).step_by(step) {
            let numbers = rows(first..(first + step).min(self.context));
            self.device.write(buffer, first as u64 * row_bytes as u64, bytemuck::cast_slice(&numbers));
        }
        Ok(buffer)
    }

    /// A matrix [rows, columns].
    pub fn matrix(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Weight> {
        self.matrix_rows(name, layer, shape, &vec![0..shape[0]])
    }

    /// The matrices [out, in] of `shape`'s experts one behind the other, [E × out, in]: one tensor [E, out, in] in GGUF, a
    /// tensor for each (`{j}` in its name) in safetensors.
    pub fn experts(&mut self, name: &str, layer: usize, [e, out, columns]: [usize; 3]) -> Result<Weight> {
        self.note(name, layer, &[e, out, columns], How::Stacked);
        let mut tensors = Vec::new();
        if self.is_gguf() {
            tensors.push(self.find(name, layer, &[e, out, columns])?);
        } else {
            let template = self.file_name(name, layer);
            for j in 0..e {
                tensors.push(self.find_tensor(template.replace("{j}", &j.to_string()), &[out, columns])?);
            }
        }
        let (first, format) = tensors[0];
        if let Some((odd, _)) = tensors.iter().find(|(_, other)| *other != format) {
            return Err(Error::format(&odd.name, "is of another type than the first expert's"));
        }
        if format.row_bytes(columns).is_none() {
            let why = format!("{columns} columns are no whole blocks of {}", format.name());
            return Err(Error::format(&first.name, why));
        }
        let to = self.format_on_device(first, format, columns);
        let weight = self.allocate_units(&first.name, to, e * out, columns, out)?;
        let mut at = 0;
        for (info, format) in tensors {
            self.fill(&weight, at, info, format, &vec![0..info.rows()]);
            at += info.rows();
        }
        Ok(weight)
    }

    /// The rows `runs` of a matrix [rows, columns], in that order.
    fn matrix_rows(&mut self, name: &str, layer: usize, shape: [usize; 2], runs: &Rows) -> Result<Weight> {
        self.note(name, layer, &shape, How::Rows);
        let (info, format) = self.find_matrix(name, layer, shape)?;
        let to = self.format_on_device(info, format, shape[1]);
        let weight = self.allocate(&info.name, to, count(runs), shape[1])?;
        self.fill(&weight, 0, info, format, runs);
        Ok(weight)
    }

    /// A matrix [rows, columns] of the file, of whole blocks.
    fn find_matrix(&self, name: &str, layer: usize, shape: [usize; 2]) -> Result<(&'a TensorInfo, Format)> {
        let (info, format) = self.find(name, layer, &shape)?;
        if format.row_bytes(shape[1]).is_none() {
            let why = format!("{} columns are no whole blocks of {}", shape[1], format.name());
            return Err(Error::format(&info.name, why));
        }
        Ok((info, format))
    }

    /// The rows `runs` of a tensor are to become those of a weight from `at` on.
    fn fill(&mut self, weight: &Weight, at: usize, info: &'a TensorInfo, format: Format, runs: &Rows) {
        if !self.only_check {
            let target = Target::Rows { weight: weight.clone(), at, runs: runs.clone() };
            self.fills.push(Fill { info: info.clone(), format, target });
        }
    }

    /// The rows of each of `parts` of the transpose of a file's matrix [columns, rows]: GPT-2's `Conv1D`, which
    /// safetensors keep as [in, out].
    fn transposed_rows(
        &mut self,
        name: &str,
        layer: usize,
        [rows, columns]: [usize; 2],
        parts: &[Rows],
    ) -> Result<Vec<Weight>> {
        self.note(name, layer, &[rows, columns], How::Turned);
        let (info, format) = self.find(name, layer, &[columns, rows])?;
        if format.block_len() != 1 {
            return Err(Error::unsupported(format!("{}: a transposed matrix in {}", info.name, format.name())));
        }
        let to = self.format_on_device(info, format, columns);
        let weights = self.allocate_together(&info.name, to, &parts.iter().map(count).collect::<Vec<_>>(), columns)?;
        if !self.only_check {
            let parts = weights.iter().cloned().zip(parts.iter().cloned()).collect();
            self.fills.push(Fill { info: info.clone(), format, target: Target::Turned(parts) });
        }
        Ok(weights)
    }

    /// A projection [out, in]; its bias, if the file has one, is named `{name}.bias`.
    pub fn linear(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Linear> {
        let weight = self.matrix(name, layer, shape)?;
        self.finish_linear(name, layer, shape, weight)
    }

    fn finish_linear(&mut self, name: &str, layer: usize, shape: [usize; 2], weight: Weight) -> Result<Linear> {
        let bias = self.optional_vector(&format!("{name}.bias"), layer, shape[0])?;
        let id = self.register(name, layer, shape, &vec![0..shape[0]], (0, 1));
        Ok(Linear { id: Some(id), ..Linear::new(weight, bias) })
    }

    /// Projections that read the same input, in one dispatch where they can: those that follow each other in one format
    /// lie in one buffer.
    pub fn linears<const N: usize>(&mut self, named: [(&str, [usize; 2]); N], layer: usize) -> Result<[Linear; N]> {
        let mut found = Vec::with_capacity(N);
        for (name, shape) in named {
            self.note(name, layer, &shape, How::Rows);
            let (info, format) = self.find_matrix(name, layer, shape)?;
            found.push((info, format, self.format_on_device(info, format, shape[1]), shape));
        }
        let mut linears = Vec::with_capacity(N);
        for alike in found.chunk_by(|a, b| (a.2, a.3[1]) == (b.2, b.3[1])) {
            let (info, _, to, [_, columns]) = alike[0];
            let rows: Vec<_> = alike.iter().map(|(.., shape)| shape[0]).collect();
            let weights = self.allocate_together(&info.name, to, &rows, columns)?;
            for ((info, format, _, shape), weight) in alike.iter().zip(weights) {
                let (name, _) = named[linears.len()];
                self.fill(&weight, 0, info, *format, &vec![0..shape[0]]);
                linears.push(self.finish_linear(name, layer, *shape, weight)?);
            }
        }
        Ok(linears.try_into().unwrap_or_else(|_| unreachable!("one projection a name")))
    }

    /// Several projections that the file keeps as one [out, in]: each has the rows of one of `parts`.
    pub fn linear_parts<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        parts: [Rows; N],
    ) -> Result<[Linear; N]> {
        self.note(name, layer, &shape, How::Rows);
        let (info, format) = self.find_matrix(name, layer, shape)?;
        let to = self.format_on_device(info, format, shape[1]);
        let weights = self.allocate_together(&info.name, to, &parts.each_ref().map(count), shape[1])?;
        for (part, weight) in parts.iter().zip(&weights) {
            self.fill(weight, 0, info, format, part);
        }
        self.with_biases(name, layer, shape, weights, parts)
    }

    /// As [`Self::linear_parts`], of a tensor that the file keeps as [in, out].
    pub fn transposed_parts<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        parts: [Rows; N],
    ) -> Result<[Linear; N]> {
        let weights = self.transposed_rows(name, layer, shape, &parts)?;
        self.with_biases(name, layer, shape, weights, parts)
    }

    /// Projections with their parts of the bias `{name}.bias` [out], if the file has one.
    fn with_biases<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        weights: Vec<Weight>,
        parts: [Rows; N],
    ) -> Result<[Linear; N]> {
        let bias_name = format!("{name}.bias");
        if self.expects(&bias_name, layer) {
            self.note(&bias_name, layer, &shape[..1], How::Vector { offset: 0.0 });
        }
        let bias = match self.expects(&bias_name, layer) {
            true => Some(self.find(&bias_name, layer, &shape[..1])?),
            false => None,
        };
        let mut linears = Vec::with_capacity(N);
        for (i, (weight, part)) in weights.into_iter().zip(parts).enumerate() {
            let id = Some(self.register(name, layer, shape, &part, (i, N)));
            let bias = bias.map(|found| self.numbers(&bias_name, &[found], &[part], 0.0)).transpose()?;
            linears.push(Linear { id, ..Linear::new(weight, bias) });
        }
        Ok(linears.try_into().unwrap_or_else(|_| unreachable!("one projection a part")))
    }

    /// Weights of so many rows each, in one buffer where it can hold them all.
    fn allocate_together(
        &mut self,
        label: &str,
        format: Format,
        rows: &[usize],
        columns: usize,
    ) -> Result<Vec<Weight>> {
        let whole = self.allocate(label, format, rows.iter().sum(), columns);
        let Ok(Weight { pieces, .. }) = whole else { return Err(whole.expect_err("it is none")) };
        let [piece] = &pieces[..] else {
            // Nothing is in it yet: its buffers go, and each weight gets its own.
            pieces.iter().for_each(|piece| self.device.free(piece.buffer, Usage::Weights));
            return rows.iter().map(|&rows| self.allocate(label, format, rows, columns)).collect();
        };
        let mut at = 0;
        let part = |&rows: &usize| {
            at += rows;
            let pieces = vec![WeightPiece { buffer: piece.buffer, at: at - rows, rows: 0..rows }];
            Weight { format, rows, columns, pieces }
        };
        Ok(rows.iter().map(part).collect())
    }

    /// Buffers for [rows, columns], as many as the device's largest binding makes necessary.
    fn allocate(&mut self, label: &str, format: Format, rows: usize, columns: usize) -> Result<Weight> {
        self.allocate_units(label, format, rows, columns, 1)
    }

    /// The same, in pieces of a whole number of `unit` rows.
    fn allocate_units(
        &mut self,
        label: &str,
        format: Format,
        rows: usize,
        columns: usize,
        unit: usize,
    ) -> Result<Weight> {
        let row_bytes = device_row_bytes(self.device, format, columns);
        let limits = self.device.info().limits;
        // In u64: an adapter may offer more than a 32-bit page can count.
        let most = limits.max_binding_bytes.min(limits.max_buffer_bytes) / row_bytes as u64;
        let most = (most.clamp(1, 1 << 30) as usize / unit * unit).max(unit);
        let mut pieces = Vec::new();
        for first in (0..rows).step_by(most) {
            let rows = first..(first + most).min(rows);
            let buffer = match self.only_check {
                true => BufferId::default(),
                false => self.device.create_buffer(label, (rows.len() * row_bytes) as u64, Usage::Weights)?,
            };
            pieces.push(WeightPiece { buffer, at: 0, rows });
        }
        Ok(Weight { format, rows, columns, pieces })
    }
}
