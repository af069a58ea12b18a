//! `cresset train`: text files → a trained model, as checkpoints and as files for other programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokenizers::Tokenizer;

use crate::data::{Batches, Corpus, hold_out, read_documents, train_tokenizer};
use crate::decoder::DecoderConfig;
use crate::export::{About, write_gguf, write_hugging_face};
use crate::trainer::{Evaluation, StepReport, TrainConfig, Trainer, unwritable};
use cresset::quant::Format;
use cresset::{Error, Result};

/// Folders in the output folder: the latest state of the run, and its state when the held-out text went best.
const CHECKPOINTS: &str = "checkpoints";
const BEST: &str = "best";

/// Pretrain a llama-architecture model on text files; the defaults are the bundled model's.
#[derive(Args, Debug, Clone)]
pub struct TrainArgs {
    /// UTF-8 text files; `<|endoftext|>` separates documents
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// Held-out text files; without them a 33rd of the data is held out
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub valid: Vec<PathBuf>,
    /// Folder for tokenizer, checkpoints and exported model
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Width of the residual stream
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub d_model: usize,
    /// Transformer blocks
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub layers: usize,
    /// Query heads
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub heads: usize,
    /// Key/value heads; fewer than the query heads is grouped-query attention
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub kv_heads: usize,
    /// Width of the feed-forward layers
    #[arg(long, default_value_t = 704, value_name = "N")]
    pub ffn: usize,
    /// Tokens in a training window
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub context: usize,
    /// Tokens in the vocabulary
    #[arg(long, default_value_t = 4096, value_name = "N")]
    pub vocab: usize,
    /// Windows in a batch
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub batch: usize,
    /// Updates in the whole run, those before a resume included
    #[arg(long, default_value_t = 3200, value_name = "N")]
    pub steps: usize,
    /// Highest learning rate
    #[arg(long, default_value_t = 1.5e-3, value_name = "X")]
    pub lr: f64,
    /// Learning rate at the end
    #[arg(long, default_value_t = 1e-4, value_name = "X")]
    pub min_lr: f64,
    /// Steps until the highest learning rate
    #[arg(long, default_value_t = 150, value_name = "N")]
    pub warmup: usize,
    /// Decoupled weight decay of the matrices
    #[arg(long, default_value_t = 0.1, value_name = "X")]
    pub weight_decay: f32,
    /// Largest global norm of the gradient
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub clip: f64,
    /// Decides the first weights and the order of the text
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Steps between evaluations on the held-out text
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub eval_every: usize,
    /// Steps between checkpoints
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub checkpoint_every: usize,
    /// Continue from the latest checkpoint in the output folder; with no steps left, only export
    #[arg(long)]
    pub resume: bool,
    /// Number format of the matrices in the GGUF file: q8_0, f16 or f32
    #[arg(long, default_value = "q8_0", value_name = "FORMAT")]
    pub export: String,
    /// Name of the model in the GGUF file, and of the file
    #[arg(long, default_value = "model")]
    pub name: String,
    /// Licence of the model, an SPDX identifier, for the GGUF file
    #[arg(long)]
    pub license: Option<String>,
    /// One sentence on the model, for the GGUF file
    #[arg(long)]
    pub description: Option<String>,
}

impl TrainArgs {
    fn config(&self) -> TrainConfig {
        TrainConfig {
            model: DecoderConfig::new(
                self.vocab,
                self.d_model,
                self.layers,
                self.heads,
                self.kv_heads,
                self.ffn,
                self.context,
            ),
            batch: self.batch,
            steps: self.steps,
            lr: self.lr,
            min_lr: self.min_lr,
            warmup: self.warmup,
            weight_decay: self.weight_decay,
            clip: self.clip,
            seed: self.seed,
        }
    }
}

/// Runs the command; progress goes to stderr.
///
/// # Errors
/// `INVALID_REQUEST` with the flag to change, and those of reading the text, of training and of the exports.
pub fn run(args: TrainArgs) -> Result<()> {
    let config = args.config();
    config.check()?;
    let format = export_format(&args)?;
    if args.eval_every == 0 || args.checkpoint_every == 0 {
        return Err(Error::invalid("--eval-every", "and --checkpoint-every must be at least 1"));
    }
    let checkpoints = args.out.join(CHECKPOINTS);
    if !args.resume && checkpoints.exists() {
        return Err(Error::invalid(
            "--out",
            "already holds a run: add --resume to continue it, or name another folder",
        ));
    }
    let mut documents = read_documents(&args.data)?;
    let held_out = if args.valid.is_empty() { hold_out(&mut documents) } else { read_documents(&args.valid)? };

    fs::create_dir_all(&args.out).map_err(|e| unwritable(&args.out, e))?;
    let tokenizer = tokenizer(&args, &documents)?;
    let (corpus, held_out) = (Corpus::new(&tokenizer, &documents)?, Corpus::new(&tokenizer, &held_out)?);
    let mut trainer = match args.resume {
        true => Trainer::resume(config.clone(), &checkpoints, Device::flex())?,
        false => Trainer::new(config.clone(), Device::flex())?,
    };
    train(&args, &mut trainer, &corpus, &held_out)?;
    export(&args, &config, &tokenizer, format)
}

/// Steps, evaluations and checkpoints until the run is complete.
fn train(args: &TrainArgs, trainer: &mut Trainer, corpus: &Corpus, held_out: &Corpus) -> Result<()> {
    let config = trainer.config().clone();
    let mut batches = Batches::new(corpus, config.batch, config.model.context, config.seed)?;
    eprintln!(
        "{} parameters, {} training tokens, {} held out, {} steps of {} tokens ({:.1} epochs)",
        config.model.parameters(),
        corpus.tokens(),
        held_out.tokens(),
        config.steps,
        config.batch * config.model.context,
        config.steps as f64 / batches.per_epoch() as f64,
    );
    let mut progress = Progress::new(&config, trainer.step())?;
    while trainer.step() < config.steps {
        let report = trainer.train(&batches.get(trainer.step()));
        if !report.loss.is_finite() {
            let reason = format!("the loss grew beyond all bounds at step {}; try a lower rate", trainer.step());
            return Err(Error::invalid("--lr", reason));
        }
        progress.step(trainer.step(), &report);
        let last = trainer.step() == config.steps;
        if last || trainer.step().is_multiple_of(args.eval_every) {
            let evaluation = trainer.evaluate(held_out)?;
            let best = trainer.best.is_none_or(|b| evaluation.bits_per_byte < b.bits_per_byte);
            if best {
                trainer.best = Some(evaluation);
                trainer.save(&args.out.join(BEST))?;
            }
            progress.evaluated(trainer.step(), &report, &evaluation, best);
        }
        if last || trainer.step().is_multiple_of(args.checkpoint_every) {
            trainer.save(&args.out.join(CHECKPOINTS))?;
        }
    }
    progress.bar.finish();
    Ok(())
}

/// The bar of a run, and a line for every evaluation.
struct Progress {
    bar: ProgressBar,
    tokens_per_step: usize,
    /// Average of about the last ten steps.
    loss: Option<f64>,
    /// Since the last evaluation: when training went on, and the steps done.
    since: (Instant, usize),
}

impl Progress {
    fn new(config: &TrainConfig, step: usize) -> Result<Self> {
        let bar = ProgressBar::new(config.steps as u64).with_position(step as u64);
        bar.reset_eta(); // steps of an earlier run took no time in this one
        bar.set_style(
            ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg} (ends in {eta})")
                .map_err(|e| Error::Internal(e.to_string()))?,
        );
        let tokens_per_step = config.batch * config.model.context;
        Ok(Progress { bar, tokens_per_step, loss: None, since: (Instant::now(), 0) })
    }

    fn tokens_per_second(&self) -> f64 {
        (self.since.1 * self.tokens_per_step) as f64 / self.since.0.elapsed().as_secs_f64()
    }

    fn step(&mut self, step: usize, report: &StepReport) {
        let loss = self.loss.map_or(report.loss, |loss| 0.9 * loss + 0.1 * report.loss);
        (self.loss, self.since.1) = (Some(loss), self.since.1 + 1);
        self.bar.set_position(step as u64);
        self.bar.set_message(format!("loss {loss:.3}, {:.0} tok/s", self.tokens_per_second()));
    }

    fn evaluated(&mut self, step: usize, report: &StepReport, evaluation: &Evaluation, best: bool) {
        let line = format!(
            "step {step}: loss {:.4}, gradient {:.2}, rate {:.2e}, {:.0} tok/s; held out {:.4} nats a token, \
             {:.4} bits a byte{}",
            self.loss.unwrap_or(report.loss),
            report.grad_norm,
            report.learning_rate,
            self.tokens_per_second(),
            evaluation.loss,
            evaluation.bits_per_byte,
            if best { " (best)" } else { "" },
        );
        self.bar.suspend(|| eprintln!("{line}"));
        self.since = (Instant::now(), 0);
    }
}

/// Writes the best checkpoint as GGUF and as a Hugging Face folder.
fn export(args: &TrainArgs, config: &TrainConfig, tokenizer: &Tokenizer, format: Format) -> Result<()> {
    let best = Trainer::resume(config.clone(), &args.out.join(BEST), Device::flex())?;
    let about = About { name: args.name.clone(), license: args.license.clone(), description: args.description.clone() };
    let gguf = args.out.join(format!("{}-{}.gguf", args.name, format.name()));
    write_gguf(&gguf, best.decoder(), &config.model, tokenizer, &about, format)?;
    let folder = args.out.join("huggingface");
    write_hugging_face(&folder, best.decoder(), &config.model, tokenizer)?;
    eprintln!(
        "wrote {} and {} (step {}, {})",
        gguf.display(),
        folder.display(),
        best.step(),
        match best.best {
            Some(e) => format!("{:.4} bits a byte", e.bits_per_byte),
            None => "not evaluated".into(),
        }
    );
    Ok(())
}

/// The format asked for, if the sizes allow it: better said before the training than after.
fn export_format(args: &TrainArgs) -> Result<Format> {
    let format = Format::from_name(&args.export)
        .filter(|f| [Format::F32, Format::F16, Format::Q8_0].contains(f))
        .ok_or_else(|| Error::invalid("--export", format!("{} is not one of f32, f16, q8_0", args.export)))?;
    if [args.d_model, args.ffn].iter().any(|n| !n.is_multiple_of(format.block_len())) {
        let reason = format!("{} needs --d-model and --ffn to be multiples of {}", format.name(), format.block_len());
        return Err(Error::invalid("--export", reason));
    }
    if args.name.is_empty() || args.name.contains(['/', '\\']) {
        return Err(Error::invalid("--name", "must be a file name"));
    }
    Ok(format)
}

/// The run's tokenizer: trained and stored at its start, read again when it resumes.
fn tokenizer(args: &TrainArgs, documents: &[String]) -> Result<Tokenizer> {
    let path: &Path = &args.out.join("tokenizer.json");
    if args.resume {
        let broken = |reason: String| Error::format(path.display().to_string(), reason);
        let tokenizer = Tokenizer::from_file(path).map_err(|e| broken(e.to_string()))?;
        return match tokenizer.get_vocab_size(true) {
            size if size == args.vocab => Ok(tokenizer),
            size => Err(broken(format!("has {size} tokens, but --vocab is {}", args.vocab))),
        };
    }
    let tokenizer = train_tokenizer(documents, args.vocab)?;
    tokenizer.save(path, true).map_err(|e| unwritable(path, e))?;
    Ok(tokenizer)
}
