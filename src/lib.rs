//! Cresset: language models in a web page, on the visitor's own GPU.
//!
//! The modules stand in the order a token travels; imports point down only (`tests/it/floors.rs` holds them to it).
//!
//! | room | what it does | may import |
//! |---|---|---|
//! | [`engine`] | load, chat, complete: joins the rooms, no arithmetic | everything below |
//! | [`select`] | which way of computing is right and fastest here | api, generate, models |
//! | [`api`] | OpenAI's objects ⇄ ours; computes nothing | chat, generate, embed (their data) |
//! | [`chat`] | messages → prompt (the model's Jinja template) | leaf rooms |
//! | [`speech`] | sound in, ids out: goes through a recording window by window | generate, models, device |
//! | [`viewer`] | pictures in, rows of numbers out | models, device, pictures |
//! | [`generate`] | ids → ids; never sees a string | models, device, sampler |
//! | [`convert`] | a Hugging Face folder as one GGUF file | models, load, tokenizer, chat |
//! | [`lora`] | adapters: pairs of small matrices beside a model's projections | load, device |
//! | [`models`] | one file per architecture: numbers, tensor names, what blocks are made of; the registry | load, nn |
//! | [`load`] | a checkpoint becomes layers on a device: find, record, upload | nn, weights |
//! | [`nn`] | layers shaped like the checkpoint | ops |
//! | [`ops`] | one file per kernel: parameters, recording, CPU twin | device, quant, numerics |
//! | [`device`] | plans, buffers, executors (wgpu, WebGPU, CPU) | quant |
//! | [`quant`] | one file per weight format; in `crates/numerics` | nothing |
//! | [`weights`] | GGUF and safetensors: bytes in, named tensor views out | quant, error |
//! | [`pictures`] | pixels, sizes, patches | error |
//! | [`tokenizer`], [`sampler`], [`error`] | leaf rooms | error (tokenizer: weights' metadata) |

pub mod error;

pub use cresset_numerics::quant;
pub use error::{Error, Result};

pub mod api;
pub mod chat;
#[cfg(not(target_arch = "wasm32"))]
pub mod convert;
pub mod device;
pub mod embed;
pub mod engine;
pub mod generate;
pub mod load;
pub mod lora;
pub mod models;
pub mod nn;
pub mod ops;
pub mod pictures;
pub mod sampler;
pub mod select;
pub mod speech;
pub mod tokenizer;
pub mod viewer;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;
