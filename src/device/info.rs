//! Facts about a device: its adapter, driver and features, and why it was chosen.

use super::limits::Limits;
use serde::Serialize;

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

/// Facts about a device, as page and terminal show them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// `webgpu`, `vulkan`, `metal`, `dx12` or `cpu`.
    pub backend: String,
    /// Who makes it, in lower case; empty where nobody says.
    pub vendor: String,
    /// Its family, or natively the driver.
    pub architecture: String,
    /// Its name.
    pub description: String,
    /// The driver and its version, where they are known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// The adapter computes on the CPU (SwiftShader, lavapipe).
    pub software: bool,
    /// The compiler of shaders for Direct3D 12: `FXC`, or `DXC` with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// Optional features that kernels know, by WebGPU's names.
    pub features: Vec<String>,
    /// Threads of the smallest subgroup, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subgroup_size: Option<u32>,
    /// How large bindings and buffers may be.
    pub limits: Limits,
    /// Why this device and not another, when there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason as a code, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<NoGpu>,
}

impl DeviceInfo {
    /// The adapter's name.
    pub fn name(&self) -> &str {
        let names = [&self.description, &self.architecture, &self.vendor];
        names.into_iter().find(|name| !name.is_empty()).map_or("the graphics adapter", String::as_str)
    }
}
