//! A chat template, rendered with messages of every kind.
#![no_main]

use cresset::chat::{ChatTemplate, RenderOptions};
use serde_json::json;

libfuzzer_sys::fuzz_target!(|source: &str| {
    let messages = [
        json!({"role": "system", "content": ""}),
        json!({"role": "user", "content": "é <|x|> \u{0} {% x %}"}),
        json!({"role": "assistant", "content": ["a", {"type": "text", "text": "b"}], "tool_calls": null}),
    ];
    let options = RenderOptions { add_generation_prompt: true, now: Some(0), ..Default::default() };
    if let Err(error) =
        ChatTemplate::new(source, Some("<s>"), None).and_then(|template| template.render(&messages, &options))
    {
        assert_eq!(error.code(), "TEMPLATE", "{error}");
    }
});
