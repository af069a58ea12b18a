//! Options and a model → an open device that computes correctly.

use super::compare_devices::{self, Throughput};
use super::options::{LoadOptions, LoadProgress};
use super::self_test;
use super::verdict::Verdict;
use crate::device::{Device, NoGpu};
use crate::error::{Error, Result};
use crate::load::Shape;
use crate::models::Architecture;
use crate::quant::Format;
use serde_json::json;

/// Opens the device for a model whose matrices are in `formats`, most of them in the first, and selects correct kernel
/// variants by the self-test, if that is to run. Falls back to the CPU, where the options allow it, if all variants are wrong or
/// the CPU is faster for this model.
///
/// # Errors
/// `WEBGPU_UNAVAILABLE` where only a GPU will do, and errors of the self-test.
pub async fn proven_device(
    architecture: &Architecture,
    shape: &Shape,
    formats: &[Format],
    options: &LoadOptions,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<(Device, Option<Verdict>)> {
    let mut device = options.device.open().await?;
    if device.is_cpu() || !options.self_test.run {
        return Ok((device, None));
    }
    let mut verdict = match self_test::verify(device.info(), options, formats, on_progress).await {
        // The adapter was there, and gives no device any more.
        Err(error @ Error::WebGpuUnavailable { .. }) if options.device.is_open() => {
            device.destroy();
            return Ok((Device::cpu_instead(NoGpu::Unavailable, error.to_string()), None));
        }
        verdict => verdict?,
    };
    let why_not = match verdict.tuning() {
        Ok(tuning) => {
            device.set_tuning(tuning);
            let may_choose = options.device.is_open() && compare_devices::is_worth_measuring(architecture, shape);
            if may_choose && verdict.throughput.is_none() {
                // Where that fails, the proven device is as good as any.
                verdict.throughput =
                    Throughput::measure(tuning, formats[0]).await.map_err(|error| log::warn!("{error}")).ok();
            }
            let throughput = verdict.throughput.filter(|_| may_choose);
            throughput
                .and_then(|measured| measured.why_cpu(shape, architecture.is_encoder()))
                .map(|why| (NoGpu::Slower, why))
        }
        Err(reason) => {
            let reason = format!("the graphics adapter ({}) is not used: {reason}", device.info().name());
            if !options.device.is_open() {
                device.destroy();
                let facts = json!({ "device": device.info(), "demoted": verdict.demoted });
                return Err(Error::WebGpuUnavailable { reason, facts });
            }
            Some((NoGpu::WrongResults, reason))
        }
    };
    if let Some((code, reason)) = why_not {
        device.destroy();
        device = Device::cpu_instead(code, reason);
    }
    Ok((device, Some(verdict)))
}
