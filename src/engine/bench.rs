//! Measures how fast a loaded model is and where its time goes, for the command line and the bench page.

use super::load::ModelInfo;
use crate::api::Fields;
use crate::device::KernelTime;
use crate::error::{Error, Result};
use crate::generate::{Generator, Request, Sampled, YieldNow};
use crate::sampler::SamplingParams;
use crate::select::Ceilings;
use crate::select::random::Random;
use cresset_numerics::sort_by;
use serde::Serialize;
use serde_json::Value;
use std::ops::ControlFlow;
use web_time::Instant;

/// Options of a benchmark.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens to generate; two at least.
    pub generate: usize,
    /// Runs that count, beside one that warms up.
    pub repeat: usize,
    /// Time each kernel as well.
    pub profile: bool,
    /// Measure the graphics adapter's limits as well.
    pub ceilings: bool,
}

impl BenchOptions {
    /// From the option object of the JavaScript interface.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a field that is wrong.
    pub fn parse(options: &Value) -> Result<Self> {
        let fields = Fields::of_options(options)?;
        let count = |field, least, default| Ok(fields.count(field, least..=1 << 24)?.unwrap_or(default));
        Ok(BenchOptions {
            prompt: count("prompt", 1, 128)?,
            generate: count("generate", 2, 64)?,
            repeat: count("repeat", 1, 5)?,
            profile: fields.flag("profile")?,
            ceilings: fields.flag("ceilings")?,
        })
    }
}

/// Medians over the runs.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// Tokens of each prompt.
    pub prompt_tokens: usize,
    /// Tokens that were asked for after it.
    pub generated_tokens: usize,
    /// Runs that count.
    pub runs: usize,
    /// Tokens per second.
    #[serde(flatten)]
    pub speed: Speed,
    /// Counters of a generated token.
    #[serde(flatten)]
    pub per_token: PerToken,
    /// Buffers, bind groups and pipelines made in a whole run.
    pub objects_made: f64,
    /// Bytes of the weights as the device has them: a decoded token of a dense model reads nearly all of them.
    pub weight_bytes: u64,
    /// If [`BenchOptions::ceilings`] and a graphics adapter computes.
    #[serde(flatten)]
    pub roofline: Option<Roofline>,
    /// Where the time of a prompt of up to 256 tokens goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefill_kernels: Vec<KernelTime>,
    /// Where the time of a decoded token goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decode_kernels: Vec<KernelTime>,
}

/// Speeds of prompt and answer.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// Tokens of the prompt per second until the first token.
    pub prefill_tokens_per_s: f64,
    /// Tokens per second after the first.
    pub decode_tokens_per_s: f64,
    /// Seconds until the first token.
    pub time_to_first_token_s: f64,
}

/// Counters of a generated token.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PerToken {
    /// Kernels that were run.
    pub dispatches_per_token: f64,
    /// Submissions to the device.
    pub submits_per_token: f64,
    /// Bytes that were read back from it.
    pub bytes_read_per_token: f64,
}

/// The adapter's limits, and the shares of them that the model reaches.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Roofline {
    /// The limits.
    pub ceilings: Ceilings,
    /// The share of the memory bandwidth that decoding uses, if it reads each weight once.
    pub share_of_stream: f64,
    /// The share of the multiply-adds that the prompt's products use.
    pub share_of_fma: f64,
}

/// One run.
struct BenchRun {
    /// Seconds to the first token.
    first: f64,
    /// Tokens per second after it.
    decode: f64,
    dispatches: f64,
    submits: f64,
    bytes_read: f64,
    made: f64,
}

/// Measures greedy generation. `info` is that of the generator's model.
///
/// # Errors
/// `INVALID_REQUEST` for a prompt that leaves no room in the context, and errors of the device.
pub async fn bench(
    generator: &mut Generator,
    info: &ModelInfo,
    options: &BenchOptions,
    yield_now: &YieldNow,
) -> Result<BenchReport> {
    let mut random = Random(1);
    let mut id = |_| random.draw() % info.vocabulary_size as u32;
    let mut runs = Vec::new();
    for _ in 0..options.repeat + 1 {
        let prompt = (0..options.prompt).map(&mut id).collect();
        runs.push(run(generator, prompt, options.generate, yield_now).await?);
    }
    runs.remove(0); // the warm-up
    let (mut prefill_kernels, mut decode_kernels) = (Vec::new(), Vec::new());
    if options.profile {
        prefill_kernels = generator.profile(options.prompt, options.prompt).await?;
        decode_kernels = generator.profile(1, options.prompt + options.generate / 2).await?;
    }
    let ceilings = match options.ceilings && !generator.device.is_cpu() {
        true => Some(Ceilings::measure(&mut generator.device).await?),
        false => None,
    };
    let first = median(&runs, |run| run.first);
    let decode = median(&runs, |run| run.decode);
    let weight_bytes = generator.device.memory().weights;
    let flops = 2.0 * info.parameters as f64 * options.prompt as f64 / first;
    let roofline = ceilings.map(|ceilings| Roofline {
        ceilings,
        share_of_stream: weight_bytes as f64 * decode / (ceilings.stream_gb_per_s * 1e9),
        share_of_fma: flops / (ceilings.fma_gflop_per_s * 1e9),
    });
    Ok(BenchReport {
        prompt_tokens: options.prompt,
        generated_tokens: options.generate,
        runs: runs.len(),
        speed: Speed {
            prefill_tokens_per_s: options.prompt as f64 / first,
            decode_tokens_per_s: decode,
            time_to_first_token_s: first,
        },
        per_token: PerToken {
            dispatches_per_token: median(&runs, |run| run.dispatches),
            submits_per_token: median(&runs, |run| run.submits),
            bytes_read_per_token: median(&runs, |run| run.bytes_read),
        },
        objects_made: median(&runs, |run| run.made),
        weight_bytes,
        roofline,
        prefill_kernels,
        decode_kernels,
    })
}

/// Generates `tokens` after a prompt, and counts what that takes.
async fn run(generator: &mut Generator, prompt: Vec<u32>, tokens: usize, yield_now: &YieldNow) -> Result<BenchRun> {
    let request = Request {
        prompt,
        max_tokens: Some(tokens),
        sampling: SamplingParams { temperature: 0.0, ..SamplingParams::default() },
        recompute: true,
        ..Request::default()
    };
    let (start, mut at) = (Instant::now(), Vec::new());
    let before = generator.device.counters();
    let mut on_token = |_: Sampled| {
        at.push(start.elapsed().as_secs_f64());
        ControlFlow::Continue(())
    };
    generator.generate(&request, &mut on_token, yield_now).await?;
    let after = generator.device.counters();
    let [first, .., last] = at[..] else {
        return Err(Error::invalid("generate", "the context leaves no room for two tokens after the prompt"));
    };
    let per_token = |count: u64| count as f64 / at.len() as f64;
    Ok(BenchRun {
        first,
        decode: (at.len() - 1) as f64 / (last - first),
        dispatches: per_token(after.dispatches - before.dispatches),
        submits: per_token(after.submits - before.submits),
        bytes_read: per_token(after.bytes_read - before.bytes_read),
        made: (after.buffers + after.bind_groups + after.pipelines) as f64
            - (before.buffers + before.bind_groups + before.pipelines) as f64,
    })
}

fn median(runs: &[BenchRun], pick: fn(&BenchRun) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(pick).collect();
    sort_by(&mut values, f64::total_cmp);
    values[values.len() / 2]
}
