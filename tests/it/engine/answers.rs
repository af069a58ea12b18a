//! OpenAI's objects, whole and streamed, and what is said about requests that make no sense.

use super::*;

on_both_devices! {
    a_completion_is_openais_object,
    a_chat_is_openais_object,
    streamed_pieces_make_the_whole,
    log_probabilities_in_both_spellings,
    several_choices,
    wrong_requests_are_named_and_leave_the_engine_usable,
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
    let answer = block_on(engine.chat(&request, &mut |_| panic!("not streamed"), &never_yield)).expect("an answer");
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
    let answer = block_on(engine.chat(&request, &mut |_| (), &never_yield)).expect("an answer");
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
    let answer = block_on(engine.chat(&without, &mut |_| (), &never_yield)).expect("an answer");
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

fn wrong_requests_are_named_and_leave_the_engine_usable(case: Case) {
    let mut engine = engine(case);
    let usable = run(&mut engine, json!({ "temperature": 0 }));
    let wrong = [
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.5)),
        ("temperature", json!("hot")),
        ("top_p", json!(-0.1)),
        ("top_p", json!(1.1)),
        ("top_p", json!("all")),
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
    let mut chat = |request: Value| block_on(engine.chat(&request, &mut |_| (), &never_yield)).unwrap_err();
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
    let error = block_on(bare.chat(&json!({ "messages": message }), &mut |_| (), &never_yield)).unwrap_err();
    assert_eq!(error.code(), "MODEL_UNSUPPORTED");
    let said = error.to_string();
    assert!(said.starts_with("chat is not supported: the model has no chat template, and its vocabulary"), "{said}");
    assert!(said.contains("chatml"), "{said}");
    assert!(!bare.model().has_chat_template && engine.model().has_chat_template);
}
