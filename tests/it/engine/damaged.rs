//! Models whose weights hold NaN or infinity: every request ends in an error that says so, however it is drawn.

use super::*;
use cresset::quant::Format;

on_both_devices! {
    damaged_weights_end_in_an_error,
    damage_shows_whatever_it_passes,
    a_model_that_forbids_every_token_ends_in_an_error,
    a_damaged_encoder_gives_no_vectors,
}

/// The file with one number, or one scale, of a tensor replaced: the `at`-th of its first halves or floats.
fn damaged(file: &str, tensor: &str, number: f32) -> Variant {
    let mut variant = Variant::of(file);
    let (_, format, bytes) = variant.tensors.get_mut(tensor).unwrap_or_else(|| panic!("no tensor {tensor}"));
    match format {
        Format::F32 => bytes[..4].copy_from_slice(&number.to_le_bytes()),
        Format::BF16 => bytes[..2].copy_from_slice(&number.to_le_bytes()[2..]),
        // The first weight, or the scale of the first block.
        _ => bytes[..2].copy_from_slice(&half::f16::from_f32(number).to_le_bytes()),
    }
    variant
}

fn refused<T>(result: Result<T, Error>, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: there is an answer"));
    assert_eq!(error.code(), "MODEL_FORMAT", "{what}: {error}");
    assert!(error.to_string().contains("NaN or infinity"), "{what}: {error}");
}

fn damaged_weights_end_in_an_error(case: Case) {
    let requests = [
        json!({ "temperature": 0 }),
        json!({ "temperature": 1, "seed": 1 }),
        json!({ "temperature": 1, "seed": 1, "top_k": 5, "top_p": 0.9, "min_p": 0.1 }),
        json!({ "temperature": 0, "repetition_penalty": 1.3, "frequency_penalty": 0.5 }),
        json!({ "temperature": 0, "logprobs": 2 }),
        json!({ "temperature": 0, "logit_bias": { "42": 100 }, "min_tokens": 3 }),
    ];
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    let damages = [
        ("f32", "blk.0.attn_v", nan),
        ("f32", "blk.1.ffn_down", infinity),
        ("f32", "output", nan),
        ("f16", "blk.0.attn_k", nan),
        ("bf16", "blk.1.attn_q", nan),
        ("q8_0", "blk.0.attn_v", nan),
        ("q8_0", "blk.1.ffn_down", infinity),
        ("q4_0", "blk.0.attn_v", infinity),
    ];
    for (i, (file, tensor, number)) in damages.into_iter().enumerate() {
        let model = damaged(&format!("llama-gqa/{file}.gguf"), &format!("{tensor}.weight"), number);
        let mut engine = load(&model, case, None);
        let prompts: [&[u32]; 2] = [&[5, 9, 30], &[7]];
        for (j, request) in requests.iter().enumerate() {
            if i > 0 && j != i % requests.len() {
                continue;
            }
            for prompt in prompts {
                let what = format!("{file} {tensor} {number} {request} {prompt:?}");
                let request = with(json!({ "prompt": prompt, "max_tokens": 4 }), request.clone());
                refused(complete(&mut engine, request), &what);
            }
        }
        let logits = block_on(engine.logits(&[5, 9, 30], true, &mut |_| (), &never_yield));
        refused(logits, &format!("{file} {tensor} {number}, logits"));
    }
}

/// Caches of each format, soft caps of scores and logits, a router's choice of experts: what is no number stays none.
fn damage_shows_whatever_it_passes(case: Case) {
    for (kv, file, tensor, number) in [
        (KvFormat::F32, "gemma2/f32.gguf", "blk.0.attn_k", f32::NAN),
        (KvFormat::F16, "gemma2/f32.gguf", "blk.1.attn_q", f32::INFINITY),
        (KvFormat::Q8, "gemma2/f32.gguf", "blk.0.attn_k", f32::NAN),
        (KvFormat::Q8, "gemma2/f32.gguf", "blk.1.attn_v", f32::NAN),
        (KvFormat::F16, "olmoe/f32.gguf", "blk.0.ffn_gate_inp", f32::NAN),
    ] {
        let model = damaged(file, &format!("{tensor}.weight"), number);
        let options = LoadOptions { device: case, kv, ..LoadOptions::default() };
        let engine = block_on(Engine::load(model.checkpoint().expect("a file"), &options, &mut |_| ()));
        let mut engine = engine.expect("an engine");
        for prompt in [&[5, 9, 30][..], &[7]] {
            let request = json!({ "prompt": prompt, "max_tokens": 3, "temperature": 0 });
            refused(complete(&mut engine, request), &format!("{file} {tensor} {number} {} {prompt:?}", kv.name()));
        }
    }
}

/// Infinite weights of one column: all logits are -∞, or all are +∞, by the sign of what they are multiplied with.
fn a_model_that_forbids_every_token_ends_in_an_error(case: Case) {
    for number in [f32::NEG_INFINITY, f32::INFINITY] {
        let mut model = Variant::of("llama-gqa/f32.gguf");
        let (shape, _, bytes) = model.tensors.get_mut("output.weight").expect("an output");
        bytes.chunks_exact_mut(4 * shape[1]).for_each(|row| row[..4].copy_from_slice(&number.to_le_bytes()));
        let mut engine = load(&model, case, None);
        for temperature in [0, 1] {
            let request = json!({ "prompt": [5, 9, 30], "max_tokens": 3, "temperature": temperature });
            refused(complete(&mut engine, request), &format!("{number} {temperature}"));
        }
        let logits = block_on(engine.logits(&[5, 9, 30], true, &mut |_| (), &never_yield));
        refused(logits, &format!("{number}, logits"));
    }
}

fn a_damaged_encoder_gives_no_vectors(case: Case) {
    for tensor in ["blk.0.attn_v", "blk.0.attn_k"] {
        for number in [f32::NAN, f32::INFINITY] {
            let model = damaged("encoders/bert-mean/f32.gguf", &format!("{tensor}.weight"), number);
            let mut engine = load(&model, case, None);
            for normalize in [true, false] {
                let request = json!({ "input": [[5, 9, 30], [7]], "normalize": normalize });
                refused(block_on(engine.embed(&request, &never_yield)), &format!("{tensor} {number} {normalize}"));
            }
        }
    }
}
