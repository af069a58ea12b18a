//! Chooses how to compute here: which device, and which kernel variants are correct and fastest on it.
//!
//! `options` says what the caller wants, `self_test` finds a `verdict` with the help of a `known_model`, `compare_devices`
//! decides between GPU and CPU from the costs that `estimate` measures, `proven_device` does all of that for a model;
//! `roofline` measures an adapter's limits.

pub mod compare_devices;
pub mod estimate;
pub mod known_model;
pub mod options;
pub mod proven_device;
pub mod random;
pub mod roofline;
pub mod self_test;
pub mod verdict;

pub use options::{DeviceChoice, LoadOptions, LoadProgress, SelfTest};
pub use proven_device::proven_device;
pub use roofline::Ceilings;
pub use verdict::{Demoted, Verdict};
