//! Architectures: one file each, and the registry that finds them.

mod architecture;
mod bert;
mod decoder;
mod encoder;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod granite;
mod llama;
mod mistral;
mod modern_bert;
mod moe;
mod nomic_bert;
mod olmo2;
mod phi3;
mod qwen2;
mod qwen3;
mod registry;
mod smollm3;
mod speech;
mod stablelm;
mod whisper;

pub use architecture::{Architecture, Load, Loaded, Model};
pub use decoder::{Decoder, Transformer, Wanted};
pub use encoder::Encoder;
pub use registry::{REGISTRY, architecture_name, architecture_of};
pub use speech::{SoundBuffers, SoundEncoder, Speech};

pub use crate::load::Shape;
