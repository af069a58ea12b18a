//! Which adapter a request is computed with, what it costs, and that nothing of one is left in the next.

use super::*;

on_both_devices! {
    requests_switch_as_engines_of_their_own_would_answer,
    null_is_the_model_as_it_is_and_absent_the_default,
    keys_and_values_are_not_shared_between_adapters,
    unloading_gives_the_memory_back,
    a_token_costs_two_dispatches_a_projection_and_makes_nothing,
    names_are_unique_known_and_not_empty,
}

const PROMPT: [u32; 6] = [5, 17, 29, 41, 53, 65];

fn answer(engine: &mut Engine, adapter: Option<&str>) -> Value {
    let mut request = json!({ "prompt": PROMPT, "temperature": 0, "max_tokens": 12, "ignore_eos": true,
                              "return_token_ids": true });
    if let Some(adapter) = adapter {
        request["adapter"] = json!(adapter);
    }
    block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer")
}

fn written(answer: &Value) -> Vec<u32> {
    ids(&answer["choices"][0]["token_ids"])
}

const ADAPTERS: [(&str, &str); 3] =
    [("ranks", "ranks.gguf"), ("rslora", "rslora/adapter_model.safetensors"), ("mlx", "mlx")];

/// An engine with all adapters, none of them the default.
fn with_all(device: Case) -> Engine {
    let mut engine = llama(device);
    for (name, file) in ADAPTERS {
        add(&mut engine, name, &open_adapter(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    engine
}

fn requests_switch_as_engines_of_their_own_would_answer(device: Case) {
    let mut alone = vec![(None, written(&answer(&mut llama(device), None)))];
    for (name, file) in ADAPTERS {
        let mut engine = llama(device);
        add_default(&mut engine, "x", file);
        alone.push((Some(name), written(&answer(&mut engine, None))));
    }
    for (i, (_, one)) in alone.iter().enumerate() {
        assert!(alone[..i].iter().all(|(_, other)| other != one), "each adapter writes a text of its own");
    }
    let mut engine = with_all(device);
    for i in [0, 1, 2, 1, 3, 3, 0, 2, 0, 3, 1] {
        let (name, want) = &alone[i];
        assert_eq!(written(&answer(&mut engine, *name)), *want, "{name:?}");
    }
}

fn null_is_the_model_as_it_is_and_absent_the_default(device: Case) {
    let mut engine = llama(device);
    let plain = written(&answer(&mut engine, None));
    add_default(&mut engine, "ranks", "ranks.gguf");
    let adapted = written(&answer(&mut engine, None));
    assert_ne!(adapted, plain);
    assert_eq!(written(&answer(&mut engine, Some("ranks"))), adapted);
    let request = json!({ "prompt": PROMPT, "temperature": 0, "max_tokens": 12, "ignore_eos": true,
                          "return_token_ids": true, "adapter": null });
    let null = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
    assert_eq!(written(&null), plain);
    assert_eq!(engine.adapters()[0]["default"], true);
    engine.unload_adapter("ranks").expect("it is there");
    assert_eq!(written(&answer(&mut engine, None)), plain, "without its default the model is as it was");
}

fn keys_and_values_are_not_shared_between_adapters(device: Case) {
    let mut engine = with_all(device);
    let mut cached =
        |adapter| answer(&mut engine, adapter)["usage"]["extra"]["cached_tokens"].as_u64().expect("a count");
    let counts = [None, None, Some("ranks"), Some("ranks"), Some("mlx"), Some("ranks"), None, None].map(&mut cached);
    assert_eq!(counts, [0, 5, 0, 5, 0, 0, 0, 5]);
    // A name that is loaded anew is another adapter.
    engine.unload_adapter("mlx").expect("it is there");
    answer(&mut engine, Some("ranks"));
    engine.unload_adapter("ranks").expect("it is there");
    add(&mut engine, "ranks", &open_adapter("mlx")).expect("an adapter");
    assert_eq!(answer(&mut engine, Some("ranks"))["usage"]["extra"]["cached_tokens"], 0);
}

fn unloading_gives_the_memory_back(device: Case) {
    let mut engine = llama(device);
    let before = engine.info()["memory"].clone();
    assert_eq!(before["adapters"], 0);
    let mut after_first = Value::Null;
    for round in 0..3 {
        add(&mut engine, "a", &open_adapter("ranks.gguf")).expect("an adapter");
        answer(&mut engine, Some("a"));
        let memory = engine.info()["memory"].clone();
        let listed = engine.adapters();
        assert_eq!(listed, json!([{ "name": "a", "rank": 64, "bytes": listed[0]["bytes"], "default": false }]));
        assert!(listed[0]["bytes"].as_u64().expect("bytes") > 60_000);
        assert!(memory["adapters"].as_u64() >= listed[0]["bytes"].as_u64(), "{memory}");
        if round == 0 {
            after_first = memory;
        } else {
            assert_eq!(memory, after_first, "nothing is left of earlier rounds");
        }
        engine.unload_adapter("a").expect("it is there");
        assert_eq!(engine.info()["memory"]["adapters"], 0);
        assert_eq!(engine.info()["memory"]["weights"], before["weights"], "the base is untouched");
    }
}

fn a_token_costs_two_dispatches_a_projection_and_makes_nothing(device: Case) {
    let mut engine = with_all(device);
    let mut cost = |adapter: Option<&str>, tokens: usize| {
        let before = engine.stats()["counters"].clone();
        let request = json!({ "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "ignore_eos": true,
                              "adapter": adapter });
        block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
        let after = engine.stats()["counters"].clone();
        move |key: &str| after[key].as_u64().expect("a count") - before[key].as_u64().expect("a count")
    };
    let mut a_token = |adapter| {
        let _ = cost(adapter, 4); // the first request makes the plans
        let (few, most) = (cost(adapter, 4), cost(adapter, 30));
        assert_eq!((few("submits"), most("submits")), (4, 30), "{adapter:?}: one submit a token");
        for made in ["buffers", "bindGroups", "pipelines"] {
            assert_eq!((few(made), most(made)), (0, 0), "{adapter:?}: {made}");
        }
        assert_eq!(few("bytesWritten"), most("bytesWritten"), "{adapter:?}: written once a request");
        most("dispatches") / 30
    };
    let plain = a_token(None);
    // A layer: 9 for attention, 5 for the feed-forward layer; together with the norm and the gate, 3 and 2 where no
    // projection among those that share a dispatch is corrected.
    assert_eq!(plain, 2 * (3 + 2) + 3);
    // Seven projections in each of two layers, and the output, whose norm and candidates then stand alone.
    assert_eq!(a_token(Some("ranks")), 2 * (9 + 5) + 5 + 2 * 15);
    assert_eq!(a_token(Some("mlx")), 2 * (9 + 2) + 3 + 2 * 4, "q and v");
    assert_eq!(a_token(None), plain, "and back");
}

fn names_are_unique_known_and_not_empty(device: Case) {
    let mut engine = llama(device);
    let ask = |engine: &mut Engine, adapter: Value| {
        let request = json!({ "prompt": PROMPT, "max_tokens": 1, "adapter": adapter });
        block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect_err("a refusal").to_string()
    };
    let unknown = ask(&mut engine, json!("x"));
    assert_eq!(unknown, "adapter: there is no adapter called \"x\" (none is loaded)");
    add(&mut engine, "a", &open_adapter("ranks.gguf")).expect("an adapter");
    add(&mut engine, "b", &open_adapter("mlx")).expect("an adapter");
    assert_eq!(ask(&mut engine, json!("x")), "adapter: there is no adapter called \"x\" (loaded: a, b)");
    assert_eq!(ask(&mut engine, json!(7)), "adapter: must be the name of a loaded adapter, or null for none");
    for name in ["a", ""] {
        let error = add(&mut engine, name, &open_adapter("mlx")).expect_err("a refusal");
        assert_eq!((error.code(), error.details()["field"].as_str()), ("INVALID_REQUEST", Some("name")), "{error}");
    }
    assert_eq!(engine.unload_adapter("x").expect_err("a refusal").code(), "INVALID_REQUEST");
}
