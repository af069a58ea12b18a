//! The limits of a device that decide how buffers are laid out.

use serde::Serialize;

/// The largest binding and the largest buffer, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of a buffer that one binding covers.
    pub max_binding_bytes: u64,
    /// Bytes of a buffer.
    pub max_buffer_bytes: u64,
}

impl Limits {
    /// The device's limits, reduced where drivers cannot be trusted: Metal's shaders hold sizes of buffers in 32 bits
    /// and would clamp reads within a larger one.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_buffer_has_4_gib() {
        let Limits { max_binding_bytes, max_buffer_bytes } = Limits::of(1 << 40, (4 << 30) - 4);
        assert!(max_binding_bytes < 4 << 30 && max_buffer_bytes < 4 << 30);
        assert!(max_binding_bytes.is_multiple_of(16) && max_buffer_bytes.is_multiple_of(16), "whole vec4<u32>");
        assert_eq!(Limits::of(128 << 20, 256 << 20).max_binding_bytes, 128 << 20);
    }
}
