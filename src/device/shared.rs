//! Pieces of WGSL that kernels have in common.

/// A piece of WGSL from `shaders/shared/`.
macro_rules! piece {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/", $name, ".wgsl"))
    };
}
pub(crate) use piece;
