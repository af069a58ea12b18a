//! The executors behind one face: [`Device`].

use super::buffers::{BufferId, Memory, Usage};
use super::common::{Common, Counters, Ticket};
use super::cpu::Cpu;
use super::gpu::{self, Gpu};
use super::info::{DeviceInfo, NoGpu};
use super::plan::Plan;
use super::tuning::Tuning;
use crate::error::Result;
use std::future::Future;
use std::pin::Pin;

/// Lets other work happen between runs: the browser's event loop, natively nothing.
pub type YieldNow = dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// One of the executors.
pub enum Device {
    /// wgpu natively, WebGPU in the browser.
    Gpu(Box<Gpu>),
    /// Twins, or their faster versions.
    Cpu(Box<Cpu>),
}

/// A plan that an executor is making ready.
pub enum Compiling {
    /// Pipelines are being made.
    Gpu(gpu::Compiling),
    /// Nothing is to be made.
    Cpu(Plan),
}

/// A plan that an executor has made ready to replay.
pub enum Compiled {
    /// Pipelines and bind groups.
    Gpu(gpu::Compiled),
    /// The steps themselves.
    Cpu(Plan),
}

impl Device {
    /// The CPU: every kernel's twin, or its faster version.
    pub fn cpu() -> Device {
        Device::Cpu(Box::default())
    }

    /// The CPU, and why it is not the GPU.
    pub fn cpu_instead(code: NoGpu, reason: String) -> Device {
        let mut cpu = Cpu::new();
        (cpu.common.info.reason, cpu.common.info.reason_code) = (Some(reason), Some(code));
        Device::Cpu(Box::new(cpu))
    }

    /// The CPU without the faster versions: what everything else is held to.
    pub fn plain_cpu() -> Device {
        let mut cpu = Cpu::new();
        cpu.plain = true;
        Device::Cpu(Box::new(cpu))
    }

    /// The best GPU adapter of this machine.
    ///
    /// # Errors
    /// `WEBGPU_UNAVAILABLE` when there is none.
    pub async fn gpu() -> Result<Device> {
        Ok(Device::Gpu(Box::new(Gpu::open(false).await?)))
    }

    /// Opens the same adapter without anything optional: no f16, no subgroups, WebGPU's default limits.
    ///
    /// # Errors
    /// As [`Self::gpu`].
    pub async fn least_gpu() -> Result<Device> {
        Ok(Device::Gpu(Box::new(Gpu::open(true).await?)))
    }

    fn common(&self) -> &Common {
        match self {
            Device::Gpu(gpu) => &gpu.core.common,
            Device::Cpu(cpu) => &cpu.common,
        }
    }

    /// The device's name, features and limits.
    pub fn info(&self) -> &DeviceInfo {
        &self.common().info
    }

    /// Bytes allocated on it.
    pub fn memory(&self) -> &Memory {
        &self.common().memory
    }

    /// The counters so far.
    pub fn counters(&self) -> Counters {
        self.common().counters.get()
    }

    /// The kernel shapes that plans are recorded with.
    pub fn tuning(&self) -> Tuning {
        self.common().tuning
    }

    /// Sets the kernel shapes of plans that are recorded from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        match self {
            Device::Gpu(gpu) => gpu.core.common.tuning = tuning,
            Device::Cpu(cpu) => cpu.common.tuning = tuning,
        }
    }

    /// A zeroed buffer of `bytes` (rounded up to 16).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` past the device's limits.
    pub fn create_buffer(&mut self, label: &str, bytes: u64, usage: Usage) -> Result<BufferId> {
        match self {
            Device::Gpu(gpu) => gpu.create_buffer(label, bytes, usage),
            Device::Cpu(cpu) => cpu.create_buffer(label, bytes, usage),
        }
    }

    /// Gives a buffer's memory back now. No plan that uses it may run again; the id may come back for another buffer.
    pub fn free(&mut self, buffer: BufferId, usage: Usage) {
        match self {
            Device::Gpu(gpu) => gpu.free(buffer, usage),
            Device::Cpu(cpu) => cpu.free(buffer, usage),
        }
    }

    /// Writes before the next run. `offset` and the length are multiples of 4.
    pub fn write(&self, buffer: BufferId, offset: u64, bytes: &[u8]) {
        match self {
            Device::Gpu(gpu) => gpu.write(buffer, offset, bytes),
            Device::Cpu(cpu) => cpu.write(buffer, offset, bytes),
        }
    }

    /// Copies the first `bytes` of a buffer, a multiple of 4, to the beginning of another, before the next run.
    pub fn copy(&self, from: BufferId, to: BufferId, bytes: u64) {
        match self {
            Device::Gpu(gpu) => gpu.copy(from, to, bytes),
            Device::Cpu(cpu) => cpu.copy(from, to, bytes),
        }
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

    /// Compiles pipelines and makes every object that replaying needs.
    ///
    /// # Errors
    /// `INTERNAL` for a shader that does not compile, `DEVICE_LOST`, and `OUT_OF_MEMORY` for buffers
    /// created since the last check.
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

    /// Waits for the pipelines and makes every other object that replaying needs.
    ///
    /// # Errors
    /// As [`Self::compile`].
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
    ///
    /// # Errors
    /// `DEVICE_LOST`, or what else has failed on the device since the last call.
    pub fn run(&self, plan: &Compiled, read: BufferId, bytes: u64) -> Result<Ticket> {
        match (self, plan) {
            (Device::Gpu(gpu), Compiled::Gpu(plan)) => gpu.run(plan, read, bytes),
            (Device::Cpu(cpu), Compiled::Cpu(plan)) => Ok(cpu.run(plan, read, bytes)),
            _ => unreachable!("a plan is replayed by the executor that compiled it"),
        }
    }

    /// The words copied by the oldest run that was not waited for.
    ///
    /// # Errors
    /// `DEVICE_LOST`, or what else has failed on the device since the last call.
    pub async fn wait(&self, ticket: Ticket) -> Result<Vec<u32>> {
        match self {
            Device::Gpu(gpu) => gpu.wait(ticket).await,
            Device::Cpu(cpu) => Ok(cpu.wait(ticket)),
        }
    }

    /// Reads a buffer back: for logits and tests, not for the token loop.
    ///
    /// # Errors
    /// `DEVICE_LOST`, or what else has failed on the device since the last call.
    pub async fn read(&self, buffer: BufferId, offset: u64, bytes: u64) -> Result<Vec<u32>> {
        match self {
            Device::Gpu(gpu) => gpu.read(buffer, offset, bytes).await,
            Device::Cpu(cpu) => Ok(cpu.read(buffer, offset, bytes)),
        }
    }

    /// Surfaces what went wrong on the device since the last call: out of memory, a lost device.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` for buffers that found no room, `DEVICE_LOST`, and what else failed.
    pub async fn check(&self) -> Result<()> {
        match self {
            Device::Gpu(gpu) => gpu.check().await,
            Device::Cpu(_) => Ok(()),
        }
    }

    /// Whether the CPU computes.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Device::Cpu(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
