//! Arguments that several subcommands take: which model, with which adapter, sampled how.

use crate::fetch::{Kind, locate, recommended};
use crate::files::checkpoint;
use crate::{report, verdicts};
use clap::Args;
use cresset::engine::{AdapterOptions, Engine, LoadOptions, LoadProgress};
use cresset::error::Result;
use cresset::sampler::{RANGES, Range};
use cresset::weights::{Checkpoint, open_path};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// A model, and how it is to be computed.
#[derive(Args)]
pub struct Model {
    /// A .gguf or .safetensors file, or a model's folder; or what is downloaded once: default or another name that
    /// `cresset models` lists, hf:owner/repo/file, an address.
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The half of a model that sees, where it is a file of its own (mmproj…gguf) and does not lie beside the model.
    #[arg(long, value_name = "FILE")]
    pub projector: Option<PathBuf>,
    #[command(flatten)]
    pub computing: Computing,
}

/// How a model is to be computed.
#[derive(Args)]
pub struct Computing {
    /// Where to compute: auto takes the GPU if there is a real one.
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = ["auto", "gpu", "cpu"])]
    pub device: String,
    /// Tokens the context holds (default: the model's own, up to 4096, which grows when it is full).
    #[arg(long, value_name = "N")]
    pub context: Option<u64>,
    /// How attention's keys and values are stored: f16, q8 takes little more than half of its memory, f32 is exact.
    #[arg(long, value_name = "FORMAT", default_value = "f16", value_parser = ["f16", "f32", "q8"])]
    pub kv: String,
    /// Quantise the matrices of an unquantised model (f32, f16, bf16) while loading: q8_0, q4_k, q4_0 and others.
    #[arg(long, value_name = "FORMAT")]
    pub quantize: Option<String>,
}

impl Computing {
    /// The options for [`Engine::load`].
    pub fn options(&self) -> Result<LoadOptions> {
        LoadOptions::parse(&json!({
            "device": self.device, "contextLength": self.context, "kv": self.kv, "quantize": self.quantize,
            "selfTest": true, "verdicts": verdicts::read(),
        }))
    }
}

impl Model {
    /// Loads with a progress bar on stderr (nothing where that is no terminal).
    pub fn load(&self) -> Result<Engine> {
        let mut files = open_path(locate(&self.model, Kind::Model)?)?;
        if let Some(projector) = &self.projector {
            files = files.with_projector(open_path(locate(projector, Kind::Model)?)?)?;
        }
        let checkpoint = block_on(Checkpoint::open(files))?;
        let bar = ProgressBar::new(0);
        let style = |template| ProgressStyle::with_template(template).expect("a valid template");
        bar.set_style(style("{msg}")); // there is nothing to fill yet
        let mut on_progress = |progress: LoadProgress| {
            bar.set_message(progress.status);
            if progress.status == "upload" {
                if bar.length() != Some(progress.total) {
                    bar.set_style(style("{msg:<8} {bar:32} {bytes}/{total_bytes} {eta}"));
                }
                bar.set_length(progress.total);
                bar.set_position(progress.loaded);
            }
        };
        report::loading(&self.computing.device);
        let options = LoadOptions { sampling: recommended(&self.model)?, ..self.computing.options()? };
        let engine = block_on(Engine::load(checkpoint, &options, &mut on_progress));
        bar.finish_and_clear();
        engine.iter().for_each(report::loaded);
        if let Some(verdict) = engine.as_ref().ok().and_then(Engine::verdict) {
            verdicts::keep(&json!(verdict));
        }
        engine
    }
}

/// A LoRA adapter on top of the model.
#[derive(Args)]
pub struct Adapter {
    /// A LoRA adapter to compute with: a folder as PEFT or mlx-lm saves it, a .safetensors file, or a GGUF adapter; hf:owner/repo
    /// and addresses are downloaded once.
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<PathBuf>,
    /// The adapter's lora_alpha, where its files say none or another is wanted.
    #[arg(long, value_name = "X", requires = "adapter")]
    adapter_alpha: Option<f64>,
}

impl Adapter {
    /// Loads the model, and the adapter if one was given, as what every request uses.
    pub fn load_on(&self, model: &Model) -> Result<Engine> {
        let mut engine = model.load()?;
        if let Some(path) = &self.adapter {
            let options = AdapterOptions::parse(&json!({ "alpha": self.adapter_alpha, "default": true }))?;
            block_on(engine.load_adapter("adapter", &checkpoint(&locate(path, Kind::Adapter)?)?, &options))?;
        }
        Ok(engine)
    }
}

/// The help of an option: its effect, its range and its default.
fn ranged(range: Range, what: &str) -> String {
    let default = range.default.map(|value| format!("; the model's own, or {value}, unless given")).unwrap_or_default();
    format!("{what} ({range}{default})")
}

/// How tokens are chosen, and when the text ends.
#[derive(Args)]
pub struct Sampling {
    /// Tokens to write at most; without it until the text ends or the context is full.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    #[arg(long, value_name = "X", help = ranged(
        RANGES.temperature,
        "0 always takes the most probable token, 1 follows the model's probabilities, more is wilder",
    ))]
    temperature: Option<f64>,
    #[arg(long, value_name = "K", help = ranged(RANGES.top_k, "Only the K most probable tokens; 0: all"))]
    top_k: Option<u64>,
    #[arg(long, value_name = "P", help = ranged(
        RANGES.top_p,
        "Only the most probable tokens that together have this probability",
    ))]
    top_p: Option<f64>,
    #[arg(long, value_name = "P", help = ranged(
        RANGES.min_p,
        "Only tokens with at least this share of the best one's probability",
    ))]
    min_p: Option<f64>,
    #[arg(long, value_name = "X", help = ranged(
        RANGES.repetition_penalty,
        "Above 1 makes tokens that were written already less likely",
    ))]
    repetition_penalty: Option<f64>,
    #[arg(long, value_name = "X", allow_negative_numbers = true, help = ranged(
        RANGES.frequency_penalty,
        "Taken off a token's score for each time it was written",
    ))]
    frequency_penalty: Option<f64>,
    #[arg(long, value_name = "X", allow_negative_numbers = true, help = ranged(
        RANGES.presence_penalty,
        "Taken off a token's score once it was written",
    ))]
    presence_penalty: Option<f64>,
    #[arg(long, value_name = "N", allow_negative_numbers = true, help = ranged(
        RANGES.penalty_last_n,
        "How many of the last tokens written the three penalties look at; 0: all of them, -1: the prompt too",
    ))]
    penalty_last_n: Option<i64>,
    #[arg(long, value_name = "N", help = ranged(
        RANGES.num_beams,
        "Models with an encoder: texts that grow side by side in a search for the likeliest",
    ))]
    num_beams: Option<u64>,
    #[arg(long, value_name = "X", allow_negative_numbers = true, help = ranged(
        RANGES.length_penalty,
        "In such a search, above 0 prefers longer texts",
    ))]
    length_penalty: Option<f64>,
    /// The same seed gives the same text on the same device.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Ends the text where it would appear, and is not printed; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on when the model says that the text has ended.
    #[arg(long)]
    ignore_eos: bool,
}

impl Sampling {
    /// The request fields that were given.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "penalty_last_n": self.penalty_last_n,
            "num_beams": self.num_beams,
            "length_penalty": self.length_penalty,
            "seed": self.seed,
            "stop": self.stop,
            "ignore_eos": self.ignore_eos,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => unreachable!("written as an object"),
        }
    }
}
