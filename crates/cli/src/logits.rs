//! `cresset logits`: the scores of what may come next.

use crate::args::{Adapter, Model};
use crate::output::{print, print_json};
use clap::Args;
use cresset::engine::never_yield;
use cresset::error::Result;
use pollster::block_on;
use serde_json::json;

#[derive(Args)]
pub struct Logits {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    /// The sequence.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', required = true)]
    ids: Vec<u32>,
    /// Every position instead of the last.
    #[arg(long)]
    all: bool,
    /// Print {"logits": [[…]]}, one list a position, instead of the five highest.
    #[arg(long)]
    json: bool,
}

pub fn logits(args: Logits) -> Result<()> {
    let mut engine = args.adapter.load_on(&args.model)?;
    let mut rows: Vec<Vec<f32>> = Vec::new();
    block_on(engine.logits(&args.ids, args.all, &mut |row| rows.push(row.to_vec()), &never_yield))?;
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
