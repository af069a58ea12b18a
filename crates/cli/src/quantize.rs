//! `cresset quantize`: a GGUF file → a smaller one; a folder of safetensors → a GGUF file.

use crate::fetch::{Kind, locate};
use crate::files::checkpoint;
use crate::interrupt;
use crate::output::print;
use clap::Args;
use cresset::engine::Conversion;
use cresset::error::{Error, Result};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, FileFormat, Quantization};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Quantize {
    /// A .gguf file, or a folder of safetensors with config.json and tokenizer.json, which becomes one GGUF file.
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Format of the matrices: q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, iq4_nl, q4_1, q4_0, bf16 or f16.
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
    let path = locate(&args.model, Kind::Model)?;
    let model = checkpoint(&path)?;
    refuse_input(&model, &path, &args.output)?;
    let (written, counts) = match model.file_format() {
        FileFormat::Gguf { .. } => {
            let plan = Quantization::plan(&model, to, args.allow_requantize)?;
            let bar = bar(model.tensors().map(|t| t.bytes).sum());
            let written = write_whole(&args.output, |file, _| plan.write(file, &|bytes| bar.inc(bytes)))?;
            bar.finish_and_clear();
            (written, plan.summary())
        }
        FileFormat::Safetensors | FileFormat::WhisperCpp => {
            let plan = Conversion::plan(&model, to)?;
            let bar = bar(plan.bytes());
            let name = model_name(&path);
            let written = write_whole(&args.output, |file, part| {
                plan.write(&name, file, &|bytes| bar.inc(bytes))?;
                plan.check(&checkpoint(part)?)
            })?;
            bar.finish_and_clear();
            (written, plan.summary())
        }
    };
    let of: usize = counts.iter().map(|(_, count)| count).sum();
    let counts: Vec<String> = counts.iter().map(|(format, count)| format!("{count} in {}", format.name())).collect();
    print(&format!(
        "{}: {:.1} MB from {:.1} MB; of {of} tensors {}\n",
        args.output.display(),
        written as f64 / 1e6,
        model.file_bytes() as f64 / 1e6,
        counts.join(", ")
    ));
    Ok(())
}

fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("quantize {bar:32} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(bytes);
    bar.set_style(style.expect("a valid template"));
    bar
}

/// The model's name: that of its folder or file.
fn model_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = if whole.is_dir() { Some(whole.as_path()) } else { whole.parent() };
    folder.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
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

/// Writes a file under another name, which `write` is told, and renames it when it is complete; nothing is left of a
/// failure. Gives its length.
fn write_whole(path: &Path, write: impl FnOnce(&File, &Path) -> Result<()>) -> Result<u64> {
    let refused = |error: io::Error| Error::Storage { reason: format!("{}: {error}", path.display()) };
    let mut name = path.file_name().ok_or_else(|| Error::invalid("--output", "is no file name"))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    interrupt::removes(&part)?;
    let file = File::create(&part).map_err(refused)?;
    let done = write(&file, &part).and_then(|()| {
        let length = file.sync_all().and_then(|()| file.metadata()).map_err(refused)?.len();
        fs::rename(&part, path).map_err(refused)?;
        Ok(length)
    });
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done
}
