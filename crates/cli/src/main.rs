//! The command line: the same engine as in the page, on wgpu or the CPU. See `cresset help`.
//!
//! With `--json` JSON goes to stdout and nothing else; errors are one line on stderr and exit status 1.

mod args;
mod bench;
mod cache;
mod chat;
mod embed;
mod fetch;
mod files;
mod generate;
mod input;
mod inspect;
mod interrupt;
mod logger;
mod logits;
mod models;
mod output;
mod perplexity;
mod picture;
mod quantize;
mod quiet;
mod report;
mod sound;
mod tokenize;
mod transcribe;
mod verdicts;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use output::{say, told};
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cresset", version, about = "Language models on your own GPU.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Continue a prompt.
    Generate(generate::Generate),
    /// Talk with a model that has a chat template.
    Chat(chat::Chat),
    /// Text to token ids, or ids to text.
    Tokenize(tokenize::Tokenize),
    /// Logits after a sequence of ids.
    Logits(logits::Logits),
    /// Say what a file is: a model, an adapter or a tokenizer; whether it runs here, and if not, why.
    Inspect(inspect::Inspect),
    /// List and delete what was downloaded, and list the names that --model knows.
    Models(models::Models),
    /// How well a model predicts a text.
    Perplexity(perplexity::Perplexity),
    /// Prefill and decode speed.
    Bench(bench::Bench),
    /// Write a GGUF file with fewer bits a weight.
    Quantize(quantize::Quantize),
    /// Turn texts into vectors, with a model made for that.
    Embed(embed::Embed),
    /// Write down what is said in recordings.
    Transcribe(transcribe::Transcribe),
    /// Pretrain a small model.
    #[cfg(feature = "train")]
    Train(Box<cresset_train::cli::TrainArgs>),
}

fn main() -> ExitCode {
    // SAFETY: nothing has started a thread yet.
    unsafe { quiet::keep_libraries_quiet() };
    logger::start();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return refused(&error),
    };
    let result = match command {
        Command::Generate(args) => generate::generate(args),
        Command::Chat(args) => chat::chat(args),
        Command::Tokenize(args) => tokenize::tokenize(args),
        Command::Logits(args) => logits::logits(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Models(args) => models::models(args),
        Command::Perplexity(args) => perplexity::perplexity(args),
        Command::Bench(args) => bench::bench(args),
        Command::Quantize(args) => quantize::quantize(args),
        Command::Embed(args) => embed::embed(args),
        Command::Transcribe(args) => transcribe::transcribe(args),
        #[cfg(feature = "train")]
        Command::Train(args) => cresset_train::cli::run(*args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&told(&error));
            // Programs get one line.
            if stderr().is_terminal() {
                report::of(&error).iter().for_each(|report| say(report));
            }
            ExitCode::FAILURE
        }
    }
}

/// Help and the version, where they were asked for; otherwise what is wrong with the arguments, in one line as for
/// every other error.
fn refused(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() {
        let printed = error.print().is_ok();
        return if printed && !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let text = error.to_string();
    // clap's last two paragraphs are the usage and where to find more.
    let skipped = |line: &&str| line.is_empty() || line.starts_with("Usage:") || line.starts_with("For more");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !skipped(line)).collect();
    let line = lines.join(" ");
    say(&format!("error[INVALID_REQUEST]: {} (see --help)", line.strip_prefix("error: ").unwrap_or(&line)));
    ExitCode::FAILURE
}
