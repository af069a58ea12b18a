//! Chat templates made from a grammar: whatever they do, there is a prompt or a `TEMPLATE` error, without a panic, in little
//! memory and soon. Deterministic; `CRESSET_FUZZ_TEMPLATES` (10000) says how many, `CRESSET_FUZZ_CASE` runs one alone.

use std::time::{Duration, Instant};

use crate::counting::peak;
use crate::templates::template;
use cresset::chat::{ChatTemplate, RenderOptions};
use serde_json::json;

/// Far more than any takes, far less than a hang.
const TIME: Duration = Duration::from_secs(10);
const MEMORY: isize = 64 << 20;

#[test]
fn templates_from_a_grammar() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let cases = match number("CRESSET_FUZZ_CASE") {
        Some(case) => case..case + 1,
        None => 0..number("CRESSET_FUZZ_TEMPLATES").unwrap_or(10_000),
    };
    let messages = [
        json!({"role": "user", "content": "é <|x|> \u{0} {% x %}"}),
        json!({"role": "assistant", "content": ["a", {"type": "text", "text": "b"}], "tool_calls": null}),
    ];
    let options = RenderOptions { add_generation_prompt: true, now: Some(0), ..Default::default() };
    let alone = cases.end - cases.start == 1;
    let mut rendered = 0;
    for case in cases.clone() {
        let mut state = case.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        // Marsaglia's xorshift64.
        let mut below = move |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 11) % n as u64) as usize
        };
        let source = template(&mut below);
        if alone {
            eprintln!("{source}");
        }
        let start = Instant::now();
        let render = || ChatTemplate::new(&source, Some("<s>"), None)?.render(&messages, &options);
        let (result, taken) = peak(|| std::panic::catch_unwind(render));
        let took = start.elapsed();
        let Ok(result) = result else { panic!("case {case} panics; CRESSET_FUZZ_CASE={case} runs it alone") };
        assert!(took < TIME, "case {case} took {took:?}");
        assert!(taken < MEMORY, "case {case} took {taken} bytes");
        match result {
            Ok(_) => rendered += 1,
            Err(error) => assert_eq!(error.code(), "TEMPLATE", "case {case}: {error}"),
        }
    }
    assert!(alone || rendered > (cases.end - cases.start) / 20, "most templates say nothing: {rendered} rendered");
}
