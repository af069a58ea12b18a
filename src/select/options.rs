//! How to load: which device, how much context, which number formats, and whether the device is tested first.

use super::verdict::Verdict;
use crate::api::{Fields, request};
use crate::device::{Candidates, Device, KvFormat, NoGpu};
use crate::error::{Error, Result};
use crate::quant::Format;
use crate::sampler::SamplingParams;
use serde::Serialize;
use serde_json::Value;

/// Which device to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The GPU, unless there is none, it is one in name only, or the CPU is faster for the model.
    #[default]
    Auto,
    /// For tests: like `Auto`, but a software adapter is measured like any other.
    Measured,
    /// The GPU, or an error where there is none.
    Gpu,
    /// The GPU without anything optional: what runs there runs on every WebGPU device.
    LeastGpu,
    /// The CPU.
    Cpu,
}

impl DeviceChoice {
    /// Whether the CPU may be taken instead of a GPU.
    pub fn is_open(self) -> bool {
        matches!(self, DeviceChoice::Auto | DeviceChoice::Measured)
    }

    /// The device, opened; `info.reason` and `reason_code` tell why it is this one, where there was a choice.
    ///
    /// # Errors
    /// `WEBGPU_UNAVAILABLE` where only a GPU will do and there is none.
    pub async fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::cpu()),
            DeviceChoice::Gpu => Device::gpu().await,
            DeviceChoice::LeastGpu => Device::least_gpu().await,
            DeviceChoice::Auto | DeviceChoice::Measured => match Device::gpu().await {
                Ok(device) if device.info().software && self == DeviceChoice::Auto => {
                    let name = device.info().name();
                    let reason = format!(
                        "the graphics adapter ({name}) computes on the CPU; computing there directly is faster"
                    );
                    Ok(Device::cpu_instead(NoGpu::Software, reason))
                }
                Ok(device) => Ok(device),
                Err(error) => Ok(Device::cpu_instead(NoGpu::Unavailable, error.to_string())),
            },
        }
    }
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Which device to use.
    pub device: DeviceChoice,
    /// Positions of the KV cache; `None`: the model's own, up to 4096, which grow with what is asked.
    pub context: Option<usize>,
    /// The number format of the KV cache.
    pub kv: KvFormat,
    /// The format that unquantised matrices get while they are read; quantised ones stay as they are.
    pub quantize: Option<Format>,
    /// Sampling parameters to recommend instead of those of the model's files: an object of a request's fields, or null.
    pub sampling: Value,
    /// Whether a GPU's kernel variants are tested before they are used.
    pub self_test: SelfTest,
}

impl LoadOptions {
    /// From the option object of the JavaScript interface.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a field that is wrong.
    pub fn parse(options: &Value) -> Result<Self> {
        let fields = Fields::of_options(options)?;
        let device = match fields.text("device")? {
            None | Some("auto") => DeviceChoice::Auto,
            Some("webgpu" | "gpu") => DeviceChoice::Gpu,
            Some("cpu") => DeviceChoice::Cpu,
            Some(other) => return Err(Error::invalid("device", format!("must be auto, webgpu or cpu, not {other}"))),
        };
        let kv = match fields.text("kv")? {
            None => KvFormat::default(),
            Some(name) => KvFormat::from_name(name)
                .ok_or_else(|| Error::invalid("kv", format!("must be f16, f32 or q8, not {name}")))?,
        };
        let quantize = match fields.text("quantize")? {
            None => None,
            Some(name) => match Format::from_name(name).filter(|format| format.is_writable()) {
                Some(format) => Some(format),
                None => {
                    let why = format!("must be one of {}, not {name}", Format::writable_names());
                    return Err(Error::invalid("quantize", why));
                }
            },
        };
        let sampling = fields.get("sampling").cloned().unwrap_or_default();
        request::sampling(&Fields::of_options(&sampling)?, &SamplingParams::default())?;
        // Verdicts that cannot be read have been written by another build.
        let known = fields.get("verdicts").map(|v| v.as_array().cloned().unwrap_or_default()).unwrap_or_default();
        let known = known.into_iter().filter_map(|verdict| serde_json::from_value(verdict).ok()).collect();
        let self_test = SelfTest { run: fields.flag("selfTest")?, known, candidates: None };
        let context = fields.count("contextLength", 1..=1 << 24)?;
        Ok(LoadOptions { device, context, kv, quantize, sampling, self_test })
    }
}

/// Options of the self-test.
#[derive(Debug, Clone, Default)]
pub struct SelfTest {
    /// Whether to run it. Otherwise a device uses the variants that are usual for its kind, unproven.
    pub run: bool,
    /// Verdicts of earlier runs.
    pub known: Vec<Verdict>,
    /// The variants to try, instead of all that the device's features allow.
    pub candidates: Option<Candidates>,
}

/// A step of loading, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LoadProgress {
    /// `self-test`, `upload`, `compile` or `ready`.
    pub status: &'static str,
    /// Bytes, or steps of the self-test, that are done.
    pub loaded: u64,
    /// All of them.
    pub total: u64,
}
