//! Perplexity of real models on a real text, against llama.cpp and transformers (`tests/golden/perplexity.py`).

use cresset::device::{Candidates, KvFormat, MatmulShape, MatvecShape, Reduce, TileFormat, UnpackF16};
use cresset::engine::{LoadOptions, SelfTest, never_yield};
use pollster::block_on;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn model(name: &str) -> Option<PathBuf> {
    let bundled = Path::new("www/models").join(name);
    if bundled.exists() {
        Some(bundled)
    } else {
        crate::support::shared::shared("weights/stories260K/stories260K.gguf")
    }
}

/// With the kernels' usual way, or another.
fn check(device: crate::support::Case, candidates: Option<Candidates>) {
    for case in crate::support::json(Path::new("tests/golden/perplexity.json")).as_array().expect("a list") {
        let name = case["model"].as_str().expect("a name");
        let text = case["text"].as_str().expect("a name");
        let (Some(path), Some(text)) = (model(name), crate::support::shared::read(&format!("text/tinystories/{text}")))
        else {
            continue;
        };
        let number = |value: &Value| value.as_u64().expect("a number") as usize;
        let text = &text[..number(&case["bytes"])];
        let self_test = SelfTest { run: candidates.is_some(), candidates: candidates.clone(), ..SelfTest::default() };
        let options = LoadOptions { device, kv: KvFormat::F16, self_test, ..LoadOptions::default() };
        let mut engine = crate::support::open_with(&path, &options); // both models begin with BOS
        assert_eq!(engine.tokenize(text).expect("ids")[1..33], crate::support::ids(&case["first_ids"]), "{name}");
        let score = block_on(engine.perplexity(text, number(&case["window"]), &mut |_, _| (), &never_yield));
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
    check(crate::support::cpu(), None);
}

#[test]
fn on_the_gpu() {
    if let Some(gpu) = crate::support::gpu() {
        check(gpu, None);
    }
}

/// x in 8 bits costs a model next to nothing of what it knows.
#[test]
fn on_the_gpu_in_bytes() {
    if let Some(gpu) = crate::support::gpu() {
        let matvec = vec![MatvecShape { lanes: 1, outputs: 4, reduce: Reduce::Alone, packed: true }];
        let matmul = vec![MatmulShape { tall: 8, numbers: TileFormat::Packed }];
        check(gpu, Some(Candidates { matvec, matmul, unpack_f16: vec![UnpackF16::Native] }));
    }
}
