//! What the fast versions of twins are made of: registers of numbers, products of rows, threads.

mod lanes;
mod products;

pub use products::products;

/// Calls `work(first, items)` on consecutive parts of `data`, whose items are `size` numbers each: natively on several
/// threads, `least` items to each or more.
#[cfg(not(target_arch = "wasm32"))]
pub fn in_parallel(data: &mut [f32], size: usize, least: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    use rayon::prelude::*;
    let items = data.len() / size;
    // Twice as many parts as threads: one that is kept waiting holds the others up less.
    let part = items.div_ceil(2 * rayon::current_num_threads()).max(least);
    if part >= items {
        return work(0, data);
    }
    data.par_chunks_mut(part * size).enumerate().for_each(|(i, data)| work(i * part, data));
}

/// A page's worker has one thread.
#[cfg(target_arch = "wasm32")]
pub fn in_parallel(data: &mut [f32], _size: usize, _least: usize, work: impl Fn(usize, &mut [f32])) {
    work(0, data);
}
