//! The command line as a stranger would use it: what goes to stdout, what to stderr, and the exit status.

use crate::cresset;
use crate::support::shared::shared;
use crate::support::variant::Variant;
use crate::support::{at_root, cpu, floats, ids, open};
use cresset::device::KvFormat;
use cresset::engine::{Engine, never_yield};
use cresset::sampler::log_softmax;
use pollster::block_on;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

const MODEL: &str = "tests/golden/llama-gqa/f32.gguf";

/// Runs `cresset {subcommand} --model {model} {arguments…}`.
fn run(subcommand: &str, model: impl AsRef<Path>, arguments: &[&str]) -> Output {
    let mut command = cresset();
    command.arg(subcommand).arg("--model").arg(model.as_ref()).args(arguments);
    // What is found out about adapters is kept where caches are, and those are not the tests' own.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

/// Runs `cresset` with this on its standard input.
fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = cresset();
    command.args(arguments).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("it ends")
}

/// As [`run`] on the CPU and with success; gives stdout.
#[track_caller]
fn ok(subcommand: &str, model: impl AsRef<Path>, arguments: &[&str]) -> String {
    let out = run(subcommand, model, arguments);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// Exactly one line with one JSON value.
#[track_caller]
fn one_json(stdout: &str) -> Value {
    assert!(stdout.ends_with('\n') && stdout.lines().count() == 1, "{stdout}");
    serde_json::from_str(stdout).expect("one JSON value")
}

/// Exit status 1, nothing on stdout, and one line of ours on stderr: `error[CODE]: …`, which is given back.
#[track_caller]
fn failed(out: Output, code: &str) -> String {
    let stderr = String::from_utf8(out.stderr).expect("UTF-8");
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with(&format!("error[{code}]: ")), "{stderr}");
    stderr.trim_end().to_string()
}

/// A variant of a golden model in a file of a folder that lasts as long as the test.
fn file(variant: &Variant) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("little-one.gguf");
    std::fs::write(&path, variant.bytes()).expect("a file");
    (folder, path)
}

fn engine() -> Engine {
    open(Path::new(MODEL), cpu(), KvFormat::F16)
}

#[test]
fn what_is_known_of_an_adapter_is_kept() {
    if crate::support::gpu().is_none() {
        return;
    }
    let caches = tempfile::tempdir().expect("a folder");
    let path = caches.path().join("cresset/self-test.json");
    let generate = || {
        let mut command = cresset();
        command.args(["generate", "--model", MODEL, "--device", "gpu", "--prompt", "the hen", "--temperature", "0"]);
        let out = command.args(["--max-tokens", "8"]).env("XDG_CACHE_HOME", caches.path()).output();
        let out = out.expect("the binary runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let fresh = generate();
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "{kept}");
    assert!(kept[0]["tuning"].is_object() && kept[0]["demoted"] == json!([]), "{kept}");
    // A verdict that nothing is right here is believed: it was not asked again.
    let mut refused = kept.clone();
    refused[0]["tuning"] = Value::Null;
    std::fs::write(&path, refused.to_string()).expect("a file");
    failed(
        cresset()
            .args(["generate", "--model", MODEL, "--device", "gpu", "--prompt", "the hen"])
            .env("XDG_CACHE_HOME", caches.path())
            .output()
            .expect("the binary runs"),
        "WEBGPU_UNAVAILABLE",
    );
    // One that cannot be read is no verdict.
    std::fs::write(&path, "{ not JSON").expect("a file");
    assert_eq!(generate(), fresh);
}

/// Nothing but what is ours stands on stderr, whatever the libraries under the graphics driver say by themselves.
#[test]
fn drivers_are_quiet() {
    if crate::support::gpu().is_none() {
        return;
    }
    let mut command = cresset();
    command.args(["inspect", MODEL, "--device", "gpu"]).env_remove("XDG_RUNTIME_DIR");
    let out = command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).output().expect("the binary runs");
    assert_eq!((out.status.success(), String::from_utf8_lossy(&out.stderr).as_ref()), (true, ""));
}

#[test]
fn generate() {
    let fixed = ["--device", "cpu", "--prompt", "the hen", "--max-tokens", "12", "--temperature", "0", "--ignore-eos"];
    let request = json!({ "prompt": "the hen", "max_tokens": 12, "temperature": 0, "ignore_eos": true });
    let expected = block_on(engine().complete(&request, &mut |_| (), &never_yield)).expect("an answer");
    let text = expected["choices"][0]["text"].as_str().expect("text");
    assert_eq!(ok("generate", MODEL, &fixed), format!("the hen{text}\n"));

    let answer = one_json(&ok("generate", MODEL, &[&fixed[..], &["--json"]].concat()));
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["choices"], expected["choices"]);
    assert_eq!(answer["usage"]["completion_tokens"], 12);

    // From standard input, by two ways.
    let piped = |arguments: &[&str], input: &[u8]| {
        let fixed = ["generate", "--model", MODEL, "--device", "cpu", "--max-tokens", "12", "--temperature", "0"];
        run_with_input(&[&fixed[..], &["--ignore-eos"], arguments].concat(), input)
    };
    for arguments in [&[][..], &["--prompt", "-"]] {
        assert_eq!(String::from_utf8_lossy(&piped(arguments, b"the hen\n").stdout), format!("the hen{text}\n"));
    }
    let line = failed(piped(&[], b""), "INVALID_REQUEST");
    assert!(line.contains("--prompt: is missing, and standard input is empty"), "{line}");
    let line = failed(piped(&[], b"\xff\xfe"), "INVALID_REQUEST");
    assert!(line.contains("standard input: is not UTF-8"), "{line}");

    let stop = &text[text.char_indices().nth(5).expect("a long text").0..];
    let stopped = ok("generate", MODEL, &[&fixed[..], &["--stop", stop, "--stop", "never"]].concat());
    assert_eq!(stopped, format!("the hen{}\n", &text[..text.find(stop).expect("it is there")]));

    let seeded = |seed: &str| ok("generate", MODEL, &["--device", "cpu", "--prompt", "a", "--seed", seed]);
    assert_eq!(seeded("-5"), seeded("-5"));
    assert_ne!(seeded("-5"), seeded("6"));
}

#[test]
fn tokenize() {
    let text = "the hen in the inn";
    let token_ids = one_json(&ok("tokenize", MODEL, &["--text", text]));
    assert_eq!(ids(&token_ids), engine().tokenize(text).expect("ids"));
    let list = ids(&token_ids).iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    assert_eq!(one_json(&ok("tokenize", MODEL, &["--decode", &list])), json!(text));
    assert_eq!(one_json(&ok("tokenize", "tests/golden/llama-tied/model.safetensors", &["--text", "a"])), json!([2]));
    let piped = run_with_input(&["tokenize", "--model", MODEL], format!("{text}\n").as_bytes());
    assert_eq!(one_json(&String::from_utf8_lossy(&piped.stdout)), token_ids);
    // A tokenizer needs no weights beside it.
    assert_eq!(
        one_json(&ok("tokenize", "tests/tokenizers/bpe.json", &["--decode", "0,1"])).as_str().map(str::len),
        Some(27)
    );
    let line = failed(run("tokenize", MODEL, &["--decode", "1,96"]), "INVALID_REQUEST");
    assert!(line.contains("96"), "{line}");
    failed(run("tokenize", MODEL, &["--decode", "1,x"]), "INVALID_REQUEST");
    failed(run("tokenize", MODEL, &[]), "INVALID_REQUEST");
    failed(run("tokenize", MODEL, &["--text", "a", "--decode", "1"]), "INVALID_REQUEST");
}

#[test]
fn logits() {
    let mut expected: Vec<Vec<f32>> = Vec::new();
    block_on(engine().logits(&[91, 0, 9], true, &mut |row| expected.push(row.to_vec()), &never_yield)).expect("rows");
    let rows = |arguments: &[&str]| {
        let answer =
            one_json(&ok("logits", MODEL, &[&["--device", "cpu", "--ids", "91,0,9", "--json"], arguments].concat()));
        answer["logits"].as_array().expect("rows").iter().map(floats).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["--all"]), expected);
    assert_eq!(rows(&[]), expected[2..]);
    let shown = ok("logits", MODEL, &["--device", "cpu", "--ids", "91,0,9"]);
    let best = cresset::sampler::top_logprobs(&expected[2], 1)[0].0;
    assert!(shown.starts_with(&format!("position 2: {best}: ")), "{shown}");
    failed(run("logits", MODEL, &["--ids", "96", "--json"]), "INVALID_REQUEST");
    failed(run("logits", MODEL, &["--ids", "", "--json"]), "INVALID_REQUEST");
}

#[test]
fn inspect() {
    let shown = ok("inspect", MODEL, &["--device", "cpu"]);
    for piece in ["f32.gguf", "GGUF v3", "architecture  llama", "in 21 tensors", "device        CPU (cpu)"] {
        assert!(shown.contains(piece), "{piece}: {shown}");
    }
    // The verdict is the last line, and tensors are listed where they are asked for.
    let verdict = |shown: &str| shown.lines().last().expect("lines").starts_with("runs here     yes, about ");
    assert!(verdict(&shown) && !shown.contains("blk.1.ffn_down.weight"), "{shown}");
    let shown = ok("inspect", MODEL, &["--device", "cpu", "--tensors", "--metadata"]);
    assert!(verdict(&shown) && shown.contains("blk.1.ffn_down.weight"), "{shown}");
    // The file needs no option.
    let by_place = cresset().args(["inspect", MODEL, "--device", "cpu", "--json"]).output().expect("the binary runs");
    let about = one_json(&ok("inspect", MODEL, &["--device", "cpu", "--json"]));
    assert_eq!(one_json(&String::from_utf8_lossy(&by_place.stdout))["tokenizer"], about["tokenizer"]);
    assert!(about["tensors"].is_null(), "{about}");
    failed(cresset().arg("inspect").output().expect("the binary runs"), "INVALID_REQUEST");
    let about = one_json(&ok("inspect", MODEL, &["--device", "cpu", "--json", "--tensors"]));
    assert_eq!(
        (&about["fits"], &about["contextLength"], &about["shape"]["nHeads"]),
        (&json!(true), &json!(128), &json!(4))
    );
    assert_eq!(about["tensors"].as_array().map(Vec::len), Some(21));

    // What cannot run is still told, with the piece that is missing; that is no failure of `inspect`.
    let (_folder, path) = file(&Variant::of("llama-gqa/f32.gguf").without_tensor("blk.1.ffn_down.weight"));
    let shown = ok("inspect", &path, &["--device", "cpu"]);
    assert!(shown.contains("runs here     no: the file has no tensor named blk.1.ffn_down.weight"), "{shown}");
    let (_folder, path) = file(&Variant::of("llama-gqa/f32.gguf").set("general.architecture", "rwkv7"));
    let shown = ok("inspect", &path, &["--device", "cpu"]);
    assert!(shown.contains("runs here     no: the architecture rwkv7 is not supported"), "{shown}");
    let shown = ok("inspect", "tests/golden/gpt2-bare/model.safetensors", &["--device", "cpu"]);
    assert!(shown.contains("gpt2") && shown.contains("runs here     yes"), "{shown}");
}

/// `inspect` prints every one of `pieces` about what is at `path`, for people, and says for programs that it won't run.
#[track_caller]
fn explained(path: impl AsRef<Path>, pieces: &[&str]) {
    let shown = ok("inspect", &path, &["--device", "cpu", "--metadata", "--tensors"]);
    for piece in pieces {
        assert!(shown.contains(piece), "{piece:?} is not in: {shown}");
    }
    let about = one_json(&ok("inspect", &path, &["--device", "cpu", "--json"]));
    assert_eq!(about["fits"], json!(false), "{about}");
    assert!(shown.contains(about["reason"].as_str().expect("a reason")), "{shown}");
}

#[test]
fn inspect_explains_what_is_no_model() {
    let golden = "tests/golden";
    let adapter = ["LoRA adapter", "ranks 1 to 64", "runs here     no: this is an adapter", "--adapter"];
    explained(format!("{golden}/lora/ranks"), &[&adapter[..], &["PEFT", "q_proj", "31 tensors"]].concat());
    explained(format!("{golden}/lora/ranks.gguf"), &[&adapter[..], &["GGUF", "attn_q", "adapter.lora.alpha"]].concat());
    explained(format!("{golden}/lora/mlx"), &["LoRA adapter", "MLX"]);
    // Alone, without the configuration that belongs to it: its tensors tell.
    let folder = tempfile::tempdir().expect("a folder");
    let bare = |from: &str, to: &str| {
        std::fs::copy(at_root(format!("{golden}/lora/{from}")), folder.path().join(to)).expect("a copy");
        folder.path().join(to)
    };
    let alone = ["LoRA adapter", "made for      a model that is not named", "--adapter-alpha N"];
    let peft = bare("scaled/adapter_model.safetensors", "model.safetensors");
    explained(peft, &[&alone[..], &["PEFT, rank 4", "down_proj"]].concat());
    explained(
        bare("mlx/adapters.safetensors", "x.safetensors"),
        &[&alone[..], &["MLX, rank 8", "q_proj, v_proj"]].concat(),
    );
    let tokenizer = ["tokenizer without a model", "byte-level BPE", "96 tokens", "without weights"];
    explained(format!("{golden}/llama-gqa/tokenizer.json"), &tokenizer);
    explained(format!("{golden}/llama-gqa/config.json"), &["architecture  llama", "configuration without"]);
    explained("src", &["folder without a model", "lib.rs", "no: a .gguf or .safetensors file in src was not found"]);
    explained("Cargo.toml", &["Cargo.toml", "neither a GGUF nor a safetensors file"]);
    failed(run("inspect", "no-such-file.gguf", &[]), "MODEL_NOT_FOUND");
}

#[test]
fn inspect_explains_what_is_damaged_or_incomplete() {
    let whole = std::fs::read(at_root(MODEL)).expect("a golden file");
    let folder = tempfile::tempdir().expect("a folder");
    let cut = folder.path().join("cut.gguf");
    let cut = cut.to_str().expect("UTF-8");
    for (bytes, what) in [(whole.len() - 9, "tensor \""), (2000, "needs"), (3, "truncated")] {
        std::fs::write(cut, &whole[..bytes]).expect("a file");
        explained(cut, &["no model that can be read", what, "truncated"]);
    }
    let mut bare = Variant::of("llama-gqa/f32.gguf");
    bare.tensors.clear();
    let (_folder, path) = file(&bare);
    explained(path, &["a vocabulary without weights", "96 tokens", "0 tensors", "llama.block_count"]);
    // Everything that stands in the way is said, not the first piece only.
    let (_folder, path) =
        file(&Variant::of("llama-gqa/f32.gguf").set("general.architecture", "new").set("tokenizer.ggml.pre", "odd"));
    explained(path, &["no: the architecture new is not supported", "and: the pre-tokenizer `odd`"]);
    let (_folder, path) = file(&Variant::of("llama-gqa/f32.gguf").set("tokenizer.chat_template", "{% for %}"));
    let shown = ok("inspect", path, &["--device", "cpu"]);
    assert!(shown.contains("chat          chat template, line 1") && shown.contains("runs here     yes"), "{shown}");
    let config = folder.path().join("config.json");
    std::fs::write(config, r#"{"model_type": "llama"}"#).expect("a file");
    std::fs::remove_file(cut).expect("a file");
    explained(folder.path(), &["architecture  llama", "config.json", "configuration without"]);
}

/// Files that others published: not for this, or for a build that knows more.
#[test]
fn inspect_explains_odd_files() {
    let Some(folder) = shared("weights/odd") else { return };
    let discollama = ["LoRA adapter", "MLX, rank 8, 4 pairs", "corrects      q_proj, v_proj", "--adapter-alpha N"];
    explained(folder.join("discollama-adapters.safetensors"), &discollama);
    let nanochat =
        ["GGUF v3", "architecture  nanochat", "no: the architecture nanochat is not supported", "105 tensors"];
    explained(folder.join("nanochat-q8_0-step800.gguf"), &nanochat);
    explained(
        folder.join("mnist-cnn.safetensors"),
        &["no: mnist-cnn.safetensors: there is no config.json", "conv1.weight"],
    );
}

/// What a file says is printed, not obeyed.
#[test]
fn inspect_prints_no_control_characters() {
    let hostile =
        Variant::of("llama-gqa/f32.gguf").set("general.architecture", "\u{1b}[2J").set("a\u{7}", "\u{1b}]0;x");
    let (_folder, path) = file(&hostile);
    let shown = ok("inspect", path, &["--device", "cpu", "--metadata"]);
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
}

#[test]
fn errors_are_one_line_without_control_characters() {
    let source = "{{ raise_exception('no\\n\\x1b]0;x\\x07yes') }}";
    let (_folder, path) = file(&Variant::of("llama-gqa/f32.gguf").set("tokenizer.chat_template", source));
    let path = path.to_str().expect("a plain path");
    let out = run_with_input(&["chat", "--model", path, "--device", "cpu"], b"a\n");
    let said = failed(out, "TEMPLATE");
    assert!(said.contains("no ") && said.contains("yes") && !said.trim_end().contains(char::is_control), "{said:?}");
}

#[test]
fn a_model_without_a_name_is_called_as_its_file() {
    let (_folder, path) = file(&Variant::of("llama-gqa/f32.gguf").without("general.name"));
    let arguments = ["--device", "cpu", "--prompt", "a", "--max-tokens", "1", "--json"];
    assert_eq!(one_json(&ok("generate", path, &arguments))["model"], "little-one");
}

#[test]
fn perplexity() {
    let text = "the hen in the inn. the inner pen is in the den, then the hen is thin.";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text.txt");
    std::fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let mut engine = engine();
    let token_ids = engine.tokenize(text).expect("ids");
    for window in [16, 4096] {
        // The golden model has no first token of its own, so each window's first token is given, not predicted.
        let (mut nats, mut scored, mut bytes) = (0f64, 0, 0);
        for window in token_ids.chunks(window) {
            let mut rows: Vec<Vec<f32>> = Vec::new();
            block_on(engine.logits(window, true, &mut |row| rows.push(row.to_vec()), &never_yield)).expect("logits");
            for (row, &next) in rows.iter().zip(&window[1..]) {
                nats -= f64::from(log_softmax(row)[next as usize]);
                scored += 1;
                bytes += engine.detokenize(&[next]).expect("text").len();
            }
        }
        let arguments = ["--device", "cpu", "--file", path, "--window", &window.to_string(), "--json"];
        let answer = one_json(&ok("perplexity", MODEL, &arguments));
        let number = |key: &str| answer[key].as_f64().expect("a number");
        assert!((number("perplexity") / (nats / f64::from(scored)).exp() - 1.0).abs() < 1e-6, "{answer}");
        let bits = nats / std::f64::consts::LN_2 / bytes as f64;
        assert!((number("bits_per_byte") / bits - 1.0).abs() < 1e-6, "{answer}, expected {bits}");
        assert_eq!(number("scored_tokens"), f64::from(scored));
    }
    let shown = ok("perplexity", MODEL, &["--device", "cpu", "--file", path]);
    assert!(shown.starts_with("perplexity ") && shown.contains("bits per byte"), "{shown}");
    let line = failed(run("perplexity", MODEL, &["--file", "nowhere.txt"]), "STORAGE");
    assert!(line.contains("nowhere.txt"), "{line}");
    std::fs::write(path, "a").expect("a file");
    failed(run("perplexity", MODEL, &["--device", "cpu", "--file", path]), "INVALID_REQUEST");
    std::fs::write(path, [0xff, 0xfe]).expect("a file");
    let line = failed(run("perplexity", MODEL, &["--device", "cpu", "--file", path]), "INVALID_REQUEST");
    assert!(line.contains("UTF-8"), "{line}");
    let piped = run_with_input(&["perplexity", "--model", MODEL, "--device", "cpu", "--file", "-"], text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&piped.stdout), shown);
}

/// A WAV file of 16 bits: a tone, the same in both channels, then silence.
fn wav(rate: u32, seconds: u32) -> Vec<u8> {
    let frames = rate * seconds;
    let header = [36 + 4 * frames, 16, 0x0002_0001, rate, 4 * rate, 0x0010_0004, 4 * frames];
    let [riff, format, kind, rate_, bytes, block, data] = header.map(u32::to_le_bytes);
    let head: [&[u8]; 11] = [b"RIFF", &riff, b"WAVE", b"fmt ", &format, &kind, &rate_, &bytes, &block, b"data", &data];
    let sample = |i: u32| (f64::from(i) * 0.3).sin() * if i < frames / 2 { 9000.0 } else { 0.0 };
    let samples = (0..frames).flat_map(|i| [(sample(i) as i16).to_le_bytes(); 2].concat());
    head.concat().into_iter().chain(samples).collect()
}

#[test]
fn transcribe() {
    const MODEL: &str = "tests/golden/speech/whisper-128/model.safetensors";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.wav");
    std::fs::write(&path, wav(8000, 3)).expect("a file");
    let path = path.to_str().expect("a path");
    let of = |more: &[&str]| ok("transcribe", MODEL, &[&["--device", "cpu", "--file", path], more].concat());
    let verbose = one_json(&of(&["--json"]));
    assert_eq!((&verbose["duration"], &verbose["task"]), (&json!(3.0), &json!("transcribe")));
    let segments = verbose["segments"].as_array().expect("passages");
    assert!(!segments.is_empty(), "{verbose}");
    assert!(of(&["--format", "vtt"]).starts_with("WEBVTT\n\n00:00:0"));
    assert!(of(&["--format", "srt"]).starts_with("1\n00:00:0"));
    let lines = of(&["--timestamps", "segment"]);
    assert!(lines.starts_with("[0:0") && lines.lines().count() == segments.len(), "{lines}");
    let lines = of(&["--timestamps", "word"]);
    assert!(lines.starts_with("[0:0") && lines.lines().count() >= segments.len(), "{lines}");
    let words = one_json(&of(&["--json", "--timestamps", "word"]));
    assert_eq!(words["words"].as_array().map(Vec::len), Some(lines.lines().count()));
    assert_eq!(words["segments"], verbose["segments"]);
    let args = ["--device", "cpu", "--file", path, "--timestamps", "word", "--format", "srt"];
    assert!(failed(run("transcribe", MODEL, &args), "INVALID_REQUEST").contains("text or json"));
    assert_eq!(of(&["--translate", "--language", "German", "--temperature", "0"]).lines().count(), 1);

    let not_sound = failed(run("transcribe", MODEL, &["--device", "cpu", "--file", "README.md"]), "INVALID_REQUEST");
    assert!(not_sound.contains("README.md cannot be read as a recording: it is no WAV, MP3"), "{not_sound}");
    failed(run("transcribe", MODEL, &["--device", "cpu", "--file", "nowhere.wav"]), "MODEL_NOT_FOUND");
    let about = String::from_utf8(run_with_input(&["inspect", MODEL], b"").stdout).expect("text");
    assert!(about.contains("text of recordings: cresset transcribe"), "{about}");
}

#[test]
fn embed() {
    const ENCODER: &str = "tests/golden/encoders/bert-cls/f32.gguf";
    let expected = crate::support::json(Path::new("tests/golden/encoders/bert-cls/expected.json"));
    let case =
        |i: usize| (expected["texts"][i]["text"].as_str().expect("text"), floats(&expected["texts"][i]["vector"]));
    let ((first, first_vector), (second, second_vector)) = (case(0), case(1));
    let texts = ["--device", "cpu", "--text", first, "--text", second];
    let answer = one_json(&ok("embed", ENCODER, &[&texts[..], &["--json"]].concat()));
    assert_eq!((&answer["object"], answer["data"].as_array().map(Vec::len)), (&json!("list"), Some(2)));
    assert_eq!(answer["usage"]["prompt_tokens"], 9 + 5);
    let vector = |answer: &Value, i: usize| floats(&answer["data"][i]["embedding"]);
    crate::support::close(&vector(&answer, 0), &first_vector, 2e-5, first);
    crate::support::close(&vector(&answer, 1), &second_vector, 2e-5, second);

    let shown = ok("embed", ENCODER, &texts);
    let cosine: f32 = first_vector.iter().zip(&second_vector).map(|(a, b)| a * b).sum();
    for piece in
        [format!("[{:.4}, ", first_vector[0]), format!("  {cosine:.4}  {second}\n"), "32 numbers]  1.0000".into()]
    {
        assert!(shown.contains(&piece), "{piece:?} is not in {shown}");
    }
    // A line of a file is a text.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("texts.txt");
    std::fs::write(&path, format!("{second}\n\n{first}\n")).expect("a file");
    let arguments = ["--device", "cpu", "--file", path.to_str().expect("UTF-8"), "--dimensions", "8", "--json"];
    let answer = one_json(&ok("embed", ENCODER, &arguments));
    let short = vector(&answer, 1);
    let length = first_vector[..8].iter().map(|x| x * x).sum::<f32>().sqrt();
    let want: Vec<f32> = first_vector[..8].iter().map(|x| x / length).collect();
    crate::support::close(&short, &want, 5e-5, "the first numbers of a vector");

    // So is a line of standard input.
    let piped = ["embed", "--model", ENCODER, "--device", "cpu", "--dimensions", "8", "--json"];
    let piped = run_with_input(&piped, format!("{second}\n\n{first}\n").as_bytes());
    assert_eq!(one_json(&String::from_utf8_lossy(&piped.stdout))["data"], answer["data"]);

    failed(run("embed", ENCODER, &["--device", "cpu"]), "INVALID_REQUEST");
    let line = failed(run("embed", MODEL, &["--device", "cpu", "--text", "a"]), "INVALID_REQUEST");
    assert!(line.contains("generates text"), "{line}");
    let line = failed(run("embed", ENCODER, &["--device", "cpu", "--file", "nowhere.txt"]), "STORAGE");
    assert!(line.contains("nowhere.txt"), "{line}");
}

#[test]
fn an_adapter_counts_in_every_subcommand_that_computes() {
    let expected = crate::support::golden("lora");
    let case = &expected["cases"][0];
    let sequence = &case["sequences"][1];
    let list: Vec<String> = ids(&sequence["ids"]).iter().map(u32::to_string).collect();
    let list = list.join(",");
    for adapter in ["ranks", "ranks.gguf", "ranks/adapter_model.safetensors"] {
        let adapter = format!("tests/golden/lora/{adapter}");
        let arguments = ["--device", "cpu", "--kv", "f32", "--ids", &list, "--all", "--json", "--adapter", &adapter];
        let answer = one_json(&ok("logits", MODEL, &arguments));
        let rows = answer["logits"].as_array().expect("rows");
        for (got, want) in rows.iter().zip(sequence["logits"].as_array().expect("rows")) {
            crate::support::close(&floats(got), &floats(want), 1e-3, &adapter);
        }
    }
    let adapter = ["--adapter", "tests/golden/lora/ranks"];
    let text = ["--device", "cpu", "--prompt", "the hen", "--max-tokens", "12", "--temperature", "0", "--ignore-eos"];
    assert_ne!(ok("generate", MODEL, &[&text[..], &adapter].concat()), ok("generate", MODEL, &text));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text.txt");
    std::fs::write(&path, "the hen in the inn. the inner pen is in the den.").expect("a file");
    let score = ["--device", "cpu", "--file", path.to_str().expect("UTF-8")];
    assert_ne!(ok("perplexity", MODEL, &[&score[..], &adapter].concat()), ok("perplexity", MODEL, &score));

    let with = |adapter: &str, more: &[&str]| {
        run("generate", MODEL, &[&["--device", "cpu", "--prompt", "the", "--adapter", adapter], more].concat())
    };
    failed(with("nowhere", &[]), "MODEL_NOT_FOUND");
    let line = failed(with("tests/golden/lora/conv1d", &[]), "MODEL_FORMAT");
    assert!(line.contains("transformer.h.0.attn.c_attn.lora_A.weight: the model has no projection"), "{line}");
    std::fs::copy(at_root("tests/golden/lora/mlx/adapters.safetensors"), folder.path().join("bare.safetensors"))
        .expect("a copy");
    let bare = folder.path().join("bare.safetensors");
    let bare = bare.to_str().expect("UTF-8");
    assert!(failed(with(bare, &[]), "INVALID_REQUEST").contains("alpha"));
    assert!(with(bare, &["--adapter-alpha", "12"]).status.success());
    for adapter in ["tests/golden/lora/ranks", "tests/golden/lora/ranks.gguf"] {
        let line = failed(run("logits", adapter, &["--ids", "1"]), "MODEL_FORMAT");
        assert!(line.contains("this is an adapter, not a model"), "{line}");
    }
}

#[test]
fn bench() {
    let arguments = ["--device", "cpu", "-p", "8", "-n", "8", "--repeat", "1"];
    let answer = one_json(&ok("bench", MODEL, &[&arguments[..], &["--json"]].concat()));
    for key in ["prefill_tokens_per_s", "decode_tokens_per_s", "dispatches_per_token", "load_s"] {
        assert!(answer[key].as_f64().is_some_and(|x| x > 0.0), "{key}: {answer}");
    }
    assert_eq!(
        (&answer["prompt_tokens"], &answer["generated_tokens"], &answer["runs"]),
        (&json!(8), &json!(8), &json!(1))
    );
    assert_eq!(answer["objects_made"], 0.0);
    let shown = ok("bench", MODEL, &arguments);
    assert!(shown.contains("prefill") && shown.contains("decode") && shown.contains("medians of 1 run"), "{shown}");
    let line = failed(run("bench", MODEL, &["--device", "cpu", "-p", "128", "-n", "8"]), "INVALID_REQUEST");
    assert!(line.contains("context"), "{line}");
    failed(run("bench", MODEL, &["--device", "cpu", "-p", "1000"]), "CONTEXT_OVERFLOW");
}

#[test]
fn chat_through_a_pipe() {
    const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";
    let variant = Variant::of("llama-gqa/f32.gguf").set("tokenizer.chat_template", TEMPLATE);
    let (_folder, path) = file(&variant);
    let mut engine = open(&path, cpu(), KvFormat::F16);
    // The conversation as the engine holds it.
    let mut messages = vec![json!({ "role": "system", "content": "be brief" })];
    let mut expected = String::new();
    for question in ["the hen?", "then?"] {
        messages.push(json!({ "role": "user", "content": question }));
        let request = json!({ "messages": messages, "max_tokens": 6, "temperature": 0, "ignore_eos": true });
        let answer = block_on(engine.chat(&request, &mut |_| (), &never_yield)).expect("an answer");
        let message = answer["choices"][0]["message"].clone();
        expected += &format!("{}\n", message["content"].as_str().expect("text"));
        messages.push(message);
    }
    let model = path.to_str().expect("UTF-8");
    let chat = ["chat", "--model", model, "--device", "cpu", "--system", "be brief"];
    let chat = [&chat[..], &["--max-tokens", "6", "--temperature", "0", "--ignore-eos"]].concat();
    // Empty lines say nothing, and what is piped in is no command.
    let out = run_with_input(&chat, b"the hen?\n\nthen?\r\n");
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    assert!(out.status.success());
    assert_eq!(String::from_utf8_lossy(&out.stdout), expected);
    let out = run_with_input(&[&chat[..], &["--json"]].concat(), b"the hen?\nthen?\n/exit");
    let answers: Vec<Value> =
        String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 3);
    for (answer, message) in answers.iter().zip([&messages[2], &messages[4]]) {
        assert_eq!((&answer["object"], &answer["choices"][0]["message"]), (&json!("chat.completion"), message));
    }

    let line = failed(run("chat", MODEL, &["--device", "cpu"]), "MODEL_UNSUPPORTED");
    assert!(line.contains("no chat template"), "{line}");
}

/// In a terminal there are commands; `script` (util-linux) makes one.
#[cfg(target_os = "linux")]
#[test]
fn chat_in_a_terminal() {
    const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";
    let (folder, path) = file(&Variant::of("llama-gqa/f32.gguf").set("tokenizer.chat_template", TEMPLATE));
    let saved = folder.path().join("talk.json");
    let chat = format!(
        "{} chat --device cpu --max-tokens 3 --temperature 0 --model {}",
        env!("CARGO_BIN_EXE_cresset"),
        path.display()
    );
    let mut terminal = std::process::Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", &chat, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = terminal.spawn().expect("script runs");
    let lines = format!("/help\n/dance\n/system be brief\nthe hen?\n/save {0}\n/clear\n/exit\n", saved.display());
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
    let out = child.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{shown}");
    for piece in ["/help lists", "/system TEXT", "no command /dance", "prompt is set", "Saved as", "is forgotten"] {
        assert!(shown.contains(piece), "{piece}: {shown}");
    }
    // What was saved is gone on with.
    let model = path.to_str().expect("UTF-8");
    let load = ["chat", "--model", model, "--device", "cpu", "--max-tokens", "1", "--json", "--load"];
    let went_on = run_with_input(&[&load[..], &[saved.to_str().expect("UTF-8")]].concat(), b"then?\n");
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().expect("a number");
    let went_on = tokens(&one_json(&String::from_utf8_lossy(&went_on.stdout)));
    let alone = run_with_input(&load[..load.len() - 1], b"then?\n");
    assert!(went_on > tokens(&one_json(&String::from_utf8_lossy(&alone.stdout))), "{went_on}");
}

#[test]
fn files_that_are_no_models() {
    let line = failed(run("generate", "nowhere.gguf", &["--prompt", "a"]), "MODEL_NOT_FOUND");
    assert!(line.contains("nowhere.gguf was not found"), "{line}");
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.gguf");
    std::fs::write(&bad, b"GGUF\x03\0\0\0 and then nothing of sense").expect("a file");
    for subcommand in ["generate --prompt a", "tokenize --text a", "logits --ids 1", "bench", "chat"] {
        let (subcommand, arguments) = subcommand.split_once(' ').unwrap_or((subcommand, ""));
        let line = failed(run(subcommand, &bad, &arguments.split_whitespace().collect::<Vec<_>>()), "MODEL_FORMAT");
        assert!(line.contains("bad.gguf"), "{line}");
    }
    let whole = std::fs::read(at_root(MODEL)).expect("the golden file");
    std::fs::write(&bad, &whole[..whole.len() - 1000]).expect("a file");
    failed(run("generate", &bad, &["--prompt", "a"]), "MODEL_FORMAT");
    let line = failed(run("generate", "tests/golden/llama-gqa", &["--prompt", "a"]), "INVALID_REQUEST");
    assert!(line.contains("several models"), "{line}");
}

#[test]
fn wrong_arguments_are_one_line() {
    let wrong = |arguments: &[&str], piece: &str| {
        let line = failed(run("generate", MODEL, &[&["--prompt", "a"], arguments].concat()), "INVALID_REQUEST");
        assert!(line.contains(piece), "{line}");
    };
    wrong(&["--device", "toaster"], "auto, gpu, cpu");
    wrong(&["--device", "cpu", "--temperature", "3"], "temperature: must be a number from 0 to 2");
    wrong(&["--device", "cpu", "--top-p", "1.5"], "top_p: must be a number from 0 to 1");
    wrong(&["--temperature", "warm"], "--temperature");
    wrong(&["--max-tokens", "-3"], "-3");
    wrong(&["--device", "cpu", "--context", "1000"], "--context: is 1000, but the model was made for 128");
    wrong(&["--tempreature", "1"], "--temperature");
    failed(run("generate", MODEL, &["--device", "cpu", "--prompt", ""]), "INVALID_REQUEST");
    let line =
        failed(run("generate", MODEL, &["--device", "cpu", "--prompt", &"the hen ".repeat(99)]), "CONTEXT_OVERFLOW");
    assert!(line.contains("the context holds 128; ") && line.ends_with("a larger --context"), "{line}");
    failed(run("dance", MODEL, &[]), "INVALID_REQUEST");
}

#[test]
fn without_a_graphics_driver() {
    let run = |arguments: &[&str]| {
        cresset()
            .args(arguments)
            .args(["--model", MODEL])
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .env("VK_DRIVER_FILES", "/nowhere.json")
            // As in a container: libraries that miss a session complain of it.
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .expect("the binary runs")
    };
    let generate = ["generate", "--prompt", "a", "--max-tokens", "2", "--device"];
    // Vulkan is what these variables take away; other systems have other interfaces.
    if cfg!(target_os = "linux") {
        failed(run(&[&generate[..], &["gpu"]].concat()), "WEBGPU_UNAVAILABLE");
        let about = run(&["inspect", "--device", "auto", "--json"]).stdout;
        let device = &one_json(&String::from_utf8(about).expect("UTF-8"))["device"];
        assert_eq!((&device["backend"], &device["reasonCode"]), (&json!("cpu"), &json!("unavailable")), "{device}");
    }
    assert!(run(&[&generate[..], &["auto"]].concat()).status.success(), "auto computes on the CPU then");
}

#[test]
fn help_is_no_error() {
    let cresset = |arguments: &[&str]| cresset().args(arguments).output().expect("the binary runs");
    for subcommand in ["generate", "chat", "tokenize", "logits", "inspect", "perplexity", "bench"] {
        let help = cresset(&["help", subcommand]);
        assert!(help.status.success());
        let help = String::from_utf8(help.stdout).expect("UTF-8");
        // Every option says what it is for.
        for line in help.lines().filter(|line| line.trim_start().starts_with('-')) {
            let described = line.trim().split("  ").filter(|part| !part.trim().is_empty()).count() > 1;
            assert!(described, "{subcommand}: {line}");
        }
    }
    let version = cresset(&["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("cresset {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(cresset(&[]).status.code(), Some(1));
}

/// `cresset … | head -c 1`: the reader goes away in the middle, which nobody needs to hear of.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_silent() {
    let mut child = cresset()
        .args(["generate", "--device", "cpu", "--ignore-eos", "--prompt", "the hen", "--model", MODEL])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success());
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
}
