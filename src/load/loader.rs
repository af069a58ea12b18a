//! A checkpoint's tensors → layers of `nn/`: each tensor is found ([`Tensors`]), taken down ([`Record`]) and given room on
//! the device ([`Allocator`]).

use super::allocate::Allocator;
use super::find::{Found, Tensors};
use super::hyper::Hyper;
use super::record::{Projection, Record, Relation};
use super::rope::RopeSpec;
use super::rows::{RowOrder, RowRanges, count, one_run};
use super::shape::Shape;
use super::upload::UploadQueue;
use crate::device::{BufferId, ProjectionId, Usage, Weight};
use crate::error::{Error, Result};
use crate::nn::{Angles, Linear, Rope};
use crate::ops::Pairing;
use crate::quant::Format;
use std::rc::Rc;

/// Reads one model under our names.
///
/// All methods that find tensors end in `MODEL_FORMAT` for one that is missing or has another shape, in
/// `MODEL_UNSUPPORTED` for a type that this build does not read, and in `OUT_OF_MEMORY` where the device has no room.
pub struct Loader<'a> {
    /// The checkpoint's numbers.
    pub hyper: Hyper<'a>,
    /// Its sizes.
    pub shape: Shape,
    /// Positions to make tables for.
    pub context: usize,
    /// Its tensors under our names.
    pub tensors: Tensors<'a>,
    record: Record,
    memory: Allocator<'a>,
}

impl<'a> Loader<'a> {
    /// `shape`: the sizes that `hyper` gives. `context`: positions that the engine will hold.
    pub fn new(hyper: Hyper<'a>, shape: Shape, context: usize, memory: Allocator<'a>) -> Self {
        Loader { hyper, shape, context, tensors: Tensors::new(&hyper), record: Record::default(), memory }
    }

    /// The record of the model's parts, and the uploads that are to be done.
    pub fn finish(self) -> (Record, UploadQueue) {
        (self.record, self.memory.into_queue())
    }

    /// Takes down that a tensor is used.
    fn note(&mut self, name: &str, layer: usize, shape: &[usize], relation: Relation) {
        self.record.tensor(self.tensors.name(name).0, layer, shape, relation);
    }

    fn format(&self, found: Found, columns: usize) -> Format {
        self.memory.format(self.tensors.checkpoint, found, columns)
    }

    /// A vector of `n` numbers as f32 on the device.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn vector(&mut self, name: &str, layer: usize, n: usize) -> Result<BufferId> {
        self.vector_plus(name, layer, n, 0.0)
    }

    /// A vector of `n` numbers, if the file has it; an error if it has not, though it must.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn optional_vector(&mut self, name: &str, layer: usize, n: usize) -> Result<Option<BufferId>> {
        match self.tensors.expects(name, layer) {
            true => Ok(Some(self.vector(name, layer, n)?)),
            false => Ok(None),
        }
    }

    /// A vector of `n` numbers with `offset` added to each.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn vector_plus(&mut self, name: &str, layer: usize, n: usize, offset: f32) -> Result<BufferId> {
        self.note(name, layer, &[n], Relation::Vector { offset });
        let found = self.tensors.find(name, layer, &[n])?;
        self.memory.numbers(name, &[(found, one_run(0..n))], offset)
    }

    /// Vectors one behind the other, `offset` added to each number. Each is loaded on its own as well.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn joined_vectors(&mut self, names: &[(&str, usize)], layer: usize, offset: f32) -> Result<BufferId> {
        let find = |&(name, n): &(&str, usize)| Ok((self.tensors.find(name, layer, &[n])?, one_run(0..n)));
        let found = names.iter().map(find).collect::<Result<Vec<_>>>()?;
        self.memory.numbers(names[0].0, &found, offset)
    }

    /// `n` vectors of `columns` after each other, as f32 on the device: one tensor [n, columns] in GGUF, a tensor for each
    /// in safetensors.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn stacked_vectors(&mut self, name: &str, layer: usize, [n, columns]: [usize; 2]) -> Result<BufferId> {
        self.note(name, layer, &[n, columns], Relation::Stacked);
        let found = self.tensors.stacked(name, layer, n, &[columns])?;
        let whole = found.into_iter().map(|found| (found, one_run(0..found.info.elements())));
        self.memory.numbers(name, &whole.collect::<Vec<_>>(), 0.0)
    }

    /// The table [context, dims] of `spec`'s angles on the device.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where the device has no room for the table.
    pub fn rope(&mut self, spec: &RopeSpec) -> Result<Rope> {
        self.record.ropes.push(spec.clone());
        // GGUF's converter permutes the rows of llama's family so that neighbours turn together.
        let pairing = match self.tensors.family.row_order {
            RowOrder::InterleavedHalves if self.tensors.is_gguf() => Pairing::Adjacent,
            _ => Pairing::HalfSplit,
        };
        let angles = Angles::new(spec.dims, spec.base, spec.scaling.as_ref());
        let size = [self.context, spec.dims];
        let table = self.memory.table("the rotary positions", size, |positions| angles.table(positions))?;
        Ok(Rope { table, dims: spec.dims, pairing })
    }

    /// A matrix [rows, columns].
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_FORMAT` where columns are no whole number of blocks.
    pub fn matrix(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Weight> {
        self.note(name, layer, &shape, Relation::Rows);
        let found = self.tensors.matrix(name, layer, shape)?;
        let weight = self.memory.weight(&found.info.name, self.format(found, shape[1]), shape, 1)?;
        self.memory.fill(&weight, 0, found, one_run(0..shape[0]));
        Ok(weight)
    }

    /// The matrices [out, in] of `shape`'s experts one behind the other, [E × out, in]: one tensor [E, out, in] in GGUF, a
    /// tensor for each (`{j}` in its name) in safetensors.
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_FORMAT` where the experts are not all in one format of whole blocks.
    pub fn experts(&mut self, name: &str, layer: usize, shape: [usize; 3]) -> Result<Weight> {
        self.note(name, layer, &shape, Relation::Stacked);
        let tensors = self.tensors.stacked_matrices(name, layer, shape)?;
        let [experts, out, columns] = shape;
        let first = tensors[0];
        let size = [experts * out, columns];
        let weight = self.memory.weight(&first.info.name, self.format(first, columns), size, out)?;
        let mut at = 0;
        for found in tensors {
            self.memory.fill(&weight, at, found, one_run(0..found.info.rows()));
            at += found.info.rows();
        }
        Ok(weight)
    }

    /// A projection [out, in]; its bias, if the file has one, is named `{name}.bias`.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn linear(&mut self, name: &str, layer: usize, shape: [usize; 2]) -> Result<Linear> {
        let weight = self.matrix(name, layer, shape)?;
        self.finish_linear(name, layer, shape, weight)
    }

    /// A convolution [out, in, taps] as a projection [out, taps × in], the columns of each tap together; its bias is named
    /// `{name}.bias`.
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_UNSUPPORTED` for a tensor that is quantised.
    pub fn conv(&mut self, name: &str, shape: [usize; 3]) -> Result<Linear> {
        let [out, columns, taps] = shape;
        let weight = self.convolution(name, &shape, taps)?;
        self.finish_linear(name, 0, [out, taps * columns], weight)
    }

    /// A tensor [out, …] as a matrix of `shape[0]` rows: the patches of an encoder of pictures, which is a convolution that moves by
    /// its own width.
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_UNSUPPORTED` for a tensor that is quantised.
    pub fn flat(&mut self, name: &str, shape: &[usize]) -> Result<Weight> {
        self.convolution(name, shape, 1)
    }

    /// A tensor [out, …] of plain numbers as a matrix [out, …], the columns of each of `taps` together.
    fn convolution(&mut self, name: &str, shape: &[usize], taps: usize) -> Result<Weight> {
        self.note(name, 0, shape, Relation::Rows);
        let found = self.tensors.find(name, 0, shape)?;
        if found.format.block_len() != 1 {
            let what = format!("{}: a convolution in {}", found.info.name, found.format.name());
            return Err(Error::unsupported(what));
        }
        let size = [shape[0], shape[1..].iter().product()];
        let weight = self.memory.weight(&found.info.name, self.format(found, size[1]), size, 1)?;
        self.memory.fill_convolution(&weight, taps, found);
        Ok(weight)
    }

    /// A projection [out, in] whose outputs are multiplied by `factors` [out], its bias too.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn scaled_linear(&mut self, name: &str, layer: usize, shape: [usize; 2], factors: Vec<f32>) -> Result<Linear> {
        self.note(name, layer, &shape, Relation::Rows);
        let found = self.tensors.matrix(name, layer, shape)?;
        // A product of two 16-bit numbers is no such number.
        let format = match self.format(found, shape[1]) {
            Format::F16 | Format::BF16 => Format::F32,
            format => format,
        };
        let weight = self.memory.weight(&found.info.name, format, shape, 1)?;
        let factors = Rc::from(factors);
        self.memory.fill_scaled(&weight, found, &factors);
        let bias_name = format!("{name}.bias");
        let bias = match self.tensors.expects(&bias_name, layer) {
            true => {
                let found = self.tensors.find(&bias_name, layer, &shape[..1])?;
                Some(self.memory.scaled_numbers(&bias_name, found, factors)?)
            }
            false => None,
        };
        Ok(self.whole_linear(name, layer, shape, weight, bias))
    }

    /// A tensor's numbers on the host, now; zeros where nothing is loaded.
    ///
    /// # Errors
    /// Those of [`Loader`], and those of the file's source.
    pub async fn values(&mut self, name: &str, layer: usize, shape: &[usize]) -> Result<Vec<f32>> {
        self.note(name, layer, shape, Relation::Rows);
        match self.memory.is_nowhere() {
            true => Ok(vec![0.0; self.tensors.find(name, layer, shape)?.info.elements()]),
            false => self.tensors.values(name, layer, shape).await,
        }
    }

    /// A vector of numbers that were computed, as f32, without padding.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where the device has no room for it.
    pub fn computed_vector(&mut self, label: &str, numbers: &[f32]) -> Result<BufferId> {
        self.memory.table(label, [numbers.len(), 1], |of| numbers[of].to_vec())
    }

    /// A matrix [rows, columns] of numbers that were computed, as f32.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where the device has no room for it.
    pub fn computed(&mut self, label: &str, [rows, columns]: [usize; 2], numbers: Vec<f32>) -> Result<Weight> {
        assert_eq!(numbers.len(), rows * columns, "{label}: numbers");
        self.memory.computed(label, [rows, columns], &numbers)
    }

    /// A buffer of `bytes` for what is computed once and kept, as keys and values are.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where the device has no room.
    pub fn room(&mut self, label: &str, bytes: u64) -> Result<BufferId> {
        self.memory.room(label, bytes, Usage::Kv)
    }

    /// A table of embeddings [rows, columns]. Adapters know it as the projection [columns, rows] of rows that are 0 but for a 1.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn table(&mut self, name: &str, [rows, columns]: [usize; 2]) -> Result<(Weight, ProjectionId)> {
        let weight = self.matrix(name, 0, [rows, columns])?;
        let (name, runs) = (self.tensors.name(name).0, one_run(0..columns));
        let projection = Projection { name, layer: 0, shape: [columns, rows], runs, part: (0, 1) };
        Ok((weight, self.record.projection(projection)))
    }

    /// A projection [out, in] that is `weight` once more: the embedding table as the way to logits.
    pub fn tied(&mut self, name: &str, weight: Weight) -> Linear {
        let shape = [weight.rows, weight.columns];
        self.whole_linear(name, 0, shape, weight, None)
    }

    fn finish_linear(&mut self, name: &str, layer: usize, shape: [usize; 2], weight: Weight) -> Result<Linear> {
        let bias = self.optional_vector(&format!("{name}.bias"), layer, shape[0])?;
        Ok(self.whole_linear(name, layer, shape, weight, bias))
    }

    /// A projection with all the rows of its tensor.
    fn whole_linear(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        weight: Weight,
        bias: Option<BufferId>,
    ) -> Linear {
        let name = self.tensors.name(name).0;
        let id = self.record.projection(Projection { name, layer, shape, runs: one_run(0..shape[0]), part: (0, 1) });
        Linear { id: Some(id), ..Linear::new(weight, bias) }
    }

    /// Projections that read the same input, in one dispatch where they can: those that follow each other in one format
    /// lie in one buffer.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn linears<const N: usize>(&mut self, named: [(&str, [usize; 2]); N], layer: usize) -> Result<[Linear; N]> {
        let mut found = Vec::with_capacity(N);
        for (name, shape) in named {
            self.note(name, layer, &shape, Relation::Rows);
            let tensor = self.tensors.matrix(name, layer, shape)?;
            found.push((tensor, self.format(tensor, shape[1]), shape));
        }
        let mut linears = Vec::with_capacity(N);
        for alike in found.chunk_by(|a, b| (a.1, a.2[1]) == (b.1, b.2[1])) {
            let (first, format, [_, columns]) = alike[0];
            let rows: Vec<_> = alike.iter().map(|(.., shape)| shape[0]).collect();
            let weights = self.memory.weights(&first.info.name, format, &rows, columns)?;
            for ((tensor, _, shape), weight) in alike.iter().zip(weights) {
                let (name, _) = named[linears.len()];
                self.memory.fill(&weight, 0, *tensor, one_run(0..shape[0]));
                linears.push(self.finish_linear(name, layer, *shape, weight)?);
            }
        }
        Ok(linears.try_into().unwrap_or_else(|_| unreachable!("one projection a name")))
    }

    /// Several projections that the file keeps as one [out, in]: each has the rows of one of `parts`.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn linear_parts<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        parts: [RowRanges; N],
    ) -> Result<[Linear; N]> {
        self.note(name, layer, &shape, Relation::Rows);
        let found = self.tensors.matrix(name, layer, shape)?;
        let format = self.format(found, shape[1]);
        let weights = self.memory.weights(&found.info.name, format, &parts.each_ref().map(count), shape[1])?;
        for (part, weight) in parts.iter().zip(&weights) {
            self.memory.fill(weight, 0, found, part.clone());
        }
        self.with_biases(name, layer, shape, weights, parts)
    }

    /// As [`Self::linear_parts`], of a tensor that the file keeps as [in, out]: GPT-2's `Conv1D` in safetensors.
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_UNSUPPORTED` for a tensor that is quantised.
    pub fn transposed_parts<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        parts: [RowRanges; N],
    ) -> Result<[Linear; N]> {
        self.note(name, layer, &shape, Relation::Transposed);
        let [rows, columns] = shape;
        let found = self.tensors.find(name, layer, &[columns, rows])?;
        if found.format.block_len() != 1 {
            let what = format!("{}: a transposed matrix in {}", found.info.name, found.format.name());
            return Err(Error::unsupported(what));
        }
        let format = self.format(found, columns);
        let weights = self.memory.weights(&found.info.name, format, &parts.each_ref().map(count), columns)?;
        self.memory.fill_transposed(weights.iter().cloned().zip(parts.iter().cloned()).collect(), found);
        self.with_biases(name, layer, shape, weights, parts)
    }

    /// Projections with their parts of the bias `{name}.bias` [out], if the file has one.
    fn with_biases<const N: usize>(
        &mut self,
        name: &str,
        layer: usize,
        shape: [usize; 2],
        weights: Vec<Weight>,
        parts: [RowRanges; N],
    ) -> Result<[Linear; N]> {
        let bias_name = format!("{name}.bias");
        let bias = match self.tensors.expects(&bias_name, layer) {
            true => {
                self.note(&bias_name, layer, &shape[..1], Relation::Vector { offset: 0.0 });
                Some(self.tensors.find(&bias_name, layer, &shape[..1])?)
            }
            false => None,
        };
        let own = self.tensors.name(name).0;
        let mut linears = Vec::with_capacity(N);
        for (i, (weight, runs)) in weights.into_iter().zip(parts).enumerate() {
            let projection = Projection { name: own, layer, shape, runs: runs.clone(), part: (i, N) };
            let id = Some(self.record.projection(projection));
            let bias = bias.map(|found| self.memory.numbers(&bias_name, &[(found, runs)], 0.0)).transpose()?;
            linears.push(Linear { id, ..Linear::new(weight, bias) });
        }
        Ok(linears.try_into().unwrap_or_else(|_| unreachable!("one projection a part")))
    }
}
