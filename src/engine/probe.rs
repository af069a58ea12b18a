//! What can be said of a model before anything is loaded: what it is, what it needs, and whether it runs here.

use super::load::{LoadOptions, WASM_MOST, context, device_facts, open_device, tokenizer};
use crate::device::DeviceInfo;
use crate::error::{Error, MemoryLimit, Result};
use crate::load::{Allocator, Shape};
use crate::models::{self, Architecture};
use crate::quant::Format;
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Kind, TensorInfo};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// What a tensor will be once it is loaded; `None` for types that this build cannot load.
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
    sums.sort_by_key(|(_, sum)| Reverse(*sum)); // stable: of equals the first
    sums.into_iter().map(|(kind, _)| kind).collect()
}

/// Bytes of a tensor in a file if it were in `format`, whose blocks fit its rows.
fn file_bytes(tensor: &TensorInfo, format: Format) -> u64 {
    tensor.rows() as u64 * format.row_bytes(tensor.columns()).unwrap_or(0) as u64
}

/// Bytes on the device: weights in its layout, the KV cache, and an allowance for activations and logits.
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
    // A header may claim anything: what is too much stays too much.
    let counts = [2 * 4, shape.n_layers, shape.n_kv_heads, options.kv.row_words(shape.head_dim), context];
    let cache = counts.into_iter().fold(1u64, |product, n| product.saturating_mul(n as u64));
    let logits = 64 * 4 * shape.vocabulary as u64;
    let activations = 256 * 4 * (6 * shape.d_model as u64 + 3 * shape.d_ffn as u64);
    cache.saturating_add(weights + logits + activations)
}

/// Codes of what may stand in a model's way. An error of another says nothing about the model.
const OBSTACLES: [&str; 4] = ["MODEL_FORMAT", "MODEL_UNSUPPORTED", "OUT_OF_MEMORY", "INVALID_REQUEST"];

/// What `Cresset.probe` and `inspect` say: no weights are loaded, headers are read and every tensor is looked for; with
/// a measured estimate of the speed on the device that loading would get.
///
/// Errors: those of a file that is no model, or cannot be read. A model that this build cannot run is an answer with
/// `fits: false`, in `reason` what loading would say, in `problems` everything that stands in its way, and in `errors` the
/// same for programs.
pub async fn probe(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Value> {
    let mut device = open_device(options.device).await?;
    let Findings { architecture, shape, size, mut problems } = Findings::of(checkpoint, options, device.info());
    if let Some((architecture, shape)) = architecture.zip(shape.as_ref())
        && let context = size.map_or(1, |(context, _)| context)
        && let Err(error) = check_tensors(architecture, checkpoint, shape, context).await
        && !problems.contains(&error)
    {
        problems.push(error);
    }
    if let Some(at) = problems.iter().position(|error| !OBSTACLES.contains(&error.code())) {
        return Err(problems.swap_remove(at));
    }
    let mut answer = json!({
        "format": match checkpoint.kind() {
            Kind::Gguf { version } => format!("GGUF v{version}"),
            Kind::Safetensors => "safetensors".to_string(),
        },
        "architecture": architecture.map(|a| a.family.name).or(models::architecture_name(checkpoint).ok().flatten()),
        "parameters": checkpoint.tensors().map(|t| t.elements() as u64).sum::<u64>(),
        "quantization": quantization(checkpoint, options),
        "downloadBytes": checkpoint.file_bytes(),
        "device": device_facts(&device),
        "estimatedTokensPerSecond": null,
        "fits": problems.is_empty(),
    });
    if let Some((shape, (context, bytes))) = shape.as_ref().zip(size) {
        answer["contextLength"] = json!(context);
        answer["deviceBytes"] = json!(bytes);
        answer["shape"] = json!(shape);
    }
    if let Some(first) = problems.first() {
        answer["reason"] = json!(first.to_string());
        answer["problems"] = problems.iter().map(Error::to_string).collect();
        answer["errors"] = problems.iter().map(Error::to_json).collect();
    } else if let Some(shape) = &shape {
        let format = Format::from_name(&quantization(checkpoint, options)).unwrap_or(Format::F16);
        let pace = super::estimate::pace(&mut device, format).await?;
        answer["pace"] = json!(pace);
        answer["estimatedTokensPerSecond"] = json!((pace.tokens_per_second(shape) * 10.0).round() / 10.0);
    }
    Ok(answer)
}

/// What the headers say, in the order in which loading comes upon it.
struct Findings {
    architecture: Option<&'static Architecture>,
    shape: Option<Shape>,
    /// Positions of the context, bytes on the device.
    size: Option<(usize, u64)>,
    problems: Vec<Error>,
}

impl Findings {
    fn of(checkpoint: &Checkpoint, options: &LoadOptions, device: &DeviceInfo) -> Findings {
        let mut problems = Vec::new();
        let mut keep = |error: Error| problems.push(error);
        let architecture = models::architecture_of(checkpoint).map_err(&mut keep).ok();
        let shape = architecture.and_then(|a| a.read_shape(checkpoint).map_err(&mut keep).ok());
        let context = shape.as_ref().and_then(|shape| context(options, shape).map_err(&mut keep).ok());
        let text = match &shape {
            Some(shape) => tokenizer(checkpoint, shape),
            None => Tokenizer::from_checkpoint(checkpoint),
        };
        let _ = text.map_err(&mut keep);
        let size = shape.as_ref().zip(context).map(|(shape, context)| {
            let bytes = device_bytes(checkpoint, shape, context, options, device.backend == "cpu");
            let _ = check_size(shape, bytes, device).map_err(&mut keep);
            (context, bytes)
        });
        Findings { architecture, shape, size, problems }
    }
}

/// Whether the device holds so much.
pub(super) fn check_size(shape: &Shape, bytes: u64, device: &DeviceInfo) -> Result<()> {
    let widest = 4 * shape.d_model.max(shape.d_ffn) as u64;
    let most = device.limits.max_binding_bytes;
    let limit = match device.backend.as_str() {
        "cpu" if cfg!(target_arch = "wasm32") && bytes > WASM_MOST => MemoryLimit::Page { mb: WASM_MOST >> 20 },
        _ if widest > most => MemoryLimit::Binding { mb: most >> 20 },
        _ => return Ok(()),
    };
    Err(Error::OutOfMemory { what: "the model".into(), need_mb: bytes >> 20, limit })
}

/// Looks for every tensor that loading will ask for, with its shape and type.
async fn check_tensors(
    architecture: &'static Architecture,
    checkpoint: &Checkpoint,
    shape: &Shape,
    context: usize,
) -> Result<()> {
    architecture.load(architecture.hyper(checkpoint), shape, context, Allocator::none()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Limits;

    #[test]
    fn the_types_list_every_code() {
        let codes = OBSTACLES.map(|code| format!("'{code}'")).join(" | ");
        assert!(include_str!("../../www/cresset.d.ts").contains(&format!("type ObstacleCode = {codes};")), "{codes}");
    }

    #[test]
    fn a_row_that_is_larger_than_a_binding() {
        let shape = Shape {
            architecture: "llama",
            d_model: 1 << 18,
            n_layers: 1,
            n_heads: 1,
            n_kv_heads: 1,
            head_dim: 64,
            d_ffn: 1 << 20,
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
