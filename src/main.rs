//! The command line: the same engine as in the page, on wgpu or the CPU. See `cresset help`.
//!
//! With `--json` one JSON value goes to stdout and nothing else; errors are one line on stderr and exit status 1.

mod cli;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use cresset::sampler;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cresset", version, about = "Language models on your own GPU.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Continue a prompt.
    Generate(Generate),
    /// Talk with a model that has a chat template.
    Chat(Chat),
    /// Text to token ids, or ids to text.
    Tokenize(Tokenize),
    /// Logits after a sequence of ids.
    Logits(Logits),
    /// What a file is: a model, an adapter, a tokenizer or none of these; whether it runs here, and if not, why.
    Inspect(cli::inspect::Inspect),
    /// How well a model predicts a text.
    Perplexity(Perplexity),
    /// Prefill and decode speed.
    Bench(cli::bench::Bench),
    /// Write a GGUF file with fewer bits a weight.
    Quantize(cli::quantize::Quantize),
    /// Turn texts into vectors, with a model made for that.
    Embed(cli::embed::Embed),
    /// Pretrain a small model.
    #[cfg(feature = "train")]
    Train(Box<cresset::train::cli::TrainArgs>),
}

#[derive(Args)]
struct Model {
    /// A .gguf or .safetensors file, or a folder with config.json, safetensors and tokenizer.json.
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Where to compute: auto takes the GPU if there is a real one.
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = ["auto", "gpu", "cpu"])]
    device: String,
    /// Tokens the context holds (default: the model's own, up to 4096).
    #[arg(long, value_name = "N")]
    context: Option<u64>,
    /// How attention's keys and values are stored: f16, q8 takes little more than half of its memory, f32 is exact.
    #[arg(long, value_name = "FORMAT", default_value = "f16", value_parser = ["f16", "f32", "q8"])]
    kv: String,
    /// Quantise the matrices of an unquantised model (f32, f16, bf16) while loading: q8_0, q4_k, q4_0 and others.
    #[arg(long, value_name = "FORMAT")]
    quantize: Option<String>,
}

/// A LoRA adapter on top of the model.
#[derive(Args)]
struct Adapter {
    /// A LoRA adapter to compute with: a folder as PEFT or mlx-lm saves it, a .safetensors file, or a GGUF adapter.
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    /// The adapter's lora_alpha, where its files say none or another is wanted.
    #[arg(long, value_name = "X", requires = "adapter")]
    adapter_alpha: Option<f64>,
}

/// What an option does, with its range and its default.
fn ranged(range: sampler::Range, what: &str) -> String {
    let default = range.default.map(|value| format!("; {value} unless given")).unwrap_or_default();
    format!("{what} ({range}{default})")
}

#[derive(Args)]
struct Sampling {
    /// Tokens to write at most; without it until the text ends or the context is full.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    #[arg(long, value_name = "X", help = ranged(
        sampler::TEMPERATURE,
        "0 always takes the most probable token, 1 follows the model's probabilities, more is wilder",
    ))]
    temperature: Option<f64>,
    #[arg(long, value_name = "K", help = ranged(sampler::TOP_K, "Only the K most probable tokens; 0: all"))]
    top_k: Option<u64>,
    #[arg(long, value_name = "P", help = ranged(
        sampler::TOP_P,
        "Only the most probable tokens that together have this probability",
    ))]
    top_p: Option<f64>,
    #[arg(long, value_name = "P", help = ranged(
        sampler::MIN_P,
        "Only tokens with at least this share of the best one's probability",
    ))]
    min_p: Option<f64>,
    #[arg(long, value_name = "X", help = ranged(
        sampler::REPETITION_PENALTY,
        "Above 1 makes tokens that were there already less likely",
    ))]
    repetition_penalty: Option<f64>,
    #[arg(long, value_name = "X", allow_negative_numbers = true, help = ranged(
        sampler::FREQUENCY_PENALTY,
        "Taken off a token's score for each time it was written",
    ))]
    frequency_penalty: Option<f64>,
    #[arg(long, value_name = "X", allow_negative_numbers = true, help = ranged(
        sampler::PRESENCE_PENALTY,
        "Taken off a token's score once it was written",
    ))]
    presence_penalty: Option<f64>,
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

#[derive(Args)]
struct Generate {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// The text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Print OpenAI's text_completion object instead of the text.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Chat {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
}

#[derive(Args)]
struct Tokenize {
    /// A .gguf file, or a folder with tokenizer.json.
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Text to turn into ids.
    #[arg(long, value_name = "TEXT", required_unless_present = "decode")]
    text: Option<String>,
    /// Ids to turn into text.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', conflicts_with = "text")]
    decode: Option<Vec<u32>>,
}

#[derive(Args)]
struct Logits {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    /// The sequence.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', required = true)]
    ids: Vec<u32>,
    /// Every position instead of the last.
    #[arg(long)]
    all: bool,
    /// Print {"logits": [[…]]}, one list a position, instead of the five highest.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Perplexity {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    /// The text to score, UTF-8.
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// Tokens that are scored together, up to the context; each window starts afresh.
    #[arg(long, value_name = "N", default_value_t = 512)]
    window: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return refused(&error),
    };
    let result = match command {
        Command::Generate(args) => cli::generate(args),
        Command::Chat(args) => cli::chat(args),
        Command::Tokenize(args) => cli::tokenize(args),
        Command::Logits(args) => cli::logits(args),
        Command::Inspect(args) => cli::inspect::inspect(args),
        Command::Perplexity(args) => cli::perplexity(args),
        Command::Bench(args) => cli::bench::bench(args),
        Command::Quantize(args) => cli::quantize::quantize(args),
        Command::Embed(args) => cli::embed::embed(args),
        #[cfg(feature = "train")]
        Command::Train(args) => cresset::train::cli::run(*args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}", error.code());
            // Programs get one line.
            if stderr().is_terminal() {
                cli::report::of(&error).iter().for_each(|report| eprintln!("{report}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Help and the version, where they were asked for; otherwise what is wrong with the arguments, in one line as for
/// every other error.
fn refused(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() {
        let printed = error.print().is_ok();
        return if printed && !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let text = error.to_string();
    // clap's last two paragraphs are the usage and where to find more.
    let skipped = |line: &&str| line.is_empty() || line.starts_with("Usage:") || line.starts_with("For more");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !skipped(line)).collect();
    let line = lines.join(" ");
    eprintln!("error[INVALID_REQUEST]: {} (see --help)", line.strip_prefix("error: ").unwrap_or(&line));
    ExitCode::FAILURE
}
