//! Plans and the executors that replay them.
//!
//! A model's forward *records* kernels into a [`Plan`]; an executor compiles the plan once and replays it for every
//! token. Three executors replay the same plan: wgpu natively, WebGPU in the browser (raw handles beside wgpu), and the
//! CPU, which calls each kernel's twin.
//!
//! In: kernels as data, bytes of weights. Out: bytes of buffers. Knows no model.

mod aliases;
mod buffers;
mod control;
mod cpu;
#[cfg(not(target_arch = "wasm32"))]
mod direct3d;
mod edits;
mod gpu;
mod kernel;
mod low_rank;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod pass;
mod profile;
mod timer;
mod tuning;
mod unroll;
#[cfg(target_arch = "wasm32")]
mod web;

pub use buffers::{BufferId, Memory, Usage, Weight, WeightPiece};
pub use control::{Control, FROM_STATE, Layout, Row, SamplingSlot, Slot};
pub use cpu::Cpu;
pub use cresset_numerics::KvFormat;
pub use edits::{Edits, EditsLayout, FORBIDDEN};
pub use gpu::{Gpu, Simulation};
pub use kernel::{Access, Features, Kernel, Options, Twin};
pub(crate) use kernel::{kernel, piece};
pub use low_rank::{Corrections, LowRank, ProjectionId};
pub use pass::{Pass, Plan, Pool, Step, Tensor};
pub use profile::{KernelTime, profile};
pub use timer::{LIMIT, TARGET};
pub use tuning::{Candidates, MatmulShape, MatvecShape, Meet, Numbers, PACKED_DOT, Tuning, UnpackF16};
#[cfg(target_arch = "wasm32")]
pub(crate) use web::message;

use crate::error::Result;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;

/// Why the CPU computes, where a GPU would have been preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoGpu {
    /// No adapter answers, or it gives no device.
    Unavailable,
    /// The adapter is one in name only: it computes on the CPU.
    Software,
    /// It computes wrongly, in whatever way.
    WrongResults,
    /// It takes longer than the CPU for this model.
    Slower,
}

/// What the page and the terminal say about the device.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// `webgpu`, `vulkan`, `metal`, `dx12` or `cpu`.
    pub backend: String,
    pub vendor: String,
    pub architecture: String,
    pub description: String,
    /// The driver and its version, where they are known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// The adapter computes on the CPU (SwiftShader, lavapipe).
    pub software: bool,
    /// What compiles shaders for Direct3D 12: `FXC`, or `DXC` with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    pub features: Vec<String>,
    /// Threads of the smallest subgroup, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subgroup_size: Option<u32>,
    pub limits: Limits,
    /// Why this device and not another, when there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<NoGpu>,
}

impl DeviceInfo {
    /// What an adapter is called.
    pub fn name(&self) -> &str {
        let names = [&self.description, &self.architecture, &self.vendor];
        names.into_iter().find(|name| !name.is_empty()).map_or("the graphics adapter", String::as_str)
    }
}

/// Limits that decide how buffers are laid out, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub max_binding_bytes: u64,
    pub max_buffer_bytes: u64,
}

impl Limits {
    /// What a device offers, less what its drivers may not hold to: Metal's shaders have the sizes of buffers in 32 bits, and
    /// would clamp reads that are within a larger one.
    pub fn of(max_binding_bytes: u64, max_buffer_bytes: u64) -> Limits {
        const MOST: u64 = (4 << 30) - 16;
        Limits { max_binding_bytes: max_binding_bytes.min(MOST), max_buffer_bytes: max_buffer_bytes.min(MOST) }
    }
}

impl Default for Limits {
    /// WebGPU's defaults.
    fn default() -> Self {
        Limits { max_binding_bytes: 128 << 20, max_buffer_bytes: 256 << 20 }
    }
}

/// What the executors count; tests gate on these instead of on times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    pub submits: u64,
    pub dispatches: u64,
    pub buffers: u64,
    pub bind_groups: u64,
    pub pipelines: u64,
    pub maps: u64,
    pub bytes_written: u64,
    pub bytes_read: u64,
}

/// Lets other work happen between runs: the browser's event loop, natively nothing.
pub type Breathe = dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// The number of a run whose read-back has not been waited for. Tickets are waited for in the order they were given.
#[derive(Debug)]
#[must_use]
pub struct Ticket(pub u64);

/// Runs that may be in flight at once; a run beyond that waits for the oldest.
pub const RUN_AHEAD: usize = 4;

/// One of the executors.
pub enum Device {
    Gpu(Box<Gpu>),
    Cpu(Box<Cpu>),
}

/// A plan that an executor is making ready.
pub enum Compiling {
    Gpu(gpu::Compiling),
    Cpu(Plan),
}

/// A plan that an executor has made ready to replay.
pub enum Compiled {
    Gpu(gpu::Compiled),
    Cpu(Plan),
}

macro_rules! each {
    ($self:expr, $device:ident => $body:expr) => {
        match $self {
            Device::Gpu($device) => $body,
            Device::Cpu($device) => $body,
        }
    };
}

impl Device {
    /// The CPU: every kernel's twin, or its faster version.
    pub fn cpu() -> Device {
        Device::Cpu(Box::default())
    }

    /// The CPU, and why it is not the GPU.
    pub fn cpu_instead(code: NoGpu, reason: String) -> Device {
        let mut cpu = Cpu::new();
        (cpu.info.reason, cpu.info.reason_code) = (Some(reason), Some(code));
        Device::Cpu(Box::new(cpu))
    }

    /// The CPU without the faster versions: what everything else is held to.
    pub fn plain_cpu() -> Device {
        let mut cpu = Cpu::new();
        cpu.plain = true;
        Device::Cpu(Box::new(cpu))
    }

    /// The best GPU adapter of this machine. Error: `WEBGPU_UNAVAILABLE` when there is none.
    pub async fn gpu() -> Result<Device> {
        Ok(Device::Gpu(Box::new(Gpu::open(false).await?)))
    }

    /// The same adapter without anything optional: no f16, no subgroups, WebGPU's default limits.
    pub async fn least_gpu() -> Result<Device> {
        Ok(Device::Gpu(Box::new(Gpu::open(true).await?)))
    }

    pub fn info(&self) -> &DeviceInfo {
        each!(self, d => &d.info)
    }

    pub fn memory(&self) -> &Memory {
        each!(self, d => &d.memory)
    }

    pub fn counters(&self) -> Counters {
        each!(self, d => d.counters.get())
    }

    pub fn tuning(&self) -> Tuning {
        each!(self, d => d.tuning)
    }

    /// What plans recorded from now on are shaped by.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        each!(self, d => d.tuning = tuning)
    }

    /// A zeroed buffer of `bytes` (rounded up to 16). Error: `OUT_OF_MEMORY` past the device's limits.
    pub fn create_buffer(&mut self, label: &str, bytes: u64, usage: Usage) -> Result<BufferId> {
        each!(self, d => d.create_buffer(label, bytes, usage))
    }

    /// Gives a buffer's memory back now. No plan that uses it may run again; the id may come back for another buffer.
    pub fn free(&mut self, buffer: BufferId, usage: Usage) {
        each!(self, d => d.free(buffer, usage))
    }

    /// Writes before the next run. `offset` and the length are multiples of 4.
    pub fn write(&self, buffer: BufferId, offset: u64, bytes: &[u8]) {
        each!(self, d => d.write(buffer, offset, bytes))
    }

    /// Waits until what was written has reached the device, so that its staging memory is free again.
    pub async fn flush(&self) {
        if let Device::Gpu(gpu) = self {
            gpu.flush().await;
        }
    }

    /// Gives the device and its memory back now; whatever is asked of it afterwards ends in `DEVICE_LOST`.
    pub fn destroy(&self) {
        if let Device::Gpu(gpu) = self {
            gpu.destroy();
        }
    }

    /// Whether it is gone, as far as anybody has told.
    pub fn is_lost(&self) -> bool {
        match self {
            Device::Gpu(gpu) => gpu.is_lost(),
            Device::Cpu(_) => false,
        }
    }

    /// Ends the device when it is called, in the middle of a run too, as a driver's reset does: for tests.
    pub fn killer(&self) -> Box<dyn Fn()> {
        match self {
            Device::Gpu(gpu) => gpu.killer(),
            Device::Cpu(_) => Box::new(|| ()),
        }
    }

    /// Makes submits seem to take other times than they do: for tests.
    pub fn simulate(&mut self, simulation: Simulation) {
        if let Device::Gpu(gpu) = self {
            gpu.simulate(simulation);
        }
    }

    /// Compiles pipelines and makes every object that replaying needs.
    pub async fn compile(&self, plan: Plan) -> Result<Compiled> {
        self.finish_compile(self.begin_compile(plan)).await
    }

    /// Begins to compile; where the device can, it does so while others go on.
    pub fn begin_compile(&self, plan: Plan) -> Compiling {
        match self {
            Device::Gpu(gpu) => Compiling::Gpu(gpu.begin_compile(plan)),
            Device::Cpu(_) => Compiling::Cpu(plan),
        }
    }

    pub async fn finish_compile(&self, compiling: Compiling) -> Result<Compiled> {
        Ok(match (self, compiling) {
            (Device::Gpu(gpu), Compiling::Gpu(compiling)) => Compiled::Gpu(gpu.finish_compile(compiling).await?),
            (Device::Cpu(_), Compiling::Cpu(plan)) => Compiled::Cpu(plan),
            _ => unreachable!("a plan is compiled by one executor"),
        })
    }

    /// Seconds that a plan takes on a GPU, once it was run.
    pub fn seconds(&self, plan: &Compiled) -> Option<f64> {
        match plan {
            Compiled::Gpu(plan) => plan.seconds(),
            Compiled::Cpu(_) => None,
        }
    }

    /// Replays a plan, then copies `bytes` of `read` from its start to the read-back ring.
    pub fn run(&self, plan: &Compiled, read: BufferId, bytes: u64) -> Result<Ticket> {
        match (self, plan) {
            (Device::Gpu(gpu), Compiled::Gpu(plan)) => gpu.run(plan, read, bytes),
            (Device::Cpu(cpu), Compiled::Cpu(plan)) => Ok(cpu.run(plan, read, bytes)),
            _ => unreachable!("a plan is replayed by the executor that compiled it"),
        }
    }

    /// The words copied by the oldest run that was not waited for.
    pub async fn wait(&self, ticket: Ticket) -> Result<Vec<u32>> {
        match self {
            Device::Gpu(gpu) => gpu.wait(ticket).await,
            Device::Cpu(cpu) => Ok(cpu.wait(ticket)),
        }
    }

    /// Reads a buffer back: for logits and tests, not for the token loop.
    pub async fn read(&self, buffer: BufferId, offset: u64, bytes: u64) -> Result<Vec<u32>> {
        match self {
            Device::Gpu(gpu) => gpu.read(buffer, offset, bytes).await,
            Device::Cpu(cpu) => Ok(cpu.read(buffer, offset, bytes)),
        }
    }

    /// Surfaces what went wrong on the device since the last call: out of memory, a lost device.
    pub async fn check(&self) -> Result<()> {
        match self {
            Device::Gpu(gpu) => gpu.check().await,
            Device::Cpu(_) => Ok(()),
        }
    }

    pub fn is_cpu(&self) -> bool {
        matches!(self, Device::Cpu(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_buffer_has_4_gib() {
        let Limits { max_binding_bytes, max_buffer_bytes } = Limits::of(1 << 40, (4 << 30) - 4);
        assert!(max_binding_bytes < 4 << 30 && max_buffer_bytes < 4 << 30);
        assert!(max_binding_bytes.is_multiple_of(16) && max_buffer_bytes.is_multiple_of(16), "whole vec4<u32>");
        assert_eq!(Limits::of(128 << 20, 256 << 20).max_binding_bytes, 128 << 20);
    }

    #[test]
    fn why_it_is_the_cpu_is_a_sentence_and_a_code() {
        let codes = [NoGpu::Unavailable, NoGpu::Software, NoGpu::WrongResults, NoGpu::Slower].map(|code| {
            let facts = json!(Device::cpu_instead(code, "because".into()).info());
            assert_eq!((&facts["backend"], &facts["reason"]), (&json!("cpu"), &json!("because")));
            format!("'{}'", facts["reasonCode"].as_str().expect("a code"))
        });
        let types = include_str!("../../www/cresset.d.ts");
        assert!(types.contains(&format!("type NoGpu = {};", codes.join(" | "))), "{codes:?}");
        assert_eq!(json!(Device::cpu().info()).get("reasonCode"), None);
    }
}
