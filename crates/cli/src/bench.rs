//! `cresset bench`: how fast a model is here.

use crate::args::Model;
use crate::output::{print, print_json};
use clap::Args;
use cresset::device::KernelTime;
use cresset::engine::{BenchOptions, BenchReport, Roofline, never_yield};
use cresset::error::Result;
use pollster::block_on;
use serde_json::{Value, json};
use std::time::Instant;

#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    model: Model,
    /// Prompt tokens.
    #[arg(short = 'p', value_name = "N", default_value_t = 128)]
    prompt: usize,
    /// Tokens to generate.
    #[arg(short = 'n', value_name = "N", default_value_t = 64)]
    generate: usize,
    /// Runs; the median is reported.
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeat: usize,
    /// Time each kernel by itself as well.
    #[arg(long)]
    profile: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn bench(args: Bench) -> Result<()> {
    let started = Instant::now();
    let mut engine = args.model.load()?;
    let load_s = started.elapsed().as_secs_f64();
    let options = json!({
        "prompt": args.prompt, "generate": args.generate, "repeat": args.repeat, "profile": args.profile,
        "ceilings": true,
    });
    let report = block_on(engine.bench(&BenchOptions::parse(&options)?, &never_yield))?;
    let info = engine.info();
    if args.json {
        let mut whole = json!({ "model": info["model"], "device": info["device"], "load_s": load_s });
        if let (Value::Object(whole), Value::Object(report)) = (&mut whole, json!(report)) {
            whole.extend(report);
        }
        print_json(&whole);
        return Ok(());
    }
    print(&text(&info, load_s, &report));
    Ok(())
}

fn text(info: &Value, load_s: f64, report: &BenchReport) -> String {
    let name = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let mut text = format!(
        "{} on {} ({})\nload     {load_s:.2} s\nprefill  {:.1} tok/s ({} tokens), first token after {:.0} ms\n\
         decode   {:.1} tok/s ({} tokens)\na token  {:.1} dispatches, {:.1} submits, {:.0} bytes read back, \
         {:.0} objects made a run\nmedians of {} runs\n",
        name(&info["model"]["name"]),
        name(&info["device"]["description"]),
        name(&info["device"]["backend"]),
        report.speed.prefill_tokens_per_s,
        report.prompt_tokens,
        report.speed.time_to_first_token_s * 1e3,
        report.speed.decode_tokens_per_s,
        report.generated_tokens,
        report.per_token.dispatches_per_token,
        report.per_token.submits_per_token,
        report.per_token.bytes_read_per_token,
        report.objects_made,
        report.runs,
    );
    if let Some(Roofline { ceilings: most, share_of_stream, share_of_fma }) = report.roofline {
        text += &format!(
            "\nthis adapter at most: {:.1} GB/s read, {:.0} GFLOP/s, {:.1} µs a dispatch, {:.0} µs until a result is read\n\
             of that: decode {:.0}% of reading {:.1} MB of weights a token, prefill {:.0}% of the arithmetic\n",
            most.stream_gb_per_s,
            most.fma_gflop_per_s,
            most.dispatch_us,
            most.readback_us,
            100.0 * share_of_stream,
            report.weight_bytes as f64 / 1e6,
            100.0 * share_of_fma,
        );
    }
    for (what, kernels) in [("prefill", &report.prefill_kernels), ("a decoded token", &report.decode_kernels)] {
        if !kernels.is_empty() {
            text += &format!("\n{what}, by kernel:\n{}", table(kernels));
        }
    }
    text
}

fn table(kernels: &[KernelTime]) -> String {
    let all: f64 = kernels.iter().map(|k| k.seconds).sum();
    let mut sorted: Vec<_> = kernels.iter().collect();
    sorted.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let line = |k: &&KernelTime| {
        let (ms, share) = (k.seconds * 1e3, 100.0 * k.seconds / all.max(1e-12));
        format!("  {:<14} {:>4} dispatches {ms:>9.3} ms {share:>5.1}%\n", k.kernel, k.dispatches)
    };
    sorted.iter().map(line).collect()
}
