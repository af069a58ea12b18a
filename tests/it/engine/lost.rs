//! A device that is lost is replaced, and what went on goes on as if nothing had been.

use super::*;
use cresset::engine::AdapterOptions;
use cresset::weights::Files;
use cresset::weights::{Checkpoint, LocalBoxFuture, MemorySource, Source, open_path};
use std::cell::Cell;
use std::rc::Rc;

/// The answer to a streamed `request` whose device is lost when so many tokens have come.
fn lost_after(engine: &mut Engine, tokens: usize, request: &Value) -> Result<(String, Vec<u32>, Value), Error> {
    let kill = faults::loss(&engine.generator().expect("a generator").device);
    let base = json!({ "prompt": "the hen", "max_tokens": 24, "ignore_eos": true, "return_token_ids": true,
                       "stream": true, "stream_options": { "include_usage": true } });
    let (mut text, mut given, mut usage) = (String::new(), Vec::new(), Value::Null);
    let mut on_chunk = |chunk: Value| {
        let Some(choice) = chunk["choices"].get(0) else {
            usage = chunk["usage"].clone();
            return;
        };
        text.push_str(choice["text"].as_str().expect("text"));
        if choice["token_ids"].is_array() {
            given.extend(ids(&choice["token_ids"]));
        }
        if given.len() == tokens {
            kill();
        }
    };
    block_on(engine.complete(&with(base, request.clone()), &mut on_chunk, &never_yield))?;
    Ok((text, given, usage))
}

fn rebuilds(engine: &Engine) -> u64 {
    engine.stats()["rebuilds"].as_u64().expect("a count")
}

#[test]
fn an_answer_goes_on_where_it_was() {
    let Some(case) = gpu() else { return };
    let requests = [
        json!({ "temperature": 0 }),
        json!({ "temperature": 1, "seed": 7 }),
        json!({ "temperature": 0, "repetition_penalty": 1.5, "presence_penalty": 1, "frequency_penalty": 1 }),
        json!({ "temperature": 0, "ignore_eos": false, "min_tokens": 20, "logit_bias": { EOS.to_string(): 50 } }),
        json!({ "temperature": 0, "logprobs": 2 }),
    ];
    for request in requests {
        let want = lost_after(&mut engine(case), usize::MAX, &request).expect("an answer");
        let mut engine = engine(case);
        for (i, tokens) in [1, 2, 11, want.1.len() - RUN_AHEAD - 1].into_iter().enumerate() {
            let got = lost_after(&mut engine, tokens, &request).expect("an answer");
            assert_eq!((&got.0, &got.1), (&want.0, &want.1), "lost after {tokens}: {request}");
            let counts = |usage: &Value| (usage["prompt_tokens"].clone(), usage["completion_tokens"].clone());
            assert_eq!(counts(&got.2), counts(&want.2));
            assert_eq!(rebuilds(&engine), i as u64 + 1);
        }
    }
}

#[test]
fn a_long_answer_and_what_follows_it() {
    let Some(case) = gpu() else { return };
    // Past the length from which attention is cut in chunks, and past a row bucket when it is computed anew.
    let request = json!({ "temperature": 0, "max_tokens": 400 });
    let want = lost_after(&mut engine(case), usize::MAX, &request).expect("an answer");
    let mut engine = engine(case);
    let got = lost_after(&mut engine, 300, &request).expect("an answer");
    assert_eq!((&got.0, &got.1), (&want.0, &want.1));
    // What is cached is right: the same again with the answer's beginning as its prompt.
    let prompt: Vec<u32> = engine.tokenize("the hen").expect("ids").into_iter().chain(want.1[..350].to_vec()).collect();
    let rest = complete(
        &mut engine,
        json!({ "prompt": prompt, "max_tokens": 50, "temperature": 0, "ignore_eos": true,
                                             "return_token_ids": true }),
    )
    .expect("an answer");
    assert_eq!(ids(&rest["choices"][0]["token_ids"]), want.1[350..]);
    assert_eq!(rest["usage"]["extra"]["cached_tokens"], prompt.len() - 1);
}

#[test]
fn lost_between_requests_it_is_there_for_the_next() {
    let Some(case) = gpu() else { return };
    let mut engine = engine(case);
    let fresh = run(&mut engine, json!({ "temperature": 0 }));
    let logits = last_logits(&mut engine, &[1, 2, 3]);
    for round in 0..2 {
        engine.generator().expect("a generator").device.destroy();
        assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
        engine.generator().expect("a generator").device.destroy();
        assert_eq!(last_logits(&mut engine, &[1, 2, 3]), logits);
        assert_eq!(rebuilds(&engine), 2 * round + 2);
    }
    let memory = engine.info()["memory"].clone();
    assert_eq!(memory, super::engine(case).info()["memory"], "as much as at first");
    // The handle that callers hold still ends requests.
    engine.interrupt_handle().set(true);
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
}

#[test]
fn adapters_come_along() {
    let Some(case) = gpu() else { return };
    let mut engine = crate::support::open(Path::new("tests/golden/llama-gqa/f32.gguf"), case, KvFormat::F32);
    for (name, default) in [("ranks.gguf", false), ("mlx", true)] {
        let files = open_path(Path::new("tests/golden/lora").join(name)).expect("an adapter's files");
        let checkpoint = block_on(Checkpoint::open(files)).expect("an adapter");
        let options = AdapterOptions { default, ..AdapterOptions::default() };
        block_on(engine.load_adapter(name, &checkpoint, &options)).expect("an adapter");
    }
    let listed = engine.adapters();
    let greedy = |adapter: Value| with(json!({ "temperature": 0 }), adapter);
    let requests = [json!({}), json!({ "adapter": "ranks.gguf" }), json!({ "adapter": null })].map(greedy);
    let want = requests.clone().map(|request| lost_after(&mut engine, usize::MAX, &request).expect("an answer").1);
    assert!(want[0] != want[1] && want[1] != want[2] && want[0] != want[2]);
    for (request, want) in requests.iter().zip(&want) {
        assert_eq!(lost_after(&mut engine, 5, request).expect("an answer").1, *want, "{request}");
        assert_eq!(engine.adapters(), listed);
    }
}

#[test]
fn embeddings_too() {
    let Some(case) = gpu() else { return };
    let mut engine = crate::support::open(Path::new("tests/golden/encoders/bert-mean/f32.gguf"), case, KvFormat::F32);
    let request = json!({ "input": [[2, 5, 6, 3], [2, 7, 3]] });
    let want = block_on(engine.embed(&request, &never_yield)).expect("vectors");
    engine.embedder().expect("an embedder").device.destroy();
    assert_eq!(block_on(engine.embed(&request, &never_yield)).expect("vectors"), want);
}

/// Bytes that can be out of reach.
struct Distant {
    bytes: MemorySource,
    gone: Rc<Cell<bool>>,
}

impl Source for Distant {
    fn name(&self) -> &str {
        self.bytes.name()
    }

    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> LocalBoxFuture<'a, cresset::Result<Vec<u8>>> {
        match self.gone.get() {
            true => Box::pin(std::future::ready(Err(Error::Storage { reason: "the file is gone".into() }))),
            false => self.bytes.read(offset, len),
        }
    }
}

#[test]
fn what_cannot_be_read_again_says_so_and_may_come_back() {
    let Some(case) = gpu() else { return };
    let gone = Rc::new(Cell::new(false));
    let bytes = MemorySource::new("far.gguf", model().bytes());
    let source = Distant { bytes, gone: gone.clone() };
    let checkpoint = block_on(Checkpoint::open(Files::single(source))).expect("a file");
    let options = LoadOptions { device: case, kv: KvFormat::F32, ..LoadOptions::default() };
    let mut engine = block_on(Engine::load(checkpoint, &options, &mut |_| ())).expect("an engine");
    let fresh = run(&mut engine, json!({ "temperature": 0 }));
    gone.set(true);
    let error = lost_after(&mut engine, 3, &json!({ "temperature": 0 })).expect_err("no file");
    assert_eq!(error.code(), "DEVICE_LOST");
    assert!(error.to_string().contains("the file is gone"), "{error}");
    // It says so each time, and nothing panics.
    for _ in 0..RUN_AHEAD + 2 {
        let again = complete(&mut engine, json!({ "prompt": "the hen", "max_tokens": 4 })).expect_err("no file");
        assert_eq!(again.code(), "DEVICE_LOST");
    }
    let logits = block_on(engine.logits(&[1, 2], true, &mut |_| (), &never_yield));
    assert_eq!(logits.expect_err("no device").code(), "DEVICE_LOST");
    assert!(engine.info()["model"].is_object() && engine.stats()["rebuilds"] == 0);
    gone.set(false);
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
}
