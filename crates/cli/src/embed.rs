//! `cresset embed`: texts or pictures → vectors.

use crate::args::Model;
use crate::output::{print, print_json};
use crate::{input, picture};
use clap::Args;
use cresset::engine::never_yield;
use cresset::error::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Embed {
    #[command(flatten)]
    model: Model,
    /// A text to embed; may be given several times.
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// A file of texts, one a line; - is standard input, which is also read where there is neither text nor file.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// A picture to embed, with an encoder of pictures such as DINOv2; may be given several times.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["text", "file", "pooling", "truncate"])]
    image: Vec<PathBuf>,
    /// How a text's tokens become its vector: mean, cls or last (default: as the model's files say).
    #[arg(long, value_name = "KIND")]
    pooling: Option<String>,
    /// Leave vectors as long as they come out.
    #[arg(long)]
    no_normalize: bool,
    /// Cut longer texts to so many tokens instead of refusing them.
    #[arg(long, value_name = "N")]
    truncate: Option<usize>,
    /// Keep only the first N numbers of each vector (for models trained so).
    #[arg(long, value_name = "N")]
    dimensions: Option<usize>,
    /// Print one JSON object: OpenAI's list of embeddings.
    #[arg(long)]
    json: bool,
}

pub fn embed(args: Embed) -> Result<()> {
    let mut texts = args.text.clone();
    let lines = match &args.file {
        Some(path) => input::file(path)?,
        None if texts.is_empty() && args.image.is_empty() => input::given("--text", None)?,
        None => String::new(),
    };
    texts.extend(lines.lines().filter(|line| !line.trim().is_empty()).map(str::to_string));
    if texts.is_empty() && args.image.is_empty() {
        return Err(Error::invalid("--file", "has no text in it"));
    }
    let pictures = picture::read(&args.image)?;
    let input = match pictures.is_empty() {
        true => json!(texts),
        false => (0..pictures.len()).map(|i| json!({ "image": i })).collect(),
    };
    texts.extend(args.image.iter().map(|path| path.display().to_string()));
    let mut engine = args.model.load()?;
    let request = json!({
        "input": input, "pooling": args.pooling, "normalize": !args.no_normalize,
        "truncate_prompt_tokens": args.truncate, "dimensions": args.dimensions,
    });
    let answer = block_on(engine.embed_with(&request, &pictures, &never_yield))?;
    if args.json {
        print_json(&answer);
        return Ok(());
    }
    let vectors: Vec<Vec<f64>> = answer["data"].as_array().into_iter().flatten().map(numbers).collect();
    for (text, vector) in texts.iter().zip(&vectors) {
        let first: Vec<String> = vector.iter().take(6).map(|x| format!("{x:.4}")).collect();
        let likeness = if vectors.len() > 1 { format!("  {:.4}", cosine(&vectors[0], vector)) } else { String::new() };
        print(&format!("[{}, … {} numbers]{likeness}  {text}\n", first.join(", "), vector.len()));
    }
    if vectors.len() > 1 {
        print("The number behind a vector is its cosine to the first one.\n");
    }
    Ok(())
}

fn numbers(item: &Value) -> Vec<f64> {
    item["embedding"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-300)
}
