//! Chat templates made from a grammar: whatever they do, there is a prompt or a `TEMPLATE` error, without a panic, in little
//! memory and soon.

use crate::counting::peak;
use crate::fuzz::cases;
use crate::templates::template;
use cresset::chat::{ChatTemplate, RenderOptions};
use serde_json::json;
use std::cell::Cell;

const MEMORY: isize = 64 << 20;

#[test]
fn templates_from_a_grammar() {
    let messages = [
        json!({"role": "user", "content": "é <|x|> \u{0} {% x %}"}),
        json!({"role": "assistant", "content": ["a", {"type": "text", "text": "b"}], "tool_calls": null}),
    ];
    let options = RenderOptions { add_generation_prompt: true, now: Some(0), ..Default::default() };
    let (rendered, refused) = (Cell::new(0), Cell::new(0));
    cases(10_000, |random| {
        let source = template(&mut |n| random.below(n));
        let render = || ChatTemplate::new(&source, Some("<s>"), None)?.render(&messages, &options);
        let (result, taken) = peak(render);
        assert!(taken < MEMORY, "{taken} bytes for {source}");
        match result {
            Ok(_) => rendered.set(rendered.get() + 1),
            Err(error) => {
                assert_eq!(error.code(), "TEMPLATE", "{error}: {source}");
                refused.set(refused.get() + 1);
            }
        }
    });
    let (rendered, refused) = (rendered.get(), refused.get());
    assert!(rendered + refused == 1 || rendered > refused / 20, "most templates say nothing: {rendered} rendered");
}
