//! Where a plan's time goes: another reader of the same list of steps.

use super::buffers::BufferId;
use super::executor::Device;
use super::plan::{Plan, Step};
use crate::error::Result;
use serde::Serialize;
use web_time::Instant;

/// The steps of one kernel in a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelTime {
    /// Its name.
    pub kernel: &'static str,
    /// How many of them there are.
    pub dispatches: usize,
    /// Seconds of all of them, one behind the other.
    pub seconds: f64,
}

/// Times each kernel's steps by themselves, in the order of their first; the longest of them are run once a measurement,
/// the shortest many times. What submitting costs is left out. The plan's buffers hold nothing meaningful afterwards.
///
/// # Errors
/// As [`Device::compile`] and [`Device::run`].
pub async fn profile(device: &Device, plan: &Plan, read: BufferId) -> Result<Vec<KernelTime>> {
    let mut kernels: Vec<(&'static str, Vec<Step>)> = Vec::new();
    for step in &plan.steps {
        match kernels.iter_mut().find(|(name, _)| *name == step.kernel.name) {
            Some((_, steps)) => steps.push(step.clone()),
            None => kernels.push((step.kernel.name, vec![step.clone()])),
        }
    }
    let mut times = Vec::new();
    for (kernel, steps) in kernels {
        let seconds = difference(device, &steps, read).await?;
        times.push(KernelTime { kernel, dispatches: steps.len(), seconds });
    }
    Ok(times)
}

/// Seconds of `steps`: what two more rounds of them take, and no less than nothing.
async fn difference(device: &Device, steps: &[Step], read: BufferId) -> Result<f64> {
    let rounds = |n: usize| Plan { steps: (0..n).flat_map(|_| steps.iter().cloned()).collect() };
    let (once, thrice) = (device.compile(rounds(1)).await?, device.compile(rounds(3)).await?);
    let mut best = [f64::INFINITY; 2];
    let begin = Instant::now();
    for round in 0..200 {
        for (plan, best) in [&once, &thrice].into_iter().zip(&mut best) {
            let start = Instant::now();
            let ticket = device.run(plan, read, 4)?;
            device.wait(ticket).await?;
            *best = best.min(start.elapsed().as_secs_f64());
        }
        if round > 2 && begin.elapsed().as_secs_f64() > 0.3 {
            break;
        }
    }
    Ok(((best[1] - best[0]) / 2.0).max(0.0))
}
