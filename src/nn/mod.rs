//! Layers shaped like the checkpoint: they own device weights and record kernels. They know no file.

mod attention;
mod block;
mod conv;
mod cross;
mod embedding;
mod encoder;
mod experts;
mod input;
mod linear;
mod mlp;
mod norm;
mod rope;

pub use attention::Attention;
pub use block::Block;
pub use conv::Conv1d;
pub use cross::{CrossAttention, CrossKeys, CrossProjections, Observed};
pub use embedding::Embedding;
pub use encoder::{EncoderAttention, EncoderBlock};
pub use experts::Experts;
pub use input::Input;
pub use linear::Linear;
pub use mlp::{FeedForward, Mlp};
pub use norm::{Norm, NormKind, NormOver, QkNorm};
pub use rope::{Angles, Rope, RopeScaling};
