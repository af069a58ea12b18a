//! The part of the GPU executor that its backends are handed: wgpu's device, queue and buffers.

use super::common::Common;
use super::plan::Plan;

/// The wgpu device and queue that `native.rs` and `web.rs` compile plans for and replay them on.
pub struct Core {
    pub common: Common,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// By [`BufferId`](super::BufferId).
    pub buffers: Vec<wgpu::Buffer>,
}

/// The best adapter that an instance with these options gives.
pub(super) async fn adapter(options: wgpu::BackendOptions, backends: wgpu::Backends) -> Option<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    (descriptor.backends, descriptor.backend_options) = (backends, options);
    let power_preference = wgpu::PowerPreference::HighPerformance;
    let request = wgpu::RequestAdapterOptions { power_preference, ..Default::default() };
    wgpu::Instance::new(descriptor).request_adapter(&request).await.ok()
}

/// Uniform offsets must be multiples of this; a step's parameters fit one such window.
pub(super) const PARAMS_STRIDE: u64 = 256;

/// All steps' parameters at multiples of [`PARAMS_STRIDE`].
pub(super) fn params_arena(plan: &Plan) -> Vec<u8> {
    let mut arena = vec![0; plan.steps.len().max(1) * PARAMS_STRIDE as usize];
    for (step, window) in plan.steps.iter().zip(arena.chunks_exact_mut(PARAMS_STRIDE as usize)) {
        window[..step.params.len()].copy_from_slice(&step.params);
    }
    arena
}
