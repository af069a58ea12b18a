//! Mutated model files: opening them never panics, never takes memory that the file's own length does not back, and
//! gives either tensors that can be read or an error of the right kind.
//!
//! `CRESSET_FUZZ_SECONDS` bounds the time of each target (10 by default). A failure names its case;
//! `CRESSET_FUZZ_CASE` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::counting::peak;
use crate::support::shared::shared;
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, Source};
use pollster::block_on;

/// Memory that opening and reading may take: tables are a multiple of the header that describes them.
fn allowance(file_bytes: usize) -> isize {
    (1 << 20) + 10 * file_bytes as isize
}

/// SplitMix64 (Steele et al., 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below `n`, which is not zero.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Below `n`, each order of magnitude as likely as the next: headers are at the front.
    fn near_front(&mut self, n: usize) -> usize {
        let magnitude = self.below(n.ilog2() as usize + 1);
        self.below(n.min(2 << magnitude))
    }

    /// A number that parsers stumble over.
    fn number(&mut self, file_bytes: usize) -> u64 {
        let n = file_bytes as u64;
        let odd = [0, 1, 2, 7, 255, 1 << 16, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 60, 1 << 63, u64::MAX, n];
        odd[self.below(odd.len())].wrapping_add(self.next() % 3).wrapping_sub(1)
    }
}

/// Changes a file in one to four ways; `donor` is spliced from.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, donor: &[u8]) {
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.near_front(bytes.len());
        let len = (1 + random.near_front(256)).min(bytes.len() - at);
        match random.below(9) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => bytes.truncate(at),
            4 | 5 => {
                let width = [4, 8][random.below(2)].min(bytes.len() - at);
                let number = random.number(bytes.len()).to_le_bytes();
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            6 => drop(bytes.drain(at..at + len)),
            7 => {
                let from = random.near_front(donor.len());
                let piece = donor[from..(from + len).min(donor.len())].to_vec();
                bytes.splice(at..(at + piece.len() * random.below(2)).min(bytes.len()), piece);
            }
            _ => replace_digits(random, bytes, at),
        }
    }
}

/// Puts another number in the place of the first decimal digits after `at`: the lengths and offsets of JSON.
fn replace_digits(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = bytes[at..].iter().take(1024).position(u8::is_ascii_digit).map(|i| at + i) else { return };
    let len = bytes[start..].iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len() - start);
    let number = random.number(bytes.len()).to_string();
    bytes.splice(start..start + len, number.into_bytes());
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

/// Mutates one file of each model until the time is up.
fn fuzz(models: &[Vec<Named>]) {
    let seconds = std::env::var("CRESSET_FUZZ_SECONDS").map_or(10.0, |s| s.parse().expect("a number of seconds"));
    let only: Option<u64> = std::env::var("CRESSET_FUZZ_CASE").ok().map(|s| s.parse().expect("a case's number"));
    for model in models {
        assert!(exercise(model.clone()), "the unchanged files must be accepted");
    }
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut accepted, mut cases) = (0, 0);
    while only.is_none_or(|_| cases == 0) && (cases < 200 || Instant::now() < end) {
        let case = only.unwrap_or(cases);
        let mut random = Random(case);
        // The first is small, hence fast: half of the cases.
        let model = random.below(2) * random.below(models.len());
        let mut files = models[model].clone();
        let donor = &models[random.below(models.len())];
        let donor = &donor[random.below(donor.len())].1;
        let target = random.below(files.len());
        mutate(&mut random, &mut files[target].1, donor);
        match catch_unwind(AssertUnwindSafe(|| exercise(files))) {
            Ok(good) => accepted += u64::from(good),
            Err(_) => panic!("case {case} failed; CRESSET_FUZZ_CASE={case} runs it alone"),
        }
        cases += 1;
    }
    eprintln!("{cases} cases, {accepted} of them accepted");
    assert!(only.is_some() || (accepted > 0 && accepted < cases), "the mutations test one side only");
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
    fuzz(&models);
}

#[test]
fn safetensors() {
    let mut models = vec![vec![("small.safetensors", small_safetensors("w"))]];
    for path in ["weights/odd/mnist-cnn.safetensors", "weights/odd/discollama-adapters.safetensors"] {
        models.extend(read_shared(path).map(|bytes| vec![("real.safetensors", bytes)]));
    }
    fuzz(&models);
}

/// Sharded files, their index, and the JSON files beside them.
#[test]
fn folder() {
    let map = r#"{"metadata":{"total_size":92},"weight_map":{"x.a":"1.safetensors","x.b":"1.safetensors","y.a":"2.safetensors"}}"#;
    fuzz(&[vec![
        ("model.safetensors.index.json", map.into()),
        ("1.safetensors", small_safetensors("x")),
        ("2.safetensors", small_safetensors("y")),
        (
            "config.json",
            br#"{"model_type":"llama","hidden_size":64,"rope_scaling":null,"eos_token_id":[1,2]}"#.to_vec(),
        ),
        ("tokenizer.json", br#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#.to_vec()),
        ("chat_template.jinja", b"{% for m in messages %}{{ m.content }}{% endfor %}".to_vec()),
    ]]);
}

/// The headers that describe the most in the fewest bytes stay within the allowance.
#[test]
fn dense_headers() {
    let n = 60_000;
    let strings = GgufWriter::new().set("a", vec![String::new(); n]);
    let keys = (0..n).fold(GgufWriter::new(), |writer, i| writer.set(format!("{i:x}"), true));
    let tensors =
        (0..n).fold(GgufWriter::new(), |writer, i| writer.tensor(format!("{i:x}"), &[], Format::F16, vec![0; 2]));
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
