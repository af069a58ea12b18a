//! `audio.transcriptions.create` and `audio.translations.create`: what is asked of a recording, and OpenAI's answers.

use super::fields::Fields;
use super::languages::{code_of, name_of};
use crate::error::{Error, Result};
use crate::sampler::Range;
use crate::speech::Segment;
use serde_json::{Value, json};

/// OpenAI's range.
const TEMPERATURE: Range = Range { name: "temperature", min: 0.0, max: 1.0, default: None, whole: false };

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranscriptFormat {
    /// `{ text }`.
    Json,
    /// With language, duration and passages.
    VerboseJson,
    /// The text alone.
    Text,
    /// SubRip's subtitles.
    Srt,
    /// WebVTT's subtitles (<https://www.w3.org/TR/webvtt1/>).
    Vtt,
}

/// A request, without its recording.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptionRequest {
    /// The language's code.
    pub language: Option<&'static str>,
    /// Text that is taken to stand before the recording.
    pub prompt: Option<String>,
    /// `None`: 0, and higher ones where the model is not sure.
    pub temperature: Option<f32>,
    /// How the answer looks.
    pub format: TranscriptFormat,
    /// Whether passages are sent as they come.
    pub stream: bool,
    /// The times of a verbose answer.
    pub granularities: Granularities,
}

/// Times that a verbose answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granularities {
    /// Those of passages.
    pub segments: bool,
    /// Those of words.
    pub words: bool,
}

/// A word with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// With its punctuation, without the space before it.
    pub text: String,
    /// Seconds from the recording's beginning.
    pub start: f32,
    /// Seconds from the recording's beginning.
    pub end: f32,
}

/// A transcript whose passages are text.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptText {
    /// The language's code, where it is known.
    pub language: Option<String>,
    /// Seconds.
    pub duration: f32,
    /// Each passage with its text.
    pub passages: Vec<(Segment, String)>,
    /// In order; none unless asked for.
    pub words: Vec<Word>,
}

impl TranscriptionRequest {
    /// Reads the request's fields.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a field that is wrong.
    pub fn parse(fields: &Fields) -> Result<Self> {
        let language = match fields.text("language")? {
            None | Some("") | Some("auto") => None,
            Some(name) => Some(code_of(name).ok_or_else(|| {
                Error::invalid("language", format!("must be a code such as en, zh or de, or a name, not {name}"))
            })?),
        };
        let format = match fields.text("response_format")? {
            None | Some("json") => TranscriptFormat::Json,
            Some("verbose_json") => TranscriptFormat::VerboseJson,
            Some("text") => TranscriptFormat::Text,
            Some("srt") => TranscriptFormat::Srt,
            Some("vtt") => TranscriptFormat::Vtt,
            Some(other) => {
                let must = format!("must be json, verbose_json, text, srt or vtt, not {other}");
                return Err(Error::invalid("response_format", must));
            }
        };
        let stream = fields.flag("stream")?;
        let granularities = granularities(fields, format, stream)?;
        Ok(TranscriptionRequest {
            language,
            prompt: fields.text("prompt")?.filter(|prompt| !prompt.trim().is_empty()).map(str::to_string),
            temperature: fields.number(&TEMPERATURE)?,
            format,
            stream,
            granularities,
        })
    }

    /// Whether the answer says when passages begin and end.
    pub fn wants_times(&self) -> bool {
        !matches!(self.format, TranscriptFormat::Json | TranscriptFormat::Text)
    }

    /// The answer: an object for JSON, else a string.
    pub fn answer(&self, transcript: &TranscriptText, task: &str) -> Value {
        match self.format {
            TranscriptFormat::Json => json!({ "text": transcript.text(), "usage": transcript.usage() }),
            TranscriptFormat::VerboseJson => transcript.verbose(task, self.granularities),
            TranscriptFormat::Text => Value::String(transcript.text() + "\n"),
            TranscriptFormat::Srt => Value::String(transcript.srt()),
            TranscriptFormat::Vtt => Value::String(transcript.vtt()),
        }
    }
}

/// Passages, unless something else is asked for.
fn granularities(fields: &Fields, format: TranscriptFormat, stream: bool) -> Result<Granularities> {
    const NAME: &str = "timestamp_granularities";
    let asked = match fields.get(NAME).or_else(|| fields.get("timestamp_granularities[]")) {
        None => &[],
        Some(value) => &value.as_array().ok_or_else(|| Error::invalid(NAME, "must be a list"))?[..],
    };
    let mut all = Granularities { segments: asked.is_empty(), words: false };
    for granularity in asked {
        match granularity.as_str() {
            _ if format != TranscriptFormat::VerboseJson => {
                return Err(Error::invalid(NAME, "needs response_format verbose_json"));
            }
            Some("segment") => all.segments = true,
            Some("word") if stream => return Err(Error::invalid(NAME, "may hold word only without stream")),
            Some("word") => all.words = true,
            _ => return Err(Error::invalid(NAME, format!("may hold word and segment, not {granularity}"))),
        }
    }
    Ok(all)
}

/// An event of a stream: what a passage adds to the text.
pub fn delta(text: &str) -> Value {
    json!({ "type": "transcript.text.delta", "delta": text })
}

/// The event that ends a stream.
pub fn done(transcript: &TranscriptText) -> Value {
    json!({ "type": "transcript.text.done", "text": transcript.text(), "usage": transcript.usage() })
}

impl TranscriptText {
    /// All that is said.
    pub fn text(&self) -> String {
        self.passages.iter().map(|(_, text)| text.as_str()).collect::<String>().trim().to_string()
    }

    fn usage(&self) -> Value {
        json!({ "type": "duration", "seconds": self.duration.ceil() as u64 })
    }

    fn verbose(&self, task: &str, granularities: Granularities) -> Value {
        let segment = |(id, (it, text)): (usize, &(Segment, String))| {
            json!({
                "id": id,
                "seek": it.seek,
                "start": seconds(it.start),
                "end": seconds(it.end),
                "text": text,
                "tokens": it.ids,
                "temperature": seconds(it.temperature),
                "avg_logprob": it.mean_log_probability,
                "compression_ratio": it.compression,
                "no_speech_prob": it.no_speech,
            })
        };
        let word = |it: &Word| json!({ "word": it.text, "start": seconds(it.start), "end": seconds(it.end) });
        let mut answer = json!({
            "task": task,
            "language": self.language.as_deref().map(name_of),
            "duration": seconds(self.duration),
            "text": self.text(),
        });
        if granularities.words {
            answer["words"] = self.words.iter().map(word).collect();
        }
        if granularities.segments {
            answer["segments"] = self.passages.iter().enumerate().map(segment).collect();
        }
        answer["usage"] = self.usage();
        answer
    }

    fn srt(&self) -> String {
        let cue = |(i, (it, text)): (usize, &(Segment, String))| {
            let (start, end) = (clock(it.start, ','), clock(it.end, ','));
            format!("{}\n{start} --> {end}\n{}\n\n", i + 1, one_line(text))
        };
        self.passages.iter().enumerate().map(cue).collect()
    }

    fn vtt(&self) -> String {
        let cue = |(it, text): &(Segment, String)| {
            let (start, end) = (clock(it.start, '.'), clock(it.end, '.'));
            // These characters would be read as markup, or as the arrow of a cue.
            let text = one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            format!("{start} --> {end}\n{text}\n\n")
        };
        format!("WEBVTT\n\n{}", self.passages.iter().map(cue).collect::<String>())
    }
}

/// Blank lines would end a cue.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A decimal as it was meant, not with all digits of its nearest f32.
fn seconds(x: f32) -> f64 {
    (f64::from(x) * 100.0).round() / 100.0
}

/// `01:02:03.450`.
fn clock(at: f32, point: char) -> String {
    let ms = (f64::from(at) * 1000.0).round() as u64;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> TranscriptText {
        let segment = |start, end| Segment {
            start,
            end,
            ids: vec![7],
            spans: vec![],
            seek: 0,
            temperature: 0.2,
            mean_log_probability: -0.25,
            compression: 1.5,
            no_speech: 0.125,
        };
        let passages = vec![
            (segment(0.0, 2.5), " Hello <there>.".to_string()),
            (segment(3661.04, 3662.0), "\n\nIt's --> me.".to_string()),
        ];
        let words = vec![Word { text: "Hello".into(), start: 0.0, end: 0.56 }];
        TranscriptText { language: Some("en".into()), duration: 3662.3, passages, words }
    }

    fn request(body: Value) -> Result<TranscriptionRequest> {
        TranscriptionRequest::parse(&Fields::of(&body)?)
    }

    #[test]
    fn every_format() {
        let answer = |format: &str| {
            request(json!({ "response_format": format })).expect("a format").answer(&transcript(), "transcribe")
        };
        assert_eq!(answer("json")["text"], "Hello <there>.\n\nIt's --> me.");
        assert_eq!(answer("json")["usage"], json!({ "type": "duration", "seconds": 3663 }));
        assert_eq!(
            answer("srt"),
            "1\n00:00:00,000 --> 00:00:02,500\nHello <there>.\n\n2\n01:01:01,040 --> 01:01:02,000\nIt's --> me.\n\n"
        );
        assert_eq!(
            answer("vtt"),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello &lt;there&gt;.\n\n01:01:01.040 --> 01:01:02.000\nIt's --&gt; me.\n\n"
        );
        let verbose = answer("verbose_json");
        assert_eq!((&verbose["language"], &verbose["task"]), (&json!("english"), &json!("transcribe")));
        assert_eq!((&verbose["duration"], &verbose["segments"][1]["start"]), (&json!(3662.3), &json!(3661.04)));
        assert_eq!(verbose["segments"][0]["temperature"], json!(0.2));
    }

    #[test]
    fn words_come_where_they_are_asked_for() {
        let answer = |asked: Value| {
            let body = json!({ "response_format": "verbose_json", "timestamp_granularities": asked });
            request(body).expect("a request").answer(&transcript(), "transcribe")
        };
        let words = json!([{ "word": "Hello", "start": 0.0, "end": 0.56 }]);
        assert_eq!((answer(json!([])).get("words"), answer(json!(["segment"])).get("words")), (None, None));
        let alone = answer(json!(["word"]));
        assert_eq!((&alone["words"], alone.get("segments")), (&words, None));
        let both = answer(json!(["word", "segment"]));
        assert_eq!((&both["words"], both["segments"].as_array().map(Vec::len)), (&words, Some(2)));
    }

    #[test]
    fn wrong_fields_are_named() {
        let wrong = [
            json!({ "language": "Klingon" }),
            json!({ "language": 7 }),
            json!({ "response_format": "docx" }),
            json!({ "temperature": 1.5 }),
            json!({ "timestamp_granularities": "segment" }),
            json!({ "timestamp_granularities": ["segment"] }),
            json!({ "response_format": "srt", "timestamp_granularities": ["word"] }),
            json!({ "response_format": "verbose_json", "timestamp_granularities": ["word"], "stream": true }),
            json!({ "response_format": "verbose_json", "timestamp_granularities": ["letter"] }),
        ];
        for body in wrong {
            let error = request(body.clone()).expect_err(&body.to_string());
            assert_eq!(error.code(), "INVALID_REQUEST", "{body}");
        }
        assert_eq!(request(json!({ "language": "pt-BR" })).expect("Portuguese").language, Some("pt"));
    }
}
