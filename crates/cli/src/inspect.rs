//! `cresset inspect`: what a file is, whether it runs here, and if not, which piece is missing.

use crate::args::Computing;
use crate::files::{checkpoint_to_look_at, tokenizer_json};
use crate::output::{harmless, print, print_json};
use clap::Args;
use cresset::chat::ChatTemplate;
use cresset::engine::probe;
use cresset::error::{Error, Result};
use cresset::lora;
use cresset::models::architecture_of;
use cresset::tokenizer::Tokenizer;
use cresset::weights::Checkpoint;
use pollster::block_on;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Inspect {
    /// The file or folder, or a name or address as --model takes it.
    #[arg(value_name = "FILE", required_unless_present = "model")]
    file: Option<PathBuf>,
    /// The same, as other commands name it.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    model: Option<PathBuf>,
    #[command(flatten)]
    computing: Computing,
    /// Also print every tensor's name, type and shape.
    #[arg(long)]
    tensors: bool,
    /// Also print everything that a GGUF header says.
    #[arg(long)]
    metadata: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Elements of a header's array that are printed.
const ARRAY: usize = 8;
/// Characters of a header's text that are printed.
const TEXT: usize = 100;
/// Files of a folder that are named.
const FILES: usize = 12;

pub fn inspect(args: Inspect) -> Result<()> {
    let path = &args.file.or(args.model).expect("one of them is required");
    let about = match checkpoint_to_look_at(path) {
        Ok(checkpoint) => {
            let mut about = match checkpoint.is_adapter() {
                true => adapter(&checkpoint),
                false => model(&checkpoint, &args.computing)?,
            };
            about["tensorCount"] = json!(checkpoint.tensors().len());
            if args.tensors {
                about["tensors"] = checkpoint
                    .tensors()
                    .map(|t| json!({ "name": t.name, "shape": t.shape, "type": t.dtype.to_string(), "bytes": t.bytes }))
                    .collect();
            }
            if args.metadata {
                let entries = checkpoint.metadata().iter();
                about["metadata"] =
                    entries.map(|(key, value)| (key.to_string(), value.to_json(ARRAY))).collect::<Map<_, _>>().into();
            }
            about
        }
        Err(error) if !path.exists() => return Err(error),
        Err(error) => match tokenizer_json(path) {
            Some(tokenizer) if tokenizer.is_ok() || name(path) == "tokenizer.json" => tokenizer_alone(path, tokenizer),
            _ => unreadable(path, error),
        },
    };
    if args.json {
        print_json(&about);
    } else {
        // Names come from the file: nothing of it may steer the terminal.
        print(&(harmless(&lines(&about).join("\n")) + "\n"));
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn model(checkpoint: &Checkpoint, computing: &Computing) -> Result<Value> {
    let mut about = block_on(probe(checkpoint, &computing.options()?))?;
    let tokenizer = Tokenizer::from_checkpoint(checkpoint);
    let template = ChatTemplate::from_checkpoint(checkpoint, tokenizer.as_ref().ok().and_then(Option::as_ref));
    about["kind"] = json!("model");
    about["makes"] = match architecture_of(checkpoint) {
        Ok(architecture) if architecture.is_encoder() => json!("embeddings"),
        Ok(architecture) if architecture.is_speech() => json!("transcripts"),
        Ok(architecture) if architecture.is_vision() => json!("embeddings of pictures"),
        Ok(_) => json!("text"),
        Err(_) => Value::Null,
    };
    about["name"] = json!(checkpoint.name());
    about["tokenizer"] = match &tokenizer {
        Ok(tokenizer) => json!(tokenizer.as_ref().map(Tokenizer::info)),
        Err(error) => json!({ "error": error.to_string() }),
    };
    about["chatTemplate"] = match &template {
        Ok(Some(template)) => json!({ "names": template.names(), "fallback": template.fallback() }),
        Ok(None) => Value::Null,
        Err(error) => json!({ "error": error.to_string() }),
    };
    Ok(about)
}

fn adapter(checkpoint: &Checkpoint) -> Value {
    let mut about = json!({
        "kind": "adapter", "name": checkpoint.name(), "downloadBytes": checkpoint.file_bytes(), "fits": false,
    });
    match lora::about(checkpoint) {
        Ok(adapter) => {
            let strength = if adapter.says_strength { "" } else { " --adapter-alpha N, since nothing here says it" };
            about["reason"] = json!(format!(
                "this is an adapter: it runs on top of the model it was trained on (--model MODEL --adapter \
                 THIS{strength})"
            ));
            about["adapter"] = json!(adapter);
        }
        Err(error) => about["reason"] = json!(error.to_string()),
    }
    about
}

fn tokenizer_alone(path: &Path, tokenizer: Result<Tokenizer>) -> Value {
    let (info, reason) = match tokenizer {
        Ok(tokenizer) => (json!(tokenizer.info()), "this is a tokenizer without weights".to_string()),
        Err(error) => (json!({ "error": error.to_string() }), error.to_string()),
    };
    json!({ "kind": "tokenizer", "name": name(path), "tokenizer": info, "fits": false, "reason": reason })
}

/// A file that is no model, or a damaged one; a folder in which there is none.
fn unreadable(path: &Path, error: Error) -> Value {
    let mut about = json!({
        "kind": if path.is_dir() { "folder" } else { "unreadable" },
        "name": name(path),
        "fits": false,
        "code": error.code(),
        "reason": error.to_string(),
    });
    if let Ok(entries) = std::fs::read_dir(path) {
        let mut names: Vec<_> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        about["files"] = json!(names);
    } else if let Ok(metadata) = path.metadata() {
        about["downloadBytes"] = json!(metadata.len());
    }
    // A model's configuration without the weights that belong to it.
    let config = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
    if config.file_name().is_some_and(|name| name == "config.json")
        && let Ok(Value::Object(config)) = std::fs::read(config).map(|b| serde_json::from_slice(&b).unwrap_or_default())
        && let Some(architecture) = config.get("model_type")
    {
        about["architecture"] = architecture.clone();
        about["reason"] = json!("this is a configuration without the weights (.safetensors) that belong to it");
    }
    about
}

// --- for people -----------------------------------------------------------------------------------------------------

/// A text without its quotes, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn megabytes(value: &Value) -> String {
    match value.as_f64().unwrap_or(0.0) {
        bytes if bytes < 1e3 => format!("{bytes} bytes"),
        bytes if bytes < 1e5 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.2} GB", bytes / 1e9),
    }
}

fn labelled(label: &str, value: &str) -> String {
    format!("{label:<13} {value}")
}

/// A rough number, without digits that promise more.
fn rough(speed: &Value) -> String {
    match speed.as_f64().unwrap_or(0.0) {
        low if low < 10.0 => format!("{low:.1}"),
        high => {
            let unit = 10f64.powf(high.log10().floor() - 1.0);
            format!("{:.0}", (high / unit).round() * unit)
        }
    }
}

/// The findings of `inspect`, one fact a line, and last of all whether it runs here.
fn lines(about: &Value) -> Vec<String> {
    let kind = match about["kind"].as_str() {
        Some("model") => text(&about["format"]),
        Some("adapter") => "LoRA adapter".to_string(),
        Some("tokenizer") => "tokenizer without a model".to_string(),
        Some("folder") => "folder without a model".to_string(),
        _ => "no model that can be read".to_string(),
    };
    let mut lines = vec![format!("{}  {kind}", text(&about["name"]))];
    let mut line = |label: &str, value: String| lines.push(labelled(label, &value));
    if about["kind"] == "model" || about["architecture"].is_string() {
        line("architecture", about["architecture"].as_str().unwrap_or("not named").to_string());
    }
    if about["kind"] == "model" {
        let parameters = match about["parameters"].as_f64().unwrap_or(0.0) {
            few if few < 1e9 => format!("{:.2} M", few / 1e6),
            many => format!("{:.2} B", many / 1e9),
        };
        let most = about["quantization"].as_str().filter(|format| !format.is_empty());
        let most = most.map(|format| format!(", mostly {format}")).unwrap_or_default();
        line("parameters", format!("{parameters} in {} tensors{most}", about["tensorCount"]));
    }
    if about["adapter"].is_object() {
        let adapter = &about["adapter"];
        let rank = match (&adapter["ranks"][0], &adapter["ranks"][1]) {
            (low, high) if low == high => format!("rank {low}"),
            (low, high) => format!("ranks {low} to {high}"),
        };
        line("adapter", format!("{}, {rank}, {} pairs", text(&adapter["origin"]), adapter["pairs"]));
        line("corrects", list(&adapter["targets"], FILES));
        line("made for", adapter["base"].as_str().unwrap_or("a model that is not named").to_string());
    }
    if about["downloadBytes"].is_number() {
        line("file", megabytes(&about["downloadBytes"]));
    }
    if about["deviceBytes"].is_number() {
        let (bytes, context) = (megabytes(&about["deviceBytes"]), &about["contextLength"]);
        line("on the device", format!("{bytes} with a context of {context}"));
    }
    if let Some(tokenizer) = about.get("tokenizer").filter(|_| about["makes"] != "embeddings of pictures") {
        line("tokenizer", tokenizer_line(tokenizer));
    }
    if let Some(template) = about.get("chatTemplate") {
        match about["makes"].as_str() {
            Some("embeddings") => line("makes", "vectors of texts: cresset embed".to_string()),
            Some("embeddings of pictures") => line("makes", "vectors of pictures: cresset embed --image".to_string()),
            Some("transcripts") => line("makes", "text of recordings: cresset transcribe".to_string()),
            _ => line("chat", template_line(template)),
        }
    }
    if about["files"].is_array() {
        line("files", list(&about["files"], FILES));
    }
    if about["device"].is_object() {
        let device = &about["device"];
        let by = device["compiler"].as_str().map_or(String::new(), |compiler| format!(", shaders by {compiler}"));
        line("device", format!("{} ({}{by})", text(&device["description"]), text(&device["backend"])));
    }
    if let Some(entries) = about["metadata"].as_object() {
        lines.extend(metadata_lines(entries));
    }
    if let Some(tensors) = about["tensors"].as_array() {
        lines.extend(tensor_lines(tensors));
    }
    match about["fits"].as_bool() {
        Some(true) => {
            let speed = match &about["estimatedTokensPerSecond"] {
                Value::Null => String::new(),
                speed => format!(", about {} tokens a second", rough(speed)),
            };
            lines.push(labelled("runs here", &format!("yes{speed}")));
        }
        _ => lines.push(labelled("runs here", &format!("no: {}", text(&about["reason"])))),
    }
    for problem in about["problems"].as_array().into_iter().flatten().skip(1) {
        lines.push(labelled("", &format!("and: {}", text(problem))));
    }
    lines
}

/// `a, b, c and 4 more`
fn list(names: &Value, most: usize) -> String {
    let names: Vec<String> = names.as_array().into_iter().flatten().map(text).collect();
    let more = names.len().saturating_sub(most);
    let shown = names[..names.len() - more].join(", ");
    match (names.len(), more) {
        (0, _) => "none".to_string(),
        (_, 0) => shown,
        _ => format!("{shown} and {more} more"),
    }
}

/// `byte-level BPE (gpt-2), 4096 tokens, BOS 0, EOS 0`
fn tokenizer_line(tokenizer: &Value) -> String {
    if tokenizer.is_null() {
        return "none: token ids only".to_string();
    }
    if let Some(error) = tokenizer["error"].as_str() {
        return error.to_string();
    }
    let id = |name: &str, field: &str| match &tokenizer[field] {
        Value::Null => String::new(),
        id => format!(", {name} {id}"),
    };
    let (kind, pre, size) = (text(&tokenizer["kind"]), text(&tokenizer["preTokenizer"]), &tokenizer["vocabSize"]);
    format!("{kind} ({pre}), {size} tokens{}{}", id("BOS", "bos"), id("EOS", "eos"))
}

fn template_line(template: &Value) -> String {
    match (template["error"].as_str(), template["fallback"].as_str()) {
        (Some(error), _) => error.to_string(),
        (_, Some(family)) => {
            format!("no template in the file; its vocabulary hints at {family}, whose template is used")
        }
        _ if template.is_null() => "no template: completions only".to_string(),
        _ => format!("template in the file: {}", list(&template["names"], FILES)),
    }
}

fn metadata_lines(entries: &Map<String, Value>) -> Vec<String> {
    let mut lines = vec![format!("{} entries", entries.len())];
    let width = entries.keys().map(String::len).max().unwrap_or(0);
    for (key, value) in entries {
        let shown = match (value.as_str(), &value["length"]) {
            (Some(text), _) if text.chars().count() > TEXT => {
                let start: String = text.chars().take(TEXT).collect();
                format!("{start:?}… ({} bytes)", text.len())
            }
            (Some(text), _) => format!("{text:?}"),
            (None, Value::Number(length)) => format!("{} … ({length})", value["first"]),
            (None, _) => value.to_string(),
        };
        lines.push(format!("  {key:width$}  {shown}"));
    }
    lines
}

fn tensor_lines(tensors: &[Value]) -> Vec<String> {
    let mut lines = vec![format!("{} tensors", tensors.len())];
    let width = tensors.iter().filter_map(|t| Some(t["name"].as_str()?.len())).max().unwrap_or(0);
    for tensor in tensors {
        let (name, kind, shape) = (text(&tensor["name"]), text(&tensor["type"]), &tensor["shape"]);
        let shape: Vec<String> = shape.as_array().into_iter().flatten().map(Value::to_string).collect();
        lines.push(format!("  {name:width$}  {kind:6}  [{}]", shape.join(", ")));
    }
    lines
}
