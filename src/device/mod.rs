//! Plans and the executors that replay them.
//!
//! A model's forward *records* kernels into a [`Plan`]; an executor compiles the plan once and replays it for every
//! token. Three executors replay the same plan: wgpu natively, WebGPU in the browser (raw handles beside wgpu), and the
//! CPU, which calls each kernel's twin.
//!
//! In: kernels as data, bytes of weights. Out: bytes of buffers. Knows no model.
//!
//! | file | what it has |
//! |---|---|
//! | `kernel`, `params`, `unroll`, `aliases`, `unpack_f16`, `shared` | a kernel as data, and how its WGSL text is put together |
//! | `plan`, `pass`, `buffers`, `control`, `low_rank` | what a forward records, and in which buffers |
//! | `executor` | [`Device`]: one face for all executors |
//! | `cpu` | the CPU executor |
//! | `gpu` | the GPU executor, natively and in the browser: buffers, runs, read-backs |
//! | `gpu_core` | the part of it that `native` (wgpu) and `web` (raw WebGPU) are handed: device, queue, buffers |
//! | `common`, `info`, `limits`, `tuning`, `timer` | facts, counters, shapes of kernels, times of plans |
//! | `profile` | where a plan's time goes |

mod aliases;
mod buffers;
mod common;
mod control;
mod cpu;
#[cfg(not(target_arch = "wasm32"))]
mod direct3d;
mod edits;
mod executor;
pub mod faults;
mod gpu;
mod gpu_core;
mod info;
mod kernel;
mod limits;
mod low_rank;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod params;
mod pass;
mod plan;
mod profile;
mod shared;
mod timer;
mod tuning;
mod unpack_f16;
mod unroll;
#[cfg(target_arch = "wasm32")]
mod web;
mod yield_now;

pub use buffers::{BufferId, Memory, Usage, Weight, WeightPiece};
pub use common::{Counters, RUN_AHEAD, Ticket};
pub use control::{Control, FROM_STATE, Layout, Row, SamplingSlot, Slot};
pub use cpu::set_heartbeat;
pub use cresset_numerics::KvFormat;
pub use edits::{Edits, EditsLayout, FORBIDDEN};
pub use executor::{Compiled, Compiling, Device, YieldNow};

pub use info::{DeviceInfo, NoGpu};
pub(crate) use kernel::kernel;
pub use kernel::{Access, Features, Kernel, Options, Twin};
pub use limits::Limits;
pub use low_rank::{Corrections, LowRank, ProjectionId};
pub(crate) use params::params;
pub use params::{Member, MemberType, Params};
pub use pass::{Pass, Pool, Tensor};
pub use plan::{Plan, Step};
pub use profile::{KernelTime, profile};
pub(crate) use shared::piece;
pub use timer::{LIMIT, TARGET};
pub use tuning::{Candidates, MatmulShape, MatvecShape, PACKED_DOT, Reduce, TileFormat, Tuning};
pub use unpack_f16::UnpackF16;
#[cfg(target_arch = "wasm32")]
pub(crate) use web::message;
pub use yield_now::never_yield;
