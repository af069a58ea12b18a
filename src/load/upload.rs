//! Reads weights into the buffers that an [`Allocator`](super::Allocator) has made: [`CHUNK`] bytes of a tensor are in
//! memory at a time. It goes in the file's own order, so that a file that is still on its way is read as it comes.

use super::find::{Found, read_values};
use super::rows::{RowRanges, count};
use crate::device::{BufferId, Device, Weight};
use crate::error::{Error, Result};
use crate::quant::Format;
use crate::weights::{Checkpoint, TensorInfo};
use cresset_numerics::sort_by;
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

/// Bytes of a tensor read at a time. Only what must be transposed is read whole.
pub(super) const CHUNK: usize = 16 << 20;
/// Bytes written before the device is waited for: what is on its way to it takes memory too.
const UNFLUSHED: usize = 64 << 20;

/// Told (bytes uploaded, bytes in all) as loading goes on.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// A tensor of the file, and where it goes on the device.
pub(super) struct Upload {
    /// Where it lies in its file, and its shape.
    pub info: TensorInfo,
    /// The format of its numbers in the file.
    pub format: Format,
    /// Its place on the device.
    pub target: Target,
}

pub(super) enum Target {
    /// The rows `runs`, in that order, become those of `weight` from `at` on.
    Rows { weight: Weight, at: usize, runs: RowRanges },
    /// The rows of each part of the transpose: GPT-2's `Conv1D`, which safetensors keep as [in, out].
    Transposed(Vec<(Weight, RowRanges)>),
    /// The rows of a convolution [out, in, taps], each turned to [taps × in].
    Convolution { weight: Weight, taps: usize },
    /// All rows, each times its factor.
    ScaledRows { weight: Weight, factors: Rc<[f32]> },
    /// All numbers as f32, each times its factor.
    ScaledNumbers { buffer: BufferId, factors: Rc<[f32]> },
    /// The numbers `runs` as f32, `offset` added to each, from the byte `at` of a buffer on.
    Numbers { buffer: BufferId, at: u64, runs: RowRanges, offset: f32 },
}

/// All that there is to read.
pub struct UploadQueue(Vec<Upload>);

impl UploadQueue {
    pub(super) fn new(mut uploads: Vec<Upload>) -> Self {
        let place = |upload: &Upload| (upload.info.file, upload.info.offset);
        sort_by(&mut uploads, |a, b| place(a).cmp(&place(b)));
        UploadQueue(uploads)
    }

    /// Reads everything onto the device. `checkpoint` and `device` are those that the queue was made with.
    ///
    /// # Errors
    /// Those of the file's source, and `MODEL_FORMAT` for numbers that cannot be quantised.
    pub async fn read(self, checkpoint: &Checkpoint, device: &Device, progress: &mut Progress<'_>) -> Result<()> {
        let mut stream = Stream { checkpoint, device, uploaded: 0, unflushed: 0, progress };
        for Upload { info, format, target } in &self.0 {
            match target {
                Target::Rows { weight, at, runs } => stream.rows(info, *format, weight, *at, runs).await?,
                Target::Transposed(parts) => stream.transposed(info, *format, parts).await?,
                Target::Convolution { weight, taps } => stream.convolution(info, *format, weight, *taps).await?,
                Target::ScaledRows { weight, factors } => stream.scaled_rows(info, *format, weight, factors).await?,
                Target::ScaledNumbers { buffer, factors } => {
                    let mut values = read_values(checkpoint, Found { info, format: *format }).await?;
                    values.iter_mut().zip(&**factors).for_each(|(x, factor)| *x *= factor);
                    device.write(*buffer, 0, bytemuck::cast_slice(&values));
                    stream.count(info.bytes);
                }
                Target::Numbers { buffer, at, runs, offset } => {
                    stream.numbers(info, *format, (*buffer, *at), runs, *offset).await?;
                }
            }
        }
        Ok(())
    }
}

/// File → device.
struct Stream<'a, 'p> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    uploaded: u64,
    unflushed: usize,
    progress: &'a mut Progress<'p>,
}

impl Stream<'_, '_> {
    async fn rows(
        &mut self,
        info: &TensorInfo,
        format: Format,
        weight: &Weight,
        mut at: usize,
        runs: &RowRanges,
    ) -> Result<()> {
        let row_bytes = format.row_bytes(weight.columns).expect("checked when the tensor was found");
        let step = (CHUNK / row_bytes).max(1);
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

    async fn scaled_rows(&mut self, info: &TensorInfo, format: Format, weight: &Weight, factors: &[f32]) -> Result<()> {
        let row_bytes = format.row_bytes(weight.columns).expect("checked when the tensor was found");
        let step = (CHUNK / row_bytes.max(4 * weight.columns)).max(1);
        for first in (0..weight.rows).step_by(step) {
            let rows = first..(first + step).min(weight.rows);
            let bytes = self.checkpoint.read_rows(info, rows.clone()).await?;
            let mut values = vec![0f32; rows.len() * weight.columns];
            format.dequantize(&bytes, &mut values);
            for (row, factor) in values.chunks_exact_mut(weight.columns).zip(&factors[rows.clone()]) {
                row.iter_mut().for_each(|x| *x *= factor);
            }
            let scaled = converted(info, Format::F32, bytemuck::cast_slice(&values), weight)?;
            self.upload(weight, rows, &scaled).await;
            self.count(bytes.len() as u64);
        }
        Ok(())
    }

    async fn transposed(&mut self, info: &TensorInfo, format: Format, parts: &[(Weight, RowRanges)]) -> Result<()> {
        let size = format.block_bytes();
        let rows = info.columns();
        let bytes = self.checkpoint.read_all(info).await?;
        for (weight, part) in parts {
            let columns = weight.columns;
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
        Ok(())
    }

    async fn convolution(&mut self, info: &TensorInfo, format: Format, weight: &Weight, taps: usize) -> Result<()> {
        let (size, inputs) = (format.block_bytes(), weight.columns / taps);
        let bytes = self.checkpoint.read_all(info).await?;
        let mut turned = Vec::with_capacity(bytes.len());
        for row in bytes.chunks_exact(weight.columns * size) {
            for tap in 0..taps {
                (0..inputs).for_each(|input| turned.extend_from_slice(&row[(input * taps + tap) * size..][..size]));
            }
        }
        self.upload(weight, 0..weight.rows, &converted(info, format, &turned, weight)?).await;
        self.count(info.bytes);
        Ok(())
    }

    async fn numbers(
        &mut self,
        info: &TensorInfo,
        format: Format,
        (buffer, at): (BufferId, u64),
        runs: &RowRanges,
        offset: f32,
    ) -> Result<()> {
        let values = read_values(self.checkpoint, Found { info, format }).await?;
        let values: Vec<f32> = runs.iter().cloned().flatten().map(|i| values[i] + offset).collect();
        self.device.write(buffer, at, bytemuck::cast_slice(&values));
        self.count(info.bytes * values.len() as u64 / info.elements().max(1) as u64);
        Ok(())
    }

    /// File rows → their places in the pieces, in the device's layout.
    async fn upload(&mut self, weight: &Weight, rows: Range<usize>, bytes: &[u8]) {
        let file_row = weight.format.row_bytes(weight.columns).expect("checked when the tensor was found");
        let device_row = device_row_bytes(self.device, weight.format, weight.columns);
        for piece in &weight.pieces {
            let (first, last) = (piece.rows.start.max(rows.start), piece.rows.end.min(rows.end));
            if first >= last {
                continue;
            }
            let bytes = &bytes[(first - rows.start) * file_row..(last - rows.start) * file_row];
            let offset = ((piece.at + first - piece.rows.start) * device_row) as u64;
            write_rows(self.device, weight, piece.buffer, offset, bytes);
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

/// Writes rows, in their file's layout, to a buffer of `weight` in the device's.
pub(super) fn write_rows(device: &Device, weight: &Weight, buffer: BufferId, offset: u64, bytes: &[u8]) {
    match device.is_cpu() {
        true => device.write(buffer, offset, bytes),
        false => device.write(buffer, offset, bytemuck::cast_slice(&weight.format.repack_rows(bytes, weight.columns))),
    }
}

/// Bytes of a row of a weight on a device.
pub(super) fn device_row_bytes(device: &Device, format: Format, columns: usize) -> usize {
    match device.is_cpu() {
        true => format.row_bytes(columns).expect("checked when the tensor was found"),
        false => 4 * format.device_row_words(columns),
    }
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
