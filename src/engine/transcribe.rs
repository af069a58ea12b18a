//! A recording → what is said in it, as OpenAI answers.

use super::answer::OnChunk;
use super::model::Model;
use super::progress::{OnProgress, RequestProgress};
use super::words::words;
use crate::api::transcription::{TranscriptText, TranscriptionRequest, Word, delta, done};
use crate::device::YieldNow;
use crate::error::{Error, Result};
use crate::speech::{SAMPLE_RATE, Segment, Sound, SpeechIds, TranscribeOptions};
use crate::tokenizer::Tokenizer;
use serde_json::Value;

/// Samples of a day.
const MOST_SAMPLES: usize = 24 * 60 * 60 * SAMPLE_RATE;

/// The task that a speech model is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechTask {
    /// Its words, in their own language.
    Transcribe,
    /// Its words, in English.
    Translate,
}

impl SpeechTask {
    fn name(self) -> &'static str {
        if self == SpeechTask::Translate { "translate" } else { "transcribe" }
    }
}

/// The answer to a request about a recording; where it streams, passages go to `on_chunk` as they are settled, and the returned
/// object is the last event.
///
/// # Errors
/// `INVALID_REQUEST` for a recording without sound, or for a language or a task that the model does not know; `ABORTED`,
/// `MODEL_FORMAT`, `OUT_OF_MEMORY`, `DEVICE_LOST`.
pub(super) async fn transcribe(
    model: &mut Model,
    tokenizer: &Tokenizer,
    (wanted, task): (&TranscriptionRequest, SpeechTask),
    sound: &Sound,
    on_chunk: &mut OnChunk<'_>,
    on_progress: &OnProgress,
    yield_now: &YieldNow,
) -> Result<Value> {
    check_sound(sound)?;
    model.task.interrupted().set(false);
    let transcriber = model.task.transcriber()?;
    let options = TranscribeOptions {
        language: wanted.language.map(|code| language(&transcriber.ids, code)).transpose()?.flatten(),
        translate: task == SpeechTask::Translate,
        prompt: match &wanted.prompt {
            // As the words before it would be: behind a space.
            Some(prompt) => tokenizer.encode(&format!(" {}", prompt.trim()), false, false)?,
            None => Vec::new(),
        },
        temperature: wanted.temperature,
        times: wanted.wants_times(),
        words: wanted.granularities.words,
        seed: 0,
    };
    if options.translate && transcriber.ids.tasks.is_none() {
        return Err(Error::invalid("model", "knows English alone: there is nothing that it could translate"));
    }
    let end = transcriber.ids.end;
    let text_of = |segment: &Segment| {
        let text: Vec<u32> = segment.ids.iter().copied().filter(|id| *id < end).collect();
        tokenizer.decode(&text, true)
    };
    let mut first = true;
    let mut on_segment = |segments: &[Segment], done: usize, frames: usize| {
        for text in segments.iter().filter(|_| wanted.stream).filter_map(|segment| text_of(segment).ok()) {
            let text = if std::mem::take(&mut first) { text.trim_start() } else { &text };
            on_chunk(delta(text));
        }
        let [loaded, total] = [done.min(frames), frames].map(|n| n as u64);
        on_progress(RequestProgress { status: "sound", loaded, total });
    };
    let transcript = loop {
        let transcriber = model.task.transcriber()?;
        match transcriber.transcribe(sound, &options, &mut on_segment, yield_now).await {
            // A passage that was streamed cannot be taken back.
            Err(Error::DeviceLost { reason }) if !wanted.stream => model.rebuild(reason).await?,
            result => break result?,
        }
    };
    let ids = &model.task.transcriber()?.ids;
    let code = |id: u32| ids.languages.iter().find(|(_, own)| *own == id).map(|(code, _)| code.clone());
    let language = if ids.is_multilingual() { transcript.language.and_then(code) } else { Some("en".into()) };
    let passages = transcript.segments.into_iter().map(|segment| Ok((text_of(&segment)?, segment)));
    let passages = passages.map(|pair| pair.map(|(text, segment)| (segment, text))).collect::<Result<Vec<_>>>()?;
    let words = match options.words {
        true => timed_words(&passages, end, language.as_deref().filter(|_| !options.translate), tokenizer)?,
        false => Vec::new(),
    };
    let duration = sound.len() as f32 / SAMPLE_RATE as f32;
    let text = TranscriptText { language, duration, passages, words };
    if !wanted.stream {
        return Ok(wanted.answer(&text, task.name()));
    }
    on_chunk(done(&text));
    Ok(done(&text))
}

/// The words of all passages, written in this language. Ids from `end` on are no text.
fn timed_words(
    passages: &[(Segment, String)],
    end: u32,
    language: Option<&str>,
    tokenizer: &Tokenizer,
) -> Result<Vec<Word>> {
    let mut timed = Vec::new();
    for (segment, _) in passages {
        let text = segment.ids.iter().zip(&segment.spans).filter(|(id, _)| **id < end);
        let (ids, spans): (Vec<u32>, Vec<[f32; 2]>) = text.unzip();
        for word in words(&ids, language, &|ids| tokenizer.decode(ids, true))? {
            let (first, last) = (spans[word.ids.start], spans[word.ids.end - 1]);
            timed.push(Word { text: word.text.trim().to_string(), start: first[0], end: last[1] });
        }
    }
    Ok(timed)
}

fn check_sound(sound: &Sound) -> Result<()> {
    match sound.len() {
        0 => Err(Error::invalid("file", "has no sound in it")),
        MOST_SAMPLES.. => Err(Error::invalid("file", "is longer than a day; cut it into parts")),
        _ if sound.iter().all(|x| x.is_finite()) => Ok(()),
        _ => Err(Error::invalid("file", "has samples that are no numbers")),
    }
}

/// The id of a language; none where the model knows that one alone.
fn language(ids: &SpeechIds, code: &str) -> Result<Option<u32>> {
    if !ids.is_multilingual() {
        return match code {
            "en" => Ok(None),
            _ => Err(Error::invalid("language", format!("is {code}, but the model knows English alone"))),
        };
    }
    match ids.languages.iter().find(|(own, _)| own == code) {
        Some((_, id)) => Ok(Some(*id)),
        None => Err(Error::invalid("language", format!("is {code}, which the model does not know"))),
    }
}
