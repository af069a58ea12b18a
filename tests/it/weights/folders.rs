//! Which files make one model: folders, sharded and split models, JSON files beside the weights.

use std::fs;
use std::path::Path;

use cresset::quant::Format;
use cresset::weights::{Checkpoint, FileFormat, GgufWriter, open_path};
use pollster::block_on;
use serde_json::json;

use super::{code, open_all, refused, safetensors};

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const INDEX: &str = "model.safetensors.index.json";

/// A safetensors file with one U8 tensor of four bytes.
fn shard(name: &str, bytes: [u8; 4]) -> Vec<u8> {
    safetensors(&format!(r#"{{"{name}":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}}}"#), &bytes)
}

fn index(places: [(&str, &str); 2]) -> Vec<u8> {
    let [a, b] = places.map(|(tensor, file)| format!(r#""{tensor}":"{file}""#));
    format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{{{a},{b}}}}}"#).into_bytes()
}

fn good_index() -> Vec<u8> {
    index([("a", SHARDS[0]), ("b", SHARDS[1])])
}

fn read(model: &Checkpoint, tensor: &str) -> Vec<u8> {
    block_on(model.read_all(model.tensor(tensor).unwrap())).unwrap()
}

#[test]
fn sharded() {
    let (a, b) = (shard("a", [1; 4]), shard("b", [2; 4]));
    let other = shard("ignored", [3; 4]);
    let files = [(SHARDS[1], b.clone()), (INDEX, good_index()), ("other.safetensors", other), (SHARDS[0], a.clone())];
    let model = open_all(files).unwrap();
    assert_eq!((model.file_format(), model.name(), model.tensors().len()), (FileFormat::Safetensors, INDEX, 2));
    assert_eq!(model.file_bytes(), (a.len() + b.len()) as u64);
    assert_eq!((read(&model, "a"), read(&model, "b")), (vec![1; 4], vec![2; 4]));

    let without_index = open_all([(SHARDS[1], b.clone()), (SHARDS[0], a.clone())]).unwrap();
    assert_eq!((read(&without_index, "a"), read(&without_index, "b")), (vec![1; 4], vec![2; 4]));

    let missing = open_all([(SHARDS[0], a.clone()), (INDEX, good_index())]);
    refused(missing, "MODEL_NOT_FOUND", "model-00002-of-00002.safetensors was not found");
    refused(open_all([(SHARDS[1], b.clone())]), "MODEL_NOT_FOUND", "model-00001-of-00002.safetensors was not found");

    let with = |index: Vec<u8>| open_all([(SHARDS[0], a.clone()), (SHARDS[1], b.clone()), (INDEX, index)]);
    let wrong = index([("a", SHARDS[1]), ("b", SHARDS[0])]);
    refused(with(wrong), "MODEL_FORMAT", r#"tensor "a" should be in model-00002"#);
    refused(with(index([("a", SHARDS[0]), ("c", SHARDS[1])])), "MODEL_FORMAT", r#"tensor "c" should be in"#);
    refused(with(b"{}".to_vec()), "MODEL_FORMAT", "not an index of safetensors files");
    refused(with(br#"{"weight_map":{}}"#.to_vec()), "MODEL_FORMAT", "the index names no tensors");
    refused(with(b"<html>".to_vec()), "MODEL_FORMAT", "this is a web page");
    let twice = [(SHARDS[0], a.clone()), (SHARDS[1], shard("a", [2; 4]))];
    refused(open_all(twice), "MODEL_FORMAT", r#"tensor "a" occurs twice"#);
    let pointer = [(SHARDS[0], a.clone()), (SHARDS[1], b"version https://git-lfs".to_vec()), (INDEX, good_index())];
    refused(open_all(pointer), "MODEL_FORMAT", "model-00002-of-00002.safetensors: this is a Git LFS pointer");
}

/// Part `part` of `parts` of a GGUF, with one tensor.
fn part(part: u32, parts: u32, tensor: &str) -> Vec<u8> {
    let mut bytes = vec![];
    let writer = GgufWriter::new().set("split.no", part).set("split.count", parts).set("part", part);
    writer.tensor(tensor, &[4], Format::F32, vec![part as u8; 16]).write(&mut bytes).unwrap();
    bytes
}

#[test]
fn split() {
    let model = open_all([("b.gguf", part(1, 2, "b")), ("a.gguf", part(0, 2, "a"))]).unwrap();
    assert_eq!((model.name(), model.metadata().u64("part").unwrap()), ("a.gguf", Some(0)));
    assert_eq!((read(&model, "a"), read(&model, "b")), (vec![0; 16], vec![1; 16]));
    assert_eq!(open_all([("one.gguf", part(0, 1, "a"))]).unwrap().tensors().len(), 1);

    let lone = open_all([("a.gguf", part(0, 2, "a"))]);
    refused(lone, "MODEL_NOT_FOUND", "part 2 of 2 of the split model a.gguf was not found; a split GGUF needs all");
    refused(open_all([("b.gguf", part(1, 2, "b"))]), "MODEL_NOT_FOUND", "part 1 of 2");
    refused(open_all([("a.gguf", part(0, u32::MAX, "a"))]), "MODEL_NOT_FOUND", "part 2 of 4294967295");
    let twice = [("a.gguf", part(0, 2, "a")), ("b.gguf", part(0, 2, "b"))];
    refused(open_all(twice), "MODEL_NOT_FOUND", "part 2 of 2");
    let three = [("a.gguf", part(0, 2, "a")), ("b.gguf", part(1, 2, "b")), ("c.gguf", part(2, 2, "c"))];
    refused(open_all(three), "MODEL_FORMAT", "do not belong to one split model");
    let mixed = [("a.gguf", part(0, 2, "a")), ("b.gguf", part(1, 3, "b"))];
    refused(open_all(mixed), "MODEL_FORMAT", "do not belong to one split model");
    let same = [("a.gguf", part(0, 2, "a")), ("b.gguf", part(1, 2, "a"))];
    refused(open_all(same), "MODEL_FORMAT", r#"tensor "a" occurs twice"#);
}

#[test]
fn which_model() {
    let weights = || shard("a", [0; 4]);
    let two = [("x.gguf", part(0, 1, "a")), ("y.gguf", part(0, 1, "a"))];
    refused(open_all(two), "INVALID_REQUEST", "several models (x.gguf, y.gguf); name the one file");
    let both = [("x.gguf", part(0, 1, "a")), ("y.safetensors", weights())];
    refused(open_all(both), "INVALID_REQUEST", "several models (x.gguf, y.safetensors)");
    let loose = [("x.safetensors", weights()), ("y.safetensors", weights())];
    refused(open_all(loose), "INVALID_REQUEST", "several models");
    let usual = [("adapter.safetensors", shard("b", [0; 4])), ("model.safetensors", weights())];
    assert!(open_all(usual).unwrap().tensor("a").is_some());
    refused(open_all::<Vec<u8>>([]), "MODEL_NOT_FOUND", "a .gguf or .safetensors file was not found");
    refused(open_all([("config.json", "{}"), ("tokenizer.json", "{}")]), "MODEL_NOT_FOUND", "among the files given");
    refused(open_all([("a.txt", "a"), ("b.txt", "b")]), "MODEL_NOT_FOUND", "among the files given");
    let pytorch = [("pytorch_model-00001-of-00002.bin", "a"), ("pytorch_model-00002-of-00002.bin", "b")];
    refused(open_all(pytorch), "MODEL_NOT_FOUND", "among the files given; its weights are in another program's format");
    let twisted = [("0.safetensors", part(0, 1, "a")), ("model.safetensors", part(0, 1, "a"))];
    assert_eq!(open_all(twisted).unwrap().file_format(), FileFormat::Gguf { version: 3 });
    let indexes = [("a.safetensors.index.json", "{}"), ("b.safetensors.index.json", "{}")];
    refused(open_all(indexes), "INVALID_REQUEST", "several models");
}

/// As a browser gives a chosen folder: with everything in it, in any order.
#[test]
fn a_folder_with_others_in_it() {
    let weights = |name| shard(name, [0; 4]);
    let config = |n: u32| format!(r#"{{"n": {n}}}"#).into_bytes();
    let mut files = vec![
        ("m/config.json", config(1)),
        ("m/1_Pooling/config.json", config(2)),
        ("m/2_Dense/config.json", config(3)),
        ("m/2_Dense/model.safetensors", weights("dense")),
        ("m/model.safetensors", weights("a")),
        ("m/onnx/config.json", config(4)),
        ("m/onnx/model.onnx", vec![0; 4]),
    ];
    for _ in 0..2 {
        let model = open_all(files.clone()).unwrap();
        assert_eq!((&model.config().unwrap()["n"], &model.pooling().unwrap()["n"]), (&1.into(), &2.into()));
        assert_eq!(model.tensors().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a"]);
        files.reverse();
    }
    let apart = open_all([("config.json", config(1)), ("m/model.safetensors", weights("a"))]).unwrap();
    assert_eq!((&apart.config().unwrap()["n"], apart.tensors().len()), (&1.into(), 1));
    let two = [("m/a.gguf", part(0, 1, "a")), ("m/b.gguf", part(0, 1, "a"))];
    refused(open_all(two), "INVALID_REQUEST", "several models");
}

#[test]
fn json_beside_the_weights() {
    let with = |name, text: &[u8]| open_all([("model.safetensors", shard("a", [0; 4])), (name, text.to_vec())]);
    let model = with("config.json", br#"{"model_type": "llama", "hidden_size": 64}"#).unwrap();
    assert_eq!(model.config().unwrap()["hidden_size"], 64);
    assert!(model.tokenizer_json().is_none() && model.tokenizer_config().is_none());
    assert_eq!(with("tokenizer.json", b"{ }").unwrap().tokenizer_json(), Some("{ }"));
    assert_eq!(with("tokenizer_config.json", b"{\"a\":1}").unwrap().tokenizer_config().unwrap()["a"], 1);
    assert_eq!(with("generation_config.json", b"{\"a\":2}").unwrap().generation_config().unwrap()["a"], 2);
    assert_eq!(with("chat_template.jinja", b"<s>{{ x }}").unwrap().chat_template_file(), Some("<s>{{ x }}"));
    refused(with("config.json", b"{"), "MODEL_FORMAT", "config.json: this is not JSON");
    refused(with("config.json", b"[]"), "MODEL_FORMAT", "config.json: the file should hold a JSON object");
    refused(with("config.json", &b"{\"a\":".repeat(100_000)), "MODEL_FORMAT", "config.json: this is not JSON");
    refused(with("tokenizer.json", b"<html>"), "MODEL_FORMAT", "tokenizer.json: this is a web page");
    refused(with("tokenizer.json", b"\xff"), "MODEL_FORMAT", "tokenizer.json: the text is not UTF-8");
}

/// Older repositories name their tokens in two more files, which count where `added_tokens_decoder` is missing.
#[test]
fn older_files_of_tokens() {
    let open = |config: &[u8]| {
        let map = br#"{"eos_token": {"content": "<e>", "lstrip": true}, "pad_token": "<p>", "additional_special_tokens": ["<u>", "<v>"]}"#;
        let files = [
            ("model.safetensors", shard("a", [0; 4])),
            ("special_tokens_map.json", map.to_vec()),
            ("added_tokens.json", br#"{"<v>": 8, "word": 7}"#.to_vec()),
            ("tokenizer_config.json", config.to_vec()),
        ];
        open_all(files).unwrap().tokenizer_config().unwrap().clone()
    };
    let older = json!({
        "bos_token": "<s>",
        "eos_token": { "content": "<e>", "lstrip": true },
        "pad_token": "<p>",
        "additional_special_tokens": ["<t>", "<u>", "<v>"],
        "added_tokens_decoder": {
            "7": { "content": "word", "special": false, "normalized": true },
            "8": { "content": "<v>", "special": true, "normalized": false },
        },
    });
    assert_eq!(
        open(br#"{"bos_token": "<s>", "eos_token": "<other>", "additional_special_tokens": ["<t>", "<u>"]}"#),
        older
    );
    let newer = br#"{"eos_token": "<s>", "added_tokens_decoder": {}}"#;
    assert_eq!(open(newer), serde_json::from_slice::<serde_json::Value>(newer).unwrap());
}

#[test]
fn paths() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let open = |path: &Path| block_on(Checkpoint::open(open_path(path)?));
    refused(open(&at("none.gguf")), "MODEL_NOT_FOUND", "none.gguf was not found");
    refused(open(&at("none/none.gguf")), "MODEL_NOT_FOUND", "was not found");
    refused(open(folder.path()), "MODEL_NOT_FOUND", "a .gguf or .safetensors file in");

    fs::write(at("model.ckpt"), "").unwrap();
    refused(open(folder.path()), "MODEL_NOT_FOUND", "was not found; its weights are in another program's format");
    fs::remove_file(at("model.ckpt")).unwrap();
    fs::write(at("config.json"), "{}").unwrap();
    fs::write(at("README.md"), "not part of it").unwrap();
    fs::write(at(SHARDS[0]), shard("a", [1; 4])).unwrap();
    refused(open(folder.path()), "MODEL_NOT_FOUND", SHARDS[1]);
    fs::write(at(SHARDS[1]), shard("b", [2; 4])).unwrap();
    fs::write(at(INDEX), good_index()).unwrap();
    for path in [folder.path().to_path_buf(), at(INDEX), at(SHARDS[0]), at(SHARDS[1])] {
        let model = open(&path).unwrap();
        assert_eq!((read(&model, "a"), read(&model, "b")), (vec![1; 4], vec![2; 4]), "{path:?}");
        assert!(model.config().is_some());
    }

    fs::write(at("x-00001-of-00002.gguf"), part(0, 2, "a")).unwrap();
    fs::write(at("x-00002-of-00002.gguf"), part(1, 2, "b")).unwrap();
    fs::write(at("y-00001-of-00002.gguf"), part(0, 2, "a")).unwrap();
    let model = open(&at("x-00002-of-00002.gguf")).unwrap();
    assert_eq!((model.tensors().len(), model.config()), (2, None));
    refused(open(&at("y-00001-of-00002.gguf")), "MODEL_NOT_FOUND", "part 2 of 2");
    refused(open(folder.path()), "INVALID_REQUEST", "several models");
    refused(open(&at("README.md")), "MODEL_FORMAT", "neither a GGUF nor a safetensors file");

    // A file that shrinks after it was opened gives an error, not a panic.
    let model = open(&at("x-00001-of-00002.gguf")).unwrap();
    fs::write(at("x-00001-of-00002.gguf"), "gone").unwrap();
    assert_eq!(code(block_on(model.read_all(model.tensor("a").unwrap()))), Some("STORAGE"));
}
