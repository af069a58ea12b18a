//! What is computed, and how often: the prefix cache, row buckets, counters, two engines at once.

use super::*;

on_both_devices! {
    an_extended_prompt_is_computed_from_where_it_differs,
    every_row_bucket_gives_the_logits_of_single_steps,
    a_decoded_token_costs_the_same_and_makes_nothing,
    a_decoded_token_takes_few_dispatches,
    many_keys_take_one_dispatch_more,
    two_engines_at_once,
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
        let outcome =
            block_on(engine.generator().expect("a generator").generate(&request, &mut on_token, &never_yield))
                .expect("a token");
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
    block_on(engine.logits(&sequence, true, &mut on_row, &never_yield)).expect("logits");
    assert_eq!(rows, 300);
}

fn a_decoded_token_costs_the_same_and_makes_nothing(case: Case) {
    let mut engine = engine(case);
    in_no_time(&mut engine);
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

/// Past 256 keys a layer's attention is cut into chunks, which takes a dispatch more, and makes nothing on the way there.
fn many_keys_take_one_dispatch_more(case: Case) {
    let mut engine = engine(case);
    in_no_time(&mut engine);
    let on_gpu = engine.info()["device"]["backend"] != "cpu";
    let prompt: Vec<u32> = (0..250).map(|i| (i * 31) % 95).collect();
    let mut count = |tokens: usize| {
        let request = json!({ "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": true });
        let before = engine.stats()["counters"].clone();
        complete(&mut engine, request).expect("an answer");
        let after = engine.stats()["counters"].clone();
        ["dispatches", "buffers", "bindGroups", "pipelines"]
            .map(|key| after[key].as_u64().expect("a count") - before[key].as_u64().expect("a count"))
    };
    let _ = count(2);
    // The first token comes of the prompt; the sixth and later ones of a row that knows 256 keys before it.
    let costs = [2, 7, 8, 9].map(&mut count);
    let dispatches = costs.map(|cost| cost[0]);
    assert_eq!(dispatches[1] - dispatches[0], 5 * (5 * 2 + 3));
    let more = if on_gpu { 2 } else { 0 };
    assert_eq!((dispatches[2] - dispatches[1], dispatches[3] - dispatches[2]), (13 + more, 13 + more));
    assert!(costs.iter().all(|cost| cost[1..] == [0, 0, 0]), "{costs:?}");
}

/// A layer: norm + q, k, v; attention; output; norm + gate, up; down. Beside them: embedding, norm + logits with their
/// candidates, and the sampler.
fn a_decoded_token_takes_few_dispatches(case: Case) {
    for (name, layers) in [("llama-gqa/q8_0.gguf", 2), ("qwen3/f32.gguf", 2)] {
        let mut engine = load(&Variant::of(name), case, None);
        let mut dispatches = |tokens: usize| {
            let before = engine.stats()["counters"]["dispatches"].as_u64().expect("a count");
            let request = json!({ "prompt": [5, 6, 7], "max_tokens": tokens, "temperature": 0, "ignore_eos": true });
            complete(&mut engine, request).expect("an answer");
            engine.stats()["counters"]["dispatches"].as_u64().expect("a count") - before
        };
        let _ = dispatches(2);
        assert_eq!((dispatches(9) - dispatches(3)) / 6, 5 * layers + 3, "{name}");
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
    block_on(a.complete(&with(request.clone(), json!({ "stream": true })), &mut on_chunk, &never_yield))
        .expect("an answer");
    assert_eq!(text, alone[0]["choices"][0]["text"].as_str().expect("text"));
    drop(a);
    assert_eq!(complete(&mut b, request).expect("an answer")["choices"], alone[1]["choices"]);
}
