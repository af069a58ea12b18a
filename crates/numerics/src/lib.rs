//! Numbers, how they are stored and what a processor does with them fast: weight formats, the formats of the KV cache,
//! and what the fast versions of kernels' twins are made of: registers of numbers, products of rows, attention, loops over
//! rows, threads. And the one sort that all lists share.
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
pub mod rows;
mod sort;
pub mod threads;

pub use activation::Activation;
pub use kv::KvFormat;
pub use math::activate;
pub use products::products;
pub use sort::sort_by;
pub use threads::in_parallel;
