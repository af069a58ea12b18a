//! Judges a model before anything is loaded: its kind, its needs, and whether it runs here.

use super::eyes::Half;
use super::load::{context, device_facts, tokenizer};
use super::size::{check_size, device_bytes, quantization};
use crate::device::DeviceInfo;
use crate::error::{Error, Result};
use crate::load::{Allocator, Shape};
use crate::models::{self, Architecture};
use crate::quant::Format;
use crate::select::LoadOptions;
use crate::select::estimate::{self, Pace};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, FileFormat};
use serde_json::{Value, json};

/// Codes of what may stand in a model's way. An error of another says nothing about the model.
const OBSTACLES: [&str; 4] = ["MODEL_FORMAT", "MODEL_UNSUPPORTED", "OUT_OF_MEMORY", "INVALID_REQUEST"];

/// Answers `Cresset.probe` and `inspect`: reads headers and looks for every tensor, loads no weights, and measures the
/// speed of the device that loading would get.
///
/// # Errors
/// Those of a file that is no model, or cannot be read. A model that this build cannot run is an answer with
/// `fits: false`, in `reason` what loading would say, in `problems` everything that stands in its way, and in `errors` the
/// same for programs.
pub async fn probe(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Value> {
    let mut device = options.device.open().await?;
    let Findings { architecture, shape, size, mut problems } = Findings::of(checkpoint, options, device.info());
    if let Some((architecture, shape)) = architecture.zip(shape.as_ref())
        && let context = size.map_or(1, |(context, _)| context)
        && let Err(error) = check_tensors(architecture, checkpoint, shape, context).await
        && !problems.contains(&error)
    {
        problems.push(error);
    }
    let half = Half::of(checkpoint).await;
    let beside = half.as_ref().ok().and_then(Option::as_ref).map_or(0, Half::bytes);
    match (half, &shape) {
        (Ok(Some(half)), Some(shape)) => problems.extend(half.check(checkpoint, shape).await.err()),
        (Err(error), _) => problems.push(error),
        _ => {}
    }
    if let Some(at) = problems.iter().position(|error| !OBSTACLES.contains(&error.code())) {
        return Err(problems.swap_remove(at));
    }
    let mut answer = json!({
        "format": match checkpoint.file_format() {
            FileFormat::Gguf { version } => format!("GGUF v{version}"),
            FileFormat::Safetensors => "safetensors".to_string(),
            FileFormat::WhisperCpp => "whisper.cpp's ggml".to_string(),
        },
        "architecture": architecture.map(|a| a.family.name).or(models::architecture_name(checkpoint).ok().flatten()),
        "parameters": checkpoint.tensors().map(|t| t.elements() as u64).sum::<u64>(),
        "quantization": quantization(checkpoint, options),
        "downloadBytes": checkpoint.file_bytes() + beside,
        "device": device_facts(&device),
        "estimatedTokensPerSecond": null,
    });
    state_problems(&mut answer, &problems);
    if let Some((shape, (context, bytes))) = shape.as_ref().zip(size) {
        answer["contextLength"] = json!(context);
        answer["deviceBytes"] = json!(bytes.saturating_add(beside));
        answer["shape"] = json!(shape);
    }
    // An encoder of pictures reads no tokens.
    let reads = architecture.is_some_and(|architecture| !architecture.is_vision());
    if let Some(shape) = shape.as_ref().filter(|_| reads && problems.is_empty()) {
        let format = Format::from_name(&quantization(checkpoint, options)).unwrap_or(Format::F16);
        let pace = estimate::pace(&mut device, format).await?;
        answer["pace"] = json!(pace);
        answer["estimatedTokensPerSecond"] = speed(pace, shape);
    }
    Ok(answer)
}

/// Whether a model fits, and what stands in its way: the first in words, all as texts and as errors for programs.
pub(super) fn state_problems(answer: &mut Value, problems: &[Error]) {
    answer["fits"] = json!(problems.is_empty());
    if let Some(first) = problems.first() {
        answer["reason"] = json!(first.to_string());
        answer["problems"] = problems.iter().map(Error::to_string).collect();
        answer["errors"] = problems.iter().map(Error::to_json).collect();
    }
}

/// Tokens per second, to a tenth.
pub(super) fn speed(pace: Pace, shape: &Shape) -> Value {
    json!((pace.tokens_per_second(shape) * 10.0).round() / 10.0)
}

/// Findings from the headers, in the order in which loading would meet them.
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

    #[test]
    fn the_types_list_every_code() {
        let codes = OBSTACLES.map(|code| format!("'{code}'")).join(" | ");
        assert!(include_str!("../../www/cresset.d.ts").contains(&format!("type ObstacleCode = {codes};")), "{codes}");
    }
}
