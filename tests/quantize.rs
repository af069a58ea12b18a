//! `cresset quantize`: the bundled model in every format that can be written, and what is refused.
#![cfg(feature = "cli")]

mod shared;
mod support;

use cresset::Error;
use cresset::engine::{DeviceChoice, Engine, LoadOptions, no_breathing};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Quantization, Value, open_path};
use pollster::block_on;
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::variant::{Variant, checkpoint};
use support::{cpu, gpu, greedy};

const BUNDLED: &str = "www/models/cresset-stories-4m-q8_0.gguf";

const STORY: &str = "Once upon a time there was a little girl named Lily. She loved to play outside in the park. One day \
    she found a big red ball under a tree. She was very happy and wanted to show it to her mom. Her mom said, \"What a \
    nice ball! You can play with it, but be careful.\" Lily ran to the park and played with her friends all day.";

fn open(path: &str) -> Checkpoint {
    block_on(Checkpoint::open(open_path(path).expect("a model"))).expect("a model")
}

fn engine(checkpoint: Checkpoint, device: DeviceChoice) -> Engine {
    let options = LoadOptions { device, ..LoadOptions::default() };
    block_on(Engine::load(checkpoint, &options, &mut |_| ())).expect("an engine")
}

/// The file that quantising gives, in memory.
fn quantized(model: &Checkpoint, to: Format) -> Vec<u8> {
    let (mut file, read) = (Vec::new(), Cell::new(0));
    let plan = Quantization::plan(model, to, true).unwrap_or_else(|e| panic!("{to:?}: {e}"));
    plan.write(&mut file, &|bytes| read.set(read.get() + bytes)).unwrap_or_else(|e| panic!("{to:?}: {e}"));
    assert_eq!(read.get(), model.tensors().map(|t| t.bytes).sum::<u64>());
    file
}

fn perplexity(engine: &mut Engine) -> f64 {
    block_on(engine.perplexity(STORY, 128, &mut |_, _| (), &no_breathing)).expect("a score").perplexity
}

/// Sizes shrink with the bits, what the model says of itself is kept, and how well it predicts as well.
#[test]
fn the_bundled_model_in_every_format() {
    use Format::*;
    let original = open(BUNDLED);
    let before = perplexity(&mut engine(open(BUNDLED), cpu()));
    let mut previous = original.file_bytes() as usize;
    // Better or worse by so much at most: the story is short, and chance may help.
    let formats = [(Q6_K, 1.03), (Q5_1, 1.05), (Q5_K, 1.05), (Q5_0, 1.05), (Q4_1, 1.08), (Q4_K, 1.08), (Q4_0, 1.08)];
    for (format, most) in formats.into_iter().chain([(IQ4_NL, 1.08)]) {
        let file = quantized(&original, format);
        assert!(file.len() <= previous, "{format:?}: {} bytes after {previous}", file.len());
        previous = file.len();
        let model = checkpoint("quantized.gguf", file).expect("a model");
        for (key, value) in original.metadata().iter().filter(|(key, _)| *key != "general.file_type") {
            assert_eq!(model.metadata().get(key), Some(value), "{format:?}");
        }
        assert_ne!(model.metadata().get("general.file_type"), original.metadata().get("general.file_type"));
        assert_eq!(model.metadata().get("general.quantization_version"), Some(&Value::U32(2)));
        for (new, old) in model.tensors().zip(original.tensors()) {
            assert_eq!((&new.name, &new.shape), (&old.name, &old.shape));
            let from = old.dtype.format().expect("a known format");
            let tied = old.name == "token_embd.weight";
            let to = format.for_matrix(from, old.columns(), tied).filter(|_| old.shape.len() == 2);
            assert_eq!(new.dtype.format(), Some(to.unwrap_or(from)), "{format:?}: {}", new.name);
        }
        let after = perplexity(&mut engine(model, cpu()));
        println!("{}: perplexity {:.4} of the original's", format.name(), after / before);
        assert!((after / before - 1.0).abs() < most - 1.0, "{format:?}: {after}, was {before}");
    }
}

/// The executors agree on a model of mixed formats.
#[test]
fn quantised_models_write_the_same_on_both_devices() {
    let Some(gpu) = gpu() else { return };
    for format in [Format::Q4_K, Format::Q5_1] {
        let file = quantized(&open(BUNDLED), format);
        let texts = [cpu(), gpu].map(|device| {
            let mut engine = engine(checkpoint("quantized.gguf", file.clone()).expect("a model"), device);
            let prompt = engine.tokenize("Once upon a time").expect("ids");
            greedy(&mut engine, &prompt, 16)
        });
        assert_eq!(texts[0], texts[1], "{format:?}");
    }
}

/// An f32 model whose rows are too short for super-blocks: what fits is taken, and it still writes the same story.
#[test]
fn short_rows_fall_back() {
    let Some(path) = shared::shared("weights/stories260K/stories260K.gguf") else { return };
    let original = open(path.to_str().expect("a path"));
    let model = checkpoint("quantized.gguf", quantized(&original, Format::Q6_K)).expect("a model");
    for matrix in model.tensors().filter(|t| t.shape.len() == 2) {
        let fits = matrix.columns().is_multiple_of(32);
        assert_eq!(matrix.dtype.format(), Some(if fits { Format::Q8_0 } else { Format::F32 }), "{}", matrix.name);
    }
    let texts = [original, model].map(|model| {
        let mut engine = engine(model, cpu());
        let prompt = engine.tokenize("Once upon a time").expect("ids");
        greedy(&mut engine, &prompt, 24)
    });
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn refusals() {
    let refused = |model: &Checkpoint, to, again| Quantization::plan(model, to, again).err().expect("a refusal");
    let bundled = open(BUNDLED);
    for (error, words) in [
        (refused(&bundled, Format::Q4_K, false), "--allow-requantize"),
        (refused(&bundled, Format::Q8_0, true), "none of the model's matrices smaller"),
        (refused(&bundled, Format::Q2_K, true), "can be read but not written; choose one of f32, f16, bf16, q8_0"),
        (refused(&open("tests/golden/llama-gqa/model.safetensors.index.json"), Format::Q8_0, false), "safetensors"),
    ] {
        assert!(error.code() == "INVALID_REQUEST" && error.to_string().contains(words), "{error}");
    }
    let name = "blk.0.ffn_up.weight";
    let mut sick = Variant::of("llama-gqa/f32.gguf");
    sick.tensors.get_mut(name).expect("a matrix").2[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    let sick = sick.checkpoint().expect("a model");
    let error = Quantization::plan(&sick, Format::Q8_0, false).expect("a plan").write(Vec::new(), &|_| ());
    assert!(matches!(&error, Err(Error::Format { file, .. }) if file == name), "{error:?}");
}

/// Runs `cresset quantize`; gives the last line of stdout, or of stderr if it failed.
fn run(model: &Path, to: &str, output: &Path, more: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cresset"));
    command.arg("quantize").arg("--model").arg(model).args(["--to", to, "-o"]).arg(output).args(more);
    let out = command.output().expect("the binary runs");
    let last = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().to_string();
    if out.status.success() { Ok(last(&out.stdout)) } else { Err(last(&out.stderr)) }
}

#[test]
fn command() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let files = || {
        let entries = fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let model = at("model.gguf");
    let original = fs::read("tests/golden/llama-gqa/f32.gguf").expect("a golden file");
    fs::write(&model, &original).expect("a copy");

    let said = run(&model, "Q8_0", &at("small.gguf"), &[]).expect("success");
    assert!(said.contains("small.gguf: ") && said.contains(" in q8_0"), "{said}");
    let small = fs::read(at("small.gguf")).expect("the output");
    assert_eq!(small, quantized(&checkpoint("model.gguf", original.clone()).expect("a model"), Format::Q8_0));
    // An older output is replaced.
    run(&at("small.gguf"), "q4_0", &at("small.gguf"), &["--allow-requantize"]).expect_err("its own input");
    assert_eq!(fs::read(at("small.gguf")).expect("the output"), small);
    run(&model, "q4_0", &at("small.gguf"), &[]).expect("success");
    assert!(fs::read(at("small.gguf")).expect("the output").len() < small.len());

    for (model, to, output, words) in [
        (at("model.gguf"), "q8_0", at("model.gguf"), "error[INVALID_REQUEST]: --output: "),
        (
            at("../").join(folder.path().file_name().expect("a name")).join("model.gguf"),
            "q8_0",
            at("model.gguf"),
            "--output: ",
        ),
        (BUNDLED.into(), "q4_1", at("new.gguf"), "--allow-requantize"),
        (at("model.gguf"), "q7_0", at("new.gguf"), "error[INVALID_REQUEST]: --to: q7_0 is not one of f32, f16"),
        (at("model.gguf"), "q8_0", at("no/such/folder.gguf"), "error[STORAGE]: "),
        (at("none.gguf"), "q8_0", at("new.gguf"), "error[MODEL_NOT_FOUND]: "),
    ] {
        let said = run(&model, to, &output, &[]).expect_err("a refusal");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(files(), ["model.gguf", "small.gguf"]);
    assert_eq!(fs::read(&model).expect("the model"), original);
}
