//! Checkpoint tensors → device weights, streamed: [`CHUNK`] bytes of a tensor are in memory at a time. Only what must
//! be transposed is read whole.

use super::Hyper;
use super::hyper::Notes;
use super::lora::{Projection, RowOrder};
use super::rope::RopeSpec;
use super::uses::{How, Use};
use crate::device::{BufferId, Device, ProjectionId, Usage, Weight, WeightPiece};
use crate::error::{Error, Result};
use crate::nn::Linear;
use crate::quant::Format;
use crate::weights::{Checkpoint, Kind, TensorInfo};
use std::borrow::Cow;
use std::ops::Range;

/// Bytes of a tensor read at a time.
const CHUNK: usize = 16 << 20;
/// Bytes written before the device is waited for: what is on its way to it takes memory too.
const UNFLUSHED: usize = 64 << 20;

/// Told (bytes uploaded, bytes in all) as loading goes on.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// One name in each world: ours, GGUF's, Hugging Face's. `{i}` stands for the layer, `{j}` for one of several vectors that
/// GGUF keeps as one matrix.
pub type Name = (&'static str, &'static str, &'static str);

/// The row of `names` that is called `name` in our words; an architecture's own come first.
pub(super) fn find_name(names: &[&'static [Name]; 2], name: &str) -> Option<&'static Name> {
    names.iter().copied().flatten().find(|row| row.0 == name)
}

/// Rows of a matrix, as runs that follow each other.
pub type Rows = Vec<Range<usize>>;

/// How many rows there are.
fn count(rows: &Rows) -> usize {
    rows.iter().map(Range::len).sum()
}

/// Rows of a tensor in the format that they have on the device.
fn converted<'b>(info: &TensorInfo, from: Format, bytes: &'b [u8], weight: &Weight) -> Result<Cow<'b, [u8]>> {
    if from == weight.format {
        return Ok(Cow::Borrowed(bytes));
    }
    let converted = from.convert_rows(bytes, weight.columns, weight.format);
    let why = "some of its weights are infinite or no numbers, which has no quantised form";
    converted.map(Cow::Owned).ok_or_else(|| Error::format(&info.name, why))
}

/// `counts` rows after each other: how most files keep several projections as one.
pub fn consecutive<const N: usize>(counts: [usize; N]) -> [Rows; N] {
    let mut end = 0;
    counts.map(|n| {
        end += n;
        vec![end - n..end]
    })
}

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
    uploaded: u64,
    unflushed: usize,
    progress: &'a mut Progress<'a>,
}

impl<'a> Loader<'a> {
    pub fn new(
        checkpoint: &'a Checkpoint,
        device: &'a mut Device,
        context: usize,
        progress: &'a mut Progress<'a>,
    ) -> Self {
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
            uploaded: 0,
            unflushed: 0,
            progress,
        }
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
    pub(super) fn file_name(&self, name: &str, layer: usize) -> String {
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

    pub(super) fn name(&self, name: &str) -> Option<&'static Name> {
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
    pub async fn vector(&mut self, name: &str, layer: usize, n: usize) -> Result<BufferId> {
        self.vector_plus(name, layer, n, 0.0).await
    }

    /// A vector [n], if the file has it; an error if it has not, though it must.
    pub async fn optional_vector(&mut self, name: &str, layer: usize, n: usize) -> Result<Option<BufferId>> {
        match self.expects(name, layer) {
            true => Ok(Some(self.vector(name, layer, n).await?)),
            false => Ok(None),
        }
    }

    /// A vector [n] with `offset` added to each number.
    pub async fn vector_plus(&mut self, name: &str, layer: usize, n: usize, offset: f32) -> Result<BufferId> {
        self.note(name, layer, &[n], How::Vector { offset });
        if self.only_check {
            self.find(name, layer, &[n])?;
            return Ok(BufferId::default());
        }
        let mut values = self.values(name, layer, &[n]).await?;
        values.iter_mut().for_each(|x| *x += offset);
        self.upload_vector(name, &values)
    }

    /// Vectors one behind the other, `offset` added to each number.
    pub async fn joined_vectors(&mut self, names: &[(&str, usize)], layer: usize, offset: f32) -> Result<BufferId> {
        if self.only_check {
            return Ok(BufferId::default());
        }
        let mut joined = Vec::new();
        for &(name, n) in names {
            joined.extend(self.values(name, layer, &[n]).await?);
        }
        joined.iter_mut().for_each(|x| *x += offset);
        self.upload_vector(names[0].0, &joined)
    }

    /// Numbers as f32 on the device.
    fn upload_vector(&mut self, label: &str, values: &[f32]) -> Result<BufferId> {
        let buffer = self.device.create_buffer(label, 4 * values.len() as u64, Usage::Weights)?;
        self.device.write(buffer, 0, bytemuck::cast_slice(values));
        Ok(buffer)
    }

    /// A small tensor's numbers on the host.
    pub async fn values(&mut self, name: &str, layer: usize, shape: &[usize]) -> Result<Vec<f32>> {
        let (info, format) = self.find(name, layer, shape)?;
        self.read_values(info, format).await
    }

    async fn read_values(&mut self, info: &TensorInfo, format: Format) -> Result<Vec<f32>> {
        let bytes = self.checkpoint.read_all(info).await?;
        let mut values = vec![0f32; info.elements()];
        format.dequantize(&bytes, &mut values);
        self.count(info.bytes);
        Ok(values)
    }

    /// `n` vectors of `columns` after each other, as f32 on the device: one tensor [n, columns] in GGUF, a tensor for each
    /// in safetensors.
    pub async fn stacked_vectors(&mut self, name: &str, layer: usize, [n, columns]: [usize; 2]) -> Result<BufferId> {
        self.note(name, layer, &[n, columns], How::Stacked);
        let mut values = Vec::new();
        let file_name = self.file_name(name, layer);
        let (tensors, shape) = match self.is_gguf() {
            true => (1, vec![n, columns]),
            false => (n, vec![columns]),
        };
        for j in 0..tensors {
            let (info, format) = self.find_tensor(file_name.replace("{j}", &j.to_string()), &shape)?;
            if !self.only_check {
                values.extend(self.read_values(info, format).await?);
            }
        }
        if self.only_check {
            return Ok(BufferId::default());
        }
        self.upload_vector(name, &values)
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
    pub async fn matrix(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Weight> {
        self.matrix_rows(name, layer, shape, &vec![0..shape[0]]).await
    }

    /// The matrices [out, in] of `shape`'s experts one behind the other, [E × out, in]: one tensor [E, out, in] in GGUF, a
    /// tensor for each (`{j}` in its name) in safetensors.
    pub async fn experts(&mut self, name: &str, layer: usize, [e, out, columns]: [usize; 3]) -> Result<Weight> {
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
        let row_bytes = format.row_bytes(columns).ok_or_else(|| {
            Error::format(&first.name, format!("{columns} columns are no whole blocks of {}", format.name()))
        })?;
        let to = self.format_on_device(first, format, columns);
        let weight = self.allocate_units(&first.name, to, e * out, columns, out)?;
        if self.only_check {
            return Ok(weight);
        }
        let step = (CHUNK / row_bytes).max(1);
        let mut at = 0;
        for (info, _) in tensors {
            for first in (0..info.rows()).step_by(step) {
                let rows = first..(first + step).min(info.rows());
                let bytes = self.checkpoint.read_rows(info, rows.clone()).await?;
                self.upload(&weight, at..at + rows.len(), &converted(info, format, &bytes, &weight)?).await;
                self.count(bytes.len() as u64);
                at += rows.len();
            }
        }
        Ok(weight)
    }

    /// The rows `runs` of a matrix [rows, columns], in that order.
    async fn matrix_rows(&mut self, name: &str, layer: usize, shape: [usize; 2], runs: &Rows) -> Result<Weight> {
        self.note(name, layer, &shape, How::Rows);
        let (info, format) = self.find_matrix(name, layer, shape)?;
        let to = self.format_on_device(info, format, shape[1]);
        let weight = self.allocate(&info.name, to, count(runs), shape[1])?;
        self.fill(&weight, info, format, runs).await?;
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

    /// Reads the rows `runs` of a tensor into a weight that has room for them.
    async fn fill(&mut self, weight: &Weight, info: &TensorInfo, format: Format, runs: &Rows) -> Result<()> {
        if self.only_check {
            return Ok(());
        }
        let row_bytes = format.row_bytes(weight.columns).expect("checked when the tensor was found");
        let step = (CHUNK / row_bytes).max(1);
        let mut at = 0;
        for run in runs {
            for first in run.clone().step_by(step) {
                let rows = first..(first + step).min(run.end);
                let bytes = self.checkpoint.read_rows(info, rows.clone()).await?;
                self.upload(weight, at..at + rows.len(), &converted(info, format, &bytes, weight)?).await;
                self.count(bytes.len() as u64);
                at += rows.len();
            }
        }
        Ok(())
    }

    /// The rows of each of `parts` of the transpose of a file's matrix [columns, rows]: GPT-2's `Conv1D`, which
    /// safetensors keep as [in, out]. The tensor is read whole, once.
    async fn transposed_rows(
        &mut self,
        name: &str,
        layer: usize,
        [rows, columns]: [usize; 2],
        parts: &[Rows],
    ) -> Result<Vec<Weight>> {
        self.note(name, layer, &[rows, columns], How::Turned);
        let (info, format) = self.find(name, layer, &[columns, rows])?;
        let size = format.block_bytes();
        if format.block_len() != 1 {
            return Err(Error::unsupported(format!("{}: a transposed matrix in {}", info.name, format.name())));
        }
        let to = self.format_on_device(info, format, columns);
        let weights = self.allocate_together(&info.name, to, &parts.iter().map(count).collect::<Vec<_>>(), columns)?;
        if self.only_check {
            return Ok(weights);
        }
        let bytes = self.checkpoint.read_all(info).await?;
        for (part, weight) in parts.iter().zip(&weights) {
            let mut turned = Vec::with_capacity(count(part) * columns * size);
            for row in part.iter().cloned().flatten() {
                for column in 0..columns {
                    let at = (column * rows + row) * size;
                    turned.extend_from_slice(&bytes[at..at + size]);
                }
            }
            self.upload(weight, 0..count(part), &converted(info, format, &turned, weight)?).await;
        }
        self.count(info.bytes);
        Ok(weights)
    }

    /// A projection [out, in]; its bias, if the file has one, is named `{name}.bias`.
    pub async fn linear(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Linear> {
        let weight = self.matrix(name, layer, shape).await?;
        self.finish_linear(name, layer, shape, weight).await
    }

    async fn finish_linear(&mut self, name: &str, layer: usize, shape: [usize; 2], weight: Weight) -> Result<Linear> {
        let bias = self.optional_vector(&format!("{name}.bias"), layer, shape[0]).await?;
        let id = self.register(name, layer, shape, &vec![0..shape[0]], (0, 1));
        Ok(Linear { id: Some(id), ..Linear::new(weight, bias) })
    }

    /// Projections that read the same input, in one dispatch where they can: those that follow each other in one format
    /// lie in one buffer.
    pub async fn linears<const N: usize>(
        &mut self,
        named: [(&str, [usize; 2]); N],
        layer: usize,
    ) -> Result<[Linear; N]> {
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
                self.fill(&weight, info, *format, &vec![0..shape[0]]).await?;
                linears.push(self.finish_linear(name, layer, *shape, weight).await?);
            }
        }
        Ok(linears.try_into().unwrap_or_else(|_| unreachable!("one projection a name")))
    }

    /// Several projections that the file keeps as one [out, in]: each has the rows of one of `parts`.
    pub async fn linear_parts<const N: usize>(
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
            self.fill(weight, info, format, part).await?;
        }
        self.with_biases(name, layer, shape, weights, parts).await
    }

    /// As [`Self::linear_parts`], of a tensor that the file keeps as [in, out].
    pub async fn transposed_parts<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        parts: [Rows; N],
    ) -> Result<[Linear; N]> {
        let weights = self.transposed_rows(name, layer, shape, &parts).await?;
        self.with_biases(name, layer, shape, weights, parts).await
    }

    /// Projections with their parts of the bias `{name}.bias` [out], if the file has one.
    async fn with_biases<const N: usize>(
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
        let values = match self.expects(&bias_name, layer) {
            true if self.only_check => self.find(&bias_name, layer, &shape[..1]).map(|_| None)?,
            true => Some(self.values(&bias_name, layer, &shape[..1]).await?),
            false => None,
        };
        let mut linears = Vec::with_capacity(N);
        for (i, (weight, part)) in weights.into_iter().zip(parts).enumerate() {
            let id = Some(self.register(name, layer, shape, &part, (i, N)));
            let bias = match &values {
                Some(values) => {
                    let part: Vec<f32> = part.into_iter().flatten().map(|i| values[i]).collect();
                    Some(self.upload_vector(&bias_name, &part)?)
                }
                None => None,
            };
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
        let row_bytes = self.device_row_bytes(format, columns);
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

    fn device_row_bytes(&self, format: Format, columns: usize) -> usize {
        match self.device.is_cpu() {
            true => format.row_bytes(columns).expect("checked when the tensor was found"),
            false => 4 * format.device_row_words(columns),
        }
    }

    /// File rows → their places in the pieces, in the device's layout.
    async fn upload(&mut self, weight: &Weight, rows: Range<usize>, bytes: &[u8]) {
        let file_row = weight.format.row_bytes(weight.columns).expect("checked when the tensor was found");
        let device_row = self.device_row_bytes(weight.format, weight.columns);
        for piece in &weight.pieces {
            let (first, last) = (piece.rows.start.max(rows.start), piece.rows.end.min(rows.end));
            if first >= last {
                continue;
            }
            let bytes = &bytes[(first - rows.start) * file_row..(last - rows.start) * file_row];
            let offset = ((piece.at + first - piece.rows.start) * device_row) as u64;
            if self.device.is_cpu() {
                self.device.write(piece.buffer, offset, bytes);
            } else {
                let words = weight.format.repack_rows(bytes, weight.columns);
                self.device.write(piece.buffer, offset, bytemuck::cast_slice(&words));
            }
        }
        self.unflushed += bytes.len();
        if self.unflushed >= UNFLUSHED {
            self.device.flush().await;
            self.unflushed = 0;
        }
    }

    fn count(&mut self, bytes: u64) {
        self.uploaded += bytes;
        let total = self.checkpoint.file_bytes().max(self.uploaded);
        (self.progress)(self.uploaded, total);
    }
}
