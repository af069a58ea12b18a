//! How an answer ends: stop strings, limits, the context, an interruption.

use super::*;

on_both_devices! {
    stop_strings_that_straddle_tokens,
    real_text_is_streamed_whole_and_stopped_in_words,
    token_limits,
    the_context_ends_with_length_and_never_overflows,
    interrupted_in_mid_answer,
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

/// Real words, several characters a token: what is streamed is what the independent implementation wrote.
fn real_text_is_streamed_whole_and_stopped_in_words(case: Case) {
    let mut engine = crate::support::open(Path::new("www/models/cresset-stories-4m-q8_0.gguf"), case, KvFormat::F32);
    let expected = crate::support::json(Path::new("tests/golden/bundled.json"));
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
    let error = block_on(engine.logits(&prompt, true, &mut |_| (), &never_yield)).unwrap_err();
    assert_eq!(error.code(), "CONTEXT_OVERFLOW");
    assert_eq!(block_on(engine.logits(&prompt[..40], true, &mut |_| (), &never_yield)), Ok(()));
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
        block_on(engine.complete(&request, &mut on_chunk, &never_yield)).expect("an answer");
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

/// An answer that goes round in circles ends and says why, unless the request wants it so.
#[test]
fn endless_repetition() {
    let mut engine = load(&model().set("llama.context_length", 1024u32), cpu(), None);
    let mut ended = |more: Value| {
        let request = json!({ "prompt": "the hen", "max_tokens": 600, "temperature": 0, "logit_bias": { "42": 100 } });
        let answer = complete(&mut engine, with(request, more)).expect("an answer");
        let tokens = answer["usage"]["completion_tokens"].as_u64().expect("tokens");
        (tokens, finish(&answer).to_string(), answer["usage"]["extra"]["stopped_by"].clone())
    };
    assert_eq!(ended(json!({})), (513, "length".into(), json!("repetition")));
    assert_eq!(ended(json!({ "ignore_eos": true })), (600, "length".into(), Value::Null), "a benchmark");
    assert_eq!(ended(json!({ "min_tokens": 550 })), (550, "length".into(), json!("repetition")));
    assert_eq!(ended(json!({ "max_tokens": 512 })), (512, "length".into(), Value::Null));
}
