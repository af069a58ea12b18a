//! Models with an encoder and a decoder: tiny ones against Hugging Face transformers (`tests/golden/seq2seq.py`), and odd requests.

use crate::counting::refusing;
use crate::support::{Case, close, cpu, floats, gpu, ids, json, open};
use cresset::device::KvFormat;
use cresset::engine::{DeviceChoice, Engine, LoadOptions, never_yield, probe};
use cresset::generate::{Request, Sampled, SourceRules};
use cresset::sampler::SamplingParams;
use cresset::weights::{Checkpoint, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;

const MODELS: [&str; 4] = ["t5", "t5-gated", "t5-gguf", "marian"];

fn tiny(name: &str, device: Case) -> Engine {
    let kind = if name.ends_with("gguf") { "gguf" } else { "safetensors" };
    open(Path::new(&format!("tests/golden/seq2seq/{name}/model.{kind}")), device, KvFormat::F32)
}

fn complete(engine: &mut Engine, mut request: Value) -> cresset::Result<Value> {
    request["return_token_ids"] = json!(true);
    block_on(engine.complete(&request, &mut |_| (), &never_yield))
}

fn written(answer: &Value) -> Vec<u32> {
    ids(&answer["choices"][0]["token_ids"])
}

/// Ids of the text, logits behind given ids, the greedy text, the texts that searches find.
fn as_transformers(name: &str, device: Case) {
    let mut engine = tiny(name, device);
    let expected = json(Path::new(&format!("tests/golden/seq2seq/{name}/expected.json")));
    let eos = engine.tokenizer().expect("a tokenizer").eos().expect("an end");
    let without_end = |of: &Value| ids(of).into_iter().take_while(|id| *id != eos).collect::<Vec<_>>();
    for case in expected["cases"].as_array().expect("cases") {
        let text = case["text"].as_str().expect("a text");
        let source = ids(&case["source"]);
        assert_eq!(engine.tokenize(text).expect("ids"), source, "{name}: {text}");

        let generator = engine.generator().expect("it generates");
        block_on(generator.read_source(&source)).expect("it is read");
        let mut given = generator.source_rules().expect("rules").opening.clone();
        given.extend(ids(&expected["forced"]));
        let mut rows = Vec::new();
        let mut keep = |row: &[f32]| rows.push(row.to_vec());
        block_on(generator.logits(&given, true, &mut keep, &never_yield)).expect("logits");
        for (row, want) in [0, 3, 12].into_iter().zip(case["logits"].as_array().expect("rows")) {
            close(&rows[row], &floats(want), 1e-3, &format!("{name}: {text}, row {row}"));
        }

        let request = |more: Value| {
            let mut request = json!({ "prompt": text, "max_tokens": 16, "num_beams": 1 });
            request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            request
        };
        let greedy = complete(&mut engine, request(json!({}))).expect("an answer");
        assert_eq!(written(&greedy), without_end(&case["greedy"]), "{name}: {text}");
        assert_eq!(greedy["usage"]["prompt_tokens"], source.len());
        let searches = [(1.0, false), (-0.5, false), (2.0, true)];
        for ((penalty, early), want) in searches.into_iter().zip(case["beams"].as_array().expect("searches")) {
            let wanted = json!({ "num_beams": 4, "length_penalty": penalty, "early_stopping": early });
            let found = complete(&mut engine, request(wanted.clone())).expect("an answer");
            assert_eq!(written(&found), without_end(want), "{name}: {text}, {wanted}");
            let reason = if ids(want).contains(&eos) { "stop" } else { "length" };
            assert_eq!(found["choices"][0]["finish_reason"], reason, "{name}: {text}, {wanted}");
        }
        let found = complete(&mut engine, request(json!({ "num_beams": 4 }))).expect("an answer");
        assert_eq!(found["choices"][0]["text"], case["written"], "{name}: {text}");
    }
}

#[test]
fn tiny_ones_write_on_the_cpu_as_transformers() {
    MODELS.iter().for_each(|name| as_transformers(name, cpu()));
}

#[test]
fn tiny_ones_write_on_the_gpu_as_transformers() {
    if let Some(gpu) = gpu() {
        MODELS.iter().for_each(|name| as_transformers(name, gpu));
    }
}

/// What was written about one text is not taken for what is written about another, whatever was asked in between.
#[test]
fn texts_do_not_mix() {
    let mut engine = tiny("t5-gated", cpu());
    let texts = ["The old man laughed.", "Nobody swam in the river.", "Good night"];
    let ask = |engine: &mut Engine, text: &str, beams: usize| {
        let request = json!({ "prompt": text, "max_tokens": 12, "num_beams": beams, "ignore_eos": true });
        written(&complete(engine, request).expect("an answer"))
    };
    let alone = texts.map(|text| [1, 3].map(|beams| ask(&mut tiny("t5-gated", cpu()), text, beams)));
    assert_ne!(alone[0], alone[1]);
    for _ in 0..2 {
        for (text, alone) in texts.iter().zip(&alone) {
            // More beams than the model was made for, fewer, and none.
            assert_eq!(ask(&mut engine, text, 3), alone[1], "{text}");
            assert_eq!(ask(&mut engine, text, 1), alone[0], "{text}");
            assert_eq!(ask(&mut engine, text, 1), alone[0], "{text}, again");
        }
    }
}

/// A stream's pieces are the whole text, whether it is searched for or drawn; a stop text ends both.
#[test]
fn streams_and_stops() {
    let mut engine = tiny("marian", cpu());
    for beams in [1, 4] {
        let request = json!({ "prompt": "The boat went down the river.", "max_tokens": 16, "num_beams": beams });
        let whole = complete(&mut engine, request.clone()).expect("an answer");
        let whole = whole["choices"][0]["text"].as_str().expect("a text").to_string();
        let mut streamed = request.clone();
        streamed["stream"] = json!(true);
        let mut pieces = Vec::new();
        let mut keep = |chunk: Value| pieces.push(chunk["choices"][0]["text"].as_str().unwrap_or_default().to_string());
        block_on(engine.complete(&streamed, &mut keep, &never_yield)).expect("a stream");
        assert_eq!(pieces.concat(), whole);
        assert!(pieces.iter().filter(|piece| !piece.is_empty()).count() > 1, "{beams} beams: {pieces:?}");
        let (before, word) = whole.rsplit_once(' ').expect("words");
        let mut stopped = request.clone();
        stopped["stop"] = json!([format!(" {word}")]);
        let stopped = complete(&mut engine, stopped).expect("an answer");
        let (text, reason) = (&stopped["choices"][0]["text"], &stopped["choices"][0]["finish_reason"]);
        assert!(before.starts_with(text.as_str().expect("a text")), "{beams} beams: {stopped}, of {whole}");
        assert_eq!(reason, "stop");
    }
}

/// The encoder reads the last message of a chat by itself; the decoder continues an answer that was cut.
#[test]
fn chats_read_what_was_said_last() {
    for name in MODELS {
        let mut engine = tiny(name, cpu());
        assert_eq!(engine.info()["model"]["hasChatTemplate"], true, "{name}");
        let last = "The boat went down the river.";
        let request = json!({ "prompt": last, "max_tokens": 12, "num_beams": 1, "ignore_eos": true });
        let whole = complete(&mut engine, request).expect("an answer");
        let chat = |engine: &mut Engine, begun: Option<&str>| {
            let said = |role: &str, content: &str| json!({ "role": role, "content": content });
            let mut messages = vec![said("system", "Be brief."), said("user", "Good night"), said("assistant", "Yes.")];
            messages.push(said("user", last));
            messages.extend(begun.map(|words| said("assistant", words)));
            let request = json!({
                "messages": messages, "max_tokens": 12, "num_beams": 1, "ignore_eos": true,
                "return_token_ids": true, "continue_final_message": begun.is_some(),
            });
            block_on(engine.chat(&request, &mut |_| (), &never_yield)).expect("an answer")
        };
        let answer = chat(&mut engine, None);
        assert_eq!(written(&answer), written(&whole), "{name}");
        assert_eq!(answer["choices"][0]["message"]["content"], whole["choices"][0]["text"], "{name}");
        assert_eq!(answer["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"], "{name}");
        // Words that it would never have begun with.
        let begun = "The boat";
        let rest = written(&chat(&mut engine, Some(begun)));
        let tokenizer = engine.tokenizer().expect("a tokenizer");
        let (source, behind) = (tokenizer.encode(last, true, true), tokenizer.encode(begun, false, false));
        let generator = engine.generator().expect("it generates");
        let SourceRules { opening, never, .. } = generator.source_rules().expect("rules").clone();
        let prompt = [opening, behind.expect("ids")].concat();
        let request =
            Request { prompt, source: source.expect("ids"), never, max_tokens: Some(12), ..Request::default() };
        let request = Request { sampling: SamplingParams { temperature: 0.0, ..SamplingParams::default() }, ..request };
        let mut ids = Vec::new();
        let mut keep = |sampled: Sampled<'_>| {
            ids.push(sampled.id);
            ControlFlow::Continue(())
        };
        block_on(generator.generate(&request, &mut keep, &never_yield)).expect("a text");
        assert_eq!(rest, ids, "{name}: behind {begun}");
        assert_ne!(rest, written(&whole), "{name}");
    }
}

/// A search whose beams find no memory ends in `OUT_OF_MEMORY`, and the engine answers as before.
#[test]
fn a_search_without_room() {
    let mut engine = tiny("marian", cpu());
    let ask = |engine: &mut Engine, beams: usize| {
        complete(engine, json!({ "prompt": "The boat went down the river.", "max_tokens": 12, "num_beams": beams }))
    };
    let usual = [1, 4].map(|beams| written(&ask(&mut engine, beams).expect("an answer")));
    let memory = engine.info()["memory"].clone();
    // Keys and values of two layers, in 24 columns of 4 bytes: of the positions of four texts, as many as the model searches with, and of
    // the text that they are about.
    let of = |positions: u64| 2 * 2 * 24 * 4 * (4 + 1) * positions;
    assert_eq!(memory["kv"], of(64));
    let bytes = |context| {
        let options = LoadOptions { device: DeviceChoice::Cpu, context, kv: KvFormat::F32, ..LoadOptions::default() };
        let model = open_path(Path::new("tests/golden/seq2seq/marian/model.safetensors")).expect("files");
        let about = block_on(async { probe(&Checkpoint::open(model).await?, &options).await }).expect("an answer");
        about["deviceBytes"].as_u64().expect("bytes")
    };
    assert_eq!(bytes(Some(64)) - bytes(Some(32)), of(32), "what is estimated");
    for _ in 0..2 {
        let error = refusing(60_000, || ask(&mut engine, 16)).expect_err("no room");
        assert_eq!(error.code(), "OUT_OF_MEMORY", "{error}");
        assert_eq!(engine.info()["memory"], memory);
        assert_eq!([1, 4].map(|beams| written(&ask(&mut engine, beams).expect("an answer"))), usual);
    }
    assert!(!written(&ask(&mut engine, 16).expect("an answer")).is_empty());
}

#[test]
fn odd_requests() {
    let mut engine = tiny("marian", cpu());
    let mut refused = |request: Value| {
        let error = complete(&mut engine, request).expect_err("it is refused");
        (error.code(), error.to_string())
    };
    let (code, text) = refused(json!({ "prompt": "a boat ".repeat(60) }));
    assert_eq!(code, "CONTEXT_OVERFLOW", "{text}");
    for (request, says) in [
        (json!({ "prompt": "a", "num_beams": 0 }), "num_beams: must be a whole number, from 1 to 16"),
        (json!({ "prompt": "a", "num_beams": 17 }), "num_beams: must be a whole number, from 1 to 16"),
        (json!({ "prompt": "a", "num_beams": 2, "temperature": 1 }), "num_beams: searches for the likeliest text"),
        (json!({ "prompt": "a", "num_beams": 2, "n": 2 }), "n: is not for a search"),
        (json!({ "prompt": "a", "num_beams": 2, "logprobs": 2 }), "logprobs: is not for a search"),
        (json!({ "prompt": [5, 100_000] }), "prompt: has the id 100000"),
        (json!({ "prompt": "" }), "prompt: is empty"),
    ] {
        let (code, text) = refused(request);
        assert!(code == "INVALID_REQUEST" && text.contains(says), "{code}: {text}");
    }
    let error =
        block_on(engine.logits(&[1], true, &mut |_| (), &never_yield)).expect_err("there is no text to attend to");
    assert_eq!(error.code(), "INVALID_REQUEST");
    // Usable after all of them; drawn where that is asked for.
    let drawn = json!({ "prompt": "a boat", "temperature": 1, "seed": 3, "max_tokens": 8, "logprobs": 2 });
    assert_eq!(complete(&mut engine, drawn).expect("an answer")["usage"]["completion_tokens"], 8);
    let mut plain = open(Path::new("www/models/cresset-stories-4m-q8_0.gguf"), cpu(), KvFormat::F32);
    let error = complete(&mut plain, json!({ "prompt": "a", "num_beams": 2 })).expect_err("it has no encoder");
    assert!(error.to_string().contains("num_beams: is for models with an encoder"), "{error}");
}
