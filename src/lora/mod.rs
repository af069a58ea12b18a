//! LoRA adapters (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>): a file's pairs of small matrices → corrections
//! beside a loaded model's projections. The model's own weights are never touched.
//!
//! | file | what it does |
//! |---|---|
//! | `pairs` | which tensors of an adapter's file make pairs, and which base tensors they name |
//! | `strength` | what a pair is multiplied by: PEFT's, MLX's and GGUF's settings; refuses what is more than LoRA |
//! | `about` | what an adapter's files say of it |
//! | `targets` | the projections of a model by every name that adapters have for them |

mod about;
mod pairs;
mod strength;
mod targets;

pub use about::{About, about};
pub use targets::LoraTargets;

use crate::device::{BufferId, Corrections, Device, LowRank, Usage, Weight, WeightPiece};
use crate::error::{Error, Result};
use crate::weights::{Checkpoint, TensorInfo};
use pairs::Pair;
use std::rc::Rc;
use strength::Strength;
use targets::Target;

/// A higher rank than any adapter has.
const MOST_RANK: usize = 4096;

/// An adapter on the device.
pub struct Adapter {
    /// The low-rank corrections by projection.
    pub corrections: Rc<Corrections>,
    /// The highest rank of its pairs.
    pub rank: usize,
    /// Bytes on the device.
    pub bytes: u64,
    buffers: Vec<BufferId>,
}

impl Adapter {
    /// Gives its memory back. No plan with its corrections may run again.
    pub fn free(self, device: &mut Device) {
        self.buffers.into_iter().for_each(|buffer| device.free(buffer, Usage::Adapters));
    }
}

/// Reads an adapter onto the device. `alpha` stands for what its files say of their strength, or fail to say.
///
/// # Errors
/// `MODEL_FORMAT` naming the tensor that has no target in the model, another shape than the model's, or numbers
/// that are none; `MODEL_UNSUPPORTED` for what is more than LoRA; `INVALID_REQUEST` where nothing says the strength;
/// `OUT_OF_MEMORY`. The device is then as it was.
pub async fn load(
    checkpoint: &Checkpoint,
    targets: &LoraTargets,
    alpha: Option<f32>,
    device: &mut Device,
) -> Result<Adapter> {
    let strength = Strength::read(checkpoint, targets, alpha)?;
    let pairs = pairs::read(checkpoint)?;
    let mut uploads = Uploads { checkpoint, device, buffers: Vec::new(), bytes: 0 };
    let loaded = match corrections(&pairs, targets, &strength, &mut uploads).await {
        Ok(loaded) => uploads.device.check().await.map(|()| loaded),
        Err(error) => Err(error),
    };
    let Uploads { buffers, bytes, device, .. } = uploads;
    match loaded {
        Ok((corrections, rank)) => Ok(Adapter { corrections: Rc::new(corrections), rank, bytes, buffers }),
        Err(error) => {
            buffers.into_iter().for_each(|buffer| device.free(buffer, Usage::Adapters));
            Err(error)
        }
    }
}

/// All corrections, and the highest rank.
async fn corrections(
    pairs: &[Pair<'_>],
    targets: &LoraTargets,
    strength: &Strength,
    uploads: &mut Uploads<'_>,
) -> Result<(Corrections, usize)> {
    let mut corrections = Corrections::new();
    let mut most = 0;
    for pair in pairs {
        let found = targets.find(&pair.base, pair.world);
        let Some(first) = found.first() else {
            let reason = "the model has no projection of that name".to_string();
            return Err(targets.mismatch(&pair.a.name, reason));
        };
        let rank = check_pair(pair, first, strength)?;
        let scale = strength.scale(&pair.base, rank);
        most = most.max(rank);
        if first.is_table && pair.turned == [true; 2] {
            // mlx-lm would correct the way to logits as well where the two are one.
            return Err(Error::unsupported(format!("a correction of the embedding table by mlx-lm ({})", pair.a.name)));
        }
        // [r, in], shared by the parts of a fused projection; [in, r] beside a table
        let a = uploads.weight(pair.a, pair.turned[0] != first.is_table, None).await?;
        for target in &found {
            let b = uploads.weight(pair.b, pair.turned[1], Some(&target.rows)).await?; // [out, r]
            if corrections.insert(target.id, LowRank { a: a.clone(), b, scale }).is_some() {
                return Err(Error::format(uploads.checkpoint.name(), format!("{} occurs twice", pair.base)));
            }
        }
    }
    Ok((corrections, most))
}

/// The pair's rank, once its shapes are those of the target.
fn check_pair(pair: &Pair, target: &Target, strength: &Strength) -> Result<usize> {
    let wrong = |info: &TensorInfo, want: [usize; 2], turned: bool| {
        let want = if turned { vec![want[1], want[0]] } else { want.to_vec() };
        Error::Shape { tensor: info.name.clone(), want, got: info.shape.clone() }
    };
    let shape = |info: &TensorInfo, turned: bool| match info.shape[..] {
        [first, last] => Some(if turned { [last, first] } else { [first, last] }),
        _ => None,
    };
    let told = strength.rank(&pair.base);
    let [a, b] = pair.turned;
    let [rank, columns] = shape(pair.a, a).ok_or_else(|| wrong(pair.a, [told.unwrap_or(1), target.columns], a))?;
    if columns != target.columns || told.is_some_and(|told| told != rank) {
        return Err(wrong(pair.a, [told.unwrap_or(rank), target.columns], a));
    }
    if !(1..=MOST_RANK).contains(&rank) {
        let why = format!("a rank of {rank} (of {}; this build: 1 to {MOST_RANK})", pair.a.name);
        return Err(Error::unsupported(why));
    }
    match shape(pair.b, b) == Some([target.out, rank]) {
        true => Ok(rank),
        false => Err(wrong(pair.b, [target.out, rank], b)),
    }
}

/// Tensors on their way to the device. They are small: each is read whole.
struct Uploads<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a mut Device,
    buffers: Vec<BufferId>,
    bytes: u64,
}

impl Uploads<'_> {
    /// A matrix as it is in the file, or its transpose; of it the rows `rows`, in that order.
    async fn weight(&mut self, info: &TensorInfo, turned: bool, rows: Option<&[usize]>) -> Result<Weight> {
        let format = info.dtype.format().filter(|format| !turned || format.block_len() == 1);
        let format =
            format.ok_or_else(|| Error::unsupported(format!("{} in an adapter ({})", info.dtype, info.name)))?;
        let mut bytes = self.checkpoint.read_all(info).await?;
        let (mut out, mut columns) = (info.rows(), info.columns());
        if turned {
            bytes = transposed(&bytes, columns, format.block_bytes());
            (out, columns) = (columns, out);
        }
        let row_bytes = format.row_bytes(columns).ok_or_else(|| {
            Error::format(&info.name, format!("{columns} columns are no whole blocks of {}", format.name()))
        })?;
        if let Some(rows) = rows {
            bytes = rows.iter().flat_map(|row| &bytes[row * row_bytes..][..row_bytes]).copied().collect();
            out = rows.len();
        }
        let mut values = vec![0f32; columns];
        for row in bytes.chunks_exact(row_bytes) {
            format.dequantize(row, &mut values);
            if values.iter().any(|x| !x.is_finite()) {
                return Err(Error::format(&info.name, "holds numbers that are not finite; the adapter is damaged"));
            }
        }
        let words = if self.device.is_cpu() { Vec::new() } else { format.repack_rows(&bytes, columns) };
        let laid_out = if self.device.is_cpu() { &bytes[..] } else { bytemuck::cast_slice(&words) };
        let buffer = self.device.create_buffer(&info.name, laid_out.len() as u64, Usage::Adapters)?;
        self.buffers.push(buffer);
        self.bytes += laid_out.len() as u64;
        self.device.write(buffer, 0, laid_out);
        Ok(Weight { format, rows: out, columns, pieces: vec![WeightPiece { buffer, at: 0, rows: 0..out }] })
    }
}

/// The transpose of a matrix of `columns` columns, each number of `size` bytes.
fn transposed(bytes: &[u8], columns: usize, size: usize) -> Vec<u8> {
    let rows: Vec<&[u8]> = bytes.chunks_exact(columns * size).collect();
    (0..columns).flat_map(|column| rows.iter().flat_map(move |row| &row[column * size..][..size])).copied().collect()
}
