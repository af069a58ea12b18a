//! Adapters that fit no model, or are none: a named error, nothing left on the device, and no panic.

use super::*;
use crate::fuzz::cases;
use std::cell::{Cell, RefCell};

const Q: &str = "base_model.model.model.layers.0.self_attn.q_proj";

fn config() -> Value {
    json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj"] })
}

/// An adapter of one pair.
fn pair(base: &str, a: [usize; 2], b: [usize; 2]) -> Vec<u8> {
    let tensor = |name: String, shape: [usize; 2]| (name, shape, vec![0.5; shape[0] * shape[1]]);
    let tensors = [tensor(format!("{base}.lora_A.weight"), a), tensor(format!("{base}.lora_B.weight"), b)];
    let tensors: Vec<_> = tensors.iter().map(|(name, shape, values)| (name.as_str(), *shape, values.clone())).collect();
    safetensors(&tensors)
}

/// The refusal's code and sentence, after which the engine holds nothing of it and still answers.
fn refused(engine: &mut Engine, adapter: Result<Checkpoint, Error>) -> (&'static str, String) {
    let error = match adapter {
        Ok(adapter) => add(engine, "wrong", &adapter).expect_err("a refusal"),
        Err(error) => error,
    };
    assert_eq!(engine.adapters(), json!([]), "{error}");
    assert_eq!(engine.info()["memory"]["adapters"], 0, "{error}");
    assert_eq!(crate::support::greedy(engine, &[1, 2, 3], 2).len(), 2, "{error}");
    (error.code(), error.to_string())
}

#[test]
fn another_models_adapter_is_refused_by_its_tensor() {
    let mut engine = llama(cpu());
    let (code, why) = refused(&mut engine, Ok(open_adapter("conv1d")));
    assert_eq!(code, "MODEL_FORMAT");
    let tensor = "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight";
    assert!(why.starts_with(&format!("{tensor}: the model has no projection of that name")), "{why}");
    assert!(why.ends_with("made for another model than this llama model of 2 layers and 64 columns"), "{why}");
    let (code, why) = refused(&mut engine, Ok(open_adapter("conv1d.gguf")));
    assert_eq!((code, why.contains("it is for the architecture gpt2")), ("MODEL_FORMAT", true), "{why}");
    let deeper = pair(&Q.replace(".0.", ".2."), [4, 64], [64, 4]);
    let (code, why) = refused(&mut engine, peft_files(deeper, Some(config())));
    assert_eq!((code, why.contains("layers.2.self_attn.q_proj")), ("MODEL_FORMAT", true), "{why}");

    let mut other = base("llama-tied", "f32.gguf", cpu());
    let (code, why) = refused(&mut other, Ok(open_adapter("ranks")));
    assert_eq!(
        (code, why.contains("lm_head.lora_A.weight: expected shape [3, 48], the file has [3, 64]")),
        ("MODEL_FORMAT", true),
        "{why}"
    );
}

/// A real adapter of mlx-lm's kind, for the last layers of a larger model.
#[test]
fn a_real_adapter_of_a_larger_model_is_refused_by_its_tensor() {
    let Some(path) = crate::support::shared::shared("weights/odd/discollama-adapters.safetensors") else { return };
    let adapter = block_on(Checkpoint::open(open_path(path).expect("a file"))).expect("safetensors");
    let options = AdapterOptions { alpha: Some(16.0), default: true };
    let error = block_on(llama(cpu()).load_adapter("disco", &adapter, &options)).expect_err("a refusal");
    assert_eq!(
        (error.code(), &error.details()["tensor"]),
        ("MODEL_FORMAT", &json!("model.layers.30.self_attn.q_proj.lora_a"))
    );
}

#[test]
fn wrong_shapes_and_ranks_are_told_with_what_was_expected() {
    let mut engine = llama(cpu());
    let mut case = |a, b, want: &str| {
        let (code, why) = refused(&mut engine, peft_files(pair(Q, a, b), Some(config())));
        assert!(why.contains(want), "{code}: {why}");
    };
    case([4, 63], [64, 4], "q_proj.lora_A.weight: expected shape [4, 64], the file has [4, 63]");
    case([5, 64], [64, 5], "q_proj.lora_A.weight: expected shape [4, 64], the file has [5, 64]");
    case([4, 64], [63, 4], "q_proj.lora_B.weight: expected shape [64, 4], the file has [63, 4]");
    case([4, 64], [64, 3], "q_proj.lora_B.weight: expected shape [64, 4], the file has [64, 3]");
    case([64, 4], [4, 64], "q_proj.lora_A.weight: expected shape [4, 64], the file has [64, 4]");
    let mut bare = |a, b, want: &str| {
        let options = AdapterOptions { alpha: Some(1.0), default: false };
        let adapter = peft_files(pair(Q, a, b), None).expect("safetensors");
        let error = block_on(engine.load_adapter("wrong", &adapter, &options)).expect_err("a refusal");
        assert!(error.to_string().contains(want), "{error}");
    };
    bare([0, 64], [64, 0], "a rank of 0");
    bare([5000, 64], [64, 5000], "a rank of 5000");
}

#[test]
fn damaged_numbers_and_lone_halves_are_named() {
    let mut engine = llama(cpu());
    for odd in [f32::NAN, f32::INFINITY] {
        let mut b = vec![0.5; 256];
        b[77] = odd;
        let (a_name, b_name) = (format!("{Q}.lora_A.weight"), format!("{Q}.lora_B.weight"));
        let weights = safetensors(&[(&a_name, [4, 64], vec![0.5; 256]), (&b_name, [64, 4], b)]);
        let (code, why) = refused(&mut engine, peft_files(weights, Some(config())));
        assert_eq!(code, "MODEL_FORMAT");
        assert!(why.starts_with(&b_name) && why.contains("not finite"), "{why}");
    }
    let a_name = format!("{Q}.lora_A.weight");
    let alone = safetensors(&[(&a_name, [4, 64], vec![0.5; 256])]);
    let (_, why) = refused(&mut engine, peft_files(alone, Some(config())));
    assert_eq!(why, format!("{a_name}: has no matrix B that belongs to it"));
    let (_, why) = refused(&mut engine, peft_files(safetensors(&[]), Some(config())));
    assert!(why.contains("holds no LoRA tensors"), "{why}");
    let model = open_path(Path::new("tests/golden/llama-gqa/f16.gguf")).expect("a file");
    let (_, why) = refused(&mut engine, block_on(Checkpoint::open(model)));
    assert!(why.contains("is no adapter"), "{why}");
}

#[test]
fn what_is_more_than_lora_is_refused_by_name() {
    let mut engine = llama(cpu());
    let settings = [
        (json!({ "use_dora": true }), "DoRA"),
        (json!({ "bias": "all" }), "trained biases"),
        (json!({ "lora_bias": true }), "lora_bias"),
        (json!({ "modules_to_save": ["lm_head"] }), "modules_to_save"),
        (json!({ "peft_type": "IA3" }), "IA3"),
        (json!({ "init_lora_weights": "pissa_niter_4" }), "pissa_niter_4"),
        (json!({ "alora_invocation_tokens": [1, 2] }), "alora_invocation_tokens"),
        (json!({ "layer_replication": [[0, 1]] }), "layer_replication"),
        (json!({ "trainable_token_indices": [1] }), "trainable_token_indices"),
    ];
    for (setting, want) in settings {
        let mut config = config();
        config.as_object_mut().expect("an object").extend(setting.as_object().expect("an object").clone());
        let (code, why) = refused(&mut engine, peft_files(pair(Q, [4, 64], [64, 4]), Some(config)));
        assert_eq!((code, why.contains(want)), ("MODEL_UNSUPPORTED", true), "{why}");
    }
    let more = [
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", "DoRA"),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias", "a bias"),
        ("base_model.model.model.embed_tokens.weight", "no half of a LoRA pair"),
        ("base_model.model.score.modules_to_save.weight", "no half of a LoRA pair"),
    ];
    for (name, want) in more {
        let weights = safetensors(&[(name, [4, 64], vec![0.5; 256])]);
        let (code, why) = refused(&mut engine, peft_files(weights, Some(config())));
        assert_eq!(code, "MODEL_UNSUPPORTED");
        assert!(why.contains(want) && why.contains(name), "{why}");
    }
}

/// mlx-lm would correct the way to logits as well where a model has one table for both.
#[test]
fn a_table_corrected_by_mlx_is_refused() {
    let mut engine = llama(cpu());
    let tensors = |columns| {
        [
            ("model.embed_tokens.lora_a", [96, 4], vec![0.5; 384]),
            ("model.embed_tokens.lora_b", [4, columns], vec![0.5; 4 * columns]),
        ]
    };
    let config = json!({ "lora_parameters": { "rank": 4, "scale": 1.0 } });
    let (code, why) = refused(&mut engine, peft_files(safetensors(&tensors(64)), Some(config.clone())));
    assert!(code == "MODEL_UNSUPPORTED" && why.contains("embedding table by mlx-lm"), "{why}");
    let (code, why) = refused(&mut engine, peft_files(safetensors(&tensors(32)), Some(config)));
    assert!(code == "MODEL_FORMAT" && why.contains("expected shape [4, 64], the file has [4, 32]"), "{why}");
}

#[test]
fn settings_that_are_none_are_named() {
    let mut engine = llama(cpu());
    let settings = [
        (json!({ "r": 0 }), "r must be a whole number greater than zero"),
        (json!({ "r": "many" }), "r must be a whole number greater than zero"),
        (json!({ "lora_alpha": "strong" }), "lora_alpha must be a number"),
        (json!({ "alpha_pattern": { "(": 2 } }), "alpha_pattern has a pattern that cannot be read"),
        (json!({ "rank_pattern": { "q_proj": -1 } }), "rank_pattern must be a whole number greater than zero"),
        (json!({ "lora_parameters": { "rank": 4 } }), "neither scale nor alpha"),
    ];
    for (setting, want) in settings {
        let mut config = config();
        config.as_object_mut().expect("an object").extend(setting.as_object().expect("an object").clone());
        let (code, why) = refused(&mut engine, peft_files(pair(Q, [4, 64], [64, 4]), Some(config)));
        assert_eq!((code, why.contains(want)), ("MODEL_FORMAT", true), "{why}");
    }
    for (change, want) in [
        (Variant::of("lora/ranks.gguf").set("adapter.type", "control"), "of the type control"),
        (Variant::of("lora/ranks.gguf").set("general.type", "model"), "is no adapter"),
        (Variant::of("lora/ranks.gguf").without("adapter.lora.alpha"), "no adapter.lora.alpha"),
        (Variant::of("lora/ranks.gguf").set("adapter.lora.alpha", f32::NAN), "no adapter.lora.alpha"),
        (Variant::of("lora/ranks.gguf").zeros("token_embd.weight.lora_a", &[64, 4], Format::F32), "no matrix B"),
        (Variant::of("lora/ranks.gguf").zeros("rope_freqs.weight", &[8, 1], Format::F32), "no half of a LoRA pair"),
    ] {
        let (_, why) = refused(&mut engine, change.checkpoint());
        assert!(why.contains(want), "{why}");
    }
}

/// Cut anywhere, or with any byte of the headers changed, a file is refused or harmless.
#[test]
fn truncated_and_altered_files_never_panic() {
    let mut engine = llama(cpu());
    let gguf = std::fs::read(path("conv1d.gguf")).expect("a file");
    let peft = std::fs::read(path("rslora/adapter_model.safetensors")).expect("a file");
    let config = std::fs::read_to_string(path("rslora/adapter_config.json")).expect("a file");
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let mut gpt2 = base("gpt2-small", "q8_0.gguf", cpu());
    let (mut opened, mut loaded) = (0, 0);
    let mut attempt = |engine: &mut Engine, adapter: Result<Checkpoint, Error>| {
        let Ok(adapter) = adapter else { return };
        opened += 1;
        if add(engine, "odd", &adapter).is_ok() {
            loaded += 1;
            engine.unload_adapter("odd").expect("it is there");
        }
        assert_eq!(engine.info()["memory"]["adapters"], 0);
    };
    for cut in (0..gguf.len()).step_by(97) {
        attempt(&mut gpt2, crate::support::variant::checkpoint("a.gguf", gguf[..cut].to_vec()));
    }
    for cut in (0..peft.len()).step_by(97) {
        attempt(&mut engine, peft_files(peft[..cut].to_vec(), Some(config.clone())));
    }
    let mut seed = 7u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize
    };
    for _ in 0..600 {
        let (mut odd, at) = (gguf.clone(), random() % 1500);
        odd[at] = random() as u8;
        attempt(&mut gpt2, crate::support::variant::checkpoint("a.gguf", odd));
        let (mut odd, at) = (peft.clone(), random() % 1500);
        odd[at] = random() as u8;
        attempt(&mut engine, peft_files(odd, Some(config.clone())));
    }
    assert!(opened > 100 && loaded > 0, "{opened} files could be opened, {loaded} loaded");
}

/// Mutated files of adapters, each beside the model that they are for: they load or are refused, and the model goes on.
#[test]
fn mutated_adapters_never_panic() {
    let read = |file: &str| std::fs::read(path(file)).expect("an adapter's file");
    let names = [["adapter_model.safetensors", "adapter_config.json"], ["adapters.safetensors", "adapter_config.json"]];
    let seeds = [
        vec![("ranks.gguf", read("ranks.gguf"))],
        names[0].map(|name| (name, read(&format!("ranks/{name}")))).into(),
        names[1].map(|name| (name, read(&format!("mlx/{name}")))).into(),
    ];
    let engine = RefCell::new(llama(cpu()));
    let want = crate::support::greedy(&mut engine.borrow_mut(), &[1, 2, 3], 2);
    let (loaded, refused) = (Cell::new(0), Cell::new(0));
    cases(3000, |random| {
        let mut files = random.pick(&seeds).clone();
        let donor = &random.pick(&seeds)[0].1;
        let target = random.below(files.len());
        random.mutate(&mut files[target].1, donor);
        let sources =
            files.into_iter().map(|(name, bytes)| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>);
        let adapter = block_on(Checkpoint::open(Files::new(sources.collect())));
        let mut engine = engine.borrow_mut();
        match adapter.and_then(|adapter| add(&mut engine, "odd", &adapter)) {
            Ok(()) => {
                // Its numbers may be anything: what it answers is an answer or an error.
                let request = json!({ "prompt": [1, 2, 3], "max_tokens": 2, "adapter": "odd" });
                if let Err(error) = block_on(engine.complete(&request, &mut |_| (), &never_yield)) {
                    assert_eq!(error.code(), "MODEL_FORMAT", "{error}");
                }
                engine.unload_adapter("odd").expect("it is there");
                loaded.set(loaded.get() + 1);
            }
            Err(error) => {
                assert!(
                    ["MODEL_FORMAT", "MODEL_UNSUPPORTED", "MODEL_NOT_FOUND", "INVALID_REQUEST"].contains(&error.code()),
                    "{error}"
                );
                refused.set(refused.get() + 1);
            }
        }
        assert_eq!(engine.info()["memory"]["adapters"], 0);
        assert_eq!(crate::support::greedy(&mut engine, &[1, 2, 3], 2), want);
    });
    let (loaded, refused) = (loaded.get(), refused.get());
    assert!(loaded + refused == 1 || (loaded > 0 && refused > 0), "one side only: {loaded} loaded, {refused} refused");
}
