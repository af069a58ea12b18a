//! A model whose answers are known: small, made of noise, in the number formats of the model that is to be loaded. What a
//! GPU says to it is compared with what the specification says (`self_test.rs`).

use super::no_breathing;
use crate::device::{Device, KvFormat, Tuning};
use crate::error::{Error, Result};
use crate::generate::{Generator, Request, Sampled};
use crate::models::{self, Loader, Model};
use crate::quant::Format;
use crate::sampler::SamplingParams;
use crate::weights::{Checkpoint, Files, GgufWriter, MemorySource};
use std::ops::ControlFlow;
use web_time::Instant;

/// Positions: room for more keys than one workgroup attends to.
const CONTEXT: usize = 320;
const HEAD_DIM: usize = 64;

/// How large it is. Rows are multiples of 256, the largest block of a format.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub d_model: usize,
    pub d_ffn: usize,
    pub vocabulary: usize,
    /// Rows of noise that a weight repeats: quantising is what takes time.
    noise_rows: usize,
}

impl Size {
    /// For its answers. No two rows are alike: equal logits would leave a choice open.
    pub const SMALL: Size = Size { d_model: 256, d_ffn: 512, vocabulary: 192, noise_rows: 512 };
    /// For its speed: large enough that weights, not dispatches, take the time.
    pub const WIDE: Size = Size { d_model: 1024, d_ffn: 2816, vocabulary: 4096, noise_rows: 64 };
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
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
    pub async fn new(mut device: Device, tuning: Tuning, bytes: &[u8], kv: KvFormat) -> Result<Self> {
        device.set_tuning(tuning);
        let checkpoint = Checkpoint::open(Files::single(MemorySource::new("known-answer.gguf", bytes))).await?;
        let architecture = models::architecture_of(&checkpoint)?;
        let mut loader = Loader::new(&checkpoint, &mut device, CONTEXT);
        let model = architecture.load(&mut loader).await?;
        loader.into_fills().read(&checkpoint, &device, &mut |_, _| ()).await?;
        let Model::Decoder(model) = model else { return Err(Error::Internal("a llama is a decoder".into())) };
        Ok(KnownModel { generator: Generator::new(device, model, CONTEXT, kv).await? })
    }

    pub async fn answer(&mut self, part: Part) -> Result<Answer> {
        match part {
            Part::Decode => self.tokens(1, 24).await,
            // A full chunk of the prompt, then single rows with more keys than one workgroup attends to.
            Part::Whole => self.tokens(257, 4).await,
            Part::Prefill => {
                let mut rows = Vec::new();
                let ids = self.prompt(44);
                self.generator.logits(&ids, true, &mut |row| rows.push(row.to_vec()), &no_breathing).await?;
                Ok(Answer { ids: Vec::new(), rows })
            }
        }
    }

    /// Seconds of a prompt of 64 tokens, and of one token after it: the best of some.
    pub async fn seconds(&mut self) -> Result<(f64, f64)> {
        const TOKENS: usize = 17;
        let request = Request { prompt: self.prompt(64), max_tokens: Some(TOKENS), recompute: true, ..greedy() };
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..4 {
            let (start, mut first) = (Instant::now(), None);
            let mut on_token = |_: Sampled| {
                first.get_or_insert_with(Instant::now);
                ControlFlow::Continue(())
            };
            self.generator.generate(&request, &mut on_token, &no_breathing).await?;
            let first = first.unwrap_or(start);
            best.0 = best.0.min((first - start).as_secs_f64());
            best.1 = best.1.min(first.elapsed().as_secs_f64() / (TOKENS - 1) as f64);
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
        self.generator.generate(&request, &mut on_token, &no_breathing).await?;
        Ok(answer)
    }

    fn prompt(&self, tokens: usize) -> Vec<u32> {
        let vocabulary = self.generator.model().shape().vocabulary as u32;
        (0..tokens as u32).map(|i| (7 + 31 * i + i * i) % vocabulary).collect()
    }
}

impl Drop for KnownModel {
    fn drop(&mut self) {
        self.generator.device.destroy();
    }
}

/// What may be lost of a factor.
#[derive(Debug, Clone, Copy)]
pub enum Rounding {
    /// f16 keeps eleven bits.
    Halves,
    /// 8 bits of the largest of 32 columns.
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
    /// What is wrong with it, if it is not `want` but for rounding.
    pub fn fault(&self, want: &Answer, rounding: Rounding) -> Option<String> {
        let tolerance = rounding.tolerance();
        if self.rows.len() != want.rows.len() {
            return Some(format!("it gives {} rows of {}", self.rows.len(), want.rows.len()));
        }
        for (i, (row, want_row)) in self.rows.iter().zip(&want.rows).enumerate() {
            let largest = want_row.iter().fold(0f32, |most, x| most.max(x.abs()));
            let error = |(a, b): (&f32, &f32)| (a - b).abs() / largest;
            let worst = row.iter().zip(want_row).map(error).max_by(f32::total_cmp).unwrap_or(f32::NAN);
            // Not a number is larger than any in this order.
            if !(worst <= tolerance) {
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

/// The model as a GGUF file: a llama of one layer whose matrices are in `format`.
pub fn file(format: Format, size: Size) -> Result<Vec<u8>> {
    let Size { d_model, d_ffn, vocabulary, noise_rows } = size;
    let (heads, kv_heads) = (d_model / HEAD_DIM, d_model / HEAD_DIM / 2);
    let mut random = 1u32;
    let mut matrix = |name: &str, rows: usize, columns: usize| {
        // Uniform, of a spread that keeps the size of what is multiplied.
        let spread = (3.0 / columns as f32).sqrt();
        let mut noise = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            spread * ((random >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        let made = rows.min(noise_rows);
        let numbers: Vec<f32> = (0..made * columns).map(|_| noise()).collect();
        let row_bytes = format.quantize(&numbers);
        let bytes: Vec<u8> = row_bytes.iter().copied().cycle().take(row_bytes.len() / made * rows).collect();
        (name.to_string(), vec![rows, columns], bytes)
    };
    let matrices = [
        matrix("token_embd.weight", vocabulary, d_model),
        matrix("blk.0.attn_q.weight", d_model, d_model),
        matrix("blk.0.attn_k.weight", kv_heads * HEAD_DIM, d_model),
        matrix("blk.0.attn_v.weight", kv_heads * HEAD_DIM, d_model),
        matrix("blk.0.attn_output.weight", d_model, d_model),
        matrix("blk.0.ffn_gate.weight", d_ffn, d_model),
        matrix("blk.0.ffn_up.weight", d_ffn, d_model),
        matrix("blk.0.ffn_down.weight", d_model, d_ffn),
        matrix("output.weight", vocabulary, d_model),
    ];
    let mut writer = GgufWriter::new()
        .set("general.architecture", "llama")
        .set("llama.context_length", CONTEXT as u32)
        .set("llama.embedding_length", d_model as u32)
        .set("llama.block_count", 1u32)
        .set("llama.feed_forward_length", d_ffn as u32)
        .set("llama.attention.head_count", heads as u32)
        .set("llama.attention.head_count_kv", kv_heads as u32)
        .set("llama.attention.layer_norm_rms_epsilon", 1e-5f32)
        .set("llama.rope.dimension_count", HEAD_DIM as u32);
    for (name, shape, bytes) in matrices {
        writer = writer.tensor(name, &shape, format, bytes);
    }
    let norm: Vec<f32> = (0..d_model).map(|i| 0.75 + (i % 5) as f32 / 8.0).collect();
    for name in ["blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"] {
        writer = writer.tensor(name, &[d_model], Format::F32, bytemuck::cast_slice(&norm).to_vec());
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes)?;
    Ok(bytes)
}
