//! A checkpoint and options → an engine; and what can be said before anything is loaded.

use super::adapters::Adapters;
use super::request::Fields;
use super::{Engine, Work};
use crate::chat::ChatTemplate;
use crate::device::{Device, DeviceInfo, KvFormat};
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::models::lora::Places;
use crate::models::{self, Hyper, Loader, Model, Shape};
use crate::quant::Format;
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Kind, TensorInfo};
use serde::Serialize;
use serde_json::{Value, json};

/// Context that is taken when nobody says, if the model has so much.
const DEFAULT_CONTEXT: usize = 4096;

/// Which device to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The GPU, unless there is none or it is one in name only.
    #[default]
    Auto,
    Gpu,
    Cpu,
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    pub device: DeviceChoice,
    /// Positions of the KV cache; `None`: the model's own, up to 4096.
    pub context: Option<usize>,
    pub kv: KvFormat,
    /// What the matrices of an unquantised file become while they are read; what is quantised already stays as it is.
    pub quantize: Option<Format>,
}

impl LoadOptions {
    /// From API.md's option object.
    pub fn parse(options: &Value) -> Result<Self> {
        let empty = json!({});
        let fields = Fields::of(if options.is_null() { &empty } else { options })?;
        let device = match fields.text("device")? {
            None | Some("auto") => DeviceChoice::Auto,
            Some("webgpu" | "gpu") => DeviceChoice::Gpu,
            Some("cpu") => DeviceChoice::Cpu,
            Some(other) => return Err(Error::invalid("device", format!("must be auto, webgpu or cpu, not {other}"))),
        };
        let kv = match fields.text("kv")? {
            None | Some("f16") => KvFormat::F16,
            Some("f32") => KvFormat::F32,
            Some(other) => {
                return Err(Error::invalid("kv", format!("must be f16 or f32 in this version, not {other}")));
            }
        };
        let quantize = match fields.text("quantize")? {
            None => None,
            Some(name) => match Format::from_name(name).filter(|format| format.is_writable()) {
                Some(format) => Some(format),
                None => {
                    let why = format!("must be one of {}, not {name}", Format::writable_names());
                    return Err(Error::invalid("quantize", why));
                }
            },
        };
        Ok(LoadOptions { device, context: fields.count("contextLength", 1..=1 << 24)?, kv, quantize })
    }
}

/// What is going on while loading, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoadProgress {
    /// `upload`, `compile` or `ready`.
    pub status: &'static str,
    pub loaded: u64,
    pub total: u64,
}

/// What a file says about itself.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    pub name: String,
    pub architecture: String,
    pub parameters: u64,
    /// The format that most of the bytes are in, once they are loaded.
    pub quantization: String,
    /// Positions the engine holds.
    pub context_length: usize,
    /// Positions the model was trained for.
    pub trained_context_length: usize,
    pub vocabulary_size: usize,
    pub has_chat_template: bool,
    pub file_bytes: u64,
}

/// The device, opened as `choice` says; `info.reason` tells why, where there was a choice.
pub async fn open_device(choice: DeviceChoice) -> Result<Device> {
    let cpu = |reason: String| {
        let mut device = Device::cpu();
        device.info_mut().reason = Some(reason);
        device
    };
    match choice {
        DeviceChoice::Cpu => Ok(Device::cpu()),
        DeviceChoice::Gpu => Device::gpu().await,
        DeviceChoice::Auto => match Device::gpu().await {
            Ok(device) if device.info().software => {
                let name = [&device.info().description, &device.info().architecture];
                let name = name.into_iter().find(|s| !s.is_empty()).cloned().unwrap_or_default();
                Ok(cpu(format!(
                    "the graphics adapter ({name}) computes on the CPU; computing there directly is faster"
                )))
            }
            Ok(device) => Ok(device),
            Err(error) => Ok(cpu(error.to_string())),
        },
    }
}

pub async fn load(
    checkpoint: Checkpoint,
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Engine> {
    let architecture = models::architecture_of(&checkpoint)?;
    let shape = (architecture.shape)(&Hyper { checkpoint: &checkpoint, architecture: architecture.name })?;
    let context = context(options, &shape)?;
    let tokenizer = tokenizer(&checkpoint, &shape)?;
    let template = ChatTemplate::from_checkpoint(&checkpoint, tokenizer.as_ref())?;

    let mut device = open_device(options.device).await?;
    let planned = device_bytes(&checkpoint, &shape, context, options, device.is_cpu());
    let most = device.info().limits.max_buffer_bytes;
    if cfg!(target_arch = "wasm32") && device.is_cpu() && planned > WASM_MOST {
        return Err(Error::OutOfMemory {
            what: "the model".into(),
            need_mb: planned >> 20,
            have: format!("on the CPU a page has {} MB", WASM_MOST >> 20),
        });
    }
    log::debug!("about {} MB on the device, buffers of {} MB at most", planned >> 20, most >> 20);

    let (model, places) = {
        let mut progress = |loaded, total| on_progress(LoadProgress { status: "upload", loaded, total });
        let mut loader = Loader::new(&checkpoint, &mut device, context, &mut progress);
        loader.quantize = options.quantize;
        let model = architecture.load(&mut loader).await?;
        let places = Places::new(&mut loader, model.shape());
        (model, places)
    };
    device.check().await?;
    on_progress(LoadProgress { status: "compile", loaded: 0, total: 1 });
    let work = match model {
        Model::Decoder(model) => {
            let mut generator = Generator::new(device, model, context, options.kv).await?;
            generator.warm_up().await?;
            Work::Generate(generator)
        }
        Model::Encoder(model) => {
            let mut embedder = Embedder::new(device, model, context).await?;
            embedder.warm_up().await?;
            Work::Embed(embedder)
        }
    };
    let model = model_info(&checkpoint, &shape, context, options, template.is_some());
    on_progress(LoadProgress { status: "ready", loaded: 1, total: 1 });
    let adapters = Adapters::new(places);
    Ok(Engine { work, tokenizer, template, model, adapters, kv: options.kv, requests: 0, utc_offset: 0 })
}

/// What a page's CPU path may hold: wasm's 4 GiB less room for everything else.
const WASM_MOST: u64 = 3 << 30;

fn context(options: &LoadOptions, shape: &Shape) -> Result<usize> {
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
fn tokenizer(checkpoint: &Checkpoint, shape: &Shape) -> Result<Option<Tokenizer>> {
    let tokenizer = Tokenizer::from_checkpoint(checkpoint)?;
    match &tokenizer {
        Some(t) if checkpoint.kind() != Kind::Safetensors && t.vocab_size() > shape.vocabulary => {
            let (ids, rows) = (t.vocab_size(), shape.vocabulary);
            Err(Error::format(
                checkpoint.name(),
                format!("the tokenizer has {ids} tokens, but the embedding table token_embd.weight only {rows} rows"),
            ))
        }
        _ => Ok(tokenizer),
    }
}

/// What the file calls itself, or else what it is called.
fn model_name(checkpoint: &Checkpoint) -> &str {
    let own = checkpoint.metadata().str("general.name").ok().flatten();
    let own = own.or_else(|| checkpoint.config()?["_name_or_path"].as_str()).filter(|name| !name.trim().is_empty());
    own.unwrap_or_else(|| checkpoint.name().split(".safetensors").next().unwrap_or_default().trim_end_matches(".gguf"))
}

fn model_info(
    checkpoint: &Checkpoint,
    shape: &Shape,
    context: usize,
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
        file_bytes: checkpoint.file_bytes(),
    }
}

/// What a tensor will be once it is loaded; `None` for types that this build cannot load.
fn loaded_format(checkpoint: &Checkpoint, tensor: &TensorInfo, options: &LoadOptions) -> Option<Format> {
    let from = tensor.dtype.format()?;
    let quantize = options.quantize.filter(|_| !from.is_quantized());
    let to = quantize.and_then(|to| checkpoint.format_when_quantized(tensor, tensor.columns(), to));
    Some(to.unwrap_or(from))
}

/// The format that most bytes are in, once they are loaded.
fn quantization(checkpoint: &Checkpoint, options: &LoadOptions) -> String {
    let mut bytes: Vec<(String, u64)> = Vec::new();
    for tensor in checkpoint.tensors() {
        let (name, n) = match loaded_format(checkpoint, tensor, options) {
            Some(format) => (format.name().to_string(), file_bytes(tensor, format)),
            None => (tensor.dtype.to_string(), tensor.bytes),
        };
        match bytes.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += n,
            None => bytes.push((name, n)),
        }
    }
    bytes.into_iter().max_by_key(|(_, sum)| *sum).map(|(name, _)| name).unwrap_or_default()
}

/// Bytes of a tensor in a file if it were in `format`, whose blocks fit its rows.
fn file_bytes(tensor: &TensorInfo, format: Format) -> u64 {
    tensor.rows() as u64 * format.row_bytes(tensor.columns()).unwrap_or(0) as u64
}

/// Bytes on the device: weights in its layout, the KV cache, and an allowance for activations and logits.
fn device_bytes(checkpoint: &Checkpoint, shape: &Shape, context: usize, options: &LoadOptions, cpu: bool) -> u64 {
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
    let counts = [2, shape.n_layers, shape.n_kv_heads, shape.head_dim, options.kv.bytes(), context];
    let cache = counts.into_iter().fold(1u64, |product, n| product.saturating_mul(n as u64));
    let logits = 64 * 4 * shape.vocabulary as u64;
    let activations = 256 * 4 * (6 * shape.d_model as u64 + 3 * shape.d_ffn as u64);
    cache.saturating_add(weights + logits + activations)
}

/// What `Cresset.probe` and `inspect` say: no weights are loaded, headers are read and every tensor is looked for; with
/// a measured estimate of the speed on the device that loading would get.
///
/// Errors: those of a file that is no model. A model that this build cannot run is an answer with `fits: false`.
pub async fn probe(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Value> {
    let mut device = open_device(options.device).await?;
    let mut answer = describe(checkpoint, options, device.info());
    answer["estimatedTokensPerSecond"] = Value::Null;
    if answer["fits"] == true {
        match checked_shape(checkpoint, &mut device).await {
            Ok(shape) => {
                let format = Format::from_name(&quantization(checkpoint, options)).unwrap_or(Format::F16);
                let speed = super::estimate::tokens_per_second(&mut device, &shape, format).await?;
                answer["estimatedTokensPerSecond"] = json!((speed * 10.0).round() / 10.0);
            }
            Err(error) => {
                answer["fits"] = json!(false);
                answer["reason"] = json!(error.to_string());
            }
        }
    }
    Ok(answer)
}

/// The model's shape, once every tensor that loading will ask for is there and of the right shape and type.
async fn checked_shape(checkpoint: &Checkpoint, device: &mut Device) -> Result<Shape> {
    let mut no_progress = |_, _| ();
    let mut loader = Loader::new(checkpoint, device, 1, &mut no_progress);
    loader.only_check = true;
    let model = models::architecture_of(checkpoint)?.load(&mut loader).await?;
    Ok(model.shape().clone())
}

/// What the headers say, and whether the device holds so much.
fn describe(checkpoint: &Checkpoint, options: &LoadOptions, device: &DeviceInfo) -> Value {
    let cpu = device.backend == "cpu";
    let facts = || -> Result<(Shape, usize)> {
        let architecture = models::architecture_of(checkpoint)?;
        let shape = (architecture.shape)(&Hyper { checkpoint, architecture: architecture.name })?;
        let context = context(options, &shape)?;
        tokenizer(checkpoint, &shape)?;
        Ok((shape, context))
    };
    let kind = match checkpoint.kind() {
        Kind::Gguf { version } => format!("GGUF v{version}"),
        Kind::Safetensors => "safetensors".to_string(),
    };
    let mut answer = json!({
        "format": kind,
        "parameters": checkpoint.tensors().map(|t| t.elements() as u64).sum::<u64>(),
        "quantization": quantization(checkpoint, options),
        "downloadBytes": checkpoint.file_bytes(),
        "device": device,
    });
    let reason = match facts() {
        Ok((shape, context)) => {
            let bytes = device_bytes(checkpoint, &shape, context, options, cpu);
            answer["architecture"] = json!(shape.architecture);
            answer["contextLength"] = json!(context);
            answer["deviceBytes"] = json!(bytes);
            answer["shape"] = json!(shape);
            let widest = 4 * shape.d_model.max(shape.d_ffn) as u64;
            let too_large = cfg!(target_arch = "wasm32") && cpu && bytes > WASM_MOST;
            (too_large || widest > device.limits.max_binding_bytes)
                .then(|| format!("needs about {} MB; this device cannot hold it", bytes >> 20))
        }
        Err(error) => {
            let named = match checkpoint.config() {
                Some(config) => config["model_type"].as_str().map(str::to_string),
                None => checkpoint.metadata().str("general.architecture").ok().flatten().map(str::to_string),
            };
            answer["architecture"] = json!(named);
            Some(error.to_string())
        }
    };
    answer["fits"] = json!(reason.is_none());
    if let Some(reason) = reason {
        answer["reason"] = json!(reason);
    }
    answer
}
