//! `cresset generate`: a prompt, and how it goes on.

use crate::args::{Adapter, Model, Sampling};
use crate::output::{print, print_json};
use clap::Args;
use cresset::engine::never_yield;
use cresset::error::Result;
use pollster::block_on;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Generate {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// The text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Print OpenAI's text_completion object instead of the text.
    #[arg(long)]
    json: bool,
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
    let answer = block_on(engine.complete(&Value::Object(request), &mut on_chunk, &never_yield))?;
    match args.json {
        true => print_json(&answer),
        false => print("\n"),
    }
    Ok(())
}
