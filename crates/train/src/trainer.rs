//! The training loop's parts: schedule, one optimiser step, held-out evaluation, checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::data::{Batch, Corpus};
use crate::decoder::{Decoder, DecoderConfig};
use cresset::{Error, Result};

/// In one activation tensor: 16 GB.
const MOST_NUMBERS: u128 = 4_000_000_000;

/// Hyperparameters of a run, stored in every checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Sizes of the model.
    pub model: DecoderConfig,
    /// Windows in a batch.
    pub batch: usize,
    /// Updates in the whole run.
    pub steps: usize,
    /// Highest learning rate, reached after `warmup` steps.
    pub lr: f64,
    /// Learning rate of the last step.
    pub min_lr: f64,
    /// Steps until the highest learning rate.
    pub warmup: usize,
    /// Decoupled weight decay of the matrices; norms have none.
    pub weight_decay: f32,
    /// Largest global norm of the gradient.
    pub clip: f64,
    /// Decides the first weights and the order of the text.
    pub seed: u64,
}

impl TrainConfig {
    /// Refuses values that no run can use, naming the flag to change.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with that flag.
    pub fn check(&self) -> Result<()> {
        self.model.check()?;
        for (field, value) in [("--lr", self.lr), ("--clip", self.clip)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::invalid(field, "must be a positive number"));
            }
        }
        if !(self.min_lr >= 0.0 && self.min_lr <= self.lr) {
            return Err(Error::invalid("--min-lr", "must be between 0 and --lr"));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(Error::invalid("--weight-decay", "must be 0 or more"));
        }
        // The two largest tensors of a step: logits and attention scores.
        let (batch, model) = (self.batch as u128, &self.model);
        let largest = batch * model.context as u128 * model.vocab.max(model.n_heads * model.context) as u128;
        if self.batch == 0 || largest > MOST_NUMBERS {
            let reason = format!("must be at least 1, and small enough for tensors of {MOST_NUMBERS} numbers");
            return Err(Error::invalid("--batch", reason));
        }
        if self.steps == 0 || self.warmup >= self.steps {
            return Err(Error::invalid("--steps", "must be more than --warmup"));
        }
        Ok(())
    }

    /// Learning rate of a step (from 0): linear from 0 up to `lr` over `warmup` steps, then half a cosine down to
    /// `min_lr` (Loshchilov and Hutter 2017, "SGDR").
    pub fn learning_rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let done = ((step - self.warmup) as f64 / (self.steps - self.warmup) as f64).min(1.0);
        self.min_lr + (self.lr - self.min_lr) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }
}

/// Metrics of one optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean cross-entropy in nats a token, before the update.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of the update.
    pub learning_rate: f64,
}

/// How well held-out text is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean cross-entropy in nats a token.
    pub loss: f64,
    /// Training loss in bits a byte of text; comparable between tokenizers.
    pub bits_per_byte: f64,
}

/// Progress of a run, beside weights and optimiser state in a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    config: TrainConfig,
    step: usize,
    best: Option<Evaluation>,
}

/// A model in training.
pub struct Trainer {
    config: TrainConfig,
    decoder: Decoder,
    optimizer: ModuleOptimizer,
    device: Device,
    step: usize,
    /// The best evaluation so far.
    pub best: Option<Evaluation>,
}

impl Trainer {
    /// A fresh model. The weights follow from the seed.
    ///
    /// # Errors
    /// Those of [`TrainConfig::check`].
    pub fn new(config: TrainConfig, device: Device) -> Result<Trainer> {
        config.check()?;
        let device = device.autodiff();
        device.seed(config.seed);
        // Norms are vectors near one, which decay would pull towards zero.
        let adamw = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.95).with_epsilon(1e-8);
        let optimizer = ModuleOptimizer::from(adamw.clone().with_weight_decay(config.weight_decay).build()).with_group(
            ParamGroup::from_predicate("norm"),
            adamw.with_weight_decay(0.0).build(),
            None,
        );
        Ok(Trainer { decoder: config.model.init(&device), optimizer, device, step: 0, best: None, config })
    }

    /// Steps done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The run's hyperparameters.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The model with the weights of the last step, on the device that keeps gradients.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// One update: forward, backward, clip, AdamW.
    pub fn train(&mut self, batch: &Batch) -> StepReport {
        let (inputs, targets) = tensors(batch, &self.device);
        let loss = self.decoder.losses(inputs, targets).mean(); // [1]
        let gradients = GradientsParams::from_grads(loss.backward(), &self.decoder);
        let (gradients, grad_norm) = clip(gradients, &self.decoder, self.config.clip);
        let learning_rate = self.config.learning_rate(self.step);
        self.decoder = self.optimizer.step(learning_rate, self.decoder.clone(), gradients);
        self.step += 1;
        StepReport { loss: f64::from(loss.into_scalar::<f32>()), grad_norm, learning_rate }
    }

    /// Predicts `corpus` once, in order, in windows of the model's context.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the text does not fill one window.
    pub fn evaluate(&self, corpus: &Corpus) -> Result<Evaluation> {
        let decoder = self.decoder.valid();
        let device = self.device.clone().without_autodiff();
        let (mut nats, mut tokens, mut bytes) = (0.0, 0, 0);
        for batch in corpus.in_order(self.config.batch, self.config.model.context) {
            let (inputs, targets) = tensors(&batch, &device);
            nats += f64::from(decoder.losses(inputs, targets).sum().into_scalar::<f32>());
            tokens += batch.targets.len();
            bytes += corpus.bytes_of(&batch.targets);
        }
        if bytes == 0 {
            return Err(Error::invalid(
                "--data",
                "the held-out text is shorter than one --context; give more text, or held-out text with --valid",
            ));
        }
        Ok(Evaluation { loss: nats / tokens as f64, bits_per_byte: nats / std::f64::consts::LN_2 / bytes as f64 })
    }

    /// Writes `dir/step-N` with all that [`Trainer::resume`] needs and drops older checkpoints. `state.json` comes last:
    /// a folder without it was cut short and does not count.
    ///
    /// # Errors
    /// `STORAGE` where something cannot be written or an old checkpoint not be removed.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let folder = dir.join(format!("step-{:08}", self.step));
        fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, e))?;
        self.decoder.clone().into_record().save(folder.join("model.bpk")).map_err(|e| unwritable(&folder, e))?;
        self.optimizer.save(folder.join("optimizer.bpk")).map_err(|e| unwritable(&folder, e))?;
        let state = State { config: self.config.clone(), step: self.step, best: self.best };
        write_json(&folder.join("state.json"), &state)?;
        for (step, old) in checkpoints(dir)? {
            if step < self.step {
                fs::remove_dir_all(&old).map_err(|e| unwritable(&old, e))?;
            }
        }
        Ok(())
    }

    /// Continues from the latest checkpoint under `dir`, exactly where it stopped. Sizes, seed and batch are the
    /// checkpoint's; schedule and regularisation are `config`'s, so that a run can be lengthened.
    ///
    /// # Errors
    /// `MODEL_NOT_FOUND` if there is no checkpoint; `INVALID_REQUEST` for other sizes than its own; `MODEL_FORMAT` and
    /// `STORAGE` where it cannot be read.
    pub fn resume(config: TrainConfig, dir: &Path, device: Device) -> Result<Trainer> {
        let latest = checkpoints(dir)?.into_iter().max().map(|(_, folder)| folder);
        let folder = latest.ok_or_else(|| Error::ModelNotFound {
            what: format!("a checkpoint in {}", dir.display()),
            hint: "; start without --resume".into(),
        })?;
        let state: State = read_json(&folder.join("state.json"))?;
        if (&state.config.model, state.config.batch, state.config.seed) != (&config.model, config.batch, config.seed) {
            return Err(Error::invalid("--resume", "sizes, batch and seed must be those of the run that is resumed"));
        }
        let broken = |name: &str, e: burn::store::RecordError| {
            Error::format(folder.join(name).display().to_string(), e.to_string())
        };
        let mut trainer = Trainer::new(config, device)?;
        let record = ModuleRecord::load(folder.join("model.bpk")).map_err(|e| broken("model.bpk", e))?;
        trainer.decoder = trainer.decoder.try_load_record(record).map_err(|e| broken("model.bpk", e))?;
        trainer.optimizer =
            trainer.optimizer.load(folder.join("optimizer.bpk")).map_err(|e| broken("optimizer.bpk", e))?;
        trainer.step = state.step;
        trainer.best = state.best;
        Ok(trainer)
    }
}

/// Complete checkpoints under `dir`: steps done and folder.
fn checkpoints(dir: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::Storage { reason: format!("{} cannot be read: {e}", dir.display()) }),
    };
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok();
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("state.json").is_file())
        .filter_map(|path| Some((step(&path)?, path)))
        .collect())
}

fn tensors(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let shape = [batch.rows, batch.inputs.len() / batch.rows];
    let tensor = |ids: &[i32]| Tensor::from_data(TensorData::new(ids.to_vec(), shape), device);
    (tensor(&batch.inputs), tensor(&batch.targets))
}

/// Scales all gradients by `limit / norm` if their global norm is above `limit` (Pascanu et al. 2013). Returns the norm.
pub fn clip(gradients: GradientsParams, decoder: &Decoder, limit: f64) -> (GradientsParams, f64) {
    struct SumOfSquares<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for SumOfSquares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += f64::from(gradient.square().sum().into_scalar::<f32>());
            }
        }
    }
    struct Scale(GradientsParams, f64);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient * self.1);
            }
        }
    }

    let mut squares = SumOfSquares(&gradients, 0.0);
    decoder.visit(&mut squares);
    let norm = squares.1.sqrt();
    let mut scale = Scale(gradients, limit / norm);
    if norm > limit {
        decoder.visit(&mut scale);
    }
    (scale.0, norm)
}

pub(super) fn unwritable(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Storage { reason: format!("{} cannot be written: {error}", path.display()) }
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    fs::write(path, json + "\n").map_err(|e| unwritable(path, e))
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let name = || path.display().to_string();
    let json =
        fs::read_to_string(path).map_err(|e| Error::Storage { reason: format!("{} cannot be read: {e}", name()) })?;
    serde_json::from_str(&json).map_err(|e| Error::format(name(), e.to_string()))
}
