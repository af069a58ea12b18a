//! Logits and greedy ids that `peft` computed: every form of adapter on every form of its base.

use super::*;

on_both_devices! {
    adapters_give_the_logits_of_peft,
    parts_of_a_fused_projection_may_have_adapters_of_their_own,
    an_adapter_without_a_config_needs_an_alpha,
    mistral_is_a_llama_in_gguf,
    tables_of_embeddings_are_corrected,
}

const TOLERANCE: f32 = 3e-4;

fn adapters_give_the_logits_of_peft(device: Case) {
    let expected = golden("lora");
    let strings = |list: &Value| -> Vec<String> {
        list.as_array().expect("a list").iter().map(|s| s.as_str().expect("text").to_string()).collect()
    };
    let mut checked = 0;
    for case in expected["cases"].as_array().expect("cases") {
        let name = case["base"].as_str().expect("a base");
        for file in strings(&case["files"]) {
            for adapter in strings(&case["adapters"]) {
                let mut engine = base(name, &file, device);
                add_default(&mut engine, "it", &adapter);
                check(&mut engine, case, &format!("{adapter} on {name}/{file}"));
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 30);
}

fn check(engine: &mut Engine, case: &Value, what: &str) {
    let mut largest = 0f32;
    for sequence in case["sequences"].as_array().expect("sequences") {
        let got = all_logits(engine, &ids(&sequence["ids"]));
        let want: Vec<_> = sequence["logits"].as_array().expect("rows").iter().map(crate::support::floats).collect();
        assert_eq!(got.len(), want.len(), "{what}: rows");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            close(got, want, TOLERANCE, &format!("{what}, position {i} of {}", want.len()));
            largest = got.iter().zip(want).fold(largest, |most, (got, want)| most.max((got - want).abs()));
        }
    }
    println!("{what}: off by {largest:.1e} at most");
    let want = ids(&case["greedy"]["ids"]);
    assert_eq!(crate::support::greedy(engine, &ids(&case["greedy"]["prompt"]), want.len()), want, "{what}: greedy");
}

/// GPT-2's c_attn, given as three adapters for queries, keys and values.
fn parts_of_a_fused_projection_may_have_adapters_of_their_own(device: Case) {
    let mut adapter = Variant::of("lora/conv1d.gguf");
    for layer in 0..2 {
        let a = adapter.tensors.remove(&format!("blk.{layer}.attn_qkv.weight.lora_a")).expect("A");
        let (shape, format, b) = adapter.tensors.remove(&format!("blk.{layer}.attn_qkv.weight.lora_b")).expect("B");
        let part_bytes = b.len() / 3;
        for (part, name) in ["q", "k", "v"].into_iter().enumerate() {
            let bytes = b[part * part_bytes..][..part_bytes].to_vec();
            let name = format!("blk.{layer}.attn_{name}.weight");
            adapter.tensors.insert(format!("{name}.lora_a"), a.clone());
            adapter.tensors.insert(format!("{name}.lora_b"), (vec![shape[0] / 3, shape[1]], format, bytes));
        }
    }
    let expected = golden("lora");
    let cases = expected["cases"].as_array().expect("cases");
    let case = cases.iter().find(|case| case["base"] == "gpt2-small").expect("a case");
    for file in ["f32.gguf", "model.safetensors"] {
        let mut engine = base("gpt2-small", file, device);
        let options = AdapterOptions { default: true, alpha: None };
        block_on(engine.load_adapter("it", &adapter.checkpoint().expect("a file"), &options)).expect("an adapter");
        check(&mut engine, case, &format!("in parts on {file}"));
    }
}

/// A GGUF adapter has its rows of q and k in llama's order there, whatever config.json calls the base.
fn mistral_is_a_llama_in_gguf(device: Case) {
    // Granite's, which is of the same widths and order, without the layer that Mistral's fixture lacks.
    let mut adapter = Variant::of("lora/scaled.gguf").set("general.architecture", "llama");
    adapter.tensors.retain(|name, _| !name.starts_with("blk.2."));
    let answers = ["model.safetensors", "f32.gguf"].map(|file| {
        let mut engine = base("mistral", file, device);
        let options = AdapterOptions { default: true, alpha: None };
        block_on(engine.load_adapter("it", &adapter.checkpoint().expect("a file"), &options)).expect("an adapter");
        all_logits(&mut engine, &[5, 17, 29, 41, 53, 65, 77]) // as many as the window that GGUF does not have
    });
    for (i, (folder, gguf)) in answers[0].iter().zip(&answers[1]).enumerate() {
        close(folder, gguf, TOLERANCE, &format!("position {i}"));
    }
    let mut other = Variant::of("lora/scaled.gguf");
    other.tensors.retain(|name, _| !name.starts_with("blk.2."));
    let error = add(&mut base("mistral", "model.safetensors", device), "it", &other.checkpoint().expect("a file"));
    assert!(error.is_err_and(|e| e.to_string().contains("it is for the architecture granite")));
}

/// An adapter of the embedding table does what a table with α / r (B A)ᵀ added does, and leaves the way to logits alone,
/// also where a model has one table for both; Gemma's factor multiplies it too. In PEFT's words and in GGUF's.
fn tables_of_embeddings_are_corrected(device: Case) {
    const RANK: usize = 3;
    let name = "model.embed_tokens";
    for (folder, gguf) in [("llama-gqa", "llama"), ("gemma3", "gemma3")] {
        let base = Variant::of(&format!("{folder}/f32.gguf"));
        let (shape, _, bytes) = &base.tensors["token_embd.weight"];
        let [rows, columns] = shape[..] else { panic!("{shape:?}") };
        let draw = |n: usize, k: usize| (0..n).map(|i| ((i * k) % 17) as f32 / 16.0 - 0.5).collect::<Vec<_>>();
        let (a, b) = (draw(rows * RANK, 5), draw(columns * RANK, 7)); // Aᵀ [V, r], B [D, r]
        let mut table: Vec<f32> = bytemuck::pod_collect_to_vec(bytes);
        for (row, a) in table.chunks_exact_mut(columns).zip(a.chunks_exact(RANK)) {
            for (x, b) in row.iter_mut().zip(b.chunks_exact(RANK)) {
                *x += 6.0 / RANK as f32 * a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            }
        }
        let mut changed = base.clone();
        let untied = base.tensors.get("output.weight").unwrap_or(&base.tensors["token_embd.weight"]).clone();
        changed.tensors.insert("output.weight".into(), untied);
        let bytes = bytemuck::cast_slice(&table).to_vec();
        changed.tensors.insert("token_embd.weight".into(), (shape.clone(), Format::F32, bytes));
        let options = || LoadOptions { device, kv: KvFormat::F32, ..LoadOptions::default() };
        let load = |file| block_on(Engine::load(file, &options(), &mut |_| ())).expect("an engine");
        let open = |model: &Variant| load(model.checkpoint().expect("a file"));
        let ids = [5, 17, 29, 41, 53, 5];
        let want = all_logits(&mut open(&changed), &ids);

        let turned: Vec<f32> = (0..RANK).flat_map(|r| a.iter().skip(r).step_by(RANK).copied()).collect();
        let tensor = |half: &str| format!("base_model.model.{name}.lora_embedding_{half}");
        let weights = safetensors(&[
            (&tensor("A"), [RANK, rows], turned),
            (&tensor("B"), [columns, RANK], b.clone()),
            (&format!("base_model.model.{name}.base_layer.weight"), [1, 1], vec![0.0]),
        ]);
        let config = json!({ "peft_type": "LORA", "r": RANK, "lora_alpha": 6, "target_modules": ["embed_tokens"] });
        let peft = peft_files(weights, Some(config)).expect("an adapter");
        let mut ggml = Variant { metadata: Variant::of("lora/ranks.gguf").metadata, tensors: Default::default() }
            .set("general.architecture", gguf)
            .set("adapter.lora.alpha", 6f32);
        for (half, shape, values) in [("a", [rows, RANK], &a), ("b", [columns, RANK], &b)] {
            let bytes = bytemuck::cast_slice(values).to_vec();
            ggml.tensors.insert(format!("token_embd.weight.lora_{half}"), (shape.to_vec(), Format::F32, bytes));
        }
        for (adapter, what) in [(peft, "PEFT"), (ggml.checkpoint().expect("a file"), "GGUF")] {
            let mut engine = open(&base);
            let options = AdapterOptions { default: true, alpha: None };
            block_on(engine.load_adapter("it", &adapter, &options)).expect("an adapter");
            for (i, (got, want)) in all_logits(&mut engine, &ids).iter().zip(&want).enumerate() {
                close(got, want, TOLERANCE, &format!("{folder}, {what}, position {i}"));
            }
        }
    }
}

fn an_adapter_without_a_config_needs_an_alpha(device: Case) {
    let bytes = std::fs::read(path("mlx/adapters.safetensors")).expect("a file");
    let bare = || peft_files(bytes.clone(), None).expect("safetensors");
    let mut engine = llama(device);
    let error = add(&mut engine, "it", &bare()).expect_err("no alpha");
    assert_eq!((error.code(), error.details()["field"].as_str()), ("INVALID_REQUEST", Some("alpha")), "{error}");
    let options = AdapterOptions { default: true, alpha: Some(12.0) };
    block_on(engine.load_adapter("it", &bare(), &options)).expect("an adapter");
    let expected = golden("lora");
    let cases = expected["cases"].as_array().expect("cases");
    let case = cases.iter().find(|case| case["adapters"][0] == "mlx/adapters.safetensors").expect("a case");
    check(&mut engine, case, "bare, alpha 12");
}
