//! The CPU executor: runs each step's twin, or its faster version, at once and in order.

use super::buffers::{BufferId, Usage};
use super::common::{Common, Ticket};
use super::info::DeviceInfo;
use super::kernel::Twin;
use super::plan::Plan;
use super::tuning::Tuning;
use crate::error::{Error, MemoryLimit, Result};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::OnceLock;

static HEARTBEAT: OnceLock<fn()> = OnceLock::new();

/// Has `beat` called before each step of a run on the CPU, however long the run takes: a sign of life for whoever waits.
/// The first one counts.
pub fn set_heartbeat(beat: fn()) {
    let _ = HEARTBEAT.set(beat);
}

pub struct Cpu {
    pub common: Common,
    /// Runs twins even where a faster version is there: the oracle of tests.
    pub plain: bool,
    buffers: Vec<RefCell<Vec<u32>>>,
    /// Ids given back, for the next buffers.
    freed: Vec<BufferId>,
    results: RefCell<VecDeque<Vec<u32>>>,
}

impl Cpu {
    pub fn new() -> Self {
        let mut info = DeviceInfo {
            backend: "cpu".into(),
            architecture: std::env::consts::ARCH.into(),
            description: "CPU".into(),
            ..DeviceInfo::default()
        };
        // Plain memory has no binding limits; one allocation is bounded by the address space.
        info.limits.max_buffer_bytes = (isize::MAX as u64).min(1 << 46);
        info.limits.max_binding_bytes = info.limits.max_buffer_bytes;
        Cpu {
            common: Common::new(info, Tuning::unmeasured(true)),
            plain: false,
            buffers: Vec::new(),
            freed: Vec::new(),
            results: RefCell::default(),
        }
    }

    pub fn create_buffer(&mut self, label: &str, bytes: u64, usage: Usage) -> Result<BufferId> {
        let bytes = bytes.next_multiple_of(16).max(16);
        let words = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
        let mut buffer: Vec<u32> = Vec::new();
        buffer.try_reserve_exact(words).map_err(|_| Error::OutOfMemory {
            what: label.to_string(),
            need_mb: bytes >> 20,
            limit: MemoryLimit::Memory,
        })?;
        buffer.resize(words, 0);
        self.common.memory.add(usage, bytes);
        self.common.count(|c| c.buffers += 1);
        if let Some(id) = self.freed.pop() {
            self.buffers[id.0 as usize] = RefCell::new(buffer);
            return Ok(id);
        }
        self.buffers.push(RefCell::new(buffer));
        Ok(BufferId(self.buffers.len() as u32 - 1))
    }

    pub fn free(&mut self, buffer: BufferId, usage: Usage) {
        let words = std::mem::take(self.buffers[buffer.0 as usize].get_mut());
        self.common.memory.sub(usage, 4 * words.len() as u64);
        self.freed.push(buffer);
    }

    pub fn write(&self, buffer: BufferId, offset: u64, bytes: &[u8]) {
        let mut words = self.buffers[buffer.0 as usize].borrow_mut();
        let at = offset as usize;
        bytemuck::cast_slice_mut::<u32, u8>(&mut words)[at..at + bytes.len()].copy_from_slice(bytes);
        self.common.count(|c| c.bytes_written += bytes.len() as u64);
    }

    pub fn copy(&self, from: BufferId, to: BufferId, bytes: u64) {
        let words = bytes as usize / 4;
        let [from, to] = [from, to].map(|id| &self.buffers[id.0 as usize]);
        to.borrow_mut()[..words].copy_from_slice(&from.borrow()[..words]);
    }

    pub fn run(&self, plan: &Plan, read: BufferId, bytes: u64) -> Ticket {
        for step in &plan.steps {
            if let Some(beat) = HEARTBEAT.get() {
                beat();
            }
            let buffers = step.bindings.iter().map(|id| &self.buffers[id.0 as usize]).collect();
            let run = step.kernel.fast.filter(|_| !self.plain).unwrap_or(step.kernel.twin);
            run(&Twin { params: &step.params, options: &step.options, buffers });
        }
        self.results.borrow_mut().push_back(self.read(read, 0, bytes));
        self.common.count(|c| {
            c.submits += 1;
            c.dispatches += plan.steps.len() as u64;
        });
        Ticket(self.common.counters.get().submits)
    }

    pub fn wait(&self, _ticket: Ticket) -> Vec<u32> {
        self.results.borrow_mut().pop_front().expect("a run to wait for")
    }

    pub fn read(&self, buffer: BufferId, offset: u64, bytes: u64) -> Vec<u32> {
        let words = self.buffers[buffer.0 as usize].borrow();
        words[offset as usize / 4..(offset + bytes) as usize / 4].to_vec()
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}
