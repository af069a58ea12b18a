//! Perplexity of real models on a real text, against llama.cpp and transformers (`tests/golden/perplexity.py`).

mod shared;
mod support;

use cresset::device::KvFormat;
use cresset::engine::no_breathing;
use pollster::block_on;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn model(name: &str) -> Option<PathBuf> {
    let bundled = Path::new("www/models").join(name);
    if bundled.exists() { Some(bundled) } else { shared::shared("weights/stories260K/stories260K.gguf") }
}

fn check(device: support::Case) {
    for case in support::json(Path::new("tests/golden/perplexity.json")).as_array().expect("a list") {
        let name = case["model"].as_str().expect("a name");
        let text = case["text"].as_str().expect("a name");
        let (Some(path), Some(text)) = (model(name), shared::read(&format!("text/tinystories/{text}"))) else {
            continue;
        };
        let number = |value: &Value| value.as_u64().expect("a number") as usize;
        let text = &text[..number(&case["bytes"])];
        let mut engine = support::open(&path, device, KvFormat::F16); // both models begin with BOS
        assert_eq!(engine.tokenize(text).expect("ids")[1..33], support::ids(&case["first_ids"]), "{name}");
        let score = block_on(engine.perplexity(text, number(&case["window"]), &mut |_, _| (), &no_breathing));
        let score = score.expect("a score");
        assert_eq!(score.scored_tokens, number(&case["scored_tokens"]), "{name}");
        for (reference, want) in case["perplexity"].as_object().expect("references") {
            let ratio = score.perplexity / want.as_f64().expect("a number");
            assert!((ratio - 1.0).abs() < 0.002, "{name}: {} here, {want} by {reference}", score.perplexity);
        }
    }
}

#[test]
fn on_the_cpu() {
    check(support::cpu());
}

#[test]
fn on_the_gpu() {
    if let Some(gpu) = support::gpu() {
        check(gpu);
    }
}
