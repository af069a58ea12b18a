//! A checkpoint and options → a model on its device, ready to run.

use super::eyes::Half;
use super::sampling;
use super::size::{check_size, device_bytes, largest_cache_bytes, matrix_formats, quantization};
use super::source_rules::{LAST_SAID, source_rules};
use super::speech_ids::{alignment_heads, speech_ids};
use super::task::{See, Task};
use crate::chat::ChatTemplate;
use crate::device::{Device, DeviceInfo};
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::{Generator, PAGE};
use crate::load::{Allocator, Shape};
use crate::lora::LoraTargets;
use crate::models::{self, Architecture, Model};
use crate::ops::threads;
use crate::sampler::SamplingParams;
use crate::select::{LoadOptions, LoadProgress, Verdict, proven_device};
use crate::speech::Transcriber;
use crate::tokenizer::Tokenizer;
use crate::viewer::Viewer;
use crate::weights::{Checkpoint, FileFormat};
use serde::Serialize;
use serde_json::{Value, json};

/// Context that is taken when nobody says, if the model has so much; it grows when that is full.
const DEFAULT_CONTEXT: usize = 4096;
/// Positions up to which it does. Longer prompts are read for minutes, and their rotary tables alone take tens of megabytes:
/// whoever wants that says so.
const GROWN_CONTEXT: usize = 32_768;

/// A model's metadata, as `info` shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// The name inside the file.
    pub name: String,
    /// As GGUF names it, such as `llama`.
    pub architecture: String,
    /// Numbers in all of its tensors.
    pub parameters: u64,
    /// The format that most of the bytes are in, once they are loaded.
    pub quantization: String,
    /// Positions the engine holds.
    pub context_length: usize,
    /// Positions the model was trained for.
    pub trained_context_length: usize,
    /// Rows of its embedding table.
    pub vocabulary_size: usize,
    /// Whether it can chat.
    pub has_chat_template: bool,
    /// Whether an encoder reads each text by itself, as for a translation; of a chat, what was said last.
    pub encoder_decoder: bool,
    /// Bytes of all its files.
    pub file_bytes: u64,
}

/// A model on its device, with what its files have for text.
pub(super) struct Loaded {
    pub built: Built,
    pub tokenizer: Option<Tokenizer>,
    /// Or why there is none.
    pub template: Result<Option<ChatTemplate>>,
    pub info: ModelInfo,
    pub sampling: SamplingParams,
}

/// Loads a checkpoint. Errors: those of [`super::Engine::load`].
pub(super) async fn load(
    checkpoint: &Checkpoint,
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Loaded> {
    let plan = ModelPlan::read(checkpoint, options)?;
    let tokenizer = tokenizer(checkpoint, &plan.shape)?;
    let usual = match plan.architecture.is_encoder_decoder() {
        true => SamplingParams { temperature: 0.0, ..SamplingParams::default() }, // as transformers, unless the files say otherwise
        false => SamplingParams::default(),
    };
    let sampling = sampling::defaults(checkpoint, &options.sampling, &usual)?;
    // A model whose template is broken still completes texts: chats alone are refused.
    let template = match ChatTemplate::from_checkpoint(checkpoint, tokenizer.as_ref()) {
        Ok(None) if plan.architecture.is_encoder_decoder() => {
            ChatTemplate::from_request(LAST_SAID, None, tokenizer.as_ref()).map(Some)
        }
        found => found,
    };

    let built = build(checkpoint, &plan, options, on_progress).await?;
    let info = model_info(checkpoint, &plan, options, matches!(template, Ok(Some(_))));
    on_progress(LoadProgress { status: "ready", loaded: 1, total: 1 });
    Ok(Loaded { built, tokenizer, template, info, sampling })
}

/// Facts about the device, as page and terminal show them; for the CPU also the number of threads.
pub(super) fn device_facts(device: &Device) -> Value {
    let mut facts = json!(device.info());
    if device.is_cpu() {
        facts["threads"] = json!(threads::pool().threads());
    }
    facts
}

/// The parts of a model that are known before a device is opened: architecture, shape, positions of the context.
pub(super) struct ModelPlan {
    architecture: &'static Architecture,
    shape: Shape,
    context: usize,
}

impl ModelPlan {
    /// # Errors
    /// `MODEL_FORMAT` or `MODEL_UNSUPPORTED` for a model that cannot run, `INVALID_REQUEST` for a context that is longer
    /// than the model's.
    pub fn read(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Self> {
        let architecture = models::architecture_of(checkpoint)?;
        let shape = architecture.read_shape(checkpoint)?;
        Ok(ModelPlan { architecture, context: context(options, &shape)?, shape })
    }
}

/// A model on its device, ready to run.
pub(super) struct Built {
    pub task: Task,
    /// The half that sees, of a model that reads and sees.
    pub eyes: Option<Viewer>,
    /// Where its adapters would go.
    pub targets: LoraTargets,
    /// The device's verdict.
    pub verdict: Option<Verdict>,
    /// Positions that the context may grow to.
    pub most_context: usize,
}

/// Opens the device and puts the model there.
pub(super) async fn build(
    checkpoint: &Checkpoint,
    plan: &ModelPlan,
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Built> {
    let &ModelPlan { architecture, ref shape, context } = plan;
    let formats = matrix_formats(checkpoint, options);
    let (mut device, verdict) = proven_device(architecture, shape, &formats, options, on_progress).await?;
    let half = Half::of(checkpoint).await?;
    let beside = half.as_ref().map_or(0, Half::bytes);
    let planned = device_bytes(checkpoint, shape, context, options, device.is_cpu()).saturating_add(beside);
    check_size(shape, planned, device.info())?;
    let most = device.info().limits.max_buffer_bytes;
    log::debug!("about {} MB on the device, buffers of {} MB at most", planned >> 20, most >> 20);

    let most_context = most_context(checkpoint, plan, options, device.info()).await;
    let memory = Allocator::new(&mut device, options.quantize);
    let loaded = architecture.load(architecture.hyper(checkpoint), shape, most_context, memory).await?;
    let models::Loaded { model, record, uploads } = loaded;
    let targets = LoraTargets::new(&architecture.family, checkpoint, shape, &record.projections);
    let mut seeing = None;
    if let Some(half) = half {
        let (viewer, uploads) = half.open(checkpoint, shape, options, &mut device).await?;
        seeing = Some((half, viewer, uploads));
    }
    let mut task = match model {
        Model::Decoder(model) => Task::Generate(Generator::new(device, model, context, options.kv).await?),
        Model::EncoderDecoder(model) => {
            let rules = source_rules(checkpoint, shape)?;
            Task::Generate(Generator::with_source(device, *model, rules, context, options.kv).await?)
        }
        Model::Encoder(model) => Task::Embed(Embedder::new(device, *model, context).await?),
        Model::Speech(model) => {
            let ids = speech_ids(checkpoint, shape)?;
            let heads = alignment_heads(checkpoint, shape);
            Task::Transcribe(Box::new(Transcriber::new(device, *model, ids, heads, options.kv).await?))
        }
        Model::Vision(model) => {
            let viewer = Viewer::new(&mut device, *model)?;
            Task::See(Box::new(See { device, viewer }))
        }
    };
    // Pipelines compile while the weights are read. What does not fit is known before that.
    task.begin_warm_up()?;
    task.device().check().await?;
    let mut progress = |loaded, total| on_progress(LoadProgress { status: "upload", loaded, total });
    uploads.read(checkpoint, task.device(), &mut progress).await?;
    let mut eyes = None;
    if let Some((half, viewer, uploads)) = seeing {
        half.read(checkpoint, uploads, task.device(), &mut progress).await?;
        eyes = Some(viewer);
    }
    on_progress(LoadProgress { status: "compile", loaded: 0, total: 1 });
    task.warm_up().await?;
    if let Some(eyes) = &mut eyes {
        eyes.warm_up(task.device()).await?;
    }
    task.device().check().await?;
    Ok(Built { task, eyes, targets, verdict, most_context })
}

/// Positions that the context may grow to: its own where the caller has chosen it, where the device has room for no more, or
/// where the model would be another one (LongRoPE).
async fn most_context(
    checkpoint: &Checkpoint,
    &ModelPlan { architecture, ref shape, context }: &ModelPlan,
    options: &LoadOptions,
    device: &DeviceInfo,
) -> usize {
    if options.context.is_some() || !architecture.is_decoder() {
        return context;
    }
    let fits = |context| {
        let bytes = device_bytes(checkpoint, shape, context, options, device.backend == "cpu");
        let buffer = largest_cache_bytes(shape, context, options);
        check_size(shape, bytes, device).is_ok() && buffer <= device.limits.max_binding_bytes
    };
    let mut most = shape.context.min(GROWN_CONTEXT);
    while most > context && !fits(most) {
        most = (context + (most - context) / 2) / PAGE * PAGE;
    }
    if most <= context {
        return context;
    }
    let ropes = async |context| {
        let loaded = architecture.load(architecture.hyper(checkpoint), shape, context, Allocator::none()).await?;
        Ok::<_, Error>(loaded.record.ropes)
    };
    match (ropes(context).await, ropes(most).await) {
        (Ok(now), Ok(then)) if now == then => most,
        _ => context,
    }
}

pub(super) fn context(options: &LoadOptions, shape: &Shape) -> Result<usize> {
    match options.context {
        None => Ok(shape.context.min(DEFAULT_CONTEXT)),
        Some(n) if n <= shape.context => Ok(n),
        Some(n) => {
            Err(Error::invalid("contextLength", format!("is {n}, but the model was made for {} tokens", shape.context)))
        }
    }
}

/// The checkpoint's tokenizer. One inside a GGUF file must not name ids that the embedding table has no row for. Beside
/// safetensors, tokens that were added without a row are common: there only a prompt that uses one is refused.
pub(super) fn tokenizer(checkpoint: &Checkpoint, shape: &Shape) -> Result<Option<Tokenizer>> {
    let tokenizer = Tokenizer::from_checkpoint(checkpoint)?;
    match &tokenizer {
        Some(t) if matches!(checkpoint.file_format(), FileFormat::Gguf { .. }) && t.vocab_size() > shape.vocabulary => {
            let (ids, rows) = (t.vocab_size(), shape.vocabulary);
            Err(Error::format(
                checkpoint.name(),
                format!("the tokenizer has {ids} tokens, but the embedding table token_embd.weight only {rows} rows"),
            ))
        }
        _ => Ok(tokenizer),
    }
}

/// The model's name inside the file, or else the file's.
fn model_name(checkpoint: &Checkpoint) -> &str {
    let own = checkpoint.metadata().str("general.name").ok().flatten();
    let own = own.or_else(|| checkpoint.config()?["_name_or_path"].as_str()).filter(|name| !name.trim().is_empty());
    own.unwrap_or_else(|| checkpoint.name().split(".safetensors").next().unwrap_or_default().trim_end_matches(".gguf"))
}

fn model_info(
    checkpoint: &Checkpoint,
    &ModelPlan { architecture, ref shape, context }: &ModelPlan,
    options: &LoadOptions,
    has_chat_template: bool,
) -> ModelInfo {
    ModelInfo {
        name: model_name(checkpoint).to_string(),
        architecture: shape.architecture.to_string(),
        parameters: checkpoint.tensors().map(|t| t.elements() as u64).sum(),
        quantization: quantization(checkpoint, options),
        context_length: context,
        trained_context_length: shape.context,
        vocabulary_size: shape.vocabulary,
        has_chat_template,
        encoder_decoder: architecture.is_encoder_decoder(),
        file_bytes: checkpoint.file_bytes(),
    }
}
