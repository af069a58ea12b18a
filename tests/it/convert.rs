//! Safetensors to GGUF, as `cresset quantize` does it: the GGUF files mean the same models, and what GGUF has no words for is refused.

use crate::support::folder::Folder;
use crate::support::shared::read;
use crate::support::{close, cpu};
use cresset::device::KvFormat;
use cresset::engine::{Conversion, Engine, LoadOptions, never_yield};
use cresset::quant::Format;
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn open(path: &Path) -> Checkpoint {
    block_on(Checkpoint::open(open_path(path).expect("files"))).expect("a model")
}

fn in_memory(bytes: Vec<u8>) -> Checkpoint {
    block_on(Checkpoint::open(Files::single(MemorySource::new("new.gguf", bytes)))).expect("a GGUF file")
}

fn convert(checkpoint: &Checkpoint, to: Format) -> cresset::Result<Vec<u8>> {
    let plan = Conversion::plan(checkpoint, to)?;
    let (mut bytes, read) = (Vec::new(), std::cell::Cell::new(0));
    plan.write("little one", &mut bytes, &|n| read.set(read.get() + n))?;
    assert_eq!(read.get(), plan.bytes());
    plan.check(&in_memory(bytes.clone()))?;
    Ok(bytes)
}

fn engine(checkpoint: Checkpoint, options: LoadOptions) -> Engine {
    let options = LoadOptions { device: cpu(), kv: KvFormat::F32, ..options };
    block_on(Engine::load(checkpoint, &options, &mut |_| ())).unwrap_or_else(|e| panic!("{e}"))
}

fn logits(engine: &mut Engine, ids: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    block_on(engine.logits(ids, true, &mut |row| rows.push(row.to_vec()), &never_yield)).expect("logits");
    rows
}

/// The safetensors of a golden folder.
fn safetensors(folder: &str) -> PathBuf {
    let folder = Path::new("tests/golden").join(folder);
    let names = ["model.safetensors.index.json", "model.safetensors"];
    names.map(|name| folder.join(name)).into_iter().find(|path| path.exists()).expect("safetensors")
}

/// Golden folders that GGUF has no words for, with a piece of what is said.
const REFUSED: [(&str, &str); 4] = [
    ("gpt-neo", "the architecture gpt_neo in GGUF"),
    ("qwen2-window", "a sliding window in a"),
    ("qwen3-moe-window", "a sliding window in a"),
    ("smollm3-window", "a sliding window in a"),
];

/// Every architecture, its weights unchanged: the reference's logits of the safetensors.
#[test]
fn converted_models_have_the_references_logits() {
    let mut converted = 0;
    for name in crate::support::golden_models() {
        let expected = crate::support::golden(&name);
        if expected["cases"][0]["files"][0].as_str().is_some_and(|file| file.ends_with(".gguf")) {
            continue;
        }
        let model = open(&safetensors(&name));
        // Nothing is smaller than what it is, so that nothing is rounded.
        let bytes = match (convert(&model, Format::F32), REFUSED.iter().find(|(refused, _)| *refused == name)) {
            (Ok(bytes), None) => bytes,
            (Err(error), Some((_, piece))) => {
                assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(piece), "{name}: {error}");
                continue;
            }
            (Ok(_), Some(_)) => panic!("{name} was converted"),
            (Err(error), None) => panic!("{name}: {error}"),
        };
        for case in expected["cases"].as_array().expect("cases") {
            if case["files"][0].as_str().is_none_or(|file| file.ends_with(".gguf")) {
                continue;
            }
            let context = case["context"].as_u64().map(|n| n as usize);
            let mut engine = engine(in_memory(bytes.clone()), LoadOptions { context, ..LoadOptions::default() });
            for sequence in case["sequences"].as_array().expect("sequences") {
                let ids = crate::support::ids(&sequence["ids"]);
                let rows = logits(&mut engine, &ids);
                let all = json!((0..ids.len()).collect::<Vec<_>>());
                let positions = if sequence["positions"].is_array() { &sequence["positions"] } else { &all };
                for (position, want) in
                    crate::support::ids(positions).iter().zip(sequence["logits"].as_array().expect("rows"))
                {
                    let what = format!("{name}, {} ids, {position}", ids.len());
                    close(&rows[*position as usize], &crate::support::floats(want), 1e-3, &what);
                }
            }
            let text = expected["text"].as_str().expect("text");
            assert_eq!(
                engine.tokenize(text).expect("ids"),
                crate::support::ids(&expected["text_ids"]),
                "{name}: tokenizer"
            );
        }
        converted += 1;
    }
    assert_eq!(converted, 26);
}

#[test]
fn converted_encoders_have_the_references_vectors() {
    for name in ["bert-mean", "bert-cls", "nomic-bert", "modern-bert"] {
        let folder = Path::new("tests/golden/encoders").join(name);
        let expected = crate::support::json(&folder.join("expected.json"));
        let bytes =
            convert(&open(&folder.join("model.safetensors")), Format::F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut engine = engine(in_memory(bytes), LoadOptions::default());
        let mut check = |input: Value, want: &Value| {
            let answer = block_on(engine.embed(&json!({ "input": input }), &never_yield)).expect("a vector");
            close(&crate::support::floats(&answer["data"][0]["embedding"]), &crate::support::floats(want), 2e-5, name);
        };
        for sequence in expected["sequences"].as_array().expect("sequences") {
            check(json!([sequence["ids"]]), &sequence[expected["pooling"].as_str().expect("a kind")]);
        }
        for case in expected["texts"].as_array().into_iter().flatten() {
            check(case["text"].clone(), &case["vector"]);
        }
    }
}

/// T5's weights and sizes go into GGUF; its tokenizer and what else has no words there are refused.
#[test]
fn converted_models_with_an_encoder_have_the_same_logits() {
    for name in ["t5", "t5-gated"] {
        let mut folder = Folder::of(&format!("seq2seq/{name}")).set("relative_attention_max_distance", json!(128));
        let tokenizer = folder.beside.remove("tokenizer.json").expect("a tokenizer");
        let bytes =
            convert(&folder.checkpoint().expect("a model"), Format::F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        let [ours, theirs] = [in_memory(bytes), folder.checkpoint().expect("a model")].map(|checkpoint| {
            let mut engine = engine(checkpoint, LoadOptions::default());
            let generator = engine.generator().expect("it generates");
            assert_eq!(generator.source_rules().expect("rules").opening, [0]);
            block_on(generator.read_source(&[5, 33, 41, 12, 1])).expect("it is read");
            let mut rows = Vec::new();
            block_on(generator.logits(&[0, 9, 17], true, &mut |row| rows.push(row.to_vec()), &never_yield))
                .expect("logits");
            rows.concat()
        });
        close(&ours, &theirs, 1e-5, name);

        let mut with_tokenizer = folder.clone();
        with_tokenizer.beside.insert("tokenizer.json", tokenizer);
        for (folder, piece) in [
            (with_tokenizer, "the tokenizer model Unigram in GGUF"),
            (
                folder.clone().set("relative_attention_max_distance", json!(20)),
                "relative_attention_max_distance of 20 in GGUF",
            ),
            (folder.set("scale_decoder_outputs", json!(name == "t5-gated")), "has no words there"),
        ] {
            let error = convert(&folder.checkpoint().expect("a model"), Format::F32).expect_err("a refusal");
            assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(piece), "{name}: {error}");
        }
    }
}

/// The very numbers that loading with `quantize` computes with.
#[test]
fn quantised_as_loading_would() {
    let ids = [5, 17, 29, 41, 53, 65, 77, 1];
    for name in ["llama-gqa", "gpt2-small", "gpt-neox", "olmoe"] {
        for to in [Format::Q8_0, Format::Q4_0, Format::Q4_K] {
            let file = convert(&open(&safetensors(name)), to).unwrap_or_else(|e| panic!("{name}: {e}"));
            let loaded = LoadOptions { quantize: Some(to), ..LoadOptions::default() };
            let mut loaded = engine(open(&safetensors(name)), loaded);
            let mut written = engine(in_memory(file), LoadOptions::default());
            assert_eq!(
                written.info()["model"]["quantization"],
                loaded.info()["model"]["quantization"],
                "{name}, {to:?}"
            );
            let (ours, theirs) = (logits(&mut written, &ids), logits(&mut loaded, &ids));
            for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                close(ours, theirs, 1e-4, &format!("{name}, {to:?}, {row}"));
            }
        }
    }
}

/// A tokenizer's JSON through GGUF and back.
fn through_gguf(source: &str) -> cresset::Result<(Tokenizer, Tokenizer)> {
    let before = Tokenizer::from_json(source, None, None, None)?;
    let mut writer = GgufWriter::new().set("general.architecture", "llama");
    for (key, value) in before.gguf_keys(source, before.vocab_size() + 3)? {
        writer = writer.set(key, value);
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes)?;
    let after = Tokenizer::from_checkpoint(&in_memory(bytes))?.expect("a vocabulary");
    Ok((before, after))
}

#[test]
fn tokenizers_make_the_same_ids_through_gguf() {
    let expected: Value = serde_json::from_str(include_str!("../tokenizers/expected.json")).expect("JSON");
    let own = |name: &str| std::fs::read_to_string(format!("tests/tokenizers/{name}")).expect("a file");
    let published = |family: &str| {
        let folder = std::env::var_os("CRESSET_VOCABULARIES");
        if folder.is_none() {
            crate::support::skip::skipped(&format!(
                "the vocabulary of {family} (CRESSET_VOCABULARIES does not say where it is)"
            ));
        }
        Some(std::fs::read_to_string(Path::new(&folder?).join(format!("{family}.json"))).expect("a file"))
    };
    for (name, source) in [
        ("bpe.json", Some(own("bpe.json"))),
        ("wordpiece.json", Some(own("wordpiece.json"))),
        ("sentencepiece", Some(sentencepiece())),
        ("gpt2", read("tokenizers/gpt2/tokenizer.json")),
        ("smollm2", read("tokenizers/smollm2/tokenizer.json")),
        ("llama3", published("llama3")),
        ("qwen3", published("qwen3")),
    ] {
        let Some(source) = source else { continue };
        let (before, after) = through_gguf(&source).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(before.differs_from(&after), None, "{name}");
        let texts = expected["own"]["bpe.json"].as_array().expect("cases");
        // Qwen's composes characters first (NFC), for which GGUF has no words.
        let composed = |text: &&str| name != "qwen3" || !text.contains(|c| ('\u{300}'..='\u{36f}').contains(&c));
        let texts = texts.iter().map(|case| case["text"].as_str().expect("a text"));
        for text in texts.filter(composed) {
            let want = before.encode(text, true, true).expect("encodes");
            assert_eq!(after.encode(text, true, true).expect("encodes"), want, "{name}: {text:?}");
            // Of WordPiece, only JSON says how spaces before punctuation go.
            if name != "wordpiece.json" {
                assert_eq!(after.decode(&want, false), before.decode(&want, false), "{name}: {text:?}");
            }
        }
        assert_eq!((after.bos(), before.eos().and(after.eos())), (before.bos(), before.eos()), "{name}");
    }
    for (source, piece) in [
        (own("unigram.json"), "the tokenizer model Unigram in GGUF"),
        (own("bpe.json").replace(r"\\p{N}{1,3}", r"\\p{N}{1,5}"), "a pre-tokenizer with the pattern"),
        (
            own("bpe.json").replace(r#""normalizer":null"#, r#""normalizer":{"type":"Lowercase"}"#),
            "the normalizer Lowercase",
        ),
    ] {
        let error = through_gguf(&source).err().expect("a refusal");
        assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(piece), "{error}");
    }
}

/// tests/tokenizers/spm.gguf as Hugging Face's converter writes it: merges by the scores of what they make.
fn sentencepiece() -> String {
    let file = open(Path::new("tests/tokenizers/spm.gguf"));
    let metadata = file.metadata();
    let tokens = metadata.strings("tokenizer.ggml.tokens").expect("a list").expect("tokens");
    let scores = metadata.f32s("tokenizer.ggml.scores").expect("a list").expect("scores");
    let kinds = metadata.i32s("tokenizer.ggml.token_type").expect("a list").expect("types");
    let ids: std::collections::HashMap<&str, usize> =
        tokens.iter().enumerate().map(|(id, text)| (text.as_str(), id)).collect();
    let mut merges: Vec<(f32, usize, usize, [&str; 2])> = Vec::new();
    for (id, token) in tokens.iter().enumerate().filter(|(id, _)| kinds[*id] == 1) {
        for (at, _) in token.char_indices().skip(1) {
            let parts = [&token[..at], &token[at..]];
            if let [Some(left), Some(right)] = parts.map(|part| ids.get(part).copied()) {
                merges.push((-scores[id], left, right, parts));
            }
        }
    }
    merges.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let special = |id: usize| {
        json!({ "id": id, "content": tokens[id], "single_word": false, "lstrip": false,
                                      "rstrip": false, "normalized": false, "special": true })
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [special(0), special(1), special(2)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] },
        "pre_tokenizer": null,
        "post_processor": { "type": "TemplateProcessing", "single": [
            { "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 0 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" },
            { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
        "model": { "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                   "vocab": tokens.iter().enumerate().map(|(id, text)| (text.clone(), json!(id))).collect::<serde_json::Map<_, _>>(),
                   "merges": merges.iter().map(|(.., parts)| parts).collect::<Vec<_>>() },
    })
    .to_string()
}

/// A model's configuration that GGUF cannot say is refused after the fact, naming what differs.
#[test]
fn what_gguf_has_no_words_for() {
    for (folder, piece) in [
        (Folder::of("gemma3").set("query_pre_attn_scalar", json!(64)), "config.json says"),
        (Folder::of("smollm3").set("no_rope_layers", json!([1, 0, 1, 0])), "config.json says"),
        (
            Folder::of("llama-yarn").set(
                "rope_scaling",
                json!({
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 24, "truncate": false }),
            ),
            "rotary positions",
        ),
    ] {
        let error = convert(&folder.checkpoint().expect("a model"), Format::F32).expect_err("a refusal");
        assert!(error.code() == "MODEL_UNSUPPORTED" && error.to_string().contains(piece), "{error}");
    }
}
