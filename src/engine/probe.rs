//! What can be said of a model before anything is loaded: what it is, what it needs, and whether it runs here.

use super::load::{context, device_facts, tokenizer};
use super::size::{check_size, device_bytes, quantization};
use crate::device::{Device, DeviceInfo};
use crate::error::{Error, Result};
use crate::models::{self, Architecture, Hyper, Loader, Shape};
use crate::quant::Format;
use crate::select::{LoadOptions, estimate};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Kind};
use serde_json::{Value, json};

/// Codes of what may stand in a model's way. An error of another says nothing about the model.
const OBSTACLES: [&str; 4] = ["MODEL_FORMAT", "MODEL_UNSUPPORTED", "OUT_OF_MEMORY", "INVALID_REQUEST"];

/// What `Cresset.probe` and `inspect` say: no weights are loaded, headers are read and every tensor is looked for; with
/// a measured estimate of the speed on the device that loading would get.
///
/// # Errors
/// Those of a file that is no model, or cannot be read. A model that this build cannot run is an answer with
/// `fits: false`, in `reason` what loading would say, in `problems` everything that stands in its way, and in `errors` the
/// same for programs.
pub async fn probe(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Value> {
    let mut device = options.device.open().await?;
    let Findings { architecture, size, mut problems } = Findings::of(checkpoint, options, device.info());
    if let Some(architecture) = architecture
        && let context = size.as_ref().map_or(1, |(_, context, _)| *context)
        && let Err(error) = check_tensors(architecture, checkpoint, context, &mut device).await
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
        "architecture": architecture.map(|a| a.name).or(models::architecture_name(checkpoint).ok().flatten()),
        "parameters": checkpoint.tensors().map(|t| t.elements() as u64).sum::<u64>(),
        "quantization": quantization(checkpoint, options),
        "downloadBytes": checkpoint.file_bytes(),
        "device": device_facts(&device),
        "estimatedTokensPerSecond": null,
        "fits": problems.is_empty(),
    });
    if let Some((shape, context, bytes)) = &size {
        answer["contextLength"] = json!(context);
        answer["deviceBytes"] = json!(bytes);
        answer["shape"] = json!(shape);
    }
    if let Some(first) = problems.first() {
        answer["reason"] = json!(first.to_string());
        answer["problems"] = problems.iter().map(Error::to_string).collect();
        answer["errors"] = problems.iter().map(Error::to_json).collect();
    } else if let Some((shape, ..)) = &size {
        let format = Format::from_name(&quantization(checkpoint, options)).unwrap_or(Format::F16);
        let pace = estimate::pace(&mut device, format).await?;
        answer["pace"] = json!(pace);
        answer["estimatedTokensPerSecond"] = json!((pace.tokens_per_second(shape) * 10.0).round() / 10.0);
    }
    Ok(answer)
}

/// What the headers say, in the order in which loading comes upon it.
struct Findings {
    architecture: Option<&'static Architecture>,
    /// The shape, positions of the context, bytes on the device.
    size: Option<(Shape, usize, u64)>,
    problems: Vec<Error>,
}

impl Findings {
    fn of(checkpoint: &Checkpoint, options: &LoadOptions, device: &DeviceInfo) -> Findings {
        let mut problems = Vec::new();
        let mut keep = |error: Error| problems.push(error);
        let architecture = models::architecture_of(checkpoint).map_err(&mut keep).ok();
        let shape = architecture.and_then(|architecture| {
            (architecture.shape)(&Hyper::new(checkpoint, architecture.name)).map_err(&mut keep).ok()
        });
        let context = shape.as_ref().and_then(|shape| context(options, shape).map_err(&mut keep).ok());
        let text = match &shape {
            Some(shape) => tokenizer(checkpoint, shape),
            None => Tokenizer::from_checkpoint(checkpoint),
        };
        let _ = text.map_err(&mut keep);
        let size = shape.zip(context).map(|(shape, context)| {
            let bytes = device_bytes(checkpoint, &shape, context, options, device.backend == "cpu");
            (shape, context, bytes)
        });
        if let Some((shape, _, bytes)) = &size
            && let Err(error) = check_size(shape, *bytes, device)
        {
            keep(error);
        }
        Findings { architecture, size, problems }
    }
}

/// Looks for every tensor that loading will ask for, with its shape and type.
async fn check_tensors(
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    context: usize,
    device: &mut Device,
) -> Result<()> {
    let mut loader = Loader::new(checkpoint, device, context);
    loader.only_check = true;
    architecture.load(&mut loader).await.map(drop)
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
