//! `cresset perplexity`: how well a model predicts a text.

use crate::args::{Adapter, Model};
use crate::input;
use crate::output::{print, print_json};
use clap::Args;
use cresset::engine::never_yield;
use cresset::error::Result;
use indicatif::{ProgressBar, ProgressDrawTarget};
use pollster::block_on;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct Perplexity {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    /// The text to score, UTF-8; - is standard input.
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// Tokens that are scored together, up to the context; each window starts afresh.
    #[arg(long, value_name = "N", default_value_t = 512)]
    window: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn perplexity(args: Perplexity) -> Result<()> {
    let text = input::file(&args.file)?;
    let mut engine = args.adapter.load_on(&args.model)?;
    let bar = ProgressBar::hidden();
    let mut on_progress = |done: usize, all: usize| {
        if bar.length() != Some(all as u64) {
            bar.set_length(all as u64);
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_position(done as u64);
    };
    let score = block_on(engine.perplexity(&text, args.window, &mut on_progress, &never_yield))?;
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
