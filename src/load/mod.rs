//! A checkpoint becomes layers on a device.

pub mod hyper;
pub mod loader;
pub mod names;
pub mod parts;
pub mod record;
pub mod rope;
pub mod rows;
pub mod shape;
pub mod upload;

pub use hyper::Hyper;
pub use loader::Loader;
pub use parts::{NormStyle, Parts};
pub use shape::Shape;
pub use upload::{Fills, Progress};
