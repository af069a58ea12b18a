//! What each subcommand does.

pub mod bench;
pub mod embed;
pub mod inspect;
pub mod quantize;
pub mod report;
mod verdicts;

use super::{Adapter, Chat, Generate, Logits, Model, Perplexity, Sampling, Tokenize};
use cresset::engine::{AdapterOptions, Engine, LoadOptions, LoadProgress, no_breathing};
use cresset::error::{Error, Result};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, open_path};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use serde_json::{Map, Value, json};
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;

fn checkpoint(path: &Path) -> Result<Checkpoint> {
    block_on(Checkpoint::open(open_path(path)?))
}

impl Model {
    fn options(&self) -> Result<LoadOptions> {
        LoadOptions::parse(&json!({
            "device": self.device, "contextLength": self.context, "kv": self.kv, "quantize": self.quantize,
            "selfTest": true, "verdicts": verdicts::read(),
        }))
    }

    /// Loads with a progress bar on stderr (nothing where that is no terminal).
    fn load(&self) -> Result<Engine> {
        let checkpoint = checkpoint(&self.model)?;
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg:<8} {bar:32} {bytes}/{total_bytes} {eta}");
        bar.set_style(style.expect("a valid template"));
        let mut on_progress = |progress: LoadProgress| {
            bar.set_message(progress.status);
            if progress.status == "upload" {
                bar.set_length(progress.total);
                bar.set_position(progress.loaded);
            }
        };
        report::loading(&self.device);
        let engine = block_on(Engine::load(checkpoint, &self.options()?, &mut on_progress));
        bar.finish_and_clear();
        engine.iter().for_each(report::loaded);
        if let Some(verdict) = engine.as_ref().ok().and_then(Engine::verdict) {
            verdicts::keep(&json!(verdict));
        }
        engine
    }
}

impl Adapter {
    /// Loads the model, and the adapter if one was given, as what every request uses.
    fn load_on(&self, model: &Model) -> Result<Engine> {
        let mut engine = model.load()?;
        if let Some(path) = &self.adapter {
            let options = AdapterOptions::parse(&json!({ "alpha": self.adapter_alpha, "default": true }))?;
            block_on(engine.load_adapter("adapter", &checkpoint(path)?, &options))?;
        }
        Ok(engine)
    }
}

impl Sampling {
    /// The request fields that were given.
    fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "seed": self.seed,
            "stop": self.stop,
            "ignore_eos": self.ignore_eos,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => unreachable!("written as an object"),
        }
    }
}

/// Writes to stdout; a closed pipe (`| head`) is no error worth a message.
fn print(text: &str) {
    let mut out = stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn print_json(value: &Value) {
    print(&format!("{value}\n"));
}

pub fn generate(args: Generate) -> Result<()> {
    let mut engine = args.adapter.load_on(&args.model)?;
    let mut request = args.sampling.fields();
    request.insert("prompt".into(), json!(args.prompt));
    request.insert("stream".into(), json!(!args.json));
    // The prompt goes before the first piece: a request that is refused prints nothing.
    let mut prompt = Some(args.prompt);
    let mut on_chunk = |chunk: Value| {
        print(&(prompt.take().unwrap_or_default() + chunk["choices"][0]["text"].as_str().unwrap_or_default()));
    };
    let answer = block_on(engine.complete(&Value::Object(request), &mut on_chunk, &no_breathing))?;
    match args.json {
        true => print_json(&answer),
        false => print("\n"),
    }
    Ok(())
}

pub fn chat(args: Chat) -> Result<()> {
    let mut engine = args.adapter.load_on(&args.model)?;
    let mut messages: Vec<Value> = Vec::new();
    messages.extend(args.system.map(|content| json!({ "role": "system", "content": content })));
    // A model that cannot chat says so before the first question.
    engine.apply_chat_template(&[json!({ "role": "user", "content": "" })], &Value::Null)?;
    let interactive = stdin().is_terminal();
    if interactive {
        eprintln!("{}. An empty line ends the conversation.", engine.model().name);
    }
    loop {
        if interactive {
            print("> ");
        }
        let mut line = String::new();
        let read = stdin().lock().read_line(&mut line).map_err(|e| Error::Storage { reason: e.to_string() })?;
        let text = line.trim();
        if read == 0 || text.is_empty() {
            return Ok(());
        }
        messages.push(json!({ "role": "user", "content": text }));
        let mut request = args.sampling.fields();
        request.insert("messages".into(), json!(messages));
        request.insert("stream".into(), json!(true));
        let mut answer = String::new();
        let mut on_chunk = |chunk: Value| {
            let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
            print(piece);
            answer.push_str(piece);
        };
        block_on(engine.chat(&Value::Object(request), &mut on_chunk, &no_breathing))?;
        print("\n");
        messages.push(json!({ "role": "assistant", "content": answer }));
    }
}

/// The tokenizer of a model, or of a `tokenizer.json` by itself.
fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let checkpoint = match checkpoint(path) {
        Err(error) => return tokenizer_json(path).unwrap_or(Err(error)),
        Ok(checkpoint) => checkpoint,
    };
    Tokenizer::from_checkpoint(&checkpoint)?
        .ok_or_else(|| Error::Unsupported { what: "text".into(), hint: ": the model came without a tokenizer".into() })
}

/// The `tokenizer.json` that `path` is (by whatever name), or that is in it; `None` if there is none.
fn tokenizer_json(path: &Path) -> Option<Result<Tokenizer>> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
    if file.extension()? != "json" || !file.is_file() {
        return None;
    }
    let text =
        std::fs::read_to_string(&file).map_err(|error| Error::format(file.display().to_string(), error.to_string()));
    Some(text.and_then(|text| Tokenizer::from_json(&text, None, None, None)))
}

pub fn tokenize(args: Tokenize) -> Result<()> {
    let tokenizer = tokenizer(&args.model)?;
    match (args.text, args.decode) {
        (_, Some(ids)) => print_json(&json!(tokenizer.decode(&ids, false)?)),
        (text, None) => print_json(&json!(tokenizer.encode(&text.unwrap_or_default(), true, true)?)),
    }
    Ok(())
}

pub fn logits(args: Logits) -> Result<()> {
    let mut engine = args.adapter.load_on(&args.model)?;
    let mut rows: Vec<Vec<f32>> = Vec::new();
    block_on(engine.logits(&args.ids, args.all, &mut |row| rows.push(row.to_vec()), &no_breathing))?;
    if args.json {
        print_json(&json!({ "logits": rows }));
        return Ok(());
    }
    for (i, row) in rows.iter().enumerate() {
        let best = cresset::sampler::top_logprobs(row, 5);
        let best: Vec<_> = best.iter().map(|&(id, _)| format!("{id}: {:.4}", row[id as usize])).collect();
        let position = if args.all { i } else { args.ids.len() - 1 };
        print(&format!("position {position}: {}\n", best.join("  ")));
    }
    Ok(())
}

pub fn perplexity(args: Perplexity) -> Result<()> {
    let text = std::fs::read_to_string(&args.file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::ModelNotFound { what: args.file.display().to_string(), hint: "".into() },
        _ => Error::Storage { reason: format!("{}: {e}", args.file.display()) },
    })?;
    let mut engine = args.adapter.load_on(&args.model)?;
    let bar = ProgressBar::new(0);
    let mut on_progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let score = block_on(engine.perplexity(&text, args.window, &mut on_progress, &no_breathing))?;
    bar.finish_and_clear();
    if args.json {
        print_json(&json!({
            "perplexity": score.perplexity,
            "bits_per_byte": score.bits_per_byte,
            "scored_tokens": score.scored_tokens,
        }));
    } else {
        let (perplexity, bits, tokens) = (score.perplexity, score.bits_per_byte, score.scored_tokens);
        print(&format!("perplexity {perplexity:.4}, {bits:.4} bits per byte, {tokens} tokens scored\n"));
    }
    Ok(())
}
