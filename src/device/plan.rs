//! A plan: the recorded steps of a forward, which executors compile and replay.

use super::buffers::BufferId;
use super::kernel::{Kernel, Options};
use super::params::Member;

/// One dispatch.
#[derive(Clone)]
pub struct Step {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Its compile-time choices.
    pub options: Options,
    /// The uniform parameter struct, at most 256 bytes.
    pub params: Vec<u8>,
    /// Members of the parameter struct.
    pub members: &'static [Member],
    /// Bindings 1.. in order.
    pub bindings: Vec<BufferId>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

/// Recorded steps, in the order they run.
#[derive(Clone, Default)]
pub struct Plan {
    /// In the order they run.
    pub steps: Vec<Step>,
}
