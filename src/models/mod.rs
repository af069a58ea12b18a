//! Architectures: one file each, and the registry that finds them.

mod architecture;
mod bert;
mod decoder;
mod dinov2;
mod encoder;
mod encoder_decoder;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod granite;
mod idefics3;
mod llama;
mod llava;
mod marian;
mod mistral;
mod modern_bert;
mod moe;
mod nomic_bert;
mod olmo2;
mod phi3;
mod qwen2;
mod qwen3;
mod registry;
mod siglip;
mod smollm3;
mod speech;
mod stablelm;
mod t5;
mod vision;
mod vit;
mod whisper;

pub use architecture::{Architecture, Load, Loaded, Model};
pub use decoder::{Decoder, Transformer, Wanted};
pub use encoder::Encoder;
pub use encoder_decoder::{EncoderDecoder, SourceEncoder};
pub use registry::{REGISTRY, architecture_name, architecture_of, eyes_of};
pub use speech::{SoundBuffers, SoundEncoder, Speech};
pub use vision::VisionEncoder;

pub use crate::load::Shape;
