//! Quantising models, into files and while loading: the bundled model in every format that can be written,
//! and what is refused.

use crate::support::folder::Folder;
use crate::support::variant::{Variant, checkpoint};
use crate::support::{cpu, gpu, greedy};
use cresset::Error;
use cresset::engine::{Conversion, DeviceChoice, Engine, LoadOptions, never_yield, probe};
use cresset::quant::Format;
use cresset::weights::{self, Checkpoint, Quantization, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::cell::Cell;

const BUNDLED: &str = "www/models/cresset-stories-4m-q8_0.gguf";

const STORY: &str = "Once upon a time there was a little girl named Lily. She loved to play outside in the park. One day \
    she found a big red ball under a tree. She was very happy and wanted to show it to her mom. Her mom said, \"What a \
    nice ball! You can play with it, but be careful.\" Lily ran to the park and played with her friends all day.";

fn open(path: &str) -> Checkpoint {
    block_on(Checkpoint::open(open_path(path).expect("a model"))).expect("a model")
}

fn loaded(model: Checkpoint, device: DeviceChoice, quantize: Option<Format>) -> Engine {
    let options = LoadOptions { device, quantize, ..LoadOptions::default() };
    block_on(Engine::load(model, &options, &mut |_| ())).expect("an engine")
}

fn engine(model: Checkpoint, device: DeviceChoice) -> Engine {
    loaded(model, device, None)
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
    block_on(engine.perplexity(STORY, 128, &mut |_, _| (), &never_yield)).expect("a score").perplexity
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
        assert_eq!(model.metadata().get("general.quantization_version"), Some(&weights::Value::U32(2)));
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
    let Some(path) = crate::support::shared::shared("weights/stories260K/stories260K.gguf") else { return };
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

/// The bundled model with its matrices in f32.
fn unquantized() -> Variant {
    as_f32(&open(BUNDLED))
}

/// A GGUF model with its matrices in f32.
fn as_f32(model: &Checkpoint) -> Variant {
    let metadata = model.metadata().iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let tensors = model.tensors().map(|t| {
        let mut values = vec![0f32; t.elements()];
        let bytes = block_on(model.read_all(t)).expect("bytes");
        t.dtype.format().expect("a known format").dequantize(&bytes, &mut values);
        (t.name.clone(), (t.shape.clone(), Format::F32, Format::F32.quantize(&values)))
    });
    Variant { metadata, tensors: tensors.collect() }
}

fn logits(engine: &mut Engine, ids: &[u32]) -> Vec<f32> {
    let mut rows = Vec::new();
    block_on(engine.logits(ids, true, &mut |row| rows.extend_from_slice(row), &never_yield)).expect("logits");
    rows
}

/// Quantising while loading is quantising the file first: the same logits to the last bit, and the same memory.
#[test]
fn loading_quantises_as_the_command_does() {
    let model = unquantized();
    for device in [Some(cpu()), gpu()].into_iter().flatten() {
        for format in [Format::Q8_0, Format::Q4_0, Format::Q4_K] {
            let mut first =
                engine(checkpoint("a.gguf", quantized(&model.checkpoint().unwrap(), format)).unwrap(), device);
            let mut at_once = loaded(model.checkpoint().unwrap(), device, Some(format));
            let ids: Vec<u32> = (0..9).map(|i| i * 331 + 7).collect();
            assert_eq!(logits(&mut at_once, &ids), logits(&mut first, &ids), "{format:?}");
            let (at_once, first) = (at_once.info(), first.info());
            assert_eq!(at_once["memory"]["weights"], first["memory"]["weights"]);
            assert_eq!(at_once["model"]["quantization"], format.name());
        }
    }
}

/// safetensors: GPT-2's matrices lie transposed in the file, Llama's do not; what comes out is what a GGUF file of the
/// same weights gives. Positions stay.
#[test]
fn loading_quantises_safetensors() {
    for (folder, file, gguf) in
        [("gpt2-small", "model.safetensors", "f16.gguf"), ("llama-gqa", "model.safetensors.index.json", "f32.gguf")]
    {
        let path = |name: &str| format!("tests/golden/{folder}/{name}");
        let ids = [3, 9, 27, 81, 50, 2];
        for format in [Format::Q8_0, Format::Q4_K] {
            let mut want = loaded(open(&path(gguf)), cpu(), Some(format));
            let mut got = loaded(open(&path(file)), cpu(), Some(format));
            // Tables of rotary positions and f16 rounding differ between the two files.
            crate::support::close(
                &logits(&mut got, &ids),
                &logits(&mut want, &ids),
                2e-3,
                &format!("{folder} {format:?}"),
            );
            let plain = loaded(open(&path(file)), cpu(), None).info();
            assert!(got.info()["memory"]["weights"].as_u64() < plain["memory"]["weights"].as_u64());
        }
    }
}

/// A folder whose rows are whole super-blocks of 256: `stem` with a configuration and seeded weights of its own.
fn wide(stem: &str, config: Value, shapes: &[(&str, &[usize])]) -> Folder {
    let mut state = 11u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut folder = Folder::of(stem);
    folder.config.as_object_mut().expect("an object").extend(config.as_object().expect("an object").clone());
    folder.tensors.clear();
    for (name, shape) in shapes {
        // Products of rows this long are near 1.
        let scale = if shape.len() == 2 { 0.12 } else { 0.3 };
        let centre = if shape.len() == 1 && name.ends_with(".weight") { 1.0 } else { 0.0 };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| centre + scale * random()).collect();
        folder.tensors.insert((*name).into(), (shape.to_vec(), "F32".into(), Format::F32.quantize(&values)));
    }
    folder
}

fn wide_llama() -> Folder {
    let config = json!({
        "hidden_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 512, "num_hidden_layers": 1, "tie_word_embeddings": false,
    });
    let layer = "model.layers.0.";
    let name = |part: &str| format!("{layer}{part}.weight");
    let parts: [(&str, &[usize]); 9] = [
        ("input_layernorm", &[256]),
        ("post_attention_layernorm", &[256]),
        ("self_attn.q_proj", &[64, 256]),
        ("self_attn.k_proj", &[32, 256]),
        ("self_attn.v_proj", &[32, 256]),
        ("self_attn.o_proj", &[256, 64]), // too short for super-blocks
        ("mlp.gate_proj", &[512, 256]),
        ("mlp.up_proj", &[512, 256]),
        ("mlp.down_proj", &[256, 512]),
    ];
    let names: Vec<String> = parts.iter().map(|(part, _)| name(part)).collect();
    let mut shapes: Vec<(&str, &[usize])> =
        names.iter().map(String::as_str).zip(parts.map(|(_, shape)| shape)).collect();
    shapes.extend([("model.embed_tokens.weight", &[96, 256][..]), ("lm_head.weight", &[96, 256])]);
    shapes.push(("model.norm.weight", &[256]));
    wide("llama-gqa", config, &shapes)
}

/// Its matrices but for the tables lie turned in the file, [in, out].
fn wide_gpt2() -> Folder {
    let config = json!({ "n_embd": 256, "n_head": 4, "n_layer": 1, "n_inner": 512 });
    let parts: [(&str, &[usize]); 16] = [
        ("wte.weight", &[90, 256]),
        ("wpe.weight", &[64, 256]),
        ("ln_f.weight", &[256]),
        ("ln_f.bias", &[256]),
        ("h.0.ln_1.weight", &[256]),
        ("h.0.ln_1.bias", &[256]),
        ("h.0.ln_2.weight", &[256]),
        ("h.0.ln_2.bias", &[256]),
        ("h.0.attn.c_attn.weight", &[256, 768]),
        ("h.0.attn.c_attn.bias", &[768]),
        ("h.0.attn.c_proj.weight", &[256, 256]),
        ("h.0.attn.c_proj.bias", &[256]),
        ("h.0.mlp.c_fc.weight", &[256, 512]),
        ("h.0.mlp.c_fc.bias", &[512]),
        ("h.0.mlp.c_proj.weight", &[512, 256]),
        ("h.0.mlp.c_proj.bias", &[256]),
    ];
    wide("gpt2-small", config, &parts)
}

/// q4_k in earnest: what loading makes of a folder is what `cresset quantize` makes of it, and computes what the
/// weights of that file's blocks give as f32 numbers.
#[test]
fn loading_makes_super_blocks_of_safetensors() {
    let ids = [3, 9, 27, 81, 50, 2];
    // Of other formats: the llama's attn.o, 64 wide, and GPT-2's positions. The way to logits is Q6_K in both.
    for (folder, q4_k, q6_k, others) in [(wide_llama(), 7, 1, 1), (wide_gpt2(), 4, 1, 1)] {
        let model = || folder.checkpoint().expect("a model");
        let mut bytes = Vec::new();
        let source = model();
        let plan = Conversion::plan(&source, Format::Q4_K).expect("a plan");
        plan.write("wide", &mut bytes, &|_| ()).expect("a file");
        let file = || checkpoint("wide.gguf", bytes.clone()).expect("a model");
        let read = file();
        let matrices = || read.tensors().filter(|t| t.shape.len() == 2).map(|t| t.dtype.format().expect("known"));
        let count = |format| matrices().filter(|f| *f == format).count();
        assert_eq!((count(Format::Q4_K), count(Format::Q6_K), matrices().count()), (q4_k, q6_k, q4_k + q6_k + others));

        let reference = as_f32(&read).checkpoint().expect("a model");
        let want = logits(&mut engine(reference, cpu()), &ids);
        let spread = want.iter().fold(0f32, |most, x| most.max(x.abs()));
        assert!((1.0..30.0).contains(&spread), "{spread}");
        for device in [Some(cpu()), gpu()].into_iter().flatten() {
            let mut at_once = loaded(model(), device, Some(Format::Q4_K));
            assert_eq!(at_once.info()["model"]["quantization"], "q4_k");
            let got = logits(&mut at_once, &ids);
            let what = format!("{device:?}");
            // Rotary pairs lie otherwise in the other kind of file, and f16 keys are rounded.
            crate::support::close(&got, &logits(&mut engine(file(), device), &ids), 2e-3, &what);
            crate::support::close(&got, &want, 1e-2, &what);
        }
        // Tighter than the bits that were lost, which show.
        let whole = logits(&mut engine(model(), cpu()), &ids);
        let gap = whole.iter().zip(&want).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(gap > 5e-2, "{gap}");
    }
}

/// What is quantised already is left alone, and the estimate beforehand says what will be.
#[test]
fn loading_leaves_quantised_models_alone() {
    let ids = [1, 2, 3];
    let (mut with, mut without) = (loaded(open(BUNDLED), cpu(), Some(Format::Q4_0)), engine(open(BUNDLED), cpu()));
    assert_eq!(logits(&mut with, &ids), logits(&mut without, &ids));
    assert_eq!(with.info()["model"]["quantization"], "q8_0");
    let model = unquantized().checkpoint().unwrap();
    let said = |quantize: Option<&str>| {
        let options = LoadOptions::parse(&json!({ "device": "cpu", "quantize": quantize })).expect("options");
        block_on(probe(&model, &options)).expect("an answer")
    };
    let (plain, small) = (said(None), said(Some("q4_k")));
    assert_eq!((&plain["quantization"], &small["quantization"]), (&json!("f32"), &json!("q4_k")));
    assert!(small["deviceBytes"].as_u64() < plain["deviceBytes"].as_u64());
    for (wrong, words) in [(json!("q3_k"), "must be one of f32, f16"), (json!("int4"), "not int4"), (json!(4), "text")]
    {
        let error = LoadOptions::parse(&json!({ "quantize": wrong })).expect_err("a refusal");
        assert!(error.to_string().contains(words), "{error}");
    }
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
