//! `cresset transcribe`: recordings → text or subtitles.

use crate::args::Model;
use crate::output::{harmless, print, print_json};
use crate::{interrupt, sound};
use clap::Args;
use cresset::engine::{RequestProgress, SpeechTask};
use cresset::error::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::rc::Rc;

#[derive(Args)]
pub struct Transcribe {
    #[command(flatten)]
    model: Model,
    /// A recording: WAV, MP3, FLAC, Ogg Vorbis, AAC and others; may be given several times.
    #[arg(long, value_name = "PATH", required = true)]
    file: Vec<PathBuf>,
    /// The language that is spoken, such as en or German (default: heard from the beginning).
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Into English.
    #[arg(long)]
    translate: bool,
    /// With the times of passages or of words.
    #[arg(long, value_name = "WHICH", default_value = "none", value_parser = ["none", "segment", "word"])]
    timestamps: String,
    /// How it is printed.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json", "srt", "vtt"])]
    format: String,
    /// Text that is taken to stand before the recording: names, spelling.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// 0 to 1 (default: 0, and higher where the model is not sure).
    #[arg(long, value_name = "X")]
    temperature: Option<f32>,
    /// Print one JSON object a recording: OpenAI's verbose_json.
    #[arg(long)]
    json: bool,
}

pub fn transcribe(args: Transcribe) -> Result<()> {
    let sounds = args.file.iter().map(|path| sound::read(path)).collect::<Result<Vec<_>>>()?;
    let mut engine = args.model.load()?;
    interrupt::listen()?;
    let timed = args.timestamps != "none";
    let words = args.timestamps == "word";
    let json = args.json || args.format == "json";
    let format = match &*args.format {
        _ if json => "verbose_json",
        "text" if timed => "verbose_json",
        other if words => {
            return Err(Error::invalid("timestamps", format!("of words need the format text or json, not {other}")));
        }
        other => other,
    };
    let mut request = json!({
        "language": args.language, "prompt": args.prompt, "temperature": args.temperature, "response_format": format,
    });
    if words {
        request["timestamp_granularities"] = json!(["word", "segment"]);
    }
    let task = if args.translate { SpeechTask::Translate } else { SpeechTask::Transcribe };
    for sound in &sounds {
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("hearing  {bar:32} {percent}% {eta}").expect("a valid template"));
        let shown = bar.clone();
        engine.set_on_progress(Rc::new(move |progress: RequestProgress| {
            shown.set_length(progress.total);
            shown.set_position(progress.loaded);
        }));
        let answer = interrupt::while_answering(&mut engine, |engine, pause| {
            block_on(engine.transcribe(&request, task, sound, &mut |_| (), pause))
        });
        bar.finish_and_clear();
        if interrupt::pressed() {
            interrupt::leave();
        }
        match answer? {
            answer if json => print_json(&answer),
            Value::String(text) => print(&harmless(&text)),
            answer => print(&harmless(&timed_lines(&answer[if words { "words" } else { "segments" }]))),
        }
    }
    Ok(())
}

/// `[0:01.20 – 0:03.40] What is said.`, a line for each passage or word.
fn timed_lines(timed: &Value) -> String {
    let clock = |at: &Value| {
        let seconds = at.as_f64().unwrap_or_default();
        format!("{}:{:05.2}", seconds as u64 / 60, seconds % 60.0)
    };
    let line = |it: &Value| {
        let text = it.get("word").unwrap_or(&it["text"]).as_str().unwrap_or_default().trim();
        format!("[{} – {}] {text}\n", clock(&it["start"]), clock(&it["end"]))
    };
    timed.as_array().into_iter().flatten().map(line).collect()
}
