//! Room on a device for the tensors that were found, and the list of what is to be read into it: weights themselves come
//! later ([`UploadQueue`]), so that a model can be compiled, and found too large, while its file is still on the way.

use super::find::Found;
use super::rows::{RowRanges, count};
use super::upload::{CHUNK, Target, Upload, UploadQueue, device_row_bytes, write_rows};
use crate::device::{BufferId, Device, Usage, Weight, WeightPiece};
use crate::error::Result;
use crate::quant::Format;
use crate::weights::Checkpoint;
use std::ops::Range;
use std::rc::Rc;

/// Makes buffers, and remembers what they are for.
pub struct Allocator<'a> {
    /// `None`: no room is made.
    device: Option<&'a mut Device>,
    /// The format for matrices that are unquantised in the file.
    quantize: Option<Format>,
    uploads: Vec<Upload>,
}

impl<'a> Allocator<'a> {
    /// On `device`. Matrices that are not quantised in the file become `quantize`, where their rows allow it.
    pub fn new(device: &'a mut Device, quantize: Option<Format>) -> Self {
        Allocator { device: Some(device), quantize, uploads: Vec::new() }
    }

    /// Nowhere: for looking whether a model is whole, and what it is made of. What is loaded so cannot run.
    pub fn none() -> Self {
        Allocator { device: None, quantize: None, uploads: Vec::new() }
    }

    /// The uploads that fill the allocated buffers.
    pub fn into_queue(self) -> UploadQueue {
        UploadQueue::new(self.uploads)
    }

    /// The device format of a matrix with rows of `columns`.
    pub(super) fn format(&self, checkpoint: &Checkpoint, found: Found, columns: usize) -> Format {
        let quantize = self.quantize.filter(|_| !found.format.is_quantized());
        quantize.and_then(|to| checkpoint.format_when_quantized(found.info, columns, to)).unwrap_or(found.format)
    }

    fn upload(&mut self, found: Found, target: Target) {
        if self.device.is_some() {
            self.uploads.push(Upload { info: found.info.clone(), format: found.format, target });
        }
    }

    fn buffer(&mut self, label: &str, bytes: u64) -> Result<BufferId> {
        self.room(label, bytes, Usage::Weights)
    }

    /// A buffer that is filled later.
    pub(super) fn room(&mut self, label: &str, bytes: u64, usage: Usage) -> Result<BufferId> {
        match &mut self.device {
            Some(device) => device.create_buffer(label, bytes, usage),
            None => Ok(BufferId::default()),
        }
    }

    /// The numbers `runs` of each tensor, one behind the other, as f32 with `offset` added.
    pub(super) fn numbers(&mut self, label: &str, from: &[(Found, RowRanges)], offset: f32) -> Result<BufferId> {
        let numbers: usize = from.iter().map(|(_, runs)| count(runs)).sum();
        let buffer = self.buffer(label, 4 * numbers as u64)?;
        let mut at = 0;
        for (found, runs) in from {
            self.upload(*found, Target::Numbers { buffer, at, runs: runs.clone(), offset });
            at += 4 * count(runs) as u64;
        }
        Ok(buffer)
    }

    /// A computed table [rows, columns], written now; `numbers` gives those of a range of rows.
    pub(super) fn table(
        &mut self,
        label: &str,
        [rows, columns]: [usize; 2],
        numbers: impl Fn(Range<usize>) -> Vec<f32>,
    ) -> Result<BufferId> {
        let row_bytes = 4 * columns;
        let buffer = self.buffer(label, rows as u64 * row_bytes as u64)?;
        let Some(device) = &self.device else { return Ok(buffer) };
        let step = (CHUNK / row_bytes).max(1);
        for first in (0..rows).step_by(step) {
            let numbers = numbers(first..(first + step).min(rows));
            device.write(buffer, first as u64 * row_bytes as u64, bytemuck::cast_slice(&numbers));
        }
        Ok(buffer)
    }

    /// A weight [rows, columns] of computed numbers, written now.
    pub(super) fn computed(&mut self, label: &str, [rows, columns]: [usize; 2], numbers: &[f32]) -> Result<Weight> {
        let weight = self.weight(label, Format::F32, [rows, columns], 1)?;
        let Some(device) = &self.device else { return Ok(weight) };
        for WeightPiece { buffer, rows, .. } in &weight.pieces {
            let bytes = bytemuck::cast_slice(&numbers[rows.start * columns..rows.end * columns]);
            write_rows(device, &weight, *buffer, 0, bytes);
        }
        Ok(weight)
    }

    /// A weight [rows, columns], in as many buffers as the device's largest binding makes necessary, each of a whole
    /// number of `unit` rows.
    pub(super) fn weight(
        &mut self,
        label: &str,
        format: Format,
        [rows, columns]: [usize; 2],
        unit: usize,
    ) -> Result<Weight> {
        let (row_bytes, most) = match &self.device {
            None => (0, rows.max(1)),
            Some(device) => {
                let row_bytes = device_row_bytes(device, format, columns);
                let limits = device.info().limits;
                // In u64: an adapter may offer more than a 32-bit page can count.
                let most = limits.max_binding_bytes.min(limits.max_buffer_bytes) / row_bytes as u64;
                (row_bytes, (most.clamp(1, 1 << 30) as usize / unit * unit).max(unit))
            }
        };
        let mut pieces = Vec::new();
        for first in (0..rows).step_by(most) {
            let rows = first..(first + most).min(rows);
            let buffer = self.buffer(label, (rows.len() * row_bytes) as u64)?;
            pieces.push(WeightPiece { buffer, at: 0, rows });
        }
        Ok(Weight { format, rows, columns, pieces })
    }

    /// Weights of so many rows each, in one buffer where it can hold them all.
    pub(super) fn weights(
        &mut self,
        label: &str,
        format: Format,
        rows: &[usize],
        columns: usize,
    ) -> Result<Vec<Weight>> {
        let Weight { pieces, .. } = self.weight(label, format, [rows.iter().sum(), columns], 1)?;
        let [piece] = &pieces[..] else {
            // Nothing is in it yet: its buffers go, and each weight gets its own.
            if let Some(device) = &mut self.device {
                pieces.iter().for_each(|piece| device.free(piece.buffer, Usage::Weights));
            }
            return rows.iter().map(|&rows| self.weight(label, format, [rows, columns], 1)).collect();
        };
        let mut at = 0;
        let part = |&rows: &usize| {
            at += rows;
            let pieces = vec![WeightPiece { buffer: piece.buffer, at: at - rows, rows: 0..rows }];
            Weight { format, rows, columns, pieces }
        };
        Ok(rows.iter().map(part).collect())
    }

    /// The rows `runs` of a tensor are to become those of `weight` from `at` on.
    pub(super) fn fill(&mut self, weight: &Weight, at: usize, found: Found, runs: RowRanges) {
        self.upload(found, Target::Rows { weight: weight.clone(), at, runs });
    }

    /// The rows of a tensor, each times its factor, are to become those of `weight`.
    pub(super) fn fill_scaled(&mut self, weight: &Weight, found: Found, factors: &Rc<[f32]>) {
        self.upload(found, Target::ScaledRows { weight: weight.clone(), factors: factors.clone() });
    }

    /// The numbers of a vector, each times its factor, as f32.
    pub(super) fn scaled_numbers(&mut self, label: &str, found: Found, factors: Rc<[f32]>) -> Result<BufferId> {
        let buffer = self.buffer(label, 4 * factors.len() as u64)?;
        self.upload(found, Target::ScaledNumbers { buffer, factors });
        Ok(buffer)
    }

    /// Whether no room is made, and nothing will be read.
    pub(super) fn is_nowhere(&self) -> bool {
        self.device.is_none()
    }

    /// The rows of a convolution [out, in, taps] are to become those of `weight`, [out, taps × in].
    pub(super) fn fill_convolution(&mut self, weight: &Weight, taps: usize, found: Found) {
        self.upload(found, Target::Convolution { weight: weight.clone(), taps });
    }

    /// The rows of each part of a tensor's transpose are to become a weight.
    pub(super) fn fill_transposed(&mut self, parts: Vec<(Weight, RowRanges)>, found: Found) {
        self.upload(found, Target::Transposed(parts));
    }
}
