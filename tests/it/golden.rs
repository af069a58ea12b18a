//! The engine against an independent implementation: logits and greedy ids that Hugging Face transformers computed
//! (`tests/golden/make.py`, `tests/golden/bundled.py`), on the GPU and on the CPU.

use crate::support::shared::shared;
use crate::support::{Case, close, cpu, golden, gpu, open, open_with};
use cresset::device::KvFormat;
use cresset::engine::{DeviceChoice, Engine, LoadOptions, never_yield};
use cresset::generate::{Request, Sampled};
use cresset::sampler::SamplingParams;
use pollster::block_on;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Logits in f32 throughout agree to rounding; f16 keys and values lose about three digits.
const F32_TOLERANCE: f32 = 1e-3;
const F16_KV_TOLERANCE: f32 = 2e-2;
/// One row at a time and all at once are the same sums; the CPU rounds activations to 16 bits where rows are few.
const SAME_SUMS: f32 = 1e-5;
const ROUNDED_SUMS: f32 = 1e-3;
/// Token after token, with keys and values that were rounded so before.
const ROUNDED_TOKENS: f32 = 5e-3;

/// Checks one group of files that hold the same weights; → the largest error of a logit.
fn check_case(name: &str, file: &str, case: &Value, engine: &mut Engine, tolerance: f32) -> f32 {
    let mut largest = 0f32;
    for sequence in case["sequences"].as_array().expect("sequences") {
        let ids = crate::support::ids(&sequence["ids"]);
        let mut rows: Vec<Vec<f32>> = Vec::new();
        block_on(engine.logits(&ids, true, &mut |row| rows.push(row.to_vec()), &never_yield)).expect("logits");
        assert_eq!(rows.len(), ids.len(), "{name}/{file}: a row for every position");
        let positions = match sequence["positions"].is_array() {
            true => crate::support::ids(&sequence["positions"]),
            false => (0..ids.len() as u32).collect(),
        };
        let want = sequence["logits"].as_array().expect("rows");
        assert_eq!(want.len(), positions.len(), "{name}/{file}: expected rows");
        for (position, want) in positions.iter().zip(want) {
            let what = format!("{name}/{file}, {} ids, {position}", ids.len());
            let got = &rows[*position as usize];
            largest = largest.max(close(got, &crate::support::floats(want), tolerance, &what));
        }
        let mut last = Vec::new();
        block_on(engine.logits(&ids, false, &mut |row| last = row.to_vec(), &never_yield)).expect("logits");
        let rounds = engine.info()["device"]["backend"] == "cpu";
        let tolerance = if rounds { ROUNDED_SUMS } else { SAME_SUMS };
        close(&last, rows.last().expect("a row"), tolerance, &format!("{name}/{file}: the last position alone"));
    }
    let (prompt, want) = (crate::support::ids(&case["greedy"]["prompt"]), crate::support::ids(&case["greedy"]["ids"]));
    assert_eq!(crate::support::greedy(engine, &prompt, want.len()), want, "{name}/{file}: greedy");
    decoding_agrees_with_prefill(engine, &prompt, want.len(), tolerance, &format!("{name}/{file}"));
    largest
}

/// One row at a time goes through kernels of its own: their logits are those of all rows at once.
fn decoding_agrees_with_prefill(engine: &mut Engine, prompt: &[u32], tokens: usize, tolerance: f32, what: &str) {
    let request = Request {
        prompt: prompt.to_vec(),
        max_tokens: Some(tokens),
        sampling: SamplingParams { temperature: 0.0, ..SamplingParams::default() },
        want_logits: true,
        ..Request::default()
    };
    let (mut ids, mut decoded) = (prompt.to_vec(), Vec::new());
    let mut on_token = |sampled: Sampled| {
        ids.push(sampled.id);
        decoded.push(sampled.logits.expect("logits").to_vec());
        ControlFlow::Continue(())
    };
    block_on(engine.generator().expect("a generator").generate(&request, &mut on_token, &never_yield)).expect("tokens");
    let rounds = engine.info()["device"]["backend"] == "cpu";
    let tolerance = if rounds { tolerance.max(ROUNDED_TOKENS) } else { tolerance };
    let mut rows: Vec<Vec<f32>> = Vec::new();
    block_on(engine.logits(&ids, true, &mut |row| rows.push(row.to_vec()), &never_yield)).expect("logits");
    for (i, decoded) in decoded.iter().enumerate() {
        close(decoded, &rows[prompt.len() - 1 + i], tolerance, &format!("{what}: decoded token {i}"));
    }
}

fn check_folder(name: &str, device: Case) {
    let expected = golden(name);
    for group in expected["cases"].as_array().expect("cases") {
        for file in group["files"].as_array().expect("files") {
            let file = file.as_str().expect("a name");
            let path = format!("tests/golden/{name}/{file}");
            let context = group["context"].as_u64().map(|positions| positions as usize);
            for (kv, tolerance) in [(KvFormat::F32, F32_TOLERANCE), (KvFormat::F16, F16_KV_TOLERANCE)] {
                let options = LoadOptions { device, kv, context, ..LoadOptions::default() };
                let mut engine = open_with(Path::new(&path), &options);
                let largest = check_case(name, file, group, &mut engine, tolerance);
                eprintln!("{name}/{file}, keys and values in {kv:?}: {largest:.1e}");
            }
        }
    }
    let text = expected["text"].as_str().expect("text");
    let engine = open(&first_file(name), device, KvFormat::F32);
    assert_eq!(engine.tokenize(text).expect("ids"), crate::support::ids(&expected["text_ids"]), "{name}: tokenizer");
}

/// The safetensors of a folder, whose tokenizer is a file of its own, or the one file that there is.
fn first_file(name: &str) -> PathBuf {
    let files = ["model.safetensors.index.json", "model.safetensors", "mixed.gguf", "f32.gguf"];
    let mut paths = files.map(|file| Path::new("tests/golden").join(name).join(file)).into_iter();
    paths.find(|path| path.exists()).expect("a model")
}

macro_rules! folders {
    ($($test:ident: $name:literal),* $(,)?) => {
        mod on_the_cpu {
            $(#[test] fn $test() { super::check_folder($name, super::cpu()); })*
        }
        mod on_the_gpu {
            $(#[test] fn $test() {
                let Some(case) = super::gpu() else { return };
                super::check_folder($name, case);
            })*
        }

        #[test]
        fn every_folder_of_make_py_is_checked() {
            assert_eq!(crate::support::golden_models(), BTreeSet::from([$($name.to_string()),*]));
        }
    };
}

folders! {
    llama_gqa: "llama-gqa",
    llama_tied: "llama-tied",
    llama_rope3: "llama-rope3",
    llama_linear: "llama-linear",
    gpt2_small: "gpt2-small",
    gpt2_bare: "gpt2-bare",
    llama_yarn: "llama-yarn",
    llama_mixed: "llama-mixed",
    mistral: "mistral",
    smollm3: "smollm3",
    smollm3_window: "smollm3-window",
    granite: "granite",
    qwen2: "qwen2",
    qwen2_window: "qwen2-window",
    qwen3: "qwen3",
    phi3: "phi3",
    phi3_long: "phi3-long",
    stablelm: "stablelm",
    stablelm_parallel: "stablelm-parallel",
    gemma: "gemma",
    gemma2: "gemma2",
    gemma3: "gemma3",
    gemma3_whole: "gemma3-whole",
    olmo2: "olmo2",
    olmo3: "olmo3",
    gpt_neox: "gpt-neox",
    gpt_neox_serial: "gpt-neox-serial",
    gpt_neo: "gpt-neo",
    olmoe: "olmoe",
    qwen3_moe: "qwen3-moe",
    qwen3_moe_window: "qwen3-moe-window",
}

/// Layers that differ in heads, heads of keys and values, and width (`tests/golden/layers.py`): only GGUF can say so.
fn layers_of_several_shapes(device: Case) {
    for name in ["llama-layers", "qwen3-layers"] {
        check_folder(name, device);
        let info = open(&first_file(name), device, KvFormat::F32).info();
        // (2 + 2 + 1) heads of 16 columns, keys and values, f32, and 128 positions in 4 pages of 32.
        assert_eq!(info["memory"]["kv"], 5 * 16 * 2 * 4 * 128, "{name}: every layer's own cache");
    }
}

#[test]
fn layers_of_several_shapes_on_the_cpu() {
    layers_of_several_shapes(cpu());
}

#[test]
fn layers_of_several_shapes_on_the_gpu() {
    if let Some(case) = gpu() {
        layers_of_several_shapes(case);
    }
}

/// `expected.json` of a real model: prompts with ids, last logits, greedy ids and text.
fn check_real(path: &Path, expected: &Value, case: Case) {
    let prompts = expected.as_array().expect("a list of prompts");
    assert!(!prompts.is_empty());
    let mut engine = open(path, case, KvFormat::F32);
    for prompt in prompts {
        let text = prompt["prompt"].as_str().expect("prompt");
        let ids = crate::support::ids(&prompt["ids"]);
        assert_eq!(engine.tokenize(text).expect("ids"), ids, "{text:?}: ids");
        let mut last = Vec::new();
        block_on(engine.logits(&ids, false, &mut |row| last = row.to_vec(), &never_yield)).expect("logits");
        close(&last, &crate::support::floats(&prompt["last_logits"]), F32_TOLERANCE, text);
        let want = crate::support::ids(&prompt["greedy_ids"]);
        assert_eq!(crate::support::greedy(&mut engine, &ids, want.len()), want, "{text:?}: greedy ids");
        let request = serde_json::json!({
            "prompt": ids, "temperature": 0, "max_tokens": want.len(), "ignore_eos": true,
        });
        let answer = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
        let got = answer["choices"][0]["text"].as_str().expect("text");
        assert_eq!(got, prompt["greedy_text"].as_str().expect("text"), "{text:?}: greedy text");
    }
}

#[test]
fn stories260k_on_both_devices() {
    let Some(folder) = shared("weights/stories260K") else { return };
    let expected = crate::support::json(&folder.join("expected.json"));
    check_real(&folder.join("stories260K.gguf"), &expected, cpu());
    if let Some(case) = gpu() {
        check_real(&folder.join("stories260K.gguf"), &expected, case);
    }
}

/// The model that the repository ships: the real weights that are there wherever the tests are.
#[test]
fn the_bundled_model_on_both_devices() {
    let path = Path::new("www/models/cresset-stories-4m-q8_0.gguf");
    let expected = crate::support::json(Path::new("tests/golden/bundled.json"));
    check_real(path, &expected, cpu());
    if let Some(case) = gpu() {
        check_real(path, &expected, case);
    }
}

/// A GPU without f16, without subgroups, with WebGPU's default limits: dense and mixed formats, windows, soft caps, experts.
#[test]
fn on_a_gpu_with_nothing_optional() {
    if gpu().is_none() {
        return;
    }
    for name in ["llama-gqa", "llama-mixed", "gpt2-small", "phi3", "gemma2", "gemma3", "olmoe"] {
        check_folder(name, DeviceChoice::LeastGpu);
    }
    let info = open(Path::new("tests/golden/llama-gqa/f32.gguf"), DeviceChoice::LeastGpu, KvFormat::F16).info();
    let device = &info["device"];
    assert_eq!(device["features"], serde_json::json!([]));
    assert_eq!((&device["limits"]["maxBindingBytes"], device.get("subgroupSize")), (&(128 << 20).into(), None));
}

/// Keys and values of 8 bits: as close to the reference as eight bits allow, the likeliest token the same, and decoding one
/// row at a time as prefill has it.
#[test]
fn keys_and_values_in_8_bits() {
    let expected = crate::support::json(Path::new("tests/golden/bundled.json"));
    let mut devices = vec![cpu()];
    devices.extend(gpu());
    for case in devices {
        let path = Path::new("www/models/cresset-stories-4m-q8_0.gguf");
        let mut engine = open(path, case, KvFormat::Q8);
        let bytes = |engine: &Engine| engine.info()["memory"]["kv"].as_u64().expect("bytes") as f64;
        let ratio = bytes(&engine) / bytes(&open(path, case, KvFormat::F16));
        assert!((0.5..0.6).contains(&ratio), "{ratio} of f16's memory");
        for prompt in expected.as_array().expect("prompts") {
            let ids = crate::support::ids(&prompt["ids"]);
            let want = crate::support::floats(&prompt["last_logits"]);
            let mut last = Vec::new();
            block_on(engine.logits(&ids, false, &mut |row| last = row.to_vec(), &never_yield)).expect("logits");
            let spread = want.iter().fold(0f32, |most, x| most.max(x.abs()));
            let error = close(&last, &want, 0.02 * spread, "8-bit keys and values");
            eprintln!("{case:?}: {error:.1e} of {spread:.1}");
            let best = |logits: &[f32]| (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
            assert_eq!(best(&last), best(&want));
            decoding_agrees_with_prefill(&mut engine, &ids, 40, 0.02 * spread, "8-bit keys and values");
        }
    }
}
