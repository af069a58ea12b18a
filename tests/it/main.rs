//! The engine's tests from outside, a module a room: one binary, since linking takes longer than most of them.

#[path = "../support/blocks.rs"]
mod blocks;
#[path = "../support/counting.rs"]
mod counting;
#[path = "../support/fuzz.rs"]
mod fuzz;
#[path = "../support/imports.rs"]
mod imports;
#[path = "../support/modules.rs"]
mod modules;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/templates.rs"]
mod templates;
#[path = "../support/translate.rs"]
mod translate;

mod bad_models;
mod chat;
mod chat_attacks;
mod chat_fallback;
mod convert;
mod encoders;
mod engine;
mod estimate;
mod floors;
mod fuzz_files;
mod fuzz_templates;
mod fuzz_tokenizer;
mod golden;
mod kernels;
mod left_out;
mod llama_cpp;
mod lora;
mod perplexity;
mod quant;
mod quantize;
mod recommended;
mod seq2seq;
mod shaders;
mod smollm2;
mod speech;
mod tokenizer;
mod vision;
mod weights;
