//! The sampling parameters that stand for what a request leaves out: the caller's for the model, its files', the usual ones.

use crate::support::cpu;
use crate::support::folder::Folder;
use crate::support::variant::Variant;
use cresset::engine::{Engine, LoadOptions, never_yield};
use cresset::weights::{Checkpoint, Files, MemorySource, Source, recommended};
use pollster::block_on;
use serde_json::{Value, json};

/// `info.sampling` of a model that was loaded with these recommendations of the caller's.
fn sampling(checkpoint: cresset::Result<Checkpoint>, wanted: Value) -> Value {
    engine(checkpoint, wanted).info()["sampling"].clone()
}

fn engine(checkpoint: cresset::Result<Checkpoint>, wanted: Value) -> Engine {
    let options = LoadOptions::parse(&json!({ "device": "cpu", "sampling": wanted })).expect("options");
    let options = LoadOptions { device: cpu(), ..options };
    block_on(Engine::load(checkpoint.expect("a file"), &options, &mut |_| ())).expect("an engine")
}

/// A folder whose `generation_config.json` is this.
fn folder(generation_config: &Value) -> cresset::Result<Checkpoint> {
    folder_of(&generation_config.to_string())
}

fn folder_of(generation_config: &str) -> cresset::Result<Checkpoint> {
    let folder = Folder::of("llama-gqa");
    let file = |name: &str, bytes: Vec<u8>| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>;
    block_on(Checkpoint::open(Files::new(vec![
        file("config.json", folder.config.to_string().into_bytes()),
        file("model.safetensors", folder.safetensors()),
        file("generation_config.json", generation_config.as_bytes().to_vec()),
    ])))
}

#[track_caller]
fn check(got: &Value, want: Value) {
    for (field, value) in want.as_object().expect("an object") {
        assert_eq!(got[field].as_f64(), value.as_f64(), "{field} of {got}");
    }
}

const USUAL: [(&str, f64); 8] = [
    ("temperature", 0.7),
    ("top_k", 0.0),
    ("top_p", 0.95),
    ("min_p", 0.05),
    ("repetition_penalty", 1.0),
    ("frequency_penalty", 0.0),
    ("presence_penalty", 0.0),
    ("penalty_last_n", 64.0),
];

fn usual() -> Value {
    USUAL.iter().map(|(field, value)| ((*field).to_string(), json!(value))).collect()
}

#[test]
fn generation_config_json_recommends() {
    let none = Value::Null;
    check(&sampling(folder(&json!({ "eos_token_id": 2 })), none.clone()), usual());
    let all = json!({ "do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.05 });
    check(&sampling(folder(&all), none.clone()), all);
    check(
        &sampling(folder(&json!({ "do_sample": false, "temperature": 0.6 })), none.clone()),
        json!({ "temperature": 0 }),
    );
    let gemma = json!({ "do_sample": true, "top_k": 64 });
    check(&sampling(folder(&gemma), none.clone()), json!({ "temperature": 1, "top_k": 64, "top_p": 0.95 }));
    let odd = json!({ "do_sample": "no", "temperature": "0.6", "top_k": -1, "top_p": 7, "min_p": [0.1], "repetition_penalty": 0 });
    check(&sampling(folder(&odd), none.clone()), usual());
    let python = r#"{ "temperature": NaN, "top_p": -Infinity, "top_k": 1e99, "min_p": 0.1 }"#;
    let sampling = sampling(folder_of(python), none);
    check(&sampling, json!({ "temperature": 0.7, "top_p": 0.95, "top_k": 0, "min_p": 0.1 }));
}

#[test]
fn gguf_metadata_recommend() {
    let file = || Variant::of("llama-gqa/f32.gguf");
    check(&sampling(file().checkpoint(), Value::Null), usual());
    let recommends = file()
        .set("general.sampling.temp", 0.2f32)
        .set("general.sampling.top_k", 40i32)
        .set("general.sampling.top_p", 0.9f32)
        .set("general.sampling.min_p", 0.0f32)
        .set("general.sampling.penalty_repeat", 1.1f32)
        .set("general.sampling.penalty_last_n", -1i32);
    let want = json!({ "temperature": 0.2, "top_k": 40, "top_p": 0.9, "min_p": 0, "repetition_penalty": 1.1,
                       "penalty_last_n": -1 });
    check(&sampling(recommends.checkpoint(), Value::Null), want);
    // llama.cpp's 0 turns penalties off; ours has them look at the whole answer.
    let off = file().set("general.sampling.penalty_repeat", 1.1f32).set("general.sampling.penalty_last_n", 0i32);
    check(&sampling(off.checkpoint(), Value::Null), usual());
    let odd = file()
        .set("general.sampling.temp", f32::NAN)
        .set("general.sampling.top_k", -1i32)
        .set("general.sampling.top_p", "0.9")
        .set("general.sampling.min_p", f32::INFINITY)
        .set("general.sampling.penalty_repeat", -1.0f32)
        .set("general.sampling.penalty_last_n", 64.5f32);
    check(&sampling(odd.checkpoint(), Value::Null), usual());
}

/// A request goes before the caller's recommendation, that before the file's, that before the usual.
#[test]
fn the_nearest_word_counts() {
    let file =
        || Variant::of("llama-gqa/f32.gguf").set("general.sampling.temp", 1.9f32).set("general.sampling.top_k", 40i32);
    let wanted = json!({ "temperature": 0, "top_p": 0.5 });
    let mut engine = engine(file().checkpoint(), wanted.clone());
    check(&engine.info()["sampling"], json!({ "temperature": 0, "top_p": 0.5, "top_k": 40, "min_p": 0.05 }));
    let mut ids = |request: Value| {
        let mut request = request;
        request["prompt"] = json!([5, 17, 29]);
        request["max_tokens"] = json!(12);
        request["return_token_ids"] = json!(true);
        let answer = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
        answer["choices"][0]["token_ids"].clone()
    };
    let greedy = ids(json!({ "temperature": 0 }));
    assert_eq!(ids(json!({ "seed": 1 })), greedy, "what was recommended holds where the request says nothing");
    assert_ne!(ids(json!({ "seed": 1, "temperature": 2, "top_p": 1 })), greedy);

    for wrong in [json!({ "temperature": 3 }), json!("cold"), json!({ "top_k": 1.5 })] {
        let error = LoadOptions::parse(&json!({ "sampling": wrong })).expect_err("a wrong recommendation");
        assert_eq!(error.code(), "INVALID_REQUEST");
    }
}

#[test]
fn a_converted_model_recommends_the_same() {
    let checkpoint = folder(&json!({ "do_sample": true, "top_k": 20, "repetition_penalty": 1.5 })).expect("a folder");
    let before = recommended(&checkpoint);
    let mut bytes = Vec::new();
    let conversion = cresset::engine::Conversion::plan(&checkpoint, cresset::quant::Format::Q8_0).expect("a plan");
    conversion.write("converted", &mut bytes, &|_| ()).expect("a file");
    let file = crate::support::variant::checkpoint("converted.gguf", bytes).expect("a file");
    assert_eq!(recommended(&file), before);
    assert_eq!(before.len(), 3);
}
