//! The architectures that this build runs, and which of them a checkpoint is of.

use super::architecture::Architecture;
use super::{
    bert, dinov2, gemma, gemma2, gemma3, gpt_neo, gpt_neox, gpt2, granite, idefics3, llama, llava, marian, mistral,
    modern_bert, moe, nomic_bert, olmo2, phi3, qwen2, qwen3, siglip, smollm3, stablelm, t5, whisper,
};
use crate::error::{Error, Result};
use crate::load::Tensors;
use crate::weights::{Checkpoint, FileFormat};
use std::collections::BTreeSet;

/// The name that GGUF files of projectors give as their architecture.
const PROJECTOR: &str = "clip";

/// Every architecture this build runs.
pub static REGISTRY: &[&Architecture] = &[
    &llama::ARCHITECTURE,
    &mistral::ARCHITECTURE,
    &smollm3::ARCHITECTURE,
    &granite::ARCHITECTURE,
    &qwen2::ARCHITECTURE,
    &qwen3::ARCHITECTURE,
    &phi3::ARCHITECTURE,
    &stablelm::ARCHITECTURE,
    &gemma::ARCHITECTURE,
    &gemma2::ARCHITECTURE,
    &gemma3::ARCHITECTURE,
    &olmo2::ARCHITECTURE,
    &olmo2::OLMO3,
    &gpt2::ARCHITECTURE,
    &gpt_neo::ARCHITECTURE,
    &gpt_neox::ARCHITECTURE,
    &moe::OLMOE,
    &moe::QWEN3_MOE,
    &bert::ARCHITECTURE,
    &nomic_bert::ARCHITECTURE,
    &modern_bert::ARCHITECTURE,
    &whisper::ARCHITECTURE,
    &t5::ARCHITECTURE,
    &marian::ARCHITECTURE,
    &dinov2::ARCHITECTURE,
    &siglip::ARCHITECTURE,
    &idefics3::ARCHITECTURE,
];

/// Models that read and see: their name in config.json, that of their projector in GGUF, and the half that sees.
static EYES: [(&str, &str, &Architecture); 4] = [
    ("idefics3", "idefics3", &idefics3::EYES),
    ("smolvlm", "idefics3", &idefics3::EYES),
    ("gemma3", "gemma3", &gemma3::EYES),
    ("llava", "mlp", &llava::EYES),
];

/// The architecture a checkpoint names.
///
/// # Errors
/// `MODEL_UNSUPPORTED` with its name, or with the method that its weights are packed by; `MODEL_FORMAT` if it names none,
/// and for an adapter or a file without tensors.
pub fn architecture_of(checkpoint: &Checkpoint) -> Result<&'static Architecture> {
    if checkpoint.is_adapter() {
        let reason = "this is an adapter, not a model; load the model it was trained on, and this as its adapter";
        return Err(Error::format(checkpoint.name(), reason));
    }
    if checkpoint.tensors().len() == 0 {
        let what =
            if checkpoint.metadata().get("tokenizer.ggml.tokens").is_some() { "a vocabulary" } else { "headers" };
        return Err(Error::format(
            checkpoint.name(),
            format!("the file has no tensors: this is {what} without weights"),
        ));
    }
    let name = architecture_name(checkpoint)?.unwrap_or_default();
    if name.is_empty() {
        let reason = match (checkpoint.file_format(), checkpoint.config()) {
            (FileFormat::Gguf { .. }, _) => "there is no general.architecture in the metadata",
            (_, None) => "there is no config.json beside it, which would name the architecture",
            (_, Some(_)) => "config.json has no model_type, which would name the architecture",
        };
        return Err(Error::format(checkpoint.name(), reason));
    }
    // A model that sees may leave it to the configuration of its other half what that is.
    let half = checkpoint.config().map(|config| config["text_config"]["model_type"].as_str().unwrap_or("llama"));
    let name = half.filter(|_| name == llava::EYES.family.name).unwrap_or(name);
    let names = |a: &Architecture| if checkpoint.config().is_some() { a.family.hf } else { a.family.gguf };
    let whole = || EYES.iter().map(|row| row.0).filter(|_| checkpoint.config().is_some());
    let known = || REGISTRY.iter().flat_map(|a| names(a)).copied().chain(whole()).collect::<BTreeSet<_>>();
    let architecture = REGISTRY.iter().find(|a| names(a).contains(&name)).copied();
    if name == PROJECTOR && checkpoint.config().is_none() {
        let reason =
            "this is the half of a model that sees (a projector); load the half that reads, and this as its projector";
        return Err(Error::format(checkpoint.name(), reason));
    }
    let architecture = architecture.ok_or_else(|| Error::Unsupported {
        what: format!("the architecture {name}"),
        hint: format!("; this build runs {}", known().into_iter().collect::<Vec<_>>().join(", ")).into(),
    })?;
    match packed_by(checkpoint) {
        None => Ok(architecture),
        Some(method) => Err(Error::Unsupported {
            what: format!("a model quantised by {method}"),
            hint: "; use a GGUF file of it, or its unquantised safetensors, which can be quantised while loading"
                .into(),
        }),
    }
}

/// The half that sees, of a model that reads and sees: in the same files, or in its projector's.
///
/// # Errors
/// `MODEL_FORMAT` for a projector's metadata of other types, `MODEL_UNSUPPORTED` for a projector of another kind.
pub fn eyes_of(checkpoint: &Checkpoint) -> Result<Option<&'static Architecture>> {
    let name = architecture_name(checkpoint)?.unwrap_or_default();
    let found = |known: &dyn Fn(&(&str, &str, &Architecture)) -> bool| {
        EYES.iter().find(|row| known(row)).map(|&(_, _, architecture)| architecture)
    };
    if checkpoint.config().is_some() {
        // Some of them keep their name without that half.
        let has = |a: &&'static Architecture| Tensors::new(&a.hyper(checkpoint)).has("patches", 0);
        return Ok(found(&|row| row.0 == name).filter(has));
    }
    if name != PROJECTOR {
        return Ok(None);
    }
    let metadata = checkpoint.metadata();
    let kind = metadata.str("clip.projector_type")?.or(metadata.str("clip.vision.projector_type")?).unwrap_or("mlp");
    found(&|row| row.1 == kind).map(Some).ok_or_else(|| Error::unsupported(format!("the projector {kind}")))
}

/// The method that packed a Hugging Face folder's weights into numbers of its own, some of which are no floats: GPTQ,
/// AWQ, bitsandbytes, MLX, … A configuration that still names one beside plain weights is ignored.
fn packed_by(checkpoint: &Checkpoint) -> Option<String> {
    let config = checkpoint.config()?;
    checkpoint.tensors().any(|tensor| tensor.dtype.format().is_none()).then_some(())?;
    let sections = [config, &config["text_config"]];
    let said = sections.iter().find_map(|section| section["quantization_config"]["quant_method"].as_str());
    match said {
        Some(method @ ("gptq" | "awq" | "hqq" | "aqlm" | "fp8" | "mxfp4")) => Some(method.to_uppercase()),
        Some(method) => Some(method.to_string()),
        None if sections.iter().any(|section| section["quantization"]["bits"].is_u64()) => Some("MLX".into()),
        // AutoGPTQ's first folders have a file of their own for what config.json says today.
        None if checkpoint.tensors().any(|tensor| tensor.name.ends_with(".qweight")) => Some("GPTQ or AWQ".into()),
        None => None,
    }
}

/// The architecture's name in the file, if it has one.
///
/// # Errors
/// `MODEL_FORMAT` where GGUF's key holds no text.
pub fn architecture_name(checkpoint: &Checkpoint) -> Result<Option<&str>> {
    match checkpoint.config() {
        Some(config) => Ok(config["model_type"].as_str()),
        None => checkpoint.metadata().str("general.architecture"),
    }
}
