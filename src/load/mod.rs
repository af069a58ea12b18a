//! A checkpoint becomes layers on a device.
//!
//! | file | what it does |
//! |---|---|
//! | `names`, `rows`, `shape` | what tensors are called; rows of fused projections; a model's sizes |
//! | `family` | what reading must know of an architecture |
//! | `hyper`, `rope` | numbers of GGUF's metadata or config.json, checked; how rotary positions are described |
//! | `find` | names → tensors of the file |
//! | `record` | what was asked for, for adapters and for conversion |
//! | `allocate`, `upload` | room on the device, and what is read into it |
//! | `loader`, `parts` | all of them together: projections, norms, attention, whole blocks |

mod allocate;
pub mod family;
mod find;
pub mod hyper;
mod loader;
pub mod names;
mod parts;
pub mod record;
mod relative_bias;
pub mod rope;
pub mod rows;
mod shape;
mod upload;

pub use allocate::Allocator;
pub use family::Family;
pub use find::{Found, Tensors};
pub use hyper::Hyper;
pub use loader::Loader;
pub use parts::{NormStyle, Parts, pre_norm};
pub use record::Record;
pub use relative_bias::Buckets;
pub use shape::{PerLayer, Shape};
pub use upload::{Progress, UploadQueue};
