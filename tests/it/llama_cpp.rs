//! Real weights against llama.cpp on the same files (`tests/golden/llama_cpp.py`): ids, perplexity of a real text and greedy
//! answers, and the calls of a model that was taught to use tools. `CRESSET_SMOLLM2` and `CRESSET_QWEN` name the files.

use crate::support::shared::{read, weights};
use crate::support::{cpu, greedy, ids};
use cresset::engine::{Engine, LoadOptions, never_yield};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::Path;

/// The model whose file the variable names.
fn open(variable: &str, name: &str) -> Option<Engine> {
    let options = LoadOptions { device: cpu(), ..LoadOptions::default() };
    Some(crate::support::open_with(&weights(variable, name)?, &options))
}

fn qwen() -> Option<Engine> {
    open("CRESSET_QWEN", "Qwen2.5-Coder-0.5B-Instruct")
}

/// Holds the engine to what llama.cpp makes of the file of this name.
fn is_llama_cpps(engine: &mut Engine, file: &str) {
    let all = crate::support::json(Path::new("tests/golden/llama_cpp.json"));
    let want = all.as_array().expect("a list").iter().find(|row| row["model"] == file).expect("the model's row");
    for chat in want["chats"].as_array().expect("chats") {
        let messages = [
            json!({ "role": "system", "content": "You are a helpful assistant." }),
            json!({ "role": "user", "content": chat["prompt"] }),
        ];
        let prompt = engine.apply_chat_template(&messages, &json!({})).expect("a prompt");
        let prompt = engine.tokenize(&prompt).expect("ids");
        assert_eq!(prompt, ids(&chat["ids"]), "{messages:?}");
        let answer = ids(&chat["answer_ids"]);
        let got = greedy(engine, &prompt, answer.len());
        assert_eq!(got, answer, "{:?}, llama.cpp: {}", engine.detokenize(&got), chat["answer"]);
    }

    let Some(text) = read(&format!("text/{}", want["text"].as_str().expect("a name"))) else { return };
    let text = &text[..want["bytes"].as_u64().expect("a number") as usize];
    let first = ids(&want["first_ids"]);
    assert_eq!(engine.tokenize(text).expect("ids")[..first.len()], first);
    let window = want["window"].as_u64().expect("a number") as usize;
    let score = block_on(engine.perplexity(text, window, &mut |_, _| (), &never_yield)).expect("a score");
    let (got, reference) = (score.perplexity, want["perplexity"].as_f64().expect("a number"));
    println!("{file}: perplexity {got:.4}, {reference:.4} by llama.cpp");
    assert_eq!(score.scored_tokens as u64, want["scored_tokens"], "{file}");
    assert!((got / reference - 1.0).abs() < 0.005, "{file}: perplexity {got}, {reference} by llama.cpp");
}

#[test]
fn smollm2_is_as_llama_cpp_has_it() {
    let Some(mut engine) = open("CRESSET_SMOLLM2", "SmolLM2-135M-Instruct") else { return };
    is_llama_cpps(&mut engine, "SmolLM2-135M-Instruct.Q4_1.gguf");
}

/// One test, since the file is half a gigabyte.
#[test]
fn qwen_is_as_llama_cpp_has_it_and_calls_tools() {
    let Some(mut engine) = qwen() else { return };
    is_llama_cpps(&mut engine, "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf");
    calls_tools(&mut engine);
}

/// A question that a tool answers becomes a call, and what the tool says an answer.
fn calls_tools(engine: &mut Engine) {
    let city = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let tool = |name: &str, about: &str| json!({ "type": "function", "function": { "name": name, "description": about, "parameters": city } });
    let tools = [tool("get_weather", "The weather in a city now"), tool("get_time", "The local time in a city")];
    let mut messages = vec![json!({ "role": "user", "content": "What is the weather in Paris?" })];
    let mut chat = |messages: &[Value], tools: &[Value]| {
        let request = json!({ "messages": messages, "tools": tools, "temperature": 0, "max_tokens": 64 });
        block_on(engine.chat(&request, &mut |_| (), &never_yield)).expect("an answer")["choices"][0].clone()
    };

    let choice = chat(&messages, &tools);
    assert_eq!(choice["finish_reason"], "tool_calls", "{choice}");
    let calls = choice["message"]["tool_calls"].as_array().expect("calls");
    let function = &calls[0]["function"];
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().expect("JSON")).expect("JSON");
    assert_eq!((calls.len(), &function["name"], &arguments), (1, &json!("get_weather"), &json!({ "city": "Paris" })));

    // So small a model calls once more where it still may.
    messages.push(choice["message"].clone());
    let said = "{\"celsius\": 21, \"sky\": \"clear\"}";
    messages.push(json!({ "role": "tool", "tool_call_id": calls[0]["id"], "content": said }));
    let choice = chat(&messages, &[]);
    let text = choice["message"]["content"].as_str().unwrap_or_default();
    assert!(text.contains("21"), "{choice}");
}
