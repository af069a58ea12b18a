//! Mutated model files: opening them never panics, never takes memory that the file's own length does not back, and
//! gives either tensors that can be read or an error of the right kind.

use crate::counting::peak;
use crate::fuzz::cases;
use crate::support::shared::shared;
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, Source};
use pollster::block_on;
use std::cell::Cell;

/// Memory that opening and reading may take: tables are a multiple of the header that describes them.
fn allowance(file_bytes: usize) -> isize {
    (1 << 20) + 10 * file_bytes as isize
}

type Named = (&'static str, Vec<u8>);

/// Opens the files and reads everything; returns whether they were accepted.
fn exercise(files: Vec<Named>) -> bool {
    let total: usize = files.iter().map(|file| file.1.len()).sum();
    let sources = files.into_iter().map(|(name, bytes)| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>);
    let (accepted, taken) = peak(|| match block_on(Checkpoint::open(Files::new(sources.collect()))) {
        Ok(model) => {
            read_all(&model);
            true
        }
        Err(error) => {
            let message = error.to_string();
            assert!(
                ["MODEL_FORMAT", "MODEL_UNSUPPORTED", "MODEL_NOT_FOUND", "INVALID_REQUEST"].contains(&error.code())
            );
            assert!(message.len() < 16 << 10, "a message of {} bytes", message.len());
            false
        }
    });
    assert!(taken <= allowance(total), "{taken} bytes were taken for {total} bytes of files");
    accepted
}

fn read_all(model: &Checkpoint) {
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).unwrap().len() as u64, tensor.bytes);
        let rows = tensor.rows();
        let last = rows.saturating_sub(1)..rows;
        let row_bytes = tensor.row_bytes() * last.len() as u64;
        assert_eq!(block_on(model.read_rows(tensor, last)).unwrap().len() as u64, row_bytes);
        assert_eq!(model.tensor(&tensor.name), Some(tensor));
    }
    let meta = model.metadata();
    for (key, value) in meta.iter() {
        assert!(!value.to_string().is_empty());
        let readable = [
            meta.u64(key).is_ok(),
            meta.f32(key).is_ok(),
            meta.bool(key).is_ok(),
            meta.str(key).is_ok(),
            meta.strings(key).is_ok(),
            meta.f32s(key).is_ok(),
            meta.i32s(key).is_ok(),
        ];
        assert!(readable.iter().filter(|&&ok| ok).count() <= 2, "{key} has too many types");
    }
}

/// Mutates one file of a model, so often.
fn fuzz(usual: u64, models: &[Vec<Named>]) {
    for model in models {
        assert!(exercise(model.clone()), "the unchanged files must be accepted");
    }
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    cases(usual, |random| {
        // The first is small, hence fast: half of the cases.
        let model = random.below(2) * random.below(models.len());
        let mut files = models[model].clone();
        let donor = random.pick(models);
        let donor = &random.pick(donor).1;
        let target = random.below(files.len());
        random.mutate(&mut files[target].1, donor);
        let count = if exercise(files) { &accepted } else { &refused };
        count.set(count.get() + 1);
    });
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(
        accepted + refused == 1 || (accepted > 0 && refused > 0),
        "one side only: {accepted} accepted, {refused} refused"
    );
}

/// A file of the shared data, or nothing, said aloud.
fn read_shared(path: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(shared(path)?).expect("a readable file"))
}

fn small_gguf() -> Vec<u8> {
    let mut writer = GgufWriter::new().set("general.architecture", "llama").set("llama.rope.freq_base", 1e4f32);
    writer = writer.set("tokenizer.ggml.tokens", vec!["<s>".to_owned(), "a".to_owned(), String::new()]);
    writer = writer.set("tokenizer.ggml.scores", vec![0.0f32, -1.0, -2.0]).set("llama.block_count", 2u32);
    for &format in Format::ALL {
        let columns = format.block_len().max(64);
        let bytes = vec![1; 2 * format.row_bytes(columns).unwrap()];
        writer = writer.tensor(format!("blk.0.{}", format.name()), &[2, columns], format, bytes);
    }
    let mut bytes = vec![];
    writer.write(&mut bytes).unwrap();
    bytes
}

fn small_safetensors(name: &str) -> Vec<u8> {
    let header = format!(
        r#"{{"__metadata__":{{"format":"pt"}},"{name}.a":{{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}},
           "{name}.b":{{"dtype":"BF16","shape":[3],"data_offsets":[32,38]}},"{name}.c":{{"dtype":"I64","shape":[],"data_offsets":[38,46]}}}}"#
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[7; 46]].concat()
}

#[test]
fn gguf() {
    let mut models = vec![vec![("small.gguf", small_gguf())]];
    for path in [
        "weights/stories260K/stories260K.gguf",
        "weights/odd/nanochat-q8_0-step800.gguf",
        "tokenizers/ggml-vocab-gpt-2.gguf",
        "tokenizers/ggml-vocab-llama-spm.gguf",
    ] {
        models.extend(read_shared(path).map(|bytes| vec![("real.gguf", bytes)]));
    }
    fuzz(20_000, &models);
}

#[test]
fn safetensors() {
    let mut models = vec![vec![("small.safetensors", small_safetensors("w"))]];
    for path in ["weights/odd/mnist-cnn.safetensors", "weights/odd/discollama-adapters.safetensors"] {
        models.extend(read_shared(path).map(|bytes| vec![("real.safetensors", bytes)]));
    }
    fuzz(20_000, &models);
}

#[test]
fn whisper_cpp() {
    let file = std::fs::read("tests/golden/speech/ggml-whisper.bin").expect("a readable file");
    fuzz(4_000, &[vec![("ggml-whisper.bin", file)]]);
}

/// Sharded files, their index, and the JSON files beside them.
#[test]
fn folder() {
    let map = r#"{"metadata":{"total_size":92},"weight_map":{"x.a":"1.safetensors","x.b":"1.safetensors","y.a":"2.safetensors"}}"#;
    fuzz(
        10_000,
        &[vec![
            ("model.safetensors.index.json", map.into()),
            ("1.safetensors", small_safetensors("x")),
            ("2.safetensors", small_safetensors("y")),
            (
                "config.json",
                br#"{"model_type":"llama","hidden_size":64,"rope_scaling":null,"eos_token_id":[1,2]}"#.to_vec(),
            ),
            ("tokenizer.json", br#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#.to_vec()),
            ("chat_template.jinja", b"{% for m in messages %}{{ m.content }}{% endfor %}".to_vec()),
        ]],
    );
}

/// The headers that describe the most in the fewest bytes stay within the allowance.
#[test]
fn dense_headers() {
    let n = 60_000;
    let strings = GgufWriter::new().set("a", vec![String::new(); n]);
    let keys = (0..n).fold(GgufWriter::new(), |writer, i| writer.set(format!("{i:x}"), true));
    let tensors =
        (0..n).fold(GgufWriter::new(), |writer, i| writer.tensor(format!("{i:x}"), &[], Format::F16, vec![0; 2]));
    let numbers = [1600u32, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1, 80, 201];
    let mut whisper = [&b"lmgg"[..], bytemuck::cast_slice(&numbers), &[0; 4 * 80 * 201], &[0; 4]].concat();
    let tensor = |i| [&[0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..], format!("{i:03x}").as_bytes(), &[0; 4]].concat();
    whisper.extend((0..2048).flat_map(tensor));
    assert!(exercise(vec![("ggml-dense.bin", whisper)]));
    for writer in [strings, keys, tensors] {
        let mut bytes = vec![];
        writer.write(&mut bytes).unwrap();
        assert!(exercise(vec![("dense.gguf", bytes)]));
    }
    let safetensors = |header: String| [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    let entry = |i| format!(r#""{i:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
    let tensors = safetensors(format!("{{{}}}", (0..n).map(entry).collect::<Vec<_>>().join(",")));
    assert!(exercise(vec![("dense.safetensors", tensors)]));
    let shape = vec!["1"; n].join(",");
    let shape = safetensors(format!(r#"{{"w":{{"dtype":"U8","shape":[{shape}],"data_offsets":[0,0]}}}}"#));
    assert!(!exercise(vec![("dense.safetensors", shape)]));
}
