//! Which way of computing is right and fastest here: the device, the shapes of its kernels, and what it can do at most.

pub mod compare_devices;
pub mod estimate;
pub mod known_model;
pub mod options;
pub mod roofline;
pub mod self_test;
pub mod verdict;

pub use options::{DeviceChoice, LoadOptions, LoadProgress, SelfTest};
pub use roofline::Ceilings;
pub use verdict::{Demoted, Verdict};
