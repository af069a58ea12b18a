//! What the fast versions of twins are made of: registers of numbers, products of rows, attention,
//! threads.

pub mod attention;
mod dispatch;
mod lanes;
mod products;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

pub use products::products;

/// How many of `items` a thread takes at a time, if fewer than `least` are not worth it.
pub fn items_a_part(items: usize, least: usize) -> usize {
    #[cfg(target_arch = "wasm32")]
    let threads = 1; // a page's worker
    #[cfg(not(target_arch = "wasm32"))]
    let threads = threads::pool().threads();
    match threads {
        1 => items.max(1),
        // More parts than threads: one that is kept waiting holds the others up less.
        _ => items.div_ceil(4 * threads).max(least),
    }
}

/// Calls `work(first, items)` on consecutive parts of `data`, whose items are `size` numbers each, on all threads.
pub fn in_parallel(data: &mut [f32], size: usize, least: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let items = data.len() / size;
    let part = items_a_part(items, least);
    if part >= items {
        return work(0, data);
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        // Every part is taken once, by one thread: the locks only say so to the compiler.
        let parts: Vec<_> = data.chunks_mut(part * size).map(std::sync::Mutex::new).collect();
        threads::pool().run(parts.len(), &|i| {
            if let Ok(mut data) = parts[i].try_lock() {
                work(i * part, &mut data);
            }
        });
    }
}
