//! Encoders against Hugging Face transformers (`tests/golden/encoders.py`): vectors, pooling, batches, requests.

use crate::support::folder::Folder;
use crate::support::{Case, close, cpu, gpu};
use cresset::engine::{Engine, LoadOptions, never_yield};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::Path;

const FOLDERS: [&str; 4] = ["bert-mean", "bert-cls", "nomic-bert", "modern-bert"];

fn open(path: &str, device: Case) -> Engine {
    crate::support::open(Path::new(path), device, cresset::device::KvFormat::F16)
}

fn bert(device: Case) -> Engine {
    open("tests/golden/encoders/bert-mean/model.safetensors", device)
}

fn embed(engine: &mut Engine, request: Value) -> Vec<Vec<f32>> {
    let answer = block_on(engine.embed(&request, &never_yield)).expect("vectors");
    answer["data"].as_array().expect("a list").iter().map(|item| crate::support::floats(&item["embedding"])).collect()
}

fn refused(engine: &mut Engine, request: Value, code: &str, piece: &str) {
    let error = block_on(engine.embed(&request, &never_yield)).expect_err("an error");
    assert!(error.code() == code && error.to_string().contains(piece), "{request}: {error}");
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn vectors_are_the_references(device: Case) {
    for folder in FOLDERS {
        let expected = crate::support::json(Path::new(&format!("tests/golden/encoders/{folder}/expected.json")));
        for file in ["model.safetensors", "f32.gguf"] {
            let mut engine = open(&format!("tests/golden/encoders/{folder}/{file}"), device);
            let sequences = expected["sequences"].as_array().expect("sequences");
            let input: Vec<&Value> = sequences.iter().map(|sequence| &sequence["ids"]).collect();
            for pooling in ["mean", "cls"] {
                let got = embed(&mut engine, json!({ "input": input, "pooling": pooling }));
                for (got, sequence) in got.iter().zip(sequences) {
                    let what = format!("{folder}/{file} {pooling}, {} ids", sequence["ids"].as_array().unwrap().len());
                    close(got, &crate::support::floats(&sequence[pooling]), 2e-5, &what);
                }
            }
            // What the files say, where nobody else does.
            let usual = expected["pooling"].as_str().expect("a kind");
            let got = embed(&mut engine, json!({ "input": input }));
            close(
                &got[2],
                &crate::support::floats(&sequences[2][usual]),
                2e-5,
                &format!("{folder}/{file}: its own pooling"),
            );
            // Texts, where the files have a vocabulary.
            let texts = expected["texts"].as_array();
            assert_eq!(texts.is_none(), folder == "bert-mean", "{folder}");
            for case in texts.into_iter().flatten() {
                let ids = engine.tokenize(case["text"].as_str().expect("a text")).expect("ids");
                assert_eq!(ids, crate::support::ids(&case["ids"]), "{folder}/{file}: {}", case["text"]);
                let got = embed(&mut engine, json!({ "input": case["text"] }));
                close(
                    &got[0],
                    &crate::support::floats(&case["vector"]),
                    2e-5,
                    &format!("{folder}/{file}: {}", case["text"]),
                );
            }
        }
    }
}

fn batches_give_what_texts_alone_give(device: Case) {
    for folder in ["bert-mean", "modern-bert"] {
        let mut engine = open(&format!("tests/golden/encoders/{folder}/f32.gguf"), device);
        let lengths = [64, 1, 17, 2, 33, 64, 5, 16, 15, 48, 3];
        let text = |i: usize| (0..lengths[i % lengths.len()]).map(|k| (3 + (7 * i + 5 * k) % 77) as u32).collect();
        let texts: Vec<Vec<u32>> = (0..100).map(text).collect();
        let all = embed(&mut engine, json!({ "input": texts }));
        for (i, ids) in texts.iter().enumerate().step_by(7) {
            let alone = embed(&mut engine, json!({ "input": ids }));
            close(&all[i], &alone[0], 1e-5, &format!("{folder}, text {i} of {} ids", ids.len()));
        }
    }
}

fn requests_are_openais(device: Case) {
    let mut engine = bert(device);
    let request = json!({ "input": [[5, 6, 7], [8]], "encoding_format": "float" });
    let answer = block_on(engine.embed(&request, &never_yield)).expect("an answer");
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["data"][1]["object"], "embedding");
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 4, "total_tokens": 4 }));
    let whole = crate::support::floats(&answer["data"][0]["embedding"]);
    assert!((cosine(&whole, &whole) - 1.0).abs() < 1e-6 && whole.len() == 32);
    let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length(&whole) - 1.0).abs() < 1e-5);

    let short = embed(&mut engine, json!({ "input": [5, 6, 7], "dimensions": 8 }));
    assert!(short[0].len() == 8 && (length(&short[0]) - 1.0).abs() < 1e-5 && cosine(&short[0], &whole[..8]) > 0.99999);
    let long = embed(&mut engine, json!({ "input": [5, 6, 7], "normalize": false }));
    assert!((length(&long[0]) - 1.0).abs() > 1e-3 && cosine(&long[0], &whole) > 0.99999);
    let answer = block_on(engine.embed(&json!({ "input": [5, 6, 7], "encoding_format": "base64" }), &never_yield));
    let text = answer.expect("an answer")["data"][0]["embedding"].as_str().expect("base64").to_string();
    assert_eq!(text.len(), (32 * 4usize).div_ceil(3) * 4);

    let too_long: Vec<u32> = (0..65).map(|i| 3 + i % 70).collect();
    refused(&mut engine, json!({ "input": too_long }), "CONTEXT_OVERFLOW", "65");
    let cut = embed(&mut engine, json!({ "input": too_long, "truncate_prompt_tokens": 64 }));
    let mut by_hand = too_long[..63].to_vec();
    by_hand.push(too_long[64]);
    let by_hand = embed(&mut engine, json!({ "input": by_hand }));
    close(&cut[0], &by_hand[0], 1e-6, "a cut text keeps its last id");

    for (request, piece) in [
        (json!({}), "input"),
        (json!({ "input": [] }), "input"),
        (json!({ "input": [[]] }), "input"),
        (json!({ "input": [1, "a"] }), "input"),
        (json!({ "input": [-1] }), "input"),
        (json!({ "input": [80] }), "the vocabulary has 80"),
        (json!({ "input": [5], "dimensions": 33 }), "dimensions"),
        (json!({ "input": [5], "encoding_format": "hex" }), "encoding_format"),
        (json!({ "input": [5], "pooling": "median" }), "pooling"),
    ] {
        refused(&mut engine, request, "INVALID_REQUEST", piece);
    }
    let error = block_on(engine.complete(&json!({ "prompt": [5] }), &mut |_| (), &never_yield)).expect_err("an error");
    assert!(error.code() == "INVALID_REQUEST" && error.to_string().contains("embeddings"), "{error}");
    let mut decoder = open("tests/golden/llama-gqa/f32.gguf", device);
    refused(&mut decoder, json!({ "input": [5] }), "INVALID_REQUEST", "generates text");
}

/// Nomic's own configuration has GPT-2's keys for most things, and says at length what it does not have.
#[test]
fn nomic_bert_in_the_hubs_spelling() {
    let mut folder = Folder::of("encoders/nomic-bert");
    let said = folder.config.clone();
    folder.config = json!({
        "model_type": "nomic_bert", "architectures": ["NomicBertModel"], "activation_function": "swiglu",
        "n_embd": said["hidden_size"], "n_head": said["num_attention_heads"], "n_inner": said["intermediate_size"],
        "n_layer": said["num_hidden_layers"], "n_positions": said["max_position_embeddings"],
        "max_trained_positions": 2048, "vocab_size": said["vocab_size"], "type_vocab_size": said["type_vocab_size"],
        "layer_norm_epsilon": said["layer_norm_eps"], "rotary_emb_base": said["rope_parameters"]["rope_theta"],
        "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false, "rotary_emb_scale_base": null,
        "rotary_scaling_factor": null, "qkv_proj_bias": false, "mlp_fc1_bias": false, "mlp_fc2_bias": false,
        "prenorm": false, "parallel_block": false, "use_rms_norm": false, "causal": false, "dense_seq_output": true,
        "scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false, "bos_token_id": null,
    });
    let options = LoadOptions { device: cpu(), ..LoadOptions::default() };
    let load = |folder: &Folder| block_on(Engine::load(folder.checkpoint()?, &options, &mut |_| ()));
    let mut engine = load(&folder).expect("an encoder");
    let expected = crate::support::json(Path::new("tests/golden/encoders/nomic-bert/expected.json"));
    for sequence in expected["sequences"].as_array().expect("sequences") {
        let got = embed(&mut engine, json!({ "input": [sequence["ids"]] }));
        close(&got[0], &crate::support::floats(&sequence["mean"]), 2e-5, "the hub's spelling");
    }
    // Its width of the feed-forward layer may be null: four times the model's.
    let error = load(&folder.set("n_inner", json!(null))).err().expect("another width");
    assert!(error.to_string().contains("[128, 32]"), "{error}");
}

/// sentence-transformers' modules: those that run here, and others refused by their names.
#[test]
fn modules_of_sentence_transformers() {
    let load = |modules: Value, pooling: Value| {
        let mut folder = Folder::of("encoders/bert-mean");
        folder.beside.insert("modules.json", modules.to_string().into());
        folder.beside.insert("1_Pooling/config.json", pooling.to_string().into());
        let options = LoadOptions { device: cpu(), ..LoadOptions::default() };
        block_on(Engine::load(folder.checkpoint()?, &options, &mut |_| ()))
    };
    let module =
        |kind: &str, path: &str| json!({ "type": format!("sentence_transformers.models.{kind}"), "path": path });
    let usual = || vec![module("Transformer", ""), module("Pooling", "1_Pooling"), module("Normalize", "2_Normalize")];
    let input = json!([[5, 6, 7, 8, 9, 10, 11]]);
    let raw = |engine: &mut Engine, pooling: &str| {
        embed(engine, json!({ "input": input, "pooling": pooling, "normalize": false })).remove(0)
    };
    for (pooling, name) in [
        (json!({ "pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false }), "max"),
        (json!({ "pooling_mode_mean_sqrt_len_tokens": true }), "mean_sqrt_len"),
        (json!({ "pooling_mode_lasttoken": true, "include_prompt": true }), "last"),
        (json!({ "pooling_mode": "cls", "embedding_dimension": 32 }), "cls"),
    ] {
        let mut engine = load(json!(usual()), pooling).expect("an encoder");
        let own = embed(&mut engine, json!({ "input": input, "normalize": false })).remove(0);
        assert_eq!(own, raw(&mut engine, name), "{name}");
        let mean = raw(&mut engine, "mean");
        let by_root: Vec<f32> = mean.iter().map(|x| x * 7f32.sqrt()).collect();
        close(&raw(&mut engine, "mean_sqrt_len"), &by_root, 1e-6, "the mean, by the root of the length");
        assert!(raw(&mut engine, "max").iter().zip(&mean).all(|(max, mean)| max > mean));
    }
    let mean = json!({ "pooling_mode_mean_tokens": true });
    let refused = |modules: Vec<Value>, pooling: &Value, piece: &str| {
        let error = load(json!(modules), pooling.clone()).err().expect(piece);
        assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(piece), "{error}");
    };
    let dense = vec![usual()[0].clone(), usual()[1].clone(), module("Dense", "2_Dense")];
    refused(dense, &mean, "the sentence-transformers module Dense at place 3");
    refused(vec![module("StaticEmbedding", "")], &mean, "StaticEmbedding");
    refused(vec![usual()[0].clone(), module("Pooling", "1_Other")], &mean, "Pooling at place 2");
    let both = json!({ "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true });
    refused(usual(), &both, "pooling by mean_tokens and max_tokens");
    refused(usual(), &json!({ "pooling_mode_weightedmean_tokens": true }), "weightedmean_tokens");
    let error = load(json!({}), mean).err().expect("no list");
    assert!(error.code() == "MODEL_FORMAT" && error.to_string().contains("a JSON list"), "{error}");
}

fn nothing_is_made_twice(device: Case) {
    let mut engine = bert(device);
    let counters = |engine: &Engine| engine.stats()["counters"].clone();
    let request = json!({ "input": [[5, 6, 7], [8, 9]] });
    // The first run of a plan is cut into several submits, and may be slow for reasons of its own.
    (0..3).for_each(|_| drop(embed(&mut engine, request.clone())));
    let before = counters(&engine);
    embed(&mut engine, request);
    let after = counters(&engine);
    for made in ["buffers", "bindGroups", "pipelines"] {
        assert_eq!(before[made], after[made], "{made}");
    }
    assert_eq!(after["submits"].as_u64(), before["submits"].as_u64().map(|n| n + 1), "one batch, one submit");
}

/// all-MiniLM-L6-v2 itself: `CRESSET_MINILM` names the folder that holds it.
fn minilm(device: Case) {
    let Some(folder) = crate::support::shared::weights("CRESSET_MINILM", "all-MiniLM-L6-v2") else { return };
    let expected = crate::support::json(Path::new("tests/golden/encoders/minilm.json"));
    let cases = expected["cases"].as_array().expect("cases");
    let mut engine = open(folder.to_str().expect("UTF-8"), device);
    let texts: Vec<&str> = cases.iter().map(|case| case["text"].as_str().expect("text")).collect();
    for (text, case) in texts.iter().zip(cases) {
        let ids = engine.tokenize(text).expect("ids");
        let want = crate::support::ids(&case["ids"]);
        assert_eq!(ids[..want.len() - 1], want[..want.len() - 1], "{text:?}");
    }
    let vectors = embed(&mut engine, json!({ "input": texts, "truncate_prompt_tokens": expected["most_tokens"] }));
    let likeness = |(vector, case): (&Vec<f32>, &Value)| cosine(vector, &crate::support::floats(&case["vector"]));
    let least = vectors.iter().zip(cases).map(likeness).fold(1f32, f32::min);
    println!("all-MiniLM-L6-v2: least cosine of {} texts {least:.7}", texts.len());
    assert!(least >= 0.9999, "least cosine {least}");
}

macro_rules! on_both_devices {
    ($($test:ident),* $(,)?) => {
        mod on_the_cpu {
            $(#[test] fn $test() { super::$test(super::cpu()); })*
        }
        mod on_the_gpu {
            $(#[test] fn $test() { if let Some(case) = super::gpu() { super::$test(case); } })*
        }
    };
}

on_both_devices! {
    vectors_are_the_references,
    batches_give_what_texts_alone_give,
    requests_are_openais,
    nothing_is_made_twice,
    minilm,
}
