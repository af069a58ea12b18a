//! The engine as its callers see it: OpenAI's objects, sampling, stops, the context's end, interruption, the prefix
//! cache, row buckets, and what a token costs. Each test runs on the CPU and on the GPU.

mod support;

use cresset::Error;
use cresset::device::{KvFormat, RUN_AHEAD};
use cresset::engine::{Engine, LoadOptions, no_breathing};
use cresset::generate::Request;
use cresset::sampler::{SamplingParams, log_softmax};
use pollster::block_on;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use support::variant::Variant;
use support::{Case, close, cpu, gpu, ids};

macro_rules! on_both_devices {
    ($($test:ident),* $(,)?) => {
        mod on_the_cpu {
            $(#[test] fn $test() { super::$test(super::cpu()); })*
        }
        mod on_the_gpu {
            $(#[test] fn $test() { if let Some(case) = super::gpu() { super::$test(case) } })*
        }
    };
}

on_both_devices! {
    a_completion_is_openais_object,
    a_chat_is_openais_object,
    streamed_pieces_make_the_whole,
    log_probabilities_in_both_spellings,
    several_choices,
    seeds,
    logit_bias_forces_and_forbids,
    penalties_are_those_of_the_formula,
    the_narrowest_sampling_is_greedy,
    stop_strings_that_straddle_tokens,
    real_text_is_streamed_whole_and_stopped_in_words,
    token_limits,
    the_context_ends_with_length_and_never_overflows,
    interrupted_in_mid_answer,
    an_extended_prompt_is_computed_from_where_it_differs,
    every_row_bucket_gives_the_logits_of_single_steps,
    a_decoded_token_costs_the_same_and_makes_nothing,
    two_engines_at_once,
    wrong_requests_are_named_and_leave_the_engine_usable,
}

/// A chat template of characters that the golden vocabulary has.
const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";
/// The golden end-of-text id.
const EOS: u32 = 95;

/// The golden llama with room for longer texts, and a chat template.
fn model() -> Variant {
    let model = Variant::of("llama-gqa/f32.gguf");
    model.set("llama.context_length", 512u32).set("tokenizer.chat_template", TEMPLATE)
}

fn load(variant: &Variant, device: Case, context: Option<usize>) -> Engine {
    let options = LoadOptions { device, kv: KvFormat::F32, context };
    block_on(Engine::load(variant.checkpoint().expect("a file"), &options, &mut |_| ())).expect("an engine")
}

fn engine(device: Case) -> Engine {
    load(&model(), device, None)
}

/// `a` with the fields of `b`.
fn with(mut a: Value, b: Value) -> Value {
    a.as_object_mut().expect("an object").extend(b.as_object().expect("an object").clone());
    a
}

fn complete(engine: &mut Engine, request: Value) -> Result<Value, Error> {
    block_on(engine.complete(&request, &mut |chunk| panic!("not streamed: {chunk}"), &no_breathing))
}

/// The one choice's text and ids of a whole answer to `request` for a fixed prompt, end of text ignored.
fn run(engine: &mut Engine, request: Value) -> (String, Vec<u32>) {
    let base = json!({ "prompt": "the hen", "max_tokens": 24, "ignore_eos": true, "return_token_ids": true });
    let answer = complete(engine, with(base, request)).expect("an answer");
    let choice = &answer["choices"][0];
    (choice["text"].as_str().expect("text").to_string(), ids(&choice["token_ids"]))
}

fn stream(engine: &mut Engine, chat: bool, request: Value) -> Vec<Value> {
    let request = with(request, json!({ "stream": true }));
    let mut chunks = Vec::new();
    let mut on_chunk = |chunk: Value| chunks.push(chunk);
    let answer = match chat {
        true => block_on(engine.chat(&request, &mut on_chunk, &no_breathing)),
        false => block_on(engine.complete(&request, &mut on_chunk, &no_breathing)),
    };
    assert_eq!(answer.expect("an answer")["choices"], json!([]), "the pieces went to the stream");
    chunks
}

/// The text of choice `index` in a stream of completion chunks.
fn streamed_text(chunks: &[Value], index: u64) -> String {
    let choices = chunks.iter().flat_map(|c| c["choices"].as_array().expect("choices"));
    choices.filter(|c| c["index"] == index).map(|c| c["text"].as_str().expect("text")).collect()
}

fn finish(answer: &Value) -> &str {
    answer["choices"][0]["finish_reason"].as_str().expect("a reason")
}

fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.expect("logits").0 as u32
}

fn last_logits(engine: &mut Engine, ids: &[u32]) -> Vec<f32> {
    let mut last = Vec::new();
    block_on(engine.logits(ids, false, &mut |row| last = row.to_vec(), &no_breathing)).expect("logits");
    last
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The envelope and the usage that all answers share.
fn check_envelope(answer: &Value, engine: &Engine, prefix: &str, object: &str) {
    let id = answer["id"].as_str().expect("an id");
    assert!(id.starts_with(prefix) && id.len() == prefix.len() + 16, "{id}");
    assert_eq!(answer["object"], object);
    assert_eq!(answer["model"], engine.model().name);
    assert!(answer["created"].as_u64().expect("seconds") > 1_700_000_000);
}

fn check_usage(usage: &Value, prompt: usize, completion: usize) {
    let counts = ["prompt_tokens", "completion_tokens", "total_tokens"].map(|key| usage[key].as_u64());
    assert_eq!(counts, [prompt, completion, prompt + completion].map(|n| Some(n as u64)));
    let extra = &usage["extra"];
    assert!(extra["time_to_first_token_s"].as_f64().expect("seconds") > 0.0);
    assert!(extra["prefill_tokens_per_s"].as_f64().expect("a rate") > 0.0);
    assert!(extra["decode_tokens_per_s"].as_f64().expect("a rate") > 0.0);
    assert!(extra["cached_tokens"].is_u64());
}

fn a_completion_is_openais_object(case: Case) {
    let mut engine = engine(case);
    let request = json!({ "prompt": "the hen", "max_tokens": 5, "temperature": 0 });
    let answer = complete(&mut engine, request.clone()).expect("an answer");
    assert_eq!(keys(&answer), ["id", "object", "created", "model", "choices", "usage"]);
    check_envelope(&answer, &engine, "cmpl-", "text_completion");
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(1));
    assert_eq!(keys(&answer["choices"][0]), ["index", "text", "logprobs", "finish_reason"]);
    assert_eq!((&answer["choices"][0]["index"], &answer["choices"][0]["logprobs"]), (&json!(0), &Value::Null));
    assert_eq!(finish(&answer), "length");
    let prompt = engine.tokenize("the hen").expect("ids").len();
    check_usage(&answer["usage"], prompt, 5);
    let again = complete(&mut engine, request).expect("an answer");
    assert_ne!(again["id"], answer["id"]);
    assert_eq!(engine.stats()["requests"], 2);
}

fn a_chat_is_openais_object(case: Case) {
    let mut engine = engine(case);
    let messages = json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": "the hen?" }]);
    let prompt = engine.apply_chat_template(messages.as_array().expect("messages"), &Value::Null).expect("a prompt");
    assert_eq!(prompt, "[system] be brief\n[user] the hen?\n[assistant]");
    let request = json!({ "messages": messages, "max_completion_tokens": 6, "temperature": 0, "ignore_eos": true });
    let answer = block_on(engine.chat(&request, &mut |_| panic!("not streamed"), &no_breathing)).expect("an answer");
    check_envelope(&answer, &engine, "chatcmpl-", "chat.completion");
    let choice = &answer["choices"][0];
    assert_eq!(keys(choice), ["index", "message", "logprobs", "finish_reason"]);
    assert_eq!((&choice["message"]["role"], finish(&answer)), (&json!("assistant"), "length"));
    let prompt_tokens = engine.tokenizer().expect("a tokenizer").encode(&prompt, false, true).expect("ids").len();
    check_usage(&answer["usage"], prompt_tokens, 6);

    let chunks = stream(&mut engine, true, with(request, json!({ "stream_options": { "include_usage": true } })));
    for chunk in &chunks {
        check_envelope(chunk, &engine, "chatcmpl-", "chat.completion.chunk");
        assert_eq!(chunk["id"], chunks[0]["id"]);
    }
    let [first, pieces @ .., closing, usage] = &chunks[..] else { panic!("too few chunks: {chunks:?}") };
    assert_eq!(first["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    let content = |c: &Value| c["choices"][0]["delta"]["content"].as_str().expect("content").to_string();
    assert_eq!(pieces.iter().map(content).collect::<String>(), choice["message"]["content"].as_str().expect("text"));
    assert!(pieces.iter().chain([first]).all(|c| c["choices"][0]["finish_reason"].is_null() && c["usage"].is_null()));
    assert_eq!((&closing["choices"][0]["delta"], finish(closing)), (&json!({}), "length"));
    assert_eq!(usage["choices"], json!([]));
    check_usage(&usage["usage"], prompt_tokens, 6);
}

fn streamed_pieces_make_the_whole(case: Case) {
    let mut engine = engine(case);
    let request = json!({ "prompt": "the hen", "max_tokens": 12, "seed": 5, "ignore_eos": true });
    let whole = complete(&mut engine, request.clone()).expect("an answer");
    let chunks = stream(&mut engine, false, request.clone());
    assert_eq!(streamed_text(&chunks, 0), whole["choices"][0]["text"].as_str().expect("text"));
    let (closing, pieces) = chunks.split_last().expect("chunks");
    assert!(pieces.len() > 5, "one piece a token or so: {}", pieces.len());
    assert!(pieces.iter().all(|c| c["choices"][0]["text"] != "" && c["choices"][0]["finish_reason"].is_null()));
    assert_eq!((&closing["choices"][0]["text"], finish(closing)), (&json!(""), "length"));
    assert!(chunks.iter().all(|c| c["object"] == "text_completion" && c.get("usage").is_none()));
    assert!(chunks.iter().all(|c| c["id"] == chunks[0]["id"]));
    let with_usage = stream(&mut engine, false, with(request, json!({ "stream_options": { "include_usage": true } })));
    let last = with_usage.last().expect("chunks");
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(12)));
}

fn log_probabilities_in_both_spellings(case: Case) {
    let mut engine = engine(case);
    let prompt = engine.tokenize("the hen").expect("ids");
    let expected = log_softmax(&last_logits(&mut engine, &prompt));
    let number = |value: &Value| value.as_f64().expect("a number") as f32;

    let request = json!({ "prompt": prompt, "max_tokens": 4, "temperature": 0, "ignore_eos": true,
                          "logprobs": 3, "return_token_ids": true });
    let answer = complete(&mut engine, request.clone()).expect("an answer");
    let (choice, logprobs) = (&answer["choices"][0], &answer["choices"][0]["logprobs"]);
    let token_ids = ids(&choice["token_ids"]);
    let tokens: String = logprobs["tokens"].as_array().expect("tokens").iter().filter_map(Value::as_str).collect();
    assert_eq!(tokens, choice["text"].as_str().expect("text"));
    let each = logprobs["token_logprobs"].as_array().expect("numbers");
    assert_eq!((each.len(), token_ids.len()), (4, 4));
    assert!((number(&each[0]) - expected[token_ids[0] as usize]).abs() < 1e-3);
    for (top, logprob) in logprobs["top_logprobs"].as_array().expect("a list").iter().zip(each) {
        let top: Vec<f32> = top.as_object().expect("a map").values().map(number).collect();
        assert!(top.len() == 3 && top.is_sorted_by(|a, b| a >= b), "{top:?}");
        assert_eq!(top[0], number(logprob), "greedy takes the most probable");
    }
    // The same in a stream, piece by piece.
    let chunks = stream(&mut engine, false, request);
    let (closing, pieces) = chunks.split_last().expect("chunks");
    let streamed: Vec<u32> = pieces.iter().flat_map(|c| ids(&c["choices"][0]["token_ids"])).collect();
    assert_eq!(streamed, token_ids);
    let streamed = pieces.iter().map(|c| number(&c["choices"][0]["logprobs"]["token_logprobs"][0]));
    let each: Vec<f32> = each.iter().map(number).collect();
    close(&streamed.collect::<Vec<_>>(), &each, 1e-4, "streamed log-probabilities");
    assert!(closing["choices"][0]["logprobs"].is_null());

    let messages = json!([{ "role": "user", "content": "the hen" }]);
    let request = json!({ "messages": messages, "max_tokens": 3, "temperature": 0, "ignore_eos": true,
                          "logprobs": true, "top_logprobs": 2 });
    let answer = block_on(engine.chat(&request, &mut |_| (), &no_breathing)).expect("an answer");
    let content = answer["choices"][0]["logprobs"]["content"].as_array().expect("a list");
    assert_eq!(content.len(), 3);
    for token in content {
        assert_eq!(keys(token), ["token", "logprob", "bytes", "top_logprobs"]);
        let bytes = ids(&token["bytes"]).into_iter().map(|b| b as u8).collect::<Vec<_>>();
        assert_eq!(String::from_utf8(bytes).as_deref(), Ok(token["token"].as_str().expect("text")));
        let top = token["top_logprobs"].as_array().expect("a list");
        assert_eq!((top.len(), &top[0]["logprob"], &top[0]["token"]), (2, &token["logprob"], &token["token"]));
    }
    let without = with(request, json!({ "logprobs": false, "top_logprobs": null }));
    let answer = block_on(engine.chat(&without, &mut |_| (), &no_breathing)).expect("an answer");
    assert!(answer["choices"][0]["logprobs"].is_null());
}

fn several_choices(case: Case) {
    let mut engine = engine(case);
    let request = json!({ "prompt": "the hen", "max_tokens": 10, "seed": 11, "ignore_eos": true });
    let one = complete(&mut engine, request.clone()).expect("an answer");
    let three = complete(&mut engine, with(request.clone(), json!({ "n": 3 }))).expect("an answer");
    let choices = three["choices"].as_array().expect("choices");
    assert_eq!(choices.iter().map(|c| c["index"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!(choices[0], one["choices"][0], "the first is that of the request alone");
    assert!(choices[1]["text"] != choices[0]["text"] && choices[2]["text"] != choices[1]["text"]);
    check_usage(&three["usage"], 4, 30);
    let chunks = stream(&mut engine, false, with(request, json!({ "n": 3 })));
    for (i, choice) in choices.iter().enumerate() {
        assert_eq!(streamed_text(&chunks, i as u64), choice["text"].as_str().expect("text"));
    }
    assert_eq!(chunks.iter().filter(|c| c["choices"][0]["finish_reason"] == "length").count(), 3);
}

fn seeds(case: Case) {
    let (mut a, mut b) = (engine(case), engine(case));
    let texts: Vec<_> = (0..6).map(|seed| run(&mut a, json!({ "seed": seed, "temperature": 1.2 }))).collect();
    for (seed, text) in texts.iter().enumerate().rev() {
        assert_eq!(&run(&mut b, json!({ "seed": seed, "temperature": 1.2 })), text, "seed {seed}");
        assert_eq!(texts.iter().filter(|other| *other == text).count(), 1, "other seeds, other texts");
    }
    assert_eq!(run(&mut a, json!({ "seed": -1 })), run(&mut b, json!({ "seed": u64::MAX })));
    assert_ne!(run(&mut a, json!({})), run(&mut a, json!({})), "without a seed, another text each time");
}

fn logit_bias_forces_and_forbids(case: Case) {
    let mut engine = engine(case);
    assert_eq!(run(&mut engine, json!({ "logit_bias": { "42": 100 } })).1, vec![42; 24]);
    let (_, greedy) = run(&mut engine, json!({ "temperature": 0 }));
    let forbidden: serde_json::Map<_, _> = greedy.iter().map(|id| (id.to_string(), json!(-100))).collect();
    let (_, others) = run(&mut engine, json!({ "temperature": 0, "logit_bias": forbidden }));
    assert!(others.iter().all(|id| !greedy.contains(id)), "{others:?} of {greedy:?}");
    // A bias of one request is gone in the next.
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })).1, greedy);
}

/// Greedy with penalties, against the definitions computed here from the plain logits.
fn penalties_are_those_of_the_formula(case: Case) {
    let (mut engine, mut plain) = (engine(case), engine(cpu()));
    let prompt = engine.tokenize("the hen").expect("ids");
    for (repetition, frequency, presence) in [(1.0, 2.0, 0.0), (1.0, 0.0, 1.5), (1.8, 0.0, 0.0), (1.3, -0.7, 0.4)] {
        let request = json!({ "temperature": 0, "repetition_penalty": repetition,
                              "frequency_penalty": frequency, "presence_penalty": presence });
        let (_, got) = run(&mut engine, request);
        let mut sequence = prompt.clone();
        for (step, &id) in got.iter().enumerate() {
            let mut logits = last_logits(&mut plain, &sequence);
            for (token, z) in logits.iter_mut().enumerate() {
                let seen = sequence.iter().filter(|&&id| id as usize == token).count();
                let written = sequence[prompt.len()..].iter().filter(|&&id| id as usize == token).count();
                if seen > 0 {
                    *z = if *z > 0.0 { *z / repetition } else { *z * repetition };
                }
                if written > 0 {
                    *z -= presence + frequency * written as f32;
                }
            }
            let best = logits[argmax(&logits) as usize];
            assert!(best - logits[id as usize] < 1e-3, "step {step} of {request:?}: {id}", request = [repetition]);
            sequence.push(id);
        }
    }
    let (_, free) = run(&mut engine, json!({ "temperature": 0 }));
    let (_, penalised) = run(&mut engine, json!({ "temperature": 0, "frequency_penalty": 2, "presence_penalty": 2 }));
    let most = |ids: &[u32]| ids.iter().map(|id| ids.iter().filter(|i| *i == id).count()).max();
    assert!(most(&penalised) <= most(&free));
}

fn the_narrowest_sampling_is_greedy(case: Case) {
    let mut engine = engine(case);
    let greedy = run(&mut engine, json!({ "temperature": 0 }));
    for narrow in [json!({ "top_k": 1 }), json!({ "top_p": 1e-6 }), json!({ "min_p": 1 })] {
        let request = with(json!({ "temperature": 1.5, "seed": 3 }), narrow);
        assert_eq!(run(&mut engine, request.clone()), greedy, "{request}");
    }
}

/// Real words, several characters a token: what is streamed is what the independent implementation wrote.
fn real_text_is_streamed_whole_and_stopped_in_words(case: Case) {
    let mut engine = support::open(Path::new("www/models/cresset-stories-4m-q8_0.gguf"), case, KvFormat::F32);
    let expected = support::json(Path::new("tests/golden/bundled.json"));
    for prompt in expected.as_array().expect("prompts").iter().take(2) {
        let text = prompt["greedy_text"].as_str().expect("text");
        let n = ids(&prompt["greedy_ids"]).len();
        let request = json!({ "prompt": ids(&prompt["ids"]), "max_tokens": n, "temperature": 0, "ignore_eos": true });
        let chunks = stream(&mut engine, false, request.clone());
        assert_eq!(streamed_text(&chunks, 0), text);
        let stop = &text[text.len() / 2 - 5..text.len() / 2 + 6];
        let chunks = stream(&mut engine, false, with(request, json!({ "stop": stop })));
        assert_eq!(streamed_text(&chunks, 0), text[..text.find(stop).expect("it is there")]);
        assert_eq!(finish(chunks.last().expect("chunks")), "stop");
    }
}

/// The golden tokens are mostly single characters, so every string of three lies across tokens.
fn stop_strings_that_straddle_tokens(case: Case) {
    let mut engine = engine(case);
    let (text, _) = run(&mut engine, json!({ "temperature": 0 }));
    let at = |i: usize| text.char_indices().nth(i).map_or(text.len(), |(at, _)| at);
    for (first, last) in [(0, 3), (5, 8), (9, 13), (text.chars().count() - 3, text.chars().count())] {
        let stop = &text[at(first)..at(last)];
        let shown = &text[..text.find(stop).expect("it is there")];
        let request = json!({ "prompt": "the hen", "max_tokens": 24, "ignore_eos": true, "temperature": 0,
                              "stop": ["never written", stop] });
        let answer = complete(&mut engine, request.clone()).expect("an answer");
        assert_eq!((answer["choices"][0]["text"].as_str(), finish(&answer)), (Some(shown), "stop"), "{stop:?}");
        let chunks = stream(&mut engine, false, request);
        assert_eq!(streamed_text(&chunks, 0), shown, "no part of {stop:?} is streamed");
        assert_eq!(finish(chunks.last().expect("chunks")), "stop");
    }
    // A beginning of a stop string that comes to nothing is given back at the end.
    let unfinished = format!("{}{}", &text[at(text.chars().count() - 2)..], "never written");
    let request = json!({ "prompt": "the hen", "max_tokens": 24, "ignore_eos": true, "temperature": 0,
                          "stop": unfinished });
    let chunks = stream(&mut engine, false, request);
    assert_eq!((streamed_text(&chunks, 0), finish(chunks.last().expect("chunks"))), (text, "length"));
}

fn token_limits(case: Case) {
    let mut engine = engine(case);
    let (_, greedy) = run(&mut engine, json!({ "temperature": 0 }));
    for n in [0, 1, 2, 7] {
        let request = json!({ "prompt": "the hen", "max_tokens": n, "temperature": 0, "ignore_eos": true,
                              "return_token_ids": true });
        let answer = complete(&mut engine, request).expect("an answer");
        assert_eq!(ids(&answer["choices"][0]["token_ids"]), greedy[..n]);
        assert_eq!((finish(&answer), &answer["usage"]["completion_tokens"]), ("length", &json!(n)));
    }
    let ended = |engine: &mut Engine, fields: Value| {
        let request = json!({ "prompt": "the hen", "max_tokens": 9, "logit_bias": { EOS.to_string(): 100 } });
        let answer = complete(engine, with(request, fields)).expect("an answer");
        (finish(&answer).to_string(), answer["usage"]["completion_tokens"].as_u64().expect("a count"))
    };
    assert_eq!(ended(&mut engine, json!({})), ("stop".into(), 0));
    for n in [1, 2, 5, 8] {
        assert_eq!(ended(&mut engine, json!({ "min_tokens": n })), ("stop".into(), n));
    }
    assert_eq!(ended(&mut engine, json!({ "min_tokens": 50 })), ("length".into(), 9));
    assert_eq!(ended(&mut engine, json!({ "ignore_eos": true })), ("length".into(), 9));
    // Until then the end of text is never drawn, afterwards it is again.
    let (eos, never) = (json!({ EOS.to_string(): 100 }), json!({ EOS.to_string(): -100 }));
    let ids_of = |engine: &mut Engine, bias: Value, min: usize, ignore: bool| {
        run(engine, json!({ "temperature": 0, "logit_bias": bias, "min_tokens": min, "ignore_eos": ignore })).1
    };
    let without = ids_of(&mut engine, never, 0, false);
    assert_eq!(ids_of(&mut engine, eos.clone(), 6, false), without[..6]);
    assert_eq!(ids_of(&mut engine, eos.clone(), 0, true), [EOS; 24]);
    let (text, _) = run(&mut engine, json!({ "logit_bias": eos }));
    assert_eq!(text, "", "the end of text is not text");
}

fn the_context_ends_with_length_and_never_overflows(case: Case) {
    let mut engine = load(&model(), case, Some(40));
    let mut other = load(&model(), case, None);
    let prompt: Vec<u32> = (0..41).map(|i| (i * 37) % 95).collect();
    let request = |n: usize| {
        json!({ "prompt": prompt[..n], "temperature": 0, "ignore_eos": true,
                                     "return_token_ids": true })
    };
    let expected = |other: &mut Engine, n: usize, count: usize| {
        let answer = complete(other, with(request(n), json!({ "max_tokens": count }))).expect("an answer");
        answer["choices"][0]["token_ids"].clone()
    };
    for n in [40, 39, 30, 1] {
        // The last token written needs no place of its own.
        let answer = complete(&mut engine, request(n)).expect("an answer");
        assert_eq!((finish(&answer), &answer["usage"]["total_tokens"]), ("length", &json!(41)), "{n}");
        assert_eq!(answer["choices"][0]["token_ids"], expected(&mut other, n, 41 - n), "{n}");
        let error = complete(&mut engine, request(41)).unwrap_err();
        assert_eq!(error.code(), "CONTEXT_OVERFLOW");
        assert!(error.to_string().contains("41 tokens") && error.to_string().contains("holds 40"), "{error}");
    }
    let long: String = "the hen ".repeat(100);
    assert_eq!(complete(&mut engine, json!({ "prompt": long })).unwrap_err().code(), "CONTEXT_OVERFLOW");
    let error = block_on(engine.logits(&prompt, true, &mut |_| (), &no_breathing)).unwrap_err();
    assert_eq!(error.code(), "CONTEXT_OVERFLOW");
    assert_eq!(block_on(engine.logits(&prompt[..40], true, &mut |_| (), &no_breathing)), Ok(()));
}

fn interrupted_in_mid_answer(case: Case) {
    let mut engine = engine(case);
    let submits = |engine: &Engine| engine.stats()["counters"]["submits"].as_u64().expect("a count");
    let fresh = run(&mut engine, json!({ "temperature": 0 }));
    for (n, after) in [(1, 1), (1, 3), (2, 4)] {
        let request = json!({ "prompt": "the hen", "max_tokens": 400, "ignore_eos": true, "temperature": 0, "n": n,
                              "stream": true });
        let interrupt = engine.interrupt_handle();
        let before = submits(&engine);
        let mut chunks = Vec::new();
        let mut on_chunk = |chunk: Value| {
            chunks.push(chunk);
            if chunks.len() == after {
                interrupt.set(true);
            }
        };
        block_on(engine.complete(&request, &mut on_chunk, &no_breathing)).expect("an answer");
        assert_eq!(chunks.len(), after + 1, "no piece after the interruption, only the end: {chunks:?}");
        let closing = chunks.last().expect("chunks");
        assert_eq!((&closing["choices"][0]["text"], finish(closing)), (&json!(""), "abort"));
        let ran = submits(&engine) - before;
        assert!(ran <= (after + RUN_AHEAD) as u64 + 1, "{ran} runs for {after} tokens");
        // All that ran has been waited for, and the next request finds everything in order.
        assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
    }
    // An interruption when nothing runs is no business of the next request.
    engine.interrupt_handle().set(true);
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
}

fn an_extended_prompt_is_computed_from_where_it_differs(case: Case) {
    let mut engine = engine(case);
    let prompt: Vec<u32> = (0..20).map(|i| (i * 31) % 95).collect();
    let mut ask = |prompt: &[u32]| {
        let request = json!({ "prompt": prompt, "max_tokens": 8, "temperature": 0, "ignore_eos": true,
                              "return_token_ids": true });
        let answer = complete(&mut engine, request.clone()).expect("an answer");
        let fresh = complete(&mut load(&model(), case, None), request).expect("an answer");
        assert_eq!(answer["choices"], fresh["choices"]);
        assert_eq!(fresh["usage"]["extra"]["cached_tokens"], 0);
        (ids(&answer["choices"][0]["token_ids"]), answer["usage"]["extra"]["cached_tokens"].as_u64().expect("a count"))
    };
    let (written, cached) = ask(&prompt);
    assert_eq!(cached, 0);
    let longer = [&prompt[..], &written, &[7, 8, 9]].concat();
    // Of the eight written, the last was never fed back.
    assert_eq!(ask(&longer).1, 27);
    assert_eq!(ask(&longer).1, 30, "the last token of a prompt is always computed");
    assert_eq!(ask(&[&prompt[..12], &[3, 3]].concat()).1, 12);
    assert_eq!(ask(&[50, 51]).1, 0);
}

/// Prompts on both sides of every bucket's edge, against the same ids fed one by one.
fn every_row_bucket_gives_the_logits_of_single_steps(case: Case) {
    let mut engine = engine(case);
    let sequence: Vec<u32> = (0..300u32).map(|i| (i * i * 7 + i * 13) % 96).collect();
    let mut single = Vec::new();
    for n in 1..=sequence.len() {
        let sampling = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
        let request = Request {
            prompt: sequence[..n].to_vec(),
            max_tokens: Some(1),
            sampling,
            want_logits: true,
            ..Request::default()
        };
        let mut on_token = |sampled: cresset::generate::Sampled| {
            assert_eq!(sampled.id, argmax(sampled.logits.expect("logits")), "{n}");
            single.push(sampled.logits.expect("logits").to_vec());
            ControlFlow::Continue(())
        };
        let outcome = block_on(engine.generator().generate(&request, &mut on_token, &no_breathing)).expect("a token");
        assert_eq!(outcome.cached_tokens, n - 1, "fed one by one");
    }
    for n in [1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 300] {
        close(&last_logits(&mut engine, &sequence[..n]), &single[n - 1], 1e-3, &format!("{n} at once"));
        let request = json!({ "prompt": sequence[..n], "max_tokens": 1, "temperature": 0, "ignore_eos": true,
                              "return_token_ids": true });
        let answer = complete(&mut engine, request).expect("an answer");
        assert_eq!(ids(&answer["choices"][0]["token_ids"]), [argmax(&single[n - 1])], "{n} sampled at once");
    }
    let mut rows = 0;
    let mut on_row = |row: &[f32]| {
        close(row, &single[rows], 1e-3, &format!("position {rows} of all"));
        rows += 1;
    };
    block_on(engine.logits(&sequence, true, &mut on_row, &no_breathing)).expect("logits");
    assert_eq!(rows, 300);
}

fn a_decoded_token_costs_the_same_and_makes_nothing(case: Case) {
    let mut engine = engine(case);
    let mut cost = |tokens: usize| {
        let before = engine.stats()["counters"].clone();
        let request = json!({ "prompt": "the hen", "max_tokens": tokens, "temperature": 0.8, "seed": 1, "top_k": 5,
                              "ignore_eos": true, "frequency_penalty": 0.5, "logit_bias": { "3": 1 } });
        complete(&mut engine, request).expect("an answer");
        let after = engine.stats()["counters"].clone();
        move |key: &str| after[key].as_u64().expect("a count") - before[key].as_u64().expect("a count")
    };
    let _ = cost(4); // the first request makes the plans; from the second on the prompt is in the cache
    let (few, more, most) = (cost(4), cost(10), cost(30));
    assert_eq!((few("submits"), more("submits"), most("submits")), (4, 10, 30), "one submit a token");
    let dispatches = (more("dispatches") - few("dispatches")) / 6;
    assert!(dispatches > 0 && few("dispatches") == 4 * dispatches && most("dispatches") == 30 * dispatches);
    for made in ["buffers", "bindGroups", "pipelines"] {
        assert_eq!((few(made), most(made)), (0, 0), "{made}");
    }
    assert_eq!(few("bytesWritten"), most("bytesWritten"), "written once a request, never for a token");
    if engine.info()["device"]["backend"] != "cpu" {
        assert_eq!((few("maps"), most("maps")), (4, 30));
        assert_eq!((few("bytesRead"), most("bytesRead")), (16, 120), "one id a token");
    }
}

fn two_engines_at_once(case: Case) {
    let (mut a, mut b) = (engine(case), load(&Variant::of("gpt2-small/q8_0.gguf"), case, None));
    let request = json!({ "prompt": [5, 6, 7], "max_tokens": 9, "temperature": 0.9, "seed": 4, "ignore_eos": true });
    let alone = [&mut a, &mut b].map(|engine| complete(engine, request.clone()).expect("an answer"));
    // While a streams, b answers whole requests between a's pieces.
    let mut text = String::new();
    let mut on_chunk = |chunk: Value| {
        text += chunk["choices"][0]["text"].as_str().expect("text");
        assert_eq!(complete(&mut b, request.clone()).expect("an answer")["choices"], alone[1]["choices"]);
    };
    block_on(a.complete(&with(request.clone(), json!({ "stream": true })), &mut on_chunk, &no_breathing))
        .expect("an answer");
    assert_eq!(text, alone[0]["choices"][0]["text"].as_str().expect("text"));
    drop(a);
    assert_eq!(complete(&mut b, request).expect("an answer")["choices"], alone[1]["choices"]);
}

fn wrong_requests_are_named_and_leave_the_engine_usable(case: Case) {
    let mut engine = engine(case);
    let usable = run(&mut engine, json!({ "temperature": 0 }));
    let wrong = [
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.5)),
        ("temperature", json!("hot")),
        ("top_p", json!(0)),
        ("top_p", json!(1.1)),
        ("top_p", json!(1e-60)),
        ("top_k", json!(-1)),
        ("top_k", json!(1.5)),
        ("min_p", json!(2)),
        ("repetition_penalty", json!(0)),
        ("frequency_penalty", json!(3)),
        ("presence_penalty", json!(-3)),
        ("logit_bias", json!({ "a": 1 })),
        ("logit_bias", json!({ "1": 101 })),
        ("logit_bias", json!({ "96": 1 })),
        ("logit_bias", json!([1])),
        ("seed", json!(0.5)),
        ("n", json!(0)),
        ("n", json!(1000)),
        ("max_tokens", json!(-1)),
        ("min_tokens", json!("few")),
        ("stop", json!([1])),
        ("stop", json!(vec!["x"; 17])),
        ("stream", json!("yes")),
        ("logprobs", json!(21)),
        ("ignore_eos", json!(1)),
        ("tools", json!([{ "type": "function" }])),
        ("response_format", json!({ "type": "json_object" })),
        ("prompt", json!("")),
        ("prompt", json!([])),
        ("prompt", json!([96])),
        ("prompt", json!([u32::MAX])),
        ("prompt", json!([1.5])),
        ("prompt", json!(["a", "b"])),
        ("prompt", Value::Null),
    ];
    for (field, value) in wrong {
        let mut request = json!({ "prompt": "the hen", "max_tokens": 3 });
        request[field] = value.clone();
        let error = complete(&mut engine, request).expect_err(field);
        assert_eq!(error.code(), "INVALID_REQUEST", "{field}: {value}: {error}");
        assert!(error.to_string().starts_with(field), "{field} = {value}: {error}");
    }
    assert_eq!(complete(&mut engine, json!([])).unwrap_err().code(), "INVALID_REQUEST");
    let mut chat = |request: Value| block_on(engine.chat(&request, &mut |_| (), &no_breathing)).unwrap_err();
    for messages in [json!([]), json!("hello"), json!([{ "content": "x" }]), json!([{ "role": "user", "content": 1 }])]
    {
        let error = chat(json!({ "messages": messages }));
        assert!(error.code() == "INVALID_REQUEST" && error.to_string().starts_with("messages"), "{error}");
    }
    let message = json!([{ "role": "user", "content": "x" }]);
    let error = chat(json!({ "messages": message, "top_logprobs": 30, "logprobs": true }));
    assert!(error.to_string().starts_with("top_logprobs: "), "{error}");
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })), usable);

    let mut bare = load(&Variant::of("llama-gqa/f32.gguf"), case, None);
    let error = block_on(bare.chat(&json!({ "messages": message }), &mut |_| (), &no_breathing)).unwrap_err();
    assert_eq!(error.code(), "MODEL_UNSUPPORTED");
    assert_eq!(error.to_string(), "chat is not supported: the model has no chat template; use a completion");
    assert!(!bare.model().has_chat_template && engine.model().has_chat_template);
}
