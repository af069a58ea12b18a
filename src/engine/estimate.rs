//! How fast a model would decode here, from a measurement of well under a second: no weight is downloaded for it.

use crate::device::{Control, Device, Layout, Pass, Row, Tensor, Usage, Weight, WeightPiece};
use crate::error::Result;
use crate::models::Shape;
use crate::ops::{Epilogue, matvec};
use crate::quant::Format;
use serde::Serialize;
use std::rc::Rc;
use web_time::Instant;

/// Width of the measured projection.
const COLUMNS: usize = 1024;
/// Rows of one that takes hardly longer than a dispatch does.
const FEW: usize = 64;

/// What decoding takes, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pace {
    /// Of a weight that is read.
    pub weight: f64,
    /// Of a dispatch, whatever it computes.
    pub dispatch: f64,
}

impl Pace {
    /// Tokens per second that a model of this shape would decode.
    pub fn tokens_per_second(&self, shape: &Shape) -> f64 {
        let token = self.weight * weights_per_token(shape) + self.dispatch * dispatches(shape);
        1.0 / token.max(1e-6)
    }
}

/// The pace of `device` with weights in `format`.
pub async fn pace(device: &mut Device, format: Format) -> Result<Pace> {
    // Enough weights to go past the caches, and to take milliseconds: browsers' clocks tick in tenths of one.
    let (rows, steps, few_steps) = match (device.is_cpu(), device.info().software) {
        (true, _) => (16384, 1, 257),
        (_, true) => (4096, 3, 65),
        _ => (32768, 9, 65),
    };
    let many = step(device, format, rows, steps).await?;
    let few = step(device, format, FEW, few_steps).await?;
    let weight = (many - few).max(0.0) / ((rows - FEW) * COLUMNS) as f64;
    let dispatch = (few - weight * (FEW * COLUMNS) as f64).max(0.0);
    Ok(Pace { weight, dispatch })
}

/// Weights that one decoded token reads.
fn weights_per_token(shape: &Shape) -> f64 {
    let Shape { n_layers, d_model, n_heads, n_kv_heads, head_dim, d_ffn, vocabulary, .. } = *shape;
    let attention = d_model as f64 * head_dim as f64 * (2 * n_heads + 2 * n_kv_heads) as f64;
    let mlp = 3.0 * d_model as f64 * d_ffn as f64;
    n_layers as f64 * (attention + mlp) + vocabulary as f64 * d_model as f64
}

/// About as many dispatches as the forward of `models/decoder.rs` records for one row.
fn dispatches(shape: &Shape) -> f64 {
    (5 * shape.n_layers + 3) as f64
}

/// Seconds of one matvec [rows, COLUMNS] among `steps`.
async fn step(device: &mut Device, format: Format, rows: usize, steps: usize) -> Result<f64> {
    let all = seconds(device, format, rows, steps).await?;
    if device.is_cpu() {
        return Ok(all / steps as f64);
    }
    // The difference leaves out what a submit and its read-back cost: decoding runs ahead of those.
    let once = seconds(device, format, rows, 1).await?;
    Ok((all - once).max(0.0) / (steps - 1) as f64)
}

/// Seconds of the fastest of a few runs of `steps` matvecs [rows, COLUMNS]. On the CPU of more: other work disturbs it there.
async fn seconds(device: &mut Device, format: Format, rows: usize, steps: usize) -> Result<f64> {
    let row_bytes = match device.is_cpu() {
        true => format.row_bytes(COLUMNS).expect("whole blocks"),
        false => 4 * format.device_row_words(COLUMNS),
    };
    let buffer = device.create_buffer("probe", (rows * row_bytes) as u64, Usage::Other)?;
    let weight = Weight { format, rows, columns: COLUMNS, pieces: vec![WeightPiece { buffer, at: 0, rows: 0..rows }] };
    let layout = Layout { rows: 1, logit_rows: 1, slots: 1, context: 32, page: 32 };
    let mut control = Control::new(layout);
    control.set_rows(&[Row { slot: 0, position: 0, token: 0 }], &[0]);
    let control_buffer = device.create_buffer("probe", layout.control_bytes(), Usage::Other)?;
    let state = device.create_buffer("probe", layout.state_bytes(), Usage::Other)?;
    let x = Tensor::new(device.create_buffer("probe", 4 * COLUMNS as u64, Usage::Other)?, 1, COLUMNS);
    let y = Tensor::new(device.create_buffer("probe", 4 * rows as u64, Usage::Other)?, 1, rows);
    device.write(control_buffer, 0, control.bytes());
    let mut pass = Pass::new(device, &Rc::default(), 1, layout, (control_buffer, state));
    for _ in 0..steps {
        matvec(&mut pass, &x, None, &[&weight], Epilogue::default(), &y);
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
