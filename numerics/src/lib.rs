//! Numbers, how they are stored and what a processor does with them fast: weight formats, the formats of the KV cache,
//! and what the fast versions of kernels' twins are made of: registers of numbers, products of rows, attention, threads.
//!
//! A package of its own, since it is compiled for speed where the rest of the web engine is compiled for size. It knows
//! nothing of devices, kernels or models.

mod activation;
pub mod attention;
mod dispatch;
mod kv;
mod lanes;
mod math;
mod products;
pub mod quant;
pub mod threads;

pub use activation::Activation;
pub use kv::KvFormat;
pub use products::products;

use dispatch::{Vectorized, vectorized};
use lanes::Lanes;
use threads::pool;

/// gate becomes act(gate) × up, or act(gate).
pub fn activate(kind: Activation, gate: &mut [f32], up: Option<&[f32]>) {
    vectorized(Activate { kind, gate, up });
}

struct Activate<'a> {
    kind: Activation,
    gate: &'a mut [f32],
    up: Option<&'a [f32]>,
}

impl Vectorized for Activate<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        math::activate(self.kind, self.gate, self.up);
    }
}

/// How many of `items` a thread takes at a time, if fewer than `least` are not worth it.
fn items_a_part(items: usize, least: usize) -> usize {
    match pool().threads() {
        1 => items.max(1),
        // More parts than threads: one that is kept waiting holds the others up less.
        threads => items.div_ceil(4 * threads).max(least),
    }
}

/// Calls `work(first, items)` on consecutive parts of `data`, whose items are `size` numbers each, on all threads. Gives
/// the items of a part: another call may find more threads.
pub fn in_parallel(data: &mut [f32], size: usize, least: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> usize {
    let items = data.len() / size;
    let part = items_a_part(items, least);
    if part >= items {
        work(0, data);
        return part;
    }
    // Every part is taken once, by one thread: the locks only say so to the compiler.
    let parts: Vec<_> = data.chunks_mut(part * size).map(std::sync::Mutex::new).collect();
    pool().run(parts.len(), &|i| {
        if let Ok(mut data) = parts[i].try_lock() {
            work(i * part, &mut data);
        }
    });
    part
}
