//! The engine as its callers see it: OpenAI's objects, sampling, stops, the context's end, interruption, the prefix
//! cache, row buckets, and what a token costs. Each test runs on the CPU and on the GPU.

use crate::support::variant::Variant;
use crate::support::{Case, close, cpu, gpu, ids};
use cresset::Error;
use cresset::device::{KvFormat, RUN_AHEAD, faults};
use cresset::engine::{Engine, LoadOptions, never_yield};
use cresset::generate::Request;
use cresset::sampler::{SamplingParams, log_softmax};
use pollster::block_on;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

macro_rules! on_both_devices {
    ($($test:ident),* $(,)?) => {
        mod on_the_cpu {
            $(#[test] fn $test() { super::$test(super::cpu()); })*
        }
        mod on_the_gpu {
            $(#[test] fn $test() { if let Some(case) = super::gpu() { super::$test(case) } })*
        }
    };
}

mod answers;
mod cost;
mod damaged;
mod endings;
mod growth;
mod loading;
mod lost;
mod progress;
mod sampling;
mod submits;
mod together;
mod tools;
mod variants;

/// A chat template of characters that the golden vocabulary has.
const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";

/// The golden end-of-text id.
const EOS: u32 = 95;

/// The golden llama with room for longer texts, and a chat template.
fn model() -> Variant {
    let model = Variant::of("llama-gqa/f32.gguf");
    model.set("llama.context_length", 512u32).set("tokenizer.chat_template", TEMPLATE)
}

fn load(variant: &Variant, device: Case, context: Option<usize>) -> Engine {
    let options = LoadOptions { device, kv: KvFormat::F32, context, ..LoadOptions::default() };
    block_on(Engine::load(variant.checkpoint().expect("a file"), &options, &mut |_| ())).expect("an engine")
}

fn engine(device: Case) -> Engine {
    load(&model(), device, None)
}

/// `a` with the fields of `b`.
fn with(mut a: Value, b: Value) -> Value {
    a.as_object_mut().expect("an object").extend(b.as_object().expect("an object").clone());
    a
}

fn complete(engine: &mut Engine, request: Value) -> Result<Value, Error> {
    block_on(engine.complete(&request, &mut |chunk| panic!("not streamed: {chunk}"), &never_yield))
}

/// The one choice's text and ids of a whole answer to `request` for a fixed prompt, end of text ignored.
fn run(engine: &mut Engine, request: Value) -> (String, Vec<u32>) {
    let base = json!({ "prompt": "the hen", "max_tokens": 24, "ignore_eos": true, "return_token_ids": true });
    let answer = complete(engine, with(base, request)).expect("an answer");
    let choice = &answer["choices"][0];
    (choice["text"].as_str().expect("text").to_string(), ids(&choice["token_ids"]))
}

fn stream(engine: &mut Engine, chat: bool, request: Value) -> Vec<Value> {
    let request = with(request, json!({ "stream": true }));
    let mut chunks = Vec::new();
    let mut on_chunk = |chunk: Value| chunks.push(chunk);
    let answer = match chat {
        true => block_on(engine.chat(&request, &mut on_chunk, &never_yield)),
        false => block_on(engine.complete(&request, &mut on_chunk, &never_yield)),
    };
    assert_eq!(answer.expect("an answer")["choices"], json!([]), "the pieces went to the stream");
    chunks
}

/// The text of choice `index` in a stream of completion chunks.
fn streamed_text(chunks: &[Value], index: u64) -> String {
    let choices = chunks.iter().flat_map(|c| c["choices"].as_array().expect("choices"));
    choices.filter(|c| c["index"] == index).map(|c| c["text"].as_str().expect("text")).collect()
}

fn finish(answer: &Value) -> &str {
    answer["choices"][0]["finish_reason"].as_str().expect("a reason")
}

fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.expect("logits").0 as u32
}

fn last_logits(engine: &mut Engine, ids: &[u32]) -> Vec<f32> {
    let mut last = Vec::new();
    block_on(engine.logits(ids, false, &mut |row| last = row.to_vec(), &never_yield)).expect("logits");
    last
}

/// Plans are said to take no time, however busy this machine is: none is cut into several submits.
fn in_no_time(engine: &mut Engine) {
    faults::simulate(&mut engine.generator().expect("a generator").device, Rc::new(|_| 0.0));
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The envelope and the usage that all answers share.
fn check_envelope(answer: &Value, engine: &Engine, prefix: &str, object: &str) {
    let id = answer["id"].as_str().expect("an id");
    assert!(id.starts_with(prefix) && id.len() == prefix.len() + 16, "{id}");
    assert_eq!(answer["object"], object);
    assert_eq!(answer["model"], engine.model().name);
    assert!(answer["created"].as_u64().expect("seconds") > 1_700_000_000);
}

fn check_usage(usage: &Value, prompt: usize, completion: usize) {
    let counts = ["prompt_tokens", "completion_tokens", "total_tokens"].map(|key| usage[key].as_u64());
    assert_eq!(counts, [prompt, completion, prompt + completion].map(|n| Some(n as u64)));
    let extra = &usage["extra"];
    assert!(extra["time_to_first_token_s"].as_f64().expect("seconds") > 0.0);
    assert!(extra["prefill_tokens_per_s"].as_f64().expect("a rate") > 0.0);
    assert!(extra["decode_tokens_per_s"].as_f64().expect("a rate") > 0.0);
    assert!(extra["cached_tokens"].is_u64());
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], extra["cached_tokens"]);
}
