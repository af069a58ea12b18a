//! State that every executor has: facts about its device, memory accounting, kernel tuning and counters.

use super::buffers::Memory;
use super::info::DeviceInfo;
use super::tuning::Tuning;
use serde::Serialize;
use std::cell::Cell;

/// Counters of an executor; tests assert these instead of times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Command buffers given to the queue.
    pub submits: u64,
    /// Kernels run.
    pub dispatches: u64,
    /// Buffers created.
    pub buffers: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Read-back buffers mapped.
    pub maps: u64,
    /// From host to device.
    pub bytes_written: u64,
    /// From device to host.
    pub bytes_read: u64,
}

/// The number of a run whose read-back has not been waited for. Tickets are waited for in the order they were given.
#[derive(Debug)]
#[must_use]
pub struct Ticket(pub u64);

/// Runs that may be in flight at once; a run beyond that waits for the oldest.
pub const RUN_AHEAD: usize = 4;

/// The state that the executors have in common.
pub struct Common {
    pub info: DeviceInfo,
    pub memory: Memory,
    pub tuning: Tuning,
    pub counters: Cell<Counters>,
}

impl Common {
    /// Nothing allocated or counted yet.
    pub fn new(info: DeviceInfo, tuning: Tuning) -> Common {
        Common { info, memory: Memory::default(), tuning, counters: Cell::default() }
    }

    pub fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }
}
