//! Weight formats. One file a format: block layout, device layout, dequantise.
//!
//! In a *file* a row is a sequence of the format's own blocks (GGUF's layout), which the CPU executor keeps. On the
//! *device* every format is read as blocks of 32 weights, as numbers or as codes and scales, through one WGSL function:
//!
//! ```wgsl
//! // `row`: where the row begins, in vec4<u32>; `blocks`: 32-weight blocks a row.
//! fn dequant(row: u32, blocks: u32, block: u32) -> Weights
//! ```
//!
//! A row of the device layout is self-contained, so rows can be streamed to the device and split over bindings. It is a
//! structure of arrays, each padded to 16 bytes: the codes of all its blocks, then what scales them. Nothing is rounded
//! on the way: scales stay the f16 numbers and bytes of the file, and weights are the same f32 numbers everywhere.

mod bf16;
mod convert;
mod f16;
mod f32;
mod format;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod registers;
mod shared;
mod spec;

pub use format::{Codec, DEVICE_BLOCK, ForCodec, Format};
pub use registers::Registers;
pub use spec::{Quantize, Spec};

/// Pieces of WGSL that the formats' `dequant` functions call.
pub const SHARED_WGSL: &str = include_str!("../../../../shaders/shared/codes.wgsl");
