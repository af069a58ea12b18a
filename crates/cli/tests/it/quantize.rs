//! `cresset quantize`: a GGUF file, or a folder of safetensors, becomes another GGUF file; and the flag `--quantize`.

use crate::cresset;
use crate::support::{at_root, cpu};
use cresset::device::KvFormat;
use cresset::engine::{Engine, LoadOptions};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Quantization, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;

const BUNDLED: &str = "www/models/cresset-stories-4m-q8_0.gguf";

fn open(path: &Path) -> Checkpoint {
    block_on(Checkpoint::open(open_path(at_root(path)).expect("files"))).expect("a model")
}

fn quantize(model: &Path, to: &str, output: &Path, more: &[&str]) -> Output {
    let mut command = cresset();
    command.arg("quantize").arg("--model").arg(model).args(["--to", to, "-o"]).arg(output).args(more);
    command.output().expect("the binary runs")
}

/// What a folder says beside its weights goes along: names, templates, how a text begins.
#[test]
fn what_lies_beside_the_weights_goes_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        fs::copy(at_root("tests/golden/gpt2-small").join(name), at(name)).expect("a copy");
    }
    let config = json!({ "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_bos_token": true });
    fs::write(at("tokenizer_config.json"), config.to_string()).expect("a file");
    fs::write(at("chat_template.jinja"), "{{ messages[0].content }}!").expect("a file");
    let run = |model: &Path, output: &Path| quantize(model, "q8_0", output, &[]);
    let out = run(folder.path(), &at("new.gguf"));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && said.contains("new.gguf: ") && said.contains(" in q8_0"),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let written = open(&at("new.gguf"));
    let name = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(written.metadata().str("general.name"), Ok(Some(name.as_str())));
    assert_eq!(written.metadata().str("tokenizer.ggml.pre"), Ok(Some("gpt-2")));
    let options = LoadOptions { device: cpu(), kv: KvFormat::F32, ..LoadOptions::default() };
    let engine = block_on(Engine::load(written, &options, &mut |_| ())).expect("an engine");
    assert_eq!(engine.tokenize("the").expect("ids").first(), Some(&89), "its own end of text begins a text");
    let prompt = engine.apply_chat_template(&[json!({ "role": "user", "content": "hen" })], &json!({}));
    assert_eq!(prompt.expect("a prompt"), "hen!");
    // Of what is refused, nothing is left.
    let neo = Path::new("tests/golden/gpt-neo");
    let out = run(neo, &at("neo.gguf"));
    assert!(
        String::from_utf8_lossy(&out.stderr).contains("error[MODEL_UNSUPPORTED]: the architecture gpt_neo in GGUF")
    );
    let windowed = run(Path::new("tests/golden/qwen2-window"), &at("windowed.gguf"));
    assert_eq!(windowed.status.code(), Some(1));
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    left.retain(|name| name.to_string_lossy().contains("gguf"));
    assert_eq!(left, ["new.gguf"]);
}

/// Runs `cresset quantize`; gives the last line of stdout, or of stderr if it failed.
fn run(model: &Path, to: &str, output: &Path, more: &[&str]) -> Result<String, String> {
    let out = quantize(model, to, output, more);
    let last = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().to_string();
    if out.status.success() { Ok(last(&out.stdout)) } else { Err(last(&out.stderr)) }
}

/// The flag of the commands that load a model.
#[test]
fn flag() {
    let inspect = |format: &str| {
        let mut command = cresset();
        command.args(["inspect", "--json", "--device", "cpu", "--model", "tests/golden/llama-gqa/f32.gguf"]);
        command.args(["--quantize", format]).output().expect("the binary runs")
    };
    let about: Value = serde_json::from_slice(&inspect("q8_0").stdout).expect("JSON");
    assert_eq!((&about["quantization"], &about["fits"]), (&json!("q8_0"), &json!(true)));
    let refused = String::from_utf8(inspect("q9").stderr).expect("UTF-8");
    assert!(refused.contains("error[INVALID_REQUEST]: quantize: must be one of f32, f16"), "{refused}");
}

#[test]
fn command() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let files = || {
        let entries = fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let model = at("model.gguf");
    let original = fs::read(at_root("tests/golden/llama-gqa/f32.gguf")).expect("a golden file");
    fs::write(&model, &original).expect("a copy");

    let said = run(&model, "Q8_0", &at("small.gguf"), &[]).expect("success");
    assert!(said.contains("small.gguf: ") && said.contains(" in q8_0"), "{said}");
    let small = fs::read(at("small.gguf")).expect("the output");
    let mut wanted = Vec::new();
    let opened = open(&model);
    let plan = Quantization::plan(&opened, Format::Q8_0, true).expect("a plan");
    plan.write(&mut wanted, &|_| ()).expect("a file");
    assert_eq!(small, wanted);
    // An older output is replaced.
    run(&at("small.gguf"), "q4_0", &at("small.gguf"), &["--allow-requantize"]).expect_err("its own input");
    assert_eq!(fs::read(at("small.gguf")).expect("the output"), small);
    run(&model, "q4_0", &at("small.gguf"), &[]).expect("success");
    assert!(fs::read(at("small.gguf")).expect("the output").len() < small.len());

    for (model, to, output, words) in [
        (at("model.gguf"), "q8_0", at("model.gguf"), "error[INVALID_REQUEST]: --output: "),
        (
            at("../").join(folder.path().file_name().expect("a name")).join("model.gguf"),
            "q8_0",
            at("model.gguf"),
            "--output: ",
        ),
        (BUNDLED.into(), "q4_1", at("new.gguf"), "--allow-requantize"),
        (at("model.gguf"), "q7_0", at("new.gguf"), "error[INVALID_REQUEST]: --to: q7_0 is not one of f32, f16"),
        (at("model.gguf"), "q8_0", at("no/such/folder.gguf"), "error[STORAGE]: "),
        (at("none.gguf"), "q8_0", at("new.gguf"), "error[MODEL_NOT_FOUND]: "),
    ] {
        let said = run(&model, to, &output, &[]).expect_err("a refusal");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(files(), ["model.gguf", "small.gguf"]);
    assert_eq!(fs::read(&model).expect("the model"), original);
}

/// Ctrl-C leaves no half of a file. A pipe that nobody reads holds the writer up in the middle.
#[cfg(unix)]
#[test]
fn what_is_interrupted_leaves_nothing() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join("new.gguf.part");
    assert!(Command::new("mkfifo").arg(&part).status().expect("a pipe").success());
    let mut command = cresset();
    command.args(["quantize", "--allow-requantize", "--model"]).arg(at_root(BUNDLED)).args(["--to", "q4_0", "-o"]);
    let mut running =
        command.arg(folder.path().join("new.gguf")).stderr(Stdio::null()).spawn().expect("the binary runs");
    let _reader = fs::File::open(&part).expect("the writer has come");
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("a signal").success());
    assert_eq!(running.wait().expect("an end").code(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
