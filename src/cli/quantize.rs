//! `cresset quantize`: a GGUF file → a smaller one.

use super::{checkpoint, print};
use clap::Args;
use cresset::error::{Error, Result};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Quantization};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Quantize {
    /// A .gguf file.
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// What the matrices become: q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, iq4_nl, q4_1, q4_0, bf16 or f16.
    #[arg(long, value_name = "FORMAT")]
    to: String,
    /// The file to write. One that is there is replaced when the new one is complete.
    #[arg(short = 'o', long, value_name = "PATH")]
    output: PathBuf,
    /// Quantise again what is quantised already, although that loses more than once would have.
    #[arg(long)]
    allow_requantize: bool,
}

pub fn quantize(args: Quantize) -> Result<()> {
    let to = Format::from_name(&args.to.to_ascii_lowercase())
        .ok_or_else(|| Error::invalid("--to", format!("{} is not one of {}", args.to, Format::writable_names())))?;
    let checkpoint = checkpoint(&args.model)?;
    refuse_input(&checkpoint, &args.model, &args.output)?;
    let plan = Quantization::plan(&checkpoint, to, args.allow_requantize)?;

    let bar = ProgressBar::new(checkpoint.tensors().map(|t| t.bytes).sum());
    let style = ProgressStyle::with_template("quantize {bar:32} {bytes}/{total_bytes} {eta}");
    bar.set_style(style.expect("a valid template"));
    let written = write_whole(&args.output, |file| plan.write(file, &|bytes| bar.inc(bytes)))?;
    bar.finish_and_clear();
    let counts = plan.summary().into_iter().map(|(format, count)| format!("{count} in {}", format.name()));
    print(&format!(
        "{}: {:.1} MB from {:.1} MB; of {} tensors {}\n",
        args.output.display(),
        written as f64 / 1e6,
        checkpoint.file_bytes() as f64 / 1e6,
        checkpoint.tensors().len(),
        counts.collect::<Vec<_>>().join(", ")
    ));
    Ok(())
}

/// Refuses an output that is one of the files being read.
fn refuse_input(checkpoint: &Checkpoint, model: &Path, output: &Path) -> Result<()> {
    let Ok(output) = output.canonicalize() else { return Ok(()) }; // there is no such file yet
    let folder = if model.is_dir() { model } else { model.parent().unwrap_or(Path::new("")) };
    let is_output = |name: &str| folder.join(name).canonicalize().is_ok_and(|input| input == output);
    match checkpoint.file_names().any(is_output) {
        true => Err(Error::invalid("--output", format!("{} is the model itself", output.display()))),
        false => Ok(()),
    }
}

/// Writes a file under another name and renames it when it is complete; nothing is left of a failure. Gives its length.
fn write_whole(path: &Path, write: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
    let refused = |error: io::Error| Error::Storage { reason: format!("{}: {error}", path.display()) };
    let mut name = path.file_name().ok_or_else(|| Error::invalid("--output", "is no file name"))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let file = File::create(&part).map_err(refused)?;
    let done = write(&file).and_then(|()| {
        let length = file.sync_all().and_then(|()| file.metadata()).map_err(refused)?.len();
        fs::rename(&part, path).map_err(refused)?;
        Ok(length)
    });
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done
}
