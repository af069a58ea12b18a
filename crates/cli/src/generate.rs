//! `cresset generate`: a prompt, and how it goes on.

use crate::args::{Adapter, Model, Sampling};
use crate::output::{print, print_answer, print_json};
use crate::{input, interrupt};
use clap::Args;
use cresset::error::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::io::{IsTerminal, stdin};

#[derive(Args)]
pub struct Generate {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// The text to continue; without it, or with -, standard input.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Print OpenAI's text_completion object instead of the text.
    #[arg(long)]
    json: bool,
}

pub fn generate(args: Generate) -> Result<()> {
    let prompt = prompt(args.prompt)?;
    let mut engine = args.adapter.load_on(&args.model)?;
    interrupt::listen()?;
    let mut request = args.sampling.fields();
    request.insert("prompt".into(), json!(prompt));
    request.insert("stream".into(), json!(!args.json));
    // The prompt goes before the first piece: a request that is refused prints nothing.
    let mut prompt = Some(prompt);
    let mut on_chunk = |chunk: Value| {
        prompt.take().iter().for_each(|prompt| print(prompt));
        print_answer(chunk["choices"][0]["text"].as_str().unwrap_or_default());
    };
    let answer = interrupt::while_answering(&mut engine, |engine, pause| {
        block_on(engine.complete(&Value::Object(request), &mut on_chunk, pause))
    })?;
    match args.json {
        true => print_json(&answer),
        false => print("\n"),
    }
    // Whoever started this hears that its text is not whole.
    if interrupt::pressed() {
        interrupt::leave();
    }
    Ok(())
}

/// The prompt of the arguments, or of standard input.
fn prompt(given: Option<String>) -> Result<String> {
    let from_input = given.as_deref().map_or_else(|| !stdin().is_terminal(), |given| given == "-");
    match given {
        _ if from_input => match input::whole(stdin().lock())? {
            text if text.is_empty() => {
                Err(Error::invalid("--prompt", "is missing, and standard input is empty; give a text by either"))
            }
            text => Ok(text),
        },
        Some(text) => Ok(text),
        None => Err(Error::invalid("--prompt", "is missing; give a text, or pipe one in")),
    }
}
