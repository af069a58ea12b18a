//! A request's answer: its choices one after the other, whole or in chunks as they come.

use super::choice::{Choice, PreparedRequest, Writer, choice};
use super::model::Model;
use super::progress::OnProgress;
use super::random;
use crate::api::answer::{self, AnswerKind, Envelope, Piece};
use crate::error::Result;
use crate::generate::{Finish, Request, YieldNow};
use crate::tokenizer::Tokenizer;
use serde_json::Value;
use web_time::{Instant, SystemTime};

/// Receives the chunk objects of a stream.
pub type OnChunk<'a> = dyn FnMut(Value) + 'a;

/// Generates all choices of a request. Returns the whole answer; where it streams, the chunks go to `on_chunk` and the returned
/// object has no choices. `name`: the model's.
///
/// # Errors
/// Errors of [`choice`].
pub async fn answer(
    model: &mut Model,
    tokenizer: Option<&Tokenizer>,
    name: &str,
    prepared: &PreparedRequest,
    on_chunk: &mut OnChunk<'_>,
    on_progress: &OnProgress,
    yield_now: &YieldNow,
) -> Result<Value> {
    let interrupted = model.task.interrupted().clone();
    interrupted.set(false);
    let started = Instant::now();
    let envelope = envelope(prepared, name);
    let mut request = request(prepared, tokenizer);
    let seed = request.seed;
    let shown = prepared.options.shown;
    let (mut choices, mut outcomes, mut times) = (Vec::new(), Vec::new(), None);
    for index in 0..prepared.options.n {
        request.seed = seed.wrapping_add(index as u64);
        let mut opened = false;
        let mut emit = |piece: &Piece| {
            if !std::mem::replace(&mut opened, true) {
                envelope.opening(index).into_iter().for_each(&mut *on_chunk);
            }
            on_chunk(envelope.piece(index, piece));
        };
        let emit: Option<&mut dyn FnMut(&Piece)> = if shown.stream { Some(&mut emit) } else { None };
        let writer = Writer::new(prepared, tokenizer, started, emit);
        let Choice { whole, outcome, times: took } =
            choice(model, request.clone(), writer, on_progress, yield_now).await?;
        let reason = answer::finish_reason(outcome.finish, !whole.calls.is_empty());
        if shown.stream {
            if !opened {
                envelope.opening(index).into_iter().for_each(&mut *on_chunk);
            }
            on_chunk(envelope.closing(index, reason));
        } else {
            choices.push(envelope.choice(index, &whole, reason));
        }
        times.get_or_insert(took);
        outcomes.push(outcome);
        if outcome.finish == Finish::Abort || interrupted.get() {
            break;
        }
    }
    let usage = answer::usage(&outcomes, times.unwrap_or_default());
    if shown.stream && shown.include_usage {
        on_chunk(envelope.usage_chunk(usage.clone()));
    }
    Ok(envelope.whole(choices, usage))
}

fn envelope(prepared: &PreparedRequest, model: &str) -> Envelope {
    let prefix = if prepared.kind == AnswerKind::Chat { "chatcmpl" } else { "cmpl" };
    Envelope {
        kind: prepared.kind,
        id: format!("{prefix}-{:016x}", random::seed()),
        created: SystemTime::UNIX_EPOCH.elapsed().map(|d| d.as_secs()).unwrap_or(0),
        model: model.to_string(),
        shown: prepared.options.shown,
    }
}

/// The generator's part of a request.
fn request(prepared: &PreparedRequest, tokenizer: Option<&Tokenizer>) -> Request {
    let options = &prepared.options;
    let stop_ids = match (tokenizer, options.ending.ignore_eos) {
        (Some(tokenizer), false) => tokenizer.stop_ids().to_vec(),
        _ => Vec::new(),
    };
    let (prompt, source) = match &prepared.source {
        Some(about) => (about.rules.opening.clone(), prepared.prompt.clone()),
        None => (prepared.prompt.clone(), Vec::new()),
    };
    Request {
        prompt,
        source,
        beams: prepared.source.as_ref().and_then(|about| about.beams),
        never: prepared.source.as_ref().map(|about| about.rules.never.clone()).unwrap_or_default(),
        media: prepared.media.clone(),
        max_tokens: options.ending.max_tokens,
        min_tokens: options.ending.min_tokens,
        stop_ids,
        ends_repetition: !options.ending.ignore_eos,
        sampling: options.sampling.clone(),
        seed: options.sampling.seed.unwrap_or_else(random::seed),
        want_logits: options.shown.logprobs.is_some(),
        recompute: !options.cache_prompt,
        ..Request::default()
    }
}
