//! Files that are well formed but no model that can run: each ends in its code and a sentence that names the thing,
//! without a panic, and without memory or time that the file does not have to back it.

use crate::fuzz::cases;
use crate::support::folder::Folder;
use crate::support::variant::{Variant, checkpoint};
use cresset::Error;
use cresset::engine::{DeviceChoice, Engine, LoadOptions, never_yield, probe};
use cresset::quant::Format;
use cresset::weights::{Array, Checkpoint, Files, LocalBoxFuture, MemorySource, Source, Value};
use pollster::block_on;
use serde_json::json;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::slice::from_ref;
use std::time::{Duration, Instant};

fn llama() -> Variant {
    Variant::of("llama-gqa/f32.gguf")
}

fn gpt2() -> Variant {
    Variant::of("gpt2-small/f32.gguf")
}

fn options() -> LoadOptions {
    LoadOptions { device: DeviceChoice::Cpu, ..LoadOptions::default() }
}

fn load(checkpoint: cresset::Result<Checkpoint>) -> Result<Engine, Error> {
    block_on(Engine::load(checkpoint?, &options(), &mut |_| ()))
}

/// Loading fails with `code` and a sentence that holds every one of `pieces`; if the headers can be read, `probe` and
/// so `inspect` give the same sentence as the reason.
#[track_caller]
fn refused(bytes: Vec<u8>, code: &str, pieces: &[&str]) {
    let started = Instant::now();
    let error = load(checkpoint("bad.gguf", bytes.clone())).err().expect("an error");
    let sentence = error.to_string();
    assert_eq!(error.code(), code, "{sentence}");
    for piece in pieces {
        assert!(sentence.contains(piece), "{sentence:?} does not say {piece:?}");
    }
    if let Ok(checkpoint) = checkpoint("bad.gguf", bytes) {
        let about = block_on(probe(&checkpoint, &options())).expect("an answer");
        assert_eq!((about["fits"].as_bool(), about["reason"].as_str()), (Some(false), Some(&sentence[..])));
        assert_eq!(about["errors"][0], error.to_json());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

#[track_caller]
fn malformed(variant: Variant, pieces: &[&str]) {
    refused(variant.bytes(), "MODEL_FORMAT", pieces);
}

#[track_caller]
fn unsupported(variant: Variant, pieces: &[&str]) {
    refused(variant.bytes(), "MODEL_UNSUPPORTED", pieces);
}

#[test]
fn the_unchanged_copies_load() {
    for variant in [llama(), gpt2(), Variant::of("llama-tied/f32.gguf"), Variant::of("llama-rope3/q8_0.gguf")] {
        load(variant.checkpoint()).expect("a model");
        let about = block_on(probe(&variant.checkpoint().expect("a file"), &options())).expect("an answer");
        assert_eq!(about["fits"], true, "{about}");
    }
}

#[test]
fn architectures() {
    unsupported(llama().set("general.architecture", "mamba"), &["the architecture mamba", "llama, ", "gpt2"]);
    malformed(llama().set("general.architecture", 7u32), &["general.architecture", "must be a string"]);
    malformed(llama().without("general.architecture"), &["general.architecture"]);
    malformed(llama().set("general.architecture", ""), &["general.architecture"]);
    // The right tensors under another model's keys.
    malformed(llama().set("general.architecture", "gpt2"), &["gpt2.embedding_length"]);
    unsupported(llama().set("llama.expert_count", 8u32), &["a mixture of experts"]);
}

#[test]
fn tensors_that_are_not_there_or_not_so() {
    for name in ["token_embd.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight", "output_norm.weight"] {
        malformed(llama().without_tensor(name), &["no tensor named", name, "llama"]);
    }
    for name in ["position_embd.weight", "blk.1.attn_qkv.bias", "output_norm.bias"] {
        malformed(gpt2().without_tensor(name), &["no tensor named", name, "gpt2"]);
    }
    malformed(
        llama().zeros("blk.0.attn_k.weight", &[64, 64], Format::F32),
        &["blk.0.attn_k.weight", "expected shape [32, 64]", "[64, 64]"],
    );
    malformed(llama().zeros("blk.1.attn_norm.weight", &[63], Format::F32), &["blk.1.attn_norm.weight", "[63]"]);
    malformed(llama().zeros("token_embd.weight", &[96 * 64], Format::F32), &["token_embd.weight"]);
    malformed(llama().zeros("output.weight", &[95, 64], Format::F32), &["output.weight", "[96, 64]", "[95, 64]"]);
    malformed(llama().set("llama.block_count", 3u32), &["no tensor named blk.2."]);
    malformed(llama().set("llama.block_count", 1u32 << 20), &["no tensor named blk.2."]);
}

/// One tensor of many that make a layer, and of a model that embeds.
#[test]
fn experts_and_encoders_that_are_not_whole() {
    let refused = |folder: Folder, want: &[&str]| {
        let error = load(folder.checkpoint()).err().expect("an error");
        assert_eq!(error.code(), "MODEL_FORMAT", "{error}");
        for piece in want {
            assert!(error.to_string().contains(piece), "{error}");
        }
    };
    let moe = || Folder::of("qwen3-moe");
    let expert = "model.layers.1.mlp.experts.4.up_proj.weight";
    refused(moe().without_tensor(expert), &["no tensor named", expert, "qwen3moe"]);
    let with = |shape: [usize; 2], dtype: &str, bytes: usize| {
        let mut folder = moe();
        folder.tensors.insert(expert.into(), (shape.to_vec(), dtype.into(), vec![0; bytes]));
        folder
    };
    refused(with([31, 32], "BF16", 2 * 31 * 32), &[expert, "expected shape [32, 32]", "[31, 32]"]);
    refused(with([32, 32], "F32", 4 * 32 * 32), &[expert, "another type than the first"]);
    refused(moe().without_tensor("model.layers.0.mlp.gate.weight"), &["model.layers.0.mlp.gate.weight"]);
    let experts = "blk.1.ffn_down_exps.weight";
    malformed(Variant::of("olmoe/f32.gguf").without_tensor(experts), &[experts, "olmoe"]);
    malformed(Variant::of("olmoe/f32.gguf").zeros(experts, &[7, 32, 32], Format::F32), &[experts, "[8, 32, 32]"]);
    let encoders = [
        ("bert-mean", "encoder.layer.0.output.dense.bias", "blk.0.attn_q.bias"),
        ("nomic-bert", "encoder.layers.0.norm2.weight", "blk.0.attn_qkv.weight"),
        ("modern-bert", "final_norm.weight", "blk.0.ffn_up.weight"),
    ];
    for (name, of_folder, of_gguf) in encoders {
        let path = format!("encoders/{name}");
        refused(Folder::of(&path).without_tensor(of_folder), &["no tensor named", of_folder]);
        malformed(Variant::of(&format!("{path}/f32.gguf")).without_tensor(of_gguf), &["no tensor named", of_gguf]);
    }
}

/// The embedding table, which tells the vocabulary before any other tensor is looked for, under its file's own name.
#[test]
fn a_model_without_its_embedding_table() {
    for (name, table) in [
        ("llama-tied", "model.embed_tokens.weight"),
        ("qwen2", "model.embed_tokens.weight"),
        ("gemma2", "model.embed_tokens.weight"),
        ("qwen3-moe", "model.embed_tokens.weight"),
        ("gpt2-small", "transformer.wte.weight"),
        ("gpt-neo", "transformer.wte.weight"),
        ("gpt-neox", "gpt_neox.embed_in.weight"),
        ("encoders/bert-mean", "embeddings.word_embeddings.weight"),
        ("encoders/nomic-bert", "embeddings.word_embeddings.weight"),
        ("encoders/modern-bert", "embeddings.tok_embeddings.weight"),
    ] {
        let named = |checkpoint: cresset::Result<Checkpoint>, table: &str| {
            let error = load(checkpoint).err().expect("an error");
            let sentence = format!("the file has no tensor named {table}, which the ");
            assert!(error.code() == "MODEL_FORMAT" && error.to_string().starts_with(&sentence), "{name}: {error}");
        };
        named(Folder::of(name).without_tensor(table).checkpoint(), table);
        let gguf = format!("{name}/f32.gguf");
        if Path::new("tests/golden").join(&gguf).exists() {
            named(Variant::of(&gguf).without_tensor("token_embd.weight").checkpoint(), "token_embd.weight");
        } else {
            assert_eq!(name, "gpt-neo", "the only architecture here that GGUF does not have");
        }
    }
}

/// A type number that this build does not read, in the place of one that it does.
#[test]
fn tensor_types() {
    let f32_bytes = llama().bytes();
    let name = b"blk.0.ffn_up.weight";
    let at = f32_bytes.windows(name.len()).position(|w| w == name).expect("the tensor's entry") + name.len();
    let kind_at = at + 4 + 2 * 8; // the number of dimensions, then two of them
    let typed = |kind: u32| {
        let mut bytes = f32_bytes.clone();
        bytes[kind_at..kind_at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes
    };
    // i32 has the size of f32, so the file stays whole.
    refused(typed(26), "MODEL_UNSUPPORTED", &["the tensor type i32", "blk.0.ffn_up.weight", "f32"]);
    let error = load(checkpoint("bad.gguf", typed(250))).err().expect("an error");
    assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains("250"), "{error}");
}

#[test]
fn hyperparameters() {
    let counts = ["embedding_length", "block_count", "feed_forward_length", "context_length", "attention.head_count"];
    for key in counts.map(|key| format!("llama.{key}")) {
        malformed(llama().set(&key, 0u32), &[&key, "must be an integer from 1"]);
        malformed(llama().set(&key, u32::MAX), &[&key, "must be an integer from 1"]);
        malformed(llama().set(&key, u64::MAX), &[&key]);
        malformed(llama().set(&key, -1), &[&key, "out of range"]);
        malformed(llama().set(&key, 1.5f32), &[&key, "must be an integer"]);
        malformed(llama().set(&key, "many"), &[&key, "must be an integer"]);
        malformed(llama().without(&key), &[&key]);
    }
    // A large width that the small file does not have.
    malformed(llama().set("llama.embedding_length", 1u32 << 20), &["[96, 64]"]);
    malformed(llama().set("llama.feed_forward_length", 1u32 << 20), &["ffn_gate", "1048576"]);
    let plain = || llama().without("llama.attention.key_length");
    malformed(plain().set("llama.attention.head_count", 6u32), &["multiple of the number of heads"]);
    malformed(plain().set("llama.attention.head_count", 1u32 << 20), &["heads"]);
    malformed(llama().set("llama.attention.head_count", 1u32 << 20), &["heads"]);
    malformed(llama().set("llama.attention.head_count_kv", 3u32), &["key-value heads"]);
    malformed(llama().set("llama.attention.head_count_kv", 0u32), &["head_count_kv", "from 1"]);
    unsupported(
        plain().set("llama.attention.head_count", 32u32).set("llama.attention.head_count_kv", 2u32),
        &["a head size of 2"],
    );
    unsupported(llama().set("llama.attention.key_length", 1024u32), &["a head size of 1024"]);
    malformed(gpt2().set("gpt2.attention.head_count", 5u32), &["multiple of the number of heads"]);
    for epsilon in [0.0, -1e-5, f32::NAN, f32::INFINITY] {
        let key = "llama.attention.layer_norm_rms_epsilon";
        malformed(llama().set(key, epsilon), &[key, "greater than zero"]);
    }
}

#[test]
fn rotary_positions() {
    for base in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -10_000.0] {
        malformed(llama().set("llama.rope.freq_base", base), &["llama.rope.freq_base", "greater than zero"]);
    }
    for dims in [1u32, 7, 15, 18, 1 << 20] {
        malformed(llama().set("llama.rope.dimension_count", dims), &["rope.dimension_count", "even"]);
    }
    unsupported(llama().set("llama.rope.scaling.type", "spiral"), &["the RoPE scaling spiral"]);
    malformed(llama().set("llama.rope.scaling.type", "yarn"), &["rope.scaling.factor", "missing"]);
    malformed(
        llama().set("llama.rope.scaling.type", "linear").set("llama.rope.scaling.factor", 0f32),
        &["llama.rope.scaling.factor", "greater than zero"],
    );
    let divisors = |value: f32| {
        let mut variant = Variant::of("llama-rope3/f32.gguf");
        let (_, _, bytes) = variant.tensors.get_mut("rope_freqs.weight").expect("divisors");
        bytes[..4].copy_from_slice(&value.to_le_bytes());
        variant
    };
    for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        malformed(divisors(value), &["rope_freqs.weight", "greater than zero"]);
    }
}

/// A context of a million is the model's to claim; what is taken unasked is 4096.
#[test]
fn an_absurd_context_is_not_allocated() {
    let variant = llama().set("llama.context_length", 1u32 << 20);
    let engine = load(variant.checkpoint()).expect("a model");
    assert_eq!((engine.model().context_length, engine.model().trained_context_length), (4096, 1 << 20));
    let total = engine.info()["memory"]["total"].as_u64().expect("bytes");
    assert!(total < 16 << 20, "{total} bytes for a model of 300 kB");
    let more = LoadOptions { context: Some((1 << 20) + 1), ..options() };
    let error = block_on(Engine::load(variant.checkpoint().expect("a file"), &more, &mut |_| ())).err();
    assert_eq!(error.expect("an error").code(), "INVALID_REQUEST");
}

#[test]
fn a_vocabulary_that_does_not_match_the_table() {
    let mut variant = llama();
    let Some(Value::Array(Array::String(tokens))) = variant.metadata.get_mut("tokenizer.ggml.tokens") else {
        panic!("the golden file has tokens")
    };
    tokens.push("extra".into());
    if let Some(Value::Array(Array::I32(kinds))) = variant.metadata.get_mut("tokenizer.ggml.token_type") {
        kinds.push(1);
    }
    malformed(variant, &["the tokenizer has 97 tokens", "token_embd.weight only 96 rows"]);
    // A table that is only padded is common, and fine.
    let padded = Variant::of("llama-tied/f32.gguf").zeros("token_embd.weight", &[80, 48], Format::F32);
    let mut engine = load(padded.checkpoint()).expect("a model");
    let request = json!({ "prompt": [79], "max_tokens": 3, "logit_bias": { "79": 100 } });
    let answer = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
    assert_eq!((&answer["choices"][0]["text"], &answer["usage"]["completion_tokens"]), (&json!(""), &json!(3)));
}

#[test]
fn tokenizers() {
    unsupported(llama().set("tokenizer.ggml.model", "rwkv"), &["the tokenizer model `rwkv`"]);
    unsupported(llama().set("tokenizer.ggml.pre", "unheard-of"), &["the pre-tokenizer `unheard-of`"]);
    malformed(llama().without("tokenizer.ggml.tokens"), &["tokenizer.ggml.tokens"]);
    // A model whose template is broken, or would overflow the stack, completes texts.
    for template in [
        "{% for %}".to_owned(),
        "{{ 1".to_owned() + &"+1".repeat(50_000) + " }}",
        "{{".to_owned() + &"(".repeat(50_000),
    ] {
        let broken = llama().set("tokenizer.chat_template", template);
        let mut engine = load(broken.checkpoint()).expect("a model that completes texts");
        let mut chat = json!({ "messages": [{ "role": "user", "content": "a" }], "max_tokens": 1 });
        let error = block_on(engine.chat(&chat, &mut |_| (), &never_yield)).unwrap_err();
        assert!(error.code() == "TEMPLATE" && error.to_string().contains("line 1"), "{error}");
        chat["chat_template"] = json!("plain");
        block_on(engine.chat(&chat, &mut |_| (), &never_yield)).expect("an answer by another template");
        block_on(engine.complete(&json!({ "prompt": "a" }), &mut |_| (), &never_yield)).expect("an answer");
    }
}

/// What stands in the way, for people and for programs: the same, in the same order.
#[test]
fn obstacles_have_codes_and_facts() {
    let about = |variant: &Variant, context: Option<usize>| {
        let options = LoadOptions { context, ..options() };
        let about = block_on(probe(&variant.checkpoint().expect("a file"), &options)).expect("an answer");
        let errors = about["errors"].as_array().cloned().unwrap_or_default();
        let sentences: Vec<_> = errors.iter().map(|error| error["message"].clone()).collect();
        assert_eq!(about["problems"].as_array().cloned().unwrap_or_default(), sentences);
        errors.iter().map(|error| json!([error["code"], error["details"]])).collect::<Vec<_>>()
    };
    assert_eq!(about(&llama(), None), [json!(null); 0]);
    let field = json!(["INVALID_REQUEST", { "field": "contextLength" }]);
    assert_eq!(about(&llama(), Some(1 << 20)), from_ref(&field));
    let missing = json!(["MODEL_FORMAT", { "architecture": "llama", "tensor": "blk.1.ffn_down.weight" }]);
    assert_eq!(about(&llama().without_tensor("blk.1.ffn_down.weight"), None), from_ref(&missing));
    let narrow = llama().zeros("output_norm.weight", &[8], Format::F32);
    let facts = json!({ "tensor": "output_norm.weight", "expected": [64], "actual": [8] });
    assert_eq!(about(&narrow, None), [json!(["MODEL_FORMAT", facts])]);
    let tokenizer = json!(["MODEL_UNSUPPORTED", {}]);
    let many = llama().set("tokenizer.ggml.model", "rwkv").without_tensor("blk.1.ffn_down.weight");
    assert_eq!(about(&many, Some(1 << 20)), [field, tokenizer, missing]);
}

/// Bytes that can be read until they cannot.
struct Closing {
    bytes: MemorySource,
    closed: Rc<Cell<bool>>,
}

impl Source for Closing {
    fn name(&self) -> &str {
        self.bytes.name()
    }

    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> LocalBoxFuture<'a, cresset::Result<Vec<u8>>> {
        match self.closed.get() {
            true => Box::pin(std::future::ready(Err(Error::Storage { reason: "the file is gone".into() }))),
            false => self.bytes.read(offset, len),
        }
    }
}

/// That says nothing about the model, so it is no obstacle of the model's.
#[test]
fn a_file_that_cannot_be_read_ends_the_probe() {
    let closed = Rc::new(Cell::new(false));
    let bytes = MemorySource::new("rope.gguf", Variant::of("llama-rope3/f32.gguf").bytes());
    let files = Files::single(Closing { bytes, closed: Rc::clone(&closed) });
    let checkpoint = block_on(Checkpoint::open(files)).expect("a file");
    assert_eq!(block_on(probe(&checkpoint, &options())).expect("an answer")["fits"], json!(true));
    closed.set(true);
    // The divisors of its rotary positions are numbers among the weights.
    assert_eq!(block_on(probe(&checkpoint, &options())).expect_err("unreadable").code(), "STORAGE");
}

#[test]
fn a_model_without_a_tokenizer_takes_ids() {
    let mut bare = llama();
    bare.metadata.retain(|key, _| !key.starts_with("tokenizer."));
    let mut engine = load(bare.checkpoint()).expect("a model");
    let request = json!({ "prompt": [1, 2, 3], "max_tokens": 4, "return_token_ids": true, "logprobs": 1 });
    let answer = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
    assert_eq!(answer["choices"][0]["token_ids"].as_array().expect("ids").len(), 4);
    let error = block_on(engine.complete(&json!({ "prompt": "text" }), &mut |_| (), &never_yield)).unwrap_err();
    assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains("token ids"), "{error}");
}

/// A Hugging Face folder of one golden model, its config.json changed.
fn folder(change: impl FnOnce(&mut serde_json::Value)) -> cresset::Result<Checkpoint> {
    let read = |name: &str| std::fs::read(format!("tests/golden/gpt2-bare/{name}")).expect("a golden file");
    let mut config: serde_json::Value = serde_json::from_slice(&read("config.json")).expect("JSON");
    change(&mut config);
    let source = |name: &str, bytes: Vec<u8>| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>;
    block_on(Checkpoint::open(Files::new(vec![
        source("config.json", config.to_string().into_bytes()),
        source("model.safetensors", read("model.safetensors")),
        source("tokenizer.json", read("tokenizer.json")),
    ])))
}

#[test]
fn config_json() {
    load(folder(|_| ())).expect("a model");
    let refused = |code: &str, piece: &str, key: &str, value: serde_json::Value| {
        let error = load(folder(|config| config[key] = value)).err().expect("an error");
        assert!(error.code() == code && error.to_string().contains(piece), "{key}: {error}");
    };
    refused("MODEL_UNSUPPORTED", "the architecture mamba", "model_type", json!("mamba"));
    refused("MODEL_FORMAT", "config.json has no model_type", "model_type", json!(null));
    refused("MODEL_FORMAT", "config.json has no n_embd", "n_embd", json!(null));
    refused("MODEL_FORMAT", "n_layer must be an integer", "n_layer", json!(-1));
    refused("MODEL_FORMAT", "n_layer must be an integer", "n_layer", json!(1e300));
    refused("MODEL_FORMAT", "n_layer must be an integer", "n_layer", json!([2]));
    refused("MODEL_FORMAT", "expected shape", "n_positions", json!(1 << 20));
    refused("MODEL_FORMAT", "layer_norm_epsilon", "layer_norm_epsilon", json!(0));
    refused("MODEL_UNSUPPORTED", "the activation swish", "activation_function", json!("swish"));
}

/// Folders whose weights were packed by other tools: the method by name, and what to do, instead of the first tensor
/// that is not there.
#[test]
fn weights_packed_by_other_tools() {
    let llama = || Folder::of("llama-tied");
    // A projection in its packed form: four bits in words, scales, and the zeros or biases of its groups.
    let packed = |folder: Folder, parts: &[(&str, &str)]| {
        let name = "model.layers.0.self_attn.q_proj";
        let mut folder = folder.without_tensor(&format!("{name}.weight"));
        for &(part, dtype) in parts {
            let bytes = vec![0; 48 * 6 * if dtype == "F16" { 2 } else { 4 }];
            folder.tensors.insert(format!("{name}.{part}"), (vec![48, 6], dtype.into(), bytes));
        }
        folder
    };
    let words = |weight: &'static str| [(weight, "I32"), ("qzeros", "I32"), ("scales", "F16")];
    let gptq = json!({ "bits": 4, "group_size": 128, "desc_act": false, "quant_method": "gptq" });
    let awq = json!({ "bits": 4, "group_size": 128, "zero_point": true, "version": "gemm", "quant_method": "awq" });
    let mlx = json!({ "group_size": 64, "bits": 4 });
    let mlx_parts = [("weight", "U32"), ("scales", "F16"), ("biases", "F16")];
    let other = json!({ "quant_method": "bitsandbytes", "load_in_4bit": true });
    for (method, folder) in [
        ("GPTQ", packed(llama().set("quantization_config", gptq.clone()), &words("qweight"))),
        ("AWQ", packed(llama().set("quantization_config", awq), &words("qweight"))),
        ("MLX", packed(llama().set("quantization", mlx.clone()).set("quantization_config", mlx), &mlx_parts)),
        ("bitsandbytes", packed(llama().set("quantization_config", other), &[("weight", "I32")])),
        ("GPTQ or AWQ", packed(llama(), &words("qweight"))),
    ] {
        let sentence = format!(
            "a model quantised by {method} is not supported; use a GGUF file of it, or its unquantised safetensors, \
             which can be quantised while loading"
        );
        let error = load(folder.checkpoint()).err().expect("an error");
        assert_eq!((error.code(), error.to_string()), ("MODEL_UNSUPPORTED", sentence.clone()));
        let about = block_on(probe(&folder.checkpoint().expect("a file"), &options())).expect("an answer");
        assert_eq!((&about["fits"], &about["reason"]), (&json!(false), &json!(sentence)), "{about}");
    }
    // The words alone, beside weights that are plain: someone unpacked them.
    load(llama().set("quantization_config", gptq).checkpoint()).expect("a model");
}

/// Llama's RoPE fields in config.json, which no golden file has all of.
#[test]
fn config_json_rotary_positions() {
    let read = |name: &str| std::fs::read(format!("tests/golden/llama-rope3/{name}")).expect("a golden file");
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut config: serde_json::Value = serde_json::from_slice(&read("config.json")).expect("JSON");
        change(&mut config);
        let source = |name: &str, bytes: Vec<u8>| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>;
        load(block_on(Checkpoint::open(Files::new(vec![
            source("config.json", config.to_string().into_bytes()),
            source("model.safetensors", read("model.safetensors")),
        ]))))
    };
    with(&|_| ()).expect("a model");
    let refused = |code: &str, piece: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let error = with(change).err().expect("an error");
        assert!(error.code() == code && error.to_string().contains(piece), "{error}");
    };
    refused("MODEL_FORMAT", "rope_theta", &|c| c["rope_scaling"]["rope_theta"] = json!(-1));
    refused("MODEL_FORMAT", "rope_theta", &|c| c["rope_parameters"] = json!({ "rope_theta": 0 }));
    refused("MODEL_UNSUPPORTED", "the RoPE scaling spiral", &|c| c["rope_scaling"]["rope_type"] = json!("spiral"));
    refused("MODEL_FORMAT", "rope_scaling.factor", &|c| c["rope_scaling"]["factor"] = json!(0));
    refused("MODEL_FORMAT", "low_freq_factor", &|c| c["rope_scaling"]["high_freq_factor"] = json!(1.0));
    refused("MODEL_FORMAT", "original_max", &|c| c["rope_scaling"]["original_max_position_embeddings"] = json!(null));
}

/// Each metadata value replaced by extremes, alone and in pairs: whatever comes out, it is no panic.
#[test]
fn mutated_metadata_never_panics() {
    let extremes: Vec<Value> = vec![
        0u32.into(),
        1u32.into(),
        2u32.into(),
        3u32.into(),
        64u32.into(),
        (1u32 << 20).into(),
        u32::MAX.into(),
        (-1).into(),
        u64::MAX.into(),
        f32::NAN.into(),
        f32::INFINITY.into(),
        f32::MIN_POSITIVE.into(),
        f32::MAX.into(),
        true.into(),
        "".into(),
        "llama".into(),
        "\u{0}{{ messages }}".into(),
        Vec::<u32>::new().into(),
        Vec::<String>::new().into(),
        vec![i32::MIN, i32::MAX].into(),
        vec![f32::NAN].into(),
        vec![String::new(), "a".to_string(), "a".to_string()].into(),
    ];
    let try_one = |variant: &Variant| {
        // Where it loads in spite of everything, it must also run.
        let Ok(mut engine) = load(variant.checkpoint()) else { return };
        let request = json!({ "prompt": [1, 2, 3], "max_tokens": 3, "return_token_ids": true, "seed": 1 });
        if let Err(error) = block_on(engine.complete(&request, &mut |_| (), &never_yield)) {
            assert_eq!(error.code(), "CONTEXT_OVERFLOW", "{error}"); // a context of one or two is as good as any
        }
    };
    let seeds = [llama(), gpt2()];
    let mut singles = 0;
    for seed in &seeds {
        for key in seed.metadata.keys() {
            for value in &extremes {
                try_one(&seed.clone().set(key, value.clone()));
                singles += 1;
            }
            try_one(&seed.clone().without(key));
        }
    }
    assert!(singles > 500, "only {singles} single changes");
    cases(1000, |random| {
        let mut variant = random.pick(&seeds).clone();
        for _ in 0..2 + random.below(3) {
            let key = variant.metadata.keys().nth(random.below(variant.metadata.len())).expect("a key").clone();
            variant = variant.set(&key, random.pick(&extremes).clone());
        }
        try_one(&variant);
    });
}
