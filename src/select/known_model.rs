//! A model whose answers are known: small, made of noise, in the number formats of the model that is to be loaded. The
//! self-test compares a GPU's answers with the specification's (`self_test.rs`).
//!
//! There is a layer for each weight format. The weights of gate and up may have scales below f16's normal range, as real files
//! have: some devices flush such numbers to zero.

use super::random::Random;
use crate::device::{Device, KvFormat, Tuning, never_yield};
use crate::error::{Error, Result};
use crate::generate::{Generator, Request, Sampled};
use crate::load::Allocator;
use crate::models::{self, Loaded, Model};
use crate::quant::Format;
use crate::sampler::SamplingParams;
use crate::weights::{Checkpoint, Files, GgufWriter, MemorySource};
use half::f16;
use std::ops::ControlFlow;
use web_time::Instant;

/// Positions: room for more keys than one workgroup attends to.
const CONTEXT: usize = 320;
const HEAD_DIM: usize = 64;

/// A known model's dimensions. Rows are multiples of 256, the largest block of a format.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Columns of a token's row.
    pub d_model: usize,
    /// Columns between the feed-forward's matrices.
    pub d_ffn: usize,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Rows of noise that a weight repeats: quantising is what takes time.
    noise_rows: usize,
}

impl Size {
    /// To check answers. No two rows of noise are equal: equal logits would leave the token open.
    pub const SMALL: Size = Size { d_model: 256, d_ffn: 512, vocabulary: 192, noise_rows: 512 };
    /// To measure speed: large enough that weights, not dispatches, take the time.
    pub const WIDE: Size = Size { d_model: 1024, d_ffn: 2816, vocabulary: 4096, noise_rows: 64 };
}

/// The part of generating that is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Tokens one by one: the kernels for few rows.
    Decode,
    /// Many rows at once: the kernels for prompts.
    Prefill,
    /// A long prompt, then tokens: all of them together, with keys in several chunks.
    Whole,
}

/// Ids that were drawn, and the logits [V] of each row.
pub struct Answer {
    ids: Vec<u32>,
    rows: Vec<Vec<f32>>,
}

/// The model on a device.
pub struct KnownModel {
    generator: Generator,
}

impl KnownModel {
    /// Loads a [`Recipe`]'s file.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, `DEVICE_LOST`, and `INTERNAL` for a recipe that is no decoder.
    pub async fn new(mut device: Device, bytes: &[u8], kv: KvFormat) -> Result<Self> {
        let checkpoint = Checkpoint::open(Files::single(MemorySource::new("known-answer.gguf", bytes))).await?;
        let architecture = models::architecture_of(&checkpoint)?;
        let (hyper, shape) = (architecture.hyper(&checkpoint), architecture.read_shape(&checkpoint)?);
        let loaded = architecture.load(hyper, &shape, CONTEXT, Allocator::new(&mut device, None)).await?;
        let Loaded { model, uploads, .. } = loaded;
        uploads.read(&checkpoint, &device, &mut |_, _| ()).await?;
        let Model::Decoder(model) = model else { return Err(Error::Internal("a llama is a decoder".into())) };
        Ok(KnownModel { generator: Generator::new(device, model, CONTEXT, kv).await? })
    }

    /// Takes its device away, which keeps the weights, until it is [`Self::put_on`] that again.
    pub fn take_device(&mut self) -> Device {
        std::mem::replace(&mut self.generator.device, Device::plain_cpu())
    }

    /// Gives it the device that was taken, on which its weights are.
    pub fn put_on(&mut self, device: Device) {
        self.generator.device = device;
    }

    /// Uses other kernel variants from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.generator.set_tuning(tuning);
    }

    /// Runs a phase.
    ///
    /// # Errors
    /// Errors of the device, such as `DEVICE_LOST`.
    pub async fn answer(&mut self, phase: Phase) -> Result<Answer> {
        match phase {
            Phase::Decode => self.tokens(1, 24).await,
            // Chunks of the prompt, then single rows with more keys than one workgroup attends to.
            Phase::Whole => self.tokens(257, 4).await,
            Phase::Prefill => {
                let mut rows = Vec::new();
                let ids = self.prompt(44);
                self.generator.logits(&ids, true, &mut |row| rows.push(row.to_vec()), &never_yield).await?;
                Ok(Answer { ids: Vec::new(), rows })
            }
        }
    }

    /// Seconds of a prompt of 64 tokens for [`Phase::Prefill`], otherwise of one decoded token: the best of four runs.
    ///
    /// # Errors
    /// Errors of the device, such as `DEVICE_LOST`.
    pub async fn seconds(&mut self, phase: Phase) -> Result<f64> {
        let (prompt, tokens) = if phase == Phase::Prefill { (64, 1) } else { (1, 17) };
        let request = Request { prompt: self.prompt(prompt), max_tokens: Some(tokens), recompute: true, ..greedy() };
        let mut best = f64::INFINITY;
        for _ in 0..4 {
            let (start, mut first) = (Instant::now(), None);
            let mut on_token = |_: Sampled| {
                first.get_or_insert_with(Instant::now);
                ControlFlow::Continue(())
            };
            self.generator.generate(&request, &mut on_token, &never_yield).await?;
            let first = first.unwrap_or(start);
            let seconds = match phase {
                Phase::Prefill => (first - start).as_secs_f64(),
                _ => first.elapsed().as_secs_f64() / (tokens - 1) as f64,
            };
            best = best.min(seconds);
        }
        Ok(best)
    }

    async fn tokens(&mut self, prompt: usize, tokens: usize) -> Result<Answer> {
        let request = Request { prompt: self.prompt(prompt), max_tokens: Some(tokens), want_logits: true, ..greedy() };
        let mut answer = Answer { ids: Vec::new(), rows: Vec::new() };
        let mut on_token = |sampled: Sampled| {
            answer.ids.push(sampled.id);
            answer.rows.extend(sampled.logits.map(<[f32]>::to_vec));
            ControlFlow::Continue(())
        };
        self.generator.generate(&request, &mut on_token, &never_yield).await?;
        Ok(answer)
    }

    fn prompt(&self, tokens: usize) -> Vec<u32> {
        let vocabulary = self.generator.model().shape().vocabulary as u32;
        (0..tokens as u32).map(|i| (7 + 31 * i + i * i) % vocabulary).collect()
    }
}

/// The precision of the factors of a product.
#[derive(Debug, Clone, Copy)]
pub enum Rounding {
    /// f16: eleven bits.
    Halves,
    /// 8 bits, relative to the largest of 32 columns.
    EightBits,
}

impl Rounding {
    /// How far a logit may be off, as a share of the largest. Errors of many factors mostly cancel out; in a model of noise
    /// nothing else makes up for what is left, which is up to 2% with 8 bits. Wrong kernels are off by tens of percent.
    fn tolerance(self) -> f32 {
        match self {
            Rounding::Halves => 0.02,
            Rounding::EightBits => 0.06,
        }
    }
}

impl Answer {
    /// Describes the first difference from `want` that rounding does not explain.
    pub fn fault(&self, want: &Answer, rounding: Rounding) -> Option<String> {
        let tolerance = rounding.tolerance();
        if self.rows.len() != want.rows.len() {
            return Some(format!("it gives {} rows of {}", self.rows.len(), want.rows.len()));
        }
        for (i, (row, want_row)) in self.rows.iter().zip(&want.rows).enumerate() {
            if row.iter().any(|z| !z.is_finite()) {
                return Some(format!("its logits are not numbers in row {i}"));
            }
            let largest = want_row.iter().fold(0f32, |most, x| most.max(x.abs()));
            let error = |(a, b): (&f32, &f32)| (a - b).abs() / largest;
            let worst = row.iter().zip(want_row).map(error).max_by(f32::total_cmp).unwrap_or(f32::NAN);
            if worst.is_nan() || worst > tolerance {
                return Some(format!("its logits are {:.0}% off in row {i}", 100.0 * worst));
            }
            let (Some(&id), Some(&want_id)) = (self.ids.get(i), want.ids.get(i)) else { continue };
            if id != want_id {
                let behind = (want_row[want_id as usize] - want_row.get(id as usize).unwrap_or(&f32::NAN)) / largest;
                // Two tokens were as good as each other: what follows is another text.
                return if behind <= tolerance { None } else { Some(format!("it draws the wrong token in row {i}")) };
            }
        }
        None
    }
}

fn greedy() -> Request {
    Request { sampling: SamplingParams { temperature: 0.0, ..SamplingParams::default() }, ..Request::default() }
}

/// Describes a known model.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The formats of its matrices, one a layer.
    pub formats: Vec<Format>,
    /// How large its matrices are.
    pub size: Size,
    /// Each layer's gate and up have scales below f16's normal range, where their format has such scales.
    pub small_scales: bool,
}

impl Recipe {
    /// The model as a GGUF file: a llama.
    ///
    /// # Errors
    /// Errors of [`GgufWriter::write`].
    pub fn file(&self) -> Result<Vec<u8>> {
        let Size { d_model, d_ffn, vocabulary, .. } = self.size;
        let (heads, kv_heads) = (d_model / HEAD_DIM, d_model / HEAD_DIM / 2);
        let mut noise = Random(1);
        let mut matrix = |format: Format, rows: usize, columns: usize| {
            let made = rows.min(self.size.noise_rows);
            let row_bytes = random_rows(&mut noise, format, made, columns);
            let bytes: Vec<u8> = row_bytes.iter().copied().cycle().take(row_bytes.len() / made * rows).collect();
            ([rows, columns], format, bytes)
        };
        let last = self.formats[self.formats.len() - 1];
        let mut tensors = vec![
            ("token_embd.weight".to_string(), matrix(last, vocabulary, d_model)),
            ("output.weight".to_string(), matrix(last, vocabulary, d_model)),
        ];
        let mut norms = vec![("output_norm.weight".to_string(), 1.0)];
        for (i, &format) in self.formats.iter().enumerate() {
            // Values often have a format of their own.
            let other = self.formats[(i + 1) % self.formats.len()];
            let mut layer = vec![
                ("attn_q", matrix(format, d_model, d_model)),
                ("attn_k", matrix(format, kv_heads * HEAD_DIM, d_model)),
                ("attn_v", matrix(other, kv_heads * HEAD_DIM, d_model)),
                ("attn_output", matrix(format, d_model, d_model)),
                ("ffn_gate", matrix(format, d_ffn, d_model)),
                ("ffn_up", matrix(format, d_ffn, d_model)),
                ("ffn_down", matrix(format, d_model, d_ffn)),
            ];
            let mut compensation = 1.0;
            if self.small_scales {
                let gate_and_up = layer.iter_mut().filter(|(name, _)| ["ffn_gate", "ffn_up"].contains(name));
                let scales: Vec<&mut [u8]> = gate_and_up.map(|(_, (_, _, bytes))| &mut bytes[..]).collect();
                compensation = shrink(format, scales);
            }
            norms.extend(
                [("attn_norm", 1.0), ("ffn_norm", compensation)].map(|(n, x)| (format!("blk.{i}.{n}.weight"), x)),
            );
            tensors.extend(layer.into_iter().map(|(name, matrix)| (format!("blk.{i}.{name}.weight"), matrix)));
        }
        let mut writer = GgufWriter::new()
            .set("general.architecture", "llama")
            .set("llama.context_length", CONTEXT as u32)
            .set("llama.embedding_length", d_model as u32)
            .set("llama.block_count", self.formats.len() as u32)
            .set("llama.feed_forward_length", d_ffn as u32)
            .set("llama.attention.head_count", heads as u32)
            .set("llama.attention.head_count_kv", kv_heads as u32)
            .set("llama.attention.layer_norm_rms_epsilon", 1e-5f32)
            .set("llama.rope.dimension_count", HEAD_DIM as u32);
        for (name, (shape, format, bytes)) in tensors {
            writer = writer.tensor(name, &shape, format, bytes);
        }
        for (name, factor) in norms {
            let norm: Vec<f32> = (0..d_model).map(|i| factor * (0.75 + (i % 5) as f32 / 8.0)).collect();
            writer = writer.tensor(name, &[d_model], Format::F32, bytemuck::cast_slice(&norm).to_vec());
        }
        let mut bytes = Vec::new();
        writer.write(&mut bytes)?;
        Ok(bytes)
    }
}

/// Rows of weights whose spread keeps the size of what is multiplied.
fn random_rows(random: &mut Random, format: Format, rows: usize, columns: usize) -> Vec<u8> {
    let n = rows * columns;
    if format.is_writable() {
        let spread = (3.0 / columns as f32).sqrt(); // uniform
        let numbers: Vec<f32> = (0..n).map(|_| spread * (random.draw() as f32 / (1 << 23) as f32 - 1.0)).collect();
        return format.quantize(&numbers);
    }
    let mut bytes: Vec<u8> = (0..n / format.block_len() * format.block_bytes()).map(|_| random.draw() as u8).collect();
    let mut numbers = vec![0f32; n];
    set_scales(format, &mut bytes, 1.0);
    format.dequantize(&bytes, &mut numbers);
    let mean_square = numbers.iter().map(|x| x * x).sum::<f32>() / n as f32;
    set_scales(format, &mut bytes, 1.0 / (mean_square * columns as f32).sqrt());
    bytes
}

/// Gives random blocks of a format that is only read the scale with which their codes are multiplied.
fn set_scales(format: Format, bytes: &mut [u8], scale: f32) {
    let halves = format.spec().halves;
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        if halves.is_empty() {
            block[0] = (127.0 + scale.log2().round()) as u8; // MXFP4's power of two
        }
        // The second, where there is one, scales what is subtracted: with 1.5 of the first nothing is left of Q2_K's mean.
        for (&at, factor) in halves.iter().zip([1.0, 1.5]) {
            block[at..at + 2].copy_from_slice(&f16::from_f32(factor * scale).to_le_bytes());
        }
    }
}

/// Divides weights by a power of two with which the largest of their scales lies below f16's normal range, where their
/// format has such scales; gives the power.
fn shrink(format: Format, mut matrices: Vec<&mut [u8]>) -> f32 {
    /// Well below 2⁻¹⁴, with bits to spare.
    const SMALL: f32 = 1.0 / 32768.0;
    let half = |block: &[u8], at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let (halves, block_bytes) = (format.spec().halves, format.block_bytes());
    let blocks = matrices.iter().flat_map(|bytes| bytes.chunks_exact(block_bytes));
    let largest = blocks.flat_map(|block| halves.iter().map(|&at| half(block, at).abs())).fold(0.0, f32::max);
    let power = if largest > SMALL { (largest / SMALL).log2().ceil().exp2() } else { 1.0 };
    for block in matrices.iter_mut().flat_map(|bytes| bytes.chunks_exact_mut(block_bytes)) {
        for &at in halves {
            let small = f16::from_f32(half(block, at) / power);
            block[at..at + 2].copy_from_slice(&small.to_le_bytes());
        }
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    /// The numbers of a tensor of the file.
    fn tensor(file: &[u8], name: &str) -> (Format, Vec<u8>, Vec<f32>) {
        let checkpoint =
            block_on(Checkpoint::open(Files::single(MemorySource::new("known.gguf", file)))).expect("a file");
        let info = checkpoint.tensor(name).expect("it is there");
        let (format, bytes) =
            (info.dtype.format().expect("known"), block_on(checkpoint.read_all(info)).expect("bytes"));
        let mut numbers = vec![0f32; info.elements()];
        format.dequantize(&bytes, &mut numbers);
        (format, bytes, numbers)
    }

    fn spread(numbers: &[f32]) -> f32 {
        (numbers.iter().map(|x| x * x).sum::<f32>() / numbers.len() as f32).sqrt()
    }

    /// Every format is weights of the right spread; its scales, where it has any, are small where that is wanted, and no
    /// weight is lost by it.
    #[test]
    fn small_scales_are_made_up_for() {
        let file = |small_scales| {
            Recipe { formats: Format::ALL.to_vec(), size: Size::SMALL, small_scales }.file().expect("a file")
        };
        let (plain, small) = (file(false), file(true));
        for (i, &format) in Format::ALL.iter().enumerate() {
            for name in ["attn_q", "ffn_gate", "ffn_up", "ffn_down"] {
                let name = format!("blk.{i}.{name}.weight");
                let columns = if name.contains("down") { 512.0f32 } else { 256.0 };
                let (_, _, numbers) = tensor(&plain, &name);
                let ratio = spread(&numbers) * columns.sqrt();
                assert!((0.7..1.4).contains(&ratio), "{format:?} {name}: {ratio}");
            }
            let [gate, small_gate] = [&plain, &small].map(|file| tensor(file, &format!("blk.{i}.ffn_gate.weight")));
            let [norm, small_norm] =
                [&plain, &small].map(|file| tensor(file, &format!("blk.{i}.ffn_norm.weight")).2[0]);
            let power = small_norm / norm;
            let restored: Vec<f32> = small_gate.2.iter().map(|x| power * x).collect();
            let lost: Vec<f32> = restored.iter().zip(&gate.2).map(|(a, b)| a - b).collect();
            assert!(spread(&lost) < 0.05 * spread(&gate.2), "{format:?}: a scale keeps some bits");
            let halves = format.spec().halves;
            let blocks = small_gate.1.chunks_exact(format.block_bytes());
            let scales = blocks.flat_map(|b| halves.iter().map(|&at| f16::from_le_bytes([b[at], b[at + 1]])));
            let scales: Vec<f16> = scales.collect();
            let normal = scales.iter().filter(|scale| scale.is_normal()).count();
            assert_eq!((scales.is_empty(), normal), (halves.is_empty(), 0), "{format:?}");
            assert!(halves.is_empty() || scales.iter().any(|scale| *scale != f16::ZERO), "{format:?}");
        }
    }
}
