//! What files leave out, and what they say in more than one way: each means what its origin means by it.

use crate::support::folder::Folder;
use crate::support::variant::Variant;
use crate::support::{close, cpu};
use cresset::device::KvFormat;
use cresset::engine::{Engine, LoadOptions, never_yield};
use cresset::models::{REGISTRY, eyes_of};
use cresset::quant::Format;
use cresset::weights::{Array, Checkpoint, Files, MemorySource, Source, Value};
use pollster::block_on;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

const IDS: [u32; 24] = [5, 17, 29, 41, 53, 65, 77, 1, 13, 25, 37, 49, 61, 73, 9, 21, 33, 45, 57, 69, 2, 14, 26, 38];

fn load(checkpoint: cresset::Result<Checkpoint>) -> cresset::Result<Engine> {
    let options = LoadOptions { device: cpu(), kv: KvFormat::F32, ..LoadOptions::default() };
    block_on(Engine::load(checkpoint?, &options, &mut |_| ()))
}

/// Logits of the last of [`IDS`].
#[track_caller]
fn logits(checkpoint: cresset::Result<Checkpoint>) -> Vec<f32> {
    let mut last = Vec::new();
    let mut engine = load(checkpoint).unwrap_or_else(|e| panic!("{e}"));
    block_on(engine.logits(&IDS, false, &mut |row| last = row.to_vec(), &never_yield)).expect("logits");
    last
}

fn differ(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3)
}

/// `tests/golden/config_defaults.json` is what the classes themselves say.
#[test]
fn numbers_left_out_of_config_json_are_those_of_transformers() {
    let of_classes = crate::support::json(Path::new("tests/golden/config_defaults.json"));
    // Not in a table, since the code that reads them has the same for every architecture, or by kind of layer.
    let in_code = |key: &str, value: f64| match key {
        "rope_theta" => value == 10_000.0 || value == 160_000.0,
        "norm_eps" => value == 1e-5,
        "intermediate_size" => value == 3072.0, // four times the default width
        _ => key.ends_with("multiplier") || ["partial_rotary_factor", "logits_scaling"].contains(&key) && value == 1.0,
    };
    // The halves that see are in no row.
    for (name, class) in
        [("smolvlm", "idefics3_vision"), ("gemma3", "siglip_vision_model"), ("llava", "clip_vision_model")]
    {
        let checkpoint = Folder::of(&format!("vision/{name}")).checkpoint().expect("a model");
        let eyes = eyes_of(&checkpoint).expect("a known half").expect("it sees");
        let said = eyes.family.defaults.iter().map(|(key, value)| (key.to_string(), Some(*value)));
        let want = of_classes[class].as_object().expect("it is in the fixture").iter();
        let want = want.map(|(key, value)| (key.clone(), value.as_f64()));
        assert_eq!(said.collect::<BTreeMap<_, _>>(), want.collect(), "{class}");
    }
    for row in REGISTRY {
        // The classes of models that read and see have those of their halves as parts.
        let whole = ["gemma3", "siglip", "idefics3", "smolvlm"];
        for class in row.family.hf.iter().filter(|name| !whole.contains(name)) {
            let want = of_classes[class].as_object().unwrap_or_else(|| panic!("{class} is not in the fixture"));
            for (key, value) in row.family.defaults {
                assert_eq!(want.get(*key).and_then(|value| value.as_f64()), Some(*value), "{class}: {key}");
            }
            for (key, value) in want.iter().map(|(key, value)| (key.as_str(), value.as_f64().expect("a number"))) {
                let known = row.family.defaults.iter().any(|(name, _)| *name == key) || in_code(key, value);
                assert!(known, "{class}: {key} is {value} where it is left out");
            }
        }
    }
}

#[test]
fn left_out_is_the_default_and_null_is_none() {
    let gemma = || Folder::of("gemma2");
    let (cap, key) =
        (|value| logits(gemma().set("final_logit_softcapping", value).checkpoint()), "final_logit_softcapping");
    let left_out = logits(gemma().without(key).checkpoint());
    assert_eq!(left_out, cap(json!(30.0)));
    assert!(differ(&left_out, &cap(json!(null))) && differ(&left_out, &cap(json!(10.0))));
    let neox = |key: &str| logits(Folder::of("gpt-neox").without(key).checkpoint());
    assert_eq!(neox("rotary_pct"), logits(Folder::of("gpt-neox").set("rotary_pct", json!(0.25)).checkpoint()));
}

/// What llama.cpp reads: no experts, numbers listed for each layer, ids that no token has.
#[test]
fn gguf_keys_in_other_words() {
    let file = || Variant::of("llama-gqa/f32.gguf");
    let want = logits(file().checkpoint());
    let number = |key: &str| match file().metadata[key] {
        Value::U32(n) => n,
        ref other => panic!("{key} is {other}"),
    };
    assert_eq!(logits(file().set("llama.expert_count", 0u32).checkpoint()), want);
    for key in ["llama.attention.head_count", "llama.attention.head_count_kv", "llama.feed_forward_length"] {
        let n = number(key);
        assert_eq!(logits(file().set(key, vec![n; 2]).checkpoint()), want, "{key}");
        let refused = |listed: Vec<u32>, code: &str, says: &str| {
            let error = load(file().set(key, listed).checkpoint()).err().expect("a refusal");
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        };
        refused(vec![n, 0], "MODEL_UNSUPPORTED", &format!("a layer whose {key} is 0"));
        refused(vec![n, 1 << 21], "MODEL_FORMAT", &format!("{key} must be integers from 1 to 1048576"));
        for count in [0, 1, 3] {
            let says = format!("{key} must have a value for each of 2 layers");
            refused(vec![n; count], "MODEL_FORMAT", &says);
        }
    }
    // Each layer is held to its own numbers, and messages name its tensor.
    let heads = file().set("llama.attention.head_count", vec![4u32, 2]);
    let error = load(heads.checkpoint()).err().expect("a refusal").to_string();
    assert!(error.contains("blk.1.attn_q.weight") && error.contains("[32, 64]"), "{error}");
    let groups =
        load(file().set("llama.attention.head_count_kv", vec![2u32, 3]).checkpoint()).err().expect("a refusal");
    assert!(groups.to_string().contains("must be a multiple of the number of key-value heads"), "{groups}");
    for key in ["bos", "eos", "unknown", "eot"].map(|name| format!("tokenizer.ggml.{name}_token_id")) {
        for past in [Value::U32(4_000_000), Value::U64(u64::MAX)] {
            assert_eq!(logits(file().set(&key, past).checkpoint()), want, "{key}");
        }
    }
}

/// llama.cpp's numbers for files from before there were keys for them.
#[test]
fn the_first_gguf_files_of_gemma_2() {
    let keys = ["attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window"]
        .map(|k| format!("gemma2.{k}"));
    let file = || Variant::of("gemma2/f32.gguf");
    let first = keys.iter().fold(file(), |file, key| file.without(key));
    let said = file().set(&keys[0], 50.0).set(&keys[1], 30.0).set(&keys[2], 4096u32);
    assert_eq!(logits(first.checkpoint()), logits(said.checkpoint()));
    for key in &keys[..2] {
        assert!(differ(&logits(said.clone().set(key, 8.0).checkpoint()), &logits(first.checkpoint())), "{key}");
    }
}

#[test]
fn experts_weights_are_normalised_by_default_in_gguf_alone() {
    let folder = |value: bool| logits(Folder::of("qwen3-moe").set("norm_topk_prob", json!(value)).checkpoint());
    assert_eq!(logits(Folder::of("qwen3-moe").without("norm_topk_prob").checkpoint()), folder(false));
    assert!(differ(&folder(true), &folder(false)));
    close(&logits(Variant::of("qwen3-moe/f32.gguf").checkpoint()), &folder(true), 1e-3, "GGUF");
}

#[test]
fn a_pattern_of_windows_is_a_number_or_a_list() {
    let key = "gemma3.attention.sliding_window_pattern";
    let with = |value: Value| logits(Variant::of("gemma3/f32.gguf").set(key, value).checkpoint());
    let list = |period: usize| Array::Bool((1..=7).map(|i| i % period != 0).collect());
    let usual = logits(Variant::of("gemma3/f32.gguf").checkpoint());
    assert_eq!(with(Value::Array(list(6))), usual);
    assert_eq!(with(Value::Array(list(2))), with(2u32.into()));
    assert_eq!(with(Value::Array(Array::I32((1..=7).map(|i| i32::from(i % 2 != 0)).collect()))), with(2u32.into()));
    assert!(differ(&with(2u32.into()), &usual));
    let short = Variant::of("gemma3/f32.gguf").set(key, Value::Array(Array::Bool(vec![true; 6])));
    let error = load(short.checkpoint()).err().expect("an error");
    assert!(error.code() == "MODEL_FORMAT" && error.to_string().contains("a value for each of 7 layers"), "{error}");
    // ModernBERT counts from the other end; by its own list, or by a number.
    let key = "modern-bert.attention.sliding_window_pattern";
    let vector = |file: Variant| {
        let mut engine = load(file.checkpoint()).expect("an encoder");
        block_on(engine.embed(&json!({ "input": [IDS] }), &never_yield)).expect("a vector")["data"].clone()
    };
    let file = || Variant::of("encoders/modern-bert/f32.gguf");
    let layers = match file().metadata.get("modern-bert.block_count") {
        Some(Value::U32(layers)) => *layers as usize,
        other => panic!("{other:?}"),
    };
    let list = |period: usize| Value::Array(Array::Bool((0..layers).map(|i| i % period != 0).collect()));
    for period in [2, 3] {
        assert_eq!(vector(file().set(key, list(period))), vector(file().set(key, period as u32)), "{period}");
    }
    assert_ne!(vector(file().set(key, 2u32)), vector(file().set(key, 3u32)));
}

/// A window in a file whose architecture has none: it counts where the context is longer.
#[test]
fn a_window_that_no_layer_has() {
    // Mistral is a llama in GGUF.
    let key = "llama.attention.sliding_window";
    let mistral = |window: u32| logits(Variant::of("mistral/f32.gguf").set(key, window).checkpoint());
    close(&mistral(8), &logits(Folder::of("mistral").checkpoint()), 1e-4, "a llama with a window");
    assert!(differ(&mistral(8), &mistral(0)));
    for (path, key) in [("granite", "granite"), ("qwen3-moe", "qwen3moe"), ("gpt-neox", "gptneox")] {
        let key = format!("{key}.attention.sliding_window");
        let file = |window: u32| Variant::of(&format!("{path}/f32.gguf")).set(&key, window).checkpoint();
        let error = load(file(8)).err().expect("an error");
        assert_eq!(error.code(), "MODEL_UNSUPPORTED");
        for piece in ["a sliding window in a ", "with a context of 8 or less"] {
            assert!(error.to_string().contains(piece), "{error}");
        }
        let plain = logits(Variant::of(&format!("{path}/f32.gguf")).checkpoint());
        assert_eq!(logits(file(128)), plain);
        assert_eq!(logits(file(0)), plain);
    }
}

#[test]
fn an_output_that_is_not_tied_must_be_there() {
    let bare = || Folder::of("llama-gqa").without_tensor("lm_head.weight");
    let missing = |folder: Folder, tensor: &str| {
        let error = load(folder.checkpoint()).err().expect("an error");
        assert_eq!((error.code(), error.details()["tensor"].as_str()), ("MODEL_FORMAT", Some(tensor)), "{error}");
    };
    missing(bare(), "lm_head.weight"); // tie_word_embeddings is false there
    logits(bare().set("tie_word_embeddings", json!(true)).checkpoint());
    logits(bare().without("tie_word_embeddings").checkpoint());
    missing(Folder::of("gpt-neox").without_tensor("embed_out.weight"), "embed_out.weight");
    // The part about the language model comes first, then the whole.
    let whole = Folder::of("gemma3-whole").set("tie_word_embeddings", json!(false));
    missing(whole, "lm_head.weight");
}

/// A model in several files whose index and configuration disagree.
#[test]
fn an_index_without_the_output() {
    let read = |name: &str| std::fs::read(format!("tests/golden/llama-gqa/{name}")).expect("a golden file");
    let open = |change: &dyn Fn(&mut serde_json::Value)| {
        let name = "model.safetensors.index.json";
        let mut index: serde_json::Value = serde_json::from_slice(&read(name)).expect("JSON");
        change(&mut index["weight_map"]);
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"];
        let mut files: Vec<Box<dyn Source>> = vec![Box::new(MemorySource::new(name, index.to_string()))];
        let shards = shards.map(|name| Box::new(MemorySource::new(name, read(name))) as Box<dyn Source>);
        files.extend(shards);
        load(block_on(Checkpoint::open(Files::new(files))))
    };
    open(&|_| ()).expect("a model");
    let error = open(&|map| map["lm_head.bias"] = json!("model-00002-of-00002.safetensors")).err().expect("an error");
    assert!(error.code() == "MODEL_FORMAT" && error.to_string().contains("lm_head.bias"), "{error}");
    let error = open(&|map| map["lm_head.weight"] = json!("model-00001-of-00002.safetensors")).err();
    let error = error.expect("the output is in the other file");
    assert!(error.code() == "MODEL_FORMAT" && error.to_string().contains("lm_head.weight"), "{error}");
    // Neither the index nor a shard has it, though the configuration says that it is no copy of the embeddings.
    let whole = Folder::of("llama-gqa").without_tensor("lm_head.weight");
    let map: serde_json::Map<_, _> =
        whole.tensors.keys().map(|name| (name.clone(), json!("model-00001-of-00001.safetensors"))).collect();
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    let files: Vec<Box<dyn Source>> = vec![
        Box::new(MemorySource::new("model.safetensors.index.json", index)),
        Box::new(MemorySource::new("model-00001-of-00001.safetensors", whole.safetensors())),
        Box::new(MemorySource::new("config.json", whole.config.to_string())),
    ];
    let error = load(block_on(Checkpoint::open(Files::new(files)))).err().expect("an error");
    assert_eq!(error.details()["tensor"], "lm_head.weight", "{error}");
}

#[test]
fn biases_that_are_announced_must_be_there() {
    let missing = |folder: Folder, key: &str, tensor: &str| {
        let error = load(folder.set(key, json!(true)).checkpoint()).err().expect("an error");
        assert_eq!((error.code(), error.details()["tensor"].as_str()), ("MODEL_FORMAT", Some(tensor)), "{error}");
    };
    missing(Folder::of("llama-gqa"), "attention_bias", "model.layers.0.self_attn.q_proj.bias");
    missing(Folder::of("llama-gqa"), "mlp_bias", "model.layers.0.mlp.gate_proj.bias");
    missing(Folder::of("stablelm-parallel"), "use_qkv_bias", "model.layers.0.self_attn.q_proj.bias");
    let without_o = Folder::of("gpt-neox").without_tensor("gpt_neox.layers.1.attention.dense.bias");
    missing(without_o.clone(), "attention_bias", "gpt_neox.layers.1.attention.dense.bias");
    logits(without_o.set("attention_bias", json!(false)).checkpoint());
}

/// The way to the logits stays finer than the other matrices, whatever it is called.
#[test]
fn the_output_is_known_by_every_name() {
    let kept = |folder: Folder, name: &str| {
        let checkpoint = folder.checkpoint().expect("a model");
        let tensor = checkpoint.tensor(name).unwrap_or_else(|| panic!("no {name}"));
        checkpoint.format_when_quantized(tensor, 256, Format::Q4_K)
    };
    let neox = || Folder::of("gpt-neox");
    assert_eq!(kept(neox(), "embed_out.weight"), Some(Format::Q6_K));
    assert_eq!(kept(neox(), "gpt_neox.embed_in.weight"), Some(Format::Q4_K));
    assert_eq!(kept(neox().without_tensor("embed_out.weight"), "gpt_neox.embed_in.weight"), Some(Format::Q6_K));
    let mut prefixed = Folder::of("llama-gqa");
    let output = prefixed.tensors.remove("lm_head.weight").expect("an output");
    prefixed.tensors.insert("language_model.lm_head.weight".into(), output);
    assert_eq!(kept(prefixed.clone(), "language_model.lm_head.weight"), Some(Format::Q6_K));
    assert_eq!(kept(prefixed, "model.embed_tokens.weight"), Some(Format::Q4_K));
}

#[test]
fn activations_and_settings_that_are_not_computed() {
    let refused = |folder: Folder, what: &str| {
        let error = load(folder.checkpoint()).err().expect("an error");
        assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(what), "{error}");
    };
    for name in ["gemma", "gemma2", "gemma3"] {
        refused(Folder::of(name).set("hidden_activation", json!("relu")), "the activation relu");
    }
    logits(Folder::of("gemma").without("hidden_activation").set("hidden_act", json!("gelu")).checkpoint());
    let nomic = || Folder::of("encoders/nomic-bert");
    load(nomic().checkpoint()).expect("an encoder");
    for key in ["mlp_fc1_bias", "mlp_fc2_bias", "parallel_block"] {
        refused(nomic().set(key, json!(true)), key);
    }
    refused(nomic().set("rotary_scaling_factor", json!(2.0)), "rotary_scaling_factor");
    load(nomic().set("rotary_scaling_factor", json!(null)).checkpoint()).expect("an encoder");
}
