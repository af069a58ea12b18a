//! Estimates how fast a model would run here, from a measurement of well under a second that needs no weights.

use crate::device::{Control, Device, Layout, Pass, Row, Tensor, Usage, Weight, WeightPiece};
use crate::error::Result;
use crate::models::Shape;
use crate::ops::{Epilogue, linear};
use crate::quant::Format;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use web_time::Instant;

/// Width of the measured projection.
const COLUMNS: usize = 1024;
/// Rows of one that takes hardly longer than a dispatch does.
const FEW: usize = 64;
/// Rows of a prompt that are computed at once.
const MANY: usize = 128;

/// The costs of decoding, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// For each weight that is read.
    pub weight: f64,
    /// For each dispatch, besides the weights it reads.
    pub dispatch: f64,
}

/// The costs of decoding and of prompts, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    #[serde(flatten)]
    /// The costs of decoding.
    pub pace: Pace,
    /// For each weight and row, where many rows share the weights that are read.
    pub row: f64,
    /// From a nearly empty submission until its result is read.
    pub wait: f64,
}

/// The work to estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Rows of the prompt, or of the text that becomes a vector.
    pub prompt: usize,
    /// Tokens that are decoded after it.
    pub answer: usize,
}

impl Pace {
    /// Tokens per second that a model of this shape would decode.
    pub fn tokens_per_second(&self, shape: &Shape) -> f64 {
        1.0 / self.token(shape).max(1e-6)
    }

    /// Seconds of a decoded token.
    fn token(&self, shape: &Shape) -> f64 {
        self.weight * weights_per_token(shape) + self.dispatch * dispatches(shape)
    }
}

impl Costs {
    /// Seconds that a model of this shape takes. Decoding runs ahead: only the prompt is waited for.
    pub fn seconds(&self, shape: &Shape, workload: Workload) -> f64 {
        let prompt =
            self.row * weights_of_blocks(shape) * workload.prompt as f64 + self.pace.dispatch * dispatches(shape);
        prompt + self.wait + self.pace.token(shape) * workload.answer as f64
    }
}

/// The pace of `device` with weights in `format`, measured there in well under a second.
///
/// # Errors
/// `OUT_OF_MEMORY`, `DEVICE_LOST`.
pub async fn pace(device: &mut Device, format: Format) -> Result<Pace> {
    // Enough weights to go past the caches, and to take milliseconds: browsers' clocks tick in tenths of one.
    let (rows, steps, few_steps) = match (device.is_cpu(), device.info().software) {
        (true, _) => (16384, 1, 257),
        (_, true) => (4096, 3, 65),
        _ => (32768, 9, 65),
    };
    let many = step(device, format, (1, rows), steps).await?;
    let few = step(device, format, (1, FEW), few_steps).await?;
    let weight = (many - few).max(0.0) / ((rows - FEW) * COLUMNS) as f64;
    let dispatch = (few - weight * (FEW * COLUMNS) as f64).max(0.0);
    Ok(Pace { weight, dispatch })
}

/// The costs of `device` with weights in `format`, prompts included: compiles a tiled product for that.
///
/// # Errors
/// `OUT_OF_MEMORY`, `DEVICE_LOST`.
pub async fn costs(device: &mut Device, format: Format) -> Result<Costs> {
    let pace = pace(device, format).await?;
    let (rows, steps) = if device.info().software { (128, 2) } else { (2048, 5) };
    let shared = step(device, format, (MANY, rows), steps).await?;
    let row = (shared - pace.dispatch).max(0.0) / (MANY * rows * COLUMNS) as f64;
    let wait = if device.is_cpu() { 0.0 } else { seconds(device, format, (1, FEW), 1).await? };
    Ok(Costs { pace, row, wait })
}

/// Weights that every row of a forward is multiplied by.
fn weights_of_blocks(shape: &Shape) -> f64 {
    let [heads, kv_heads, d_ffn] =
        [&shape.n_heads, &shape.n_kv_heads, &shape.d_ffn].map(|size| size.sum(shape.n_layers) as f64);
    shape.d_model as f64 * (2.0 * shape.head_dim as f64 * (heads + kv_heads) + 3.0 * d_ffn)
}

/// Weights that one decoded token reads.
pub fn weights_per_token(shape: &Shape) -> f64 {
    weights_of_blocks(shape) + shape.vocabulary as f64 * shape.d_model as f64
}

/// About as many dispatches as the forward of `models/decoder.rs` records for one row.
fn dispatches(shape: &Shape) -> f64 {
    (5 * shape.n_layers + 3) as f64
}

/// Seconds of one product of x [t, COLUMNS] and a weight [rows, COLUMNS] among `steps`.
async fn step(device: &mut Device, format: Format, (t, rows): (usize, usize), steps: usize) -> Result<f64> {
    let all = seconds(device, format, (t, rows), steps).await?;
    if device.is_cpu() {
        return Ok(all / steps as f64);
    }
    // The difference leaves out what a submit and its read-back cost: decoding runs ahead of those.
    let once = seconds(device, format, (t, rows), 1).await?;
    Ok((all - once).max(0.0) / (steps - 1) as f64)
}

/// Seconds of the fastest of a few runs of `steps` products. On the CPU of more: other work disturbs it there.
async fn seconds(device: &mut Device, format: Format, (t, rows): (usize, usize), steps: usize) -> Result<f64> {
    let row_bytes = match device.is_cpu() {
        true => format.row_bytes(COLUMNS).expect("whole blocks"),
        false => 4 * format.device_row_words(COLUMNS),
    };
    let buffer = device.create_buffer("probe", (rows * row_bytes) as u64, Usage::Other)?;
    let weight = Weight { format, rows, columns: COLUMNS, pieces: vec![WeightPiece { buffer, at: 0, rows: 0..rows }] };
    let layout = Layout { rows: t, logit_rows: 1, slots: 1, context: MANY, page: MANY };
    let mut control = Control::new(layout);
    let prompt: Vec<Row> = (0..t as u32).map(|position| Row { slot: 0, position, token: 0 }).collect();
    control.set_rows(&prompt, &[0]);
    let control_buffer = device.create_buffer("probe", layout.control_bytes(), Usage::Other)?;
    let state = device.create_buffer("probe", layout.state_bytes(), Usage::Other)?;
    let x = Tensor::new(device.create_buffer("probe", 4 * (t * COLUMNS) as u64, Usage::Other)?, t, COLUMNS);
    let y = Tensor::new(device.create_buffer("probe", 4 * (t * rows) as u64, Usage::Other)?, t, rows);
    device.write(control_buffer, 0, control.bytes());
    let mut pass = Pass::new(device, &Rc::default(), t, layout, (control_buffer, state));
    for _ in 0..steps {
        linear(&mut pass, &x, &weight, Epilogue::default(), &y); // [t, rows]
    }
    let plan = pass.finish();
    let plan = device.compile(plan).await?;
    let mut best = f64::INFINITY;
    let runs = if device.is_cpu() { 12 } else { 4 };
    for _ in 0..runs {
        let start = Instant::now();
        let ticket = device.run(&plan, state, layout.result_bytes())?;
        device.wait(ticket).await?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}
