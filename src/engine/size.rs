//! The formats and bytes that a model will have on the device, and whether they fit.

use super::source_rules::source_rules;
use crate::device::DeviceInfo;
use crate::error::{Error, MemoryLimit, Result};
use crate::models::{self, Shape};
use crate::quant::Format;
use crate::select::LoadOptions;
use crate::weights::{Checkpoint, TensorInfo};
use cresset_numerics::sort_by;

/// Bytes of a model that a page's CPU path can hold: wasm's 4 GiB, less room for everything else.
const WASM_MOST: u64 = 3 << 30;

/// The format of a tensor once it is loaded; `None` for types that this build cannot load.
fn loaded_format(checkpoint: &Checkpoint, tensor: &TensorInfo, options: &LoadOptions) -> Option<Format> {
    let from = tensor.dtype.format()?;
    let quantize = options.quantize.filter(|_| !from.is_quantized());
    let to = quantize.and_then(|to| checkpoint.format_when_quantized(tensor, tensor.columns(), to));
    Some(to.unwrap_or(from))
}

/// The format that most bytes are in, once they are loaded.
pub(super) fn quantization(checkpoint: &Checkpoint, options: &LoadOptions) -> String {
    let bytes = checkpoint.tensors().map(|tensor| match loaded_format(checkpoint, tensor, options) {
        Some(format) => (format.name().to_string(), file_bytes(tensor, format)),
        None => (tensor.dtype.to_string(), tensor.bytes),
    });
    by_bytes(bytes).into_iter().next().unwrap_or_default()
}

/// The formats that a model's matrices are in, once they are loaded, that of most bytes first; at least one.
pub(super) fn matrix_formats(checkpoint: &Checkpoint, options: &LoadOptions) -> Vec<Format> {
    let matrices = checkpoint.tensors().filter(|tensor| tensor.shape.len() > 1);
    let bytes = matrices.filter_map(|tensor| {
        let format = loaded_format(checkpoint, tensor, options)?;
        Some((format, file_bytes(tensor, format)))
    });
    let formats = by_bytes(bytes);
    if formats.is_empty() { vec![Format::F32] } else { formats }
}

/// Kinds, that of most bytes first.
fn by_bytes<T: PartialEq>(all: impl Iterator<Item = (T, u64)>) -> Vec<T> {
    let mut sums: Vec<(T, u64)> = Vec::new();
    for (kind, bytes) in all {
        match sums.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, sum)) => *sum += bytes,
            None => sums.push((kind, bytes)),
        }
    }
    sort_by(&mut sums, |a, b| b.1.cmp(&a.1)); // stable: of equals the first
    sums.into_iter().map(|(kind, _)| kind).collect()
}

/// Bytes of a tensor in a file if it were in `format`, whose blocks fit its rows.
fn file_bytes(tensor: &TensorInfo, format: Format) -> u64 {
    tensor.rows() as u64 * format.row_bytes(tensor.columns()).unwrap_or(0) as u64
}

/// [`bytes_on_device`] of a model whose tensors are known.
pub(super) fn device_bytes(
    checkpoint: &Checkpoint,
    shape: &Shape,
    context: usize,
    options: &LoadOptions,
    cpu: bool,
) -> u64 {
    let weights: u64 = checkpoint
        .tensors()
        .map(|t| match loaded_format(checkpoint, t, options) {
            Some(format) if !cpu && t.shape.len() == 2 => {
                t.rows() as u64 * 4 * format.device_row_words(t.columns()) as u64
            }
            Some(format) => file_bytes(t, format),
            None => t.bytes,
        })
        .sum();
    bytes_on_device(shape, cached_positions(checkpoint, shape, context), options, weights)
}

/// Positions of all keys and values: those of each text of a search, and of the text that they are about.
fn cached_positions(checkpoint: &Checkpoint, shape: &Shape, context: usize) -> usize {
    match models::architecture_of(checkpoint) {
        Ok(architecture) if architecture.is_encoder_decoder() => {
            let texts = source_rules(checkpoint, shape).map_or(1, |rules| rules.beams.count);
            context.saturating_mul(texts + 1)
        }
        _ => context,
    }
}

/// Bytes of `weights` on the device, of the KV cache, and of an allowance for activations and logits.
pub(super) fn bytes_on_device(shape: &Shape, context: usize, options: &LoadOptions, weights: u64) -> u64 {
    let cache = cache_bytes(shape, shape.n_kv_heads.sum(shape.n_layers), context, options).saturating_mul(2);
    let logits = 64 * 4 * shape.vocabulary as u64;
    let activations = 256 * 4 * (6 * shape.d_model as u64 + 3 * shape.d_ffn.most() as u64);
    cache.saturating_add(weights).saturating_add(logits + activations)
}

/// Bytes of the largest buffer of the KV cache: of a layer's keys, or of its values.
pub(super) fn largest_cache_bytes(shape: &Shape, context: usize, options: &LoadOptions) -> u64 {
    cache_bytes(shape, shape.n_kv_heads.most() as u64, context, options)
}

/// Bytes of the keys of `heads` heads, of one layer or of several; the values take as many.
fn cache_bytes(shape: &Shape, heads: u64, context: usize, options: &LoadOptions) -> u64 {
    // A header may claim anything: what is too much stays too much.
    let counts = [4, heads, options.kv.row_words(shape.head_dim) as u64, context as u64];
    counts.into_iter().fold(1, u64::saturating_mul)
}

/// Checks that the device can hold so much.
///
/// # Errors
/// `OUT_OF_MEMORY`.
pub(super) fn check_size(shape: &Shape, bytes: u64, device: &DeviceInfo) -> Result<()> {
    let widest = 4 * shape.d_model.max(shape.d_ffn.most()) as u64;
    let most = device.limits.max_binding_bytes;
    let limit = match device.backend.as_str() {
        "cpu" if cfg!(target_arch = "wasm32") && bytes > WASM_MOST => MemoryLimit::Page { mb: WASM_MOST >> 20 },
        _ if widest > most => MemoryLimit::Binding { mb: most >> 20 },
        _ => return Ok(()),
    };
    Err(Error::OutOfMemory { what: "the model".into(), need_mb: bytes >> 20, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Limits;
    use crate::load::PerLayer;

    #[test]
    fn a_row_that_is_larger_than_a_binding() {
        let shape = Shape {
            architecture: "llama",
            d_model: 1 << 18,
            n_layers: 1,
            n_heads: PerLayer::Same(1),
            n_kv_heads: PerLayer::Same(1),
            head_dim: 64,
            d_ffn: PerLayer::Same(1 << 20),
            vocabulary: 2,
            context: 8,
        };
        let device = |max_binding_bytes| {
            let limits = Limits { max_binding_bytes, ..Limits::default() };
            DeviceInfo { backend: "webgpu".into(), limits, ..DeviceInfo::default() }
        };
        assert_eq!(check_size(&shape, 5 << 30, &device(4 << 20)), Ok(()));
        let limit = MemoryLimit::Binding { mb: 3 };
        let error = Error::OutOfMemory { what: "the model".into(), need_mb: 5120, limit };
        assert_eq!(check_size(&shape, 5 << 30, &device(3 << 20)), Err(error));
    }
}
