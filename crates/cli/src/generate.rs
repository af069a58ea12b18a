//! `cresset generate`: a prompt, and how it goes on.

use crate::args::{Adapter, Model, Sampling};
use crate::output::{end_answer, print, print_answer, print_json};
use crate::{input, interrupt, picture};
use clap::Args;
use cresset::error::Result;
use pollster::block_on;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Generate {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// The text to continue, or to translate or sum up, as the model was taught; without it, or with -, standard input.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A picture that the model sees before the prompt; may be given several times.
    #[arg(long, value_name = "PATH")]
    image: Vec<PathBuf>,
    /// Print OpenAI's text_completion object instead of the text.
    #[arg(long)]
    json: bool,
}

pub fn generate(args: Generate) -> Result<()> {
    let prompt = input::given("--prompt", args.prompt.filter(|prompt| prompt != "-"))?;
    let pictures = picture::read(&args.image)?;
    let mut engine = args.adapter.load_on(&args.model)?;
    interrupt::listen()?;
    let mut request = args.sampling.fields();
    request.insert("prompt".into(), json!(prompt));
    request.insert("stream".into(), json!(!args.json));
    // The prompt goes before the first piece: a request that is refused prints nothing. What is written about it is no part of it.
    let continues = engine.generator()?.source_rules().is_none();
    let mut prompt = Some(prompt).filter(|_| continues);
    let mut on_chunk = |chunk: Value| {
        prompt.take().iter().for_each(|prompt| print(prompt));
        print_answer(chunk["choices"][0]["text"].as_str().unwrap_or_default());
    };
    let answer = interrupt::while_answering(&mut engine, |engine, pause| {
        block_on(engine.complete_with(&Value::Object(request), &pictures, &mut on_chunk, pause))
    })?;
    match args.json {
        true => print_json(&answer),
        false => end_answer(&answer),
    }
    // Whoever started this hears that its text is not whole.
    if interrupt::pressed() {
        interrupt::leave();
    }
    Ok(())
}
