//! One choice of an answer: ids are generated, become text, and end at a stop string; tool calls are taken out of it.

use super::model::Model;
use super::random;
use crate::api::answer::{Call, Kind, Piece, Times, TokenLogprob};
use crate::api::request::Options;
use crate::api::stop::StopMatcher;
use crate::chat::tool_calls::{self, ToolCallParser};
use crate::error::{Error, Result};
use crate::generate::{Breathe, Finish, Outcome, Request, Sampled};
use crate::sampler::{logprob, top_logprobs};
use crate::tokenizer::{StreamDecoder, Tokenizer};
use std::ops::ControlFlow;
use web_time::Instant;

/// What a request asks for.
pub struct Asked {
    pub kind: Kind,
    pub prompt: Vec<u32>,
    pub options: Options,
    /// The answer goes on within a text.
    pub continues: bool,
    /// What the model was told it may call.
    pub calling: Option<Calling>,
}

/// The tools of a request.
pub struct Calling {
    /// Their names.
    pub tools: Vec<String>,
    /// The prompt ends within a thought.
    pub in_thought: bool,
    /// What the prompt has of a call already.
    pub opening: String,
}

impl Calling {
    /// Which has seen what the prompt says of a call.
    fn parser(&self) -> ToolCallParser {
        let mut parser = ToolCallParser::new(self.tools.clone(), self.in_thought);
        parser.push(&self.opening);
        parser
    }
}

impl Asked {
    /// Ids to the text of an answer. Where calls are looked for, their markers are seen though they be control tokens.
    fn decoder(&self, tokenizer: &Tokenizer) -> StreamDecoder {
        let decoder = tokenizer.stream();
        let decoder = if self.continues { decoder } else { decoder.at_text_start() };
        match self.calling {
            Some(_) => decoder.showing(tool_calls::markers()),
            None => decoder,
        }
    }
}

/// A choice that is finished.
pub struct Choice {
    pub whole: Piece,
    pub outcome: Outcome,
    pub times: Times,
}

/// Generates a choice; pieces go to `emit` as they come.
///
/// # Errors
/// Those of [`crate::generate::Generator::generate`]; `DEVICE_LOST` only where no new device helps.
pub async fn choice(
    model: &mut Model,
    mut request: Request,
    mut writer: Writer<'_>,
    breathe: &Breathe,
) -> Result<Choice> {
    let (prompt_tokens, mut vain) = (request.prompt.len(), false);
    let outcome = loop {
        let mut on_token = |sampled: Sampled| writer.push(sampled);
        match model.work.generator()?.generate(&request, &mut on_token, breathe).await {
            // A device that is lost twice without a token between would be lost for ever.
            Err(Error::DeviceLost { reason }) if !vain || writer.whole.ids.len() > request.begun => {
                model.rebuild(reason).await?;
                request.prompt.truncate(prompt_tokens);
                request.prompt.extend_from_slice(&writer.whole.ids);
                (request.begun, vain) = (writer.whole.ids.len(), true);
            }
            outcome => break outcome?,
        }
    };
    let times = writer.times();
    Ok(Choice { whole: writer.finish(outcome.finish), outcome, times })
}

/// Takes a choice's ids, tells of the text that may be shown, and keeps the whole.
pub struct Writer<'a> {
    tokenizer: Option<&'a Tokenizer>,
    /// How many alternatives to report for each token, if log-probabilities are wanted.
    logprobs: Option<usize>,
    /// Pieces without text are told of as well.
    tells_all: bool,
    text: TextStream,
    calls: Option<ToolCallParser>,
    n_calls: usize,
    whole: Piece,
    emit: Option<&'a mut dyn FnMut(&Piece)>,
    /// When the request came, and when its first token and its last one did.
    started: Instant,
    first: Option<Instant>,
    last: Instant,
}

impl<'a> Writer<'a> {
    /// `started`: when the request came. `emit` is told of pieces, where they are wanted one by one.
    pub fn new(
        asked: &Asked,
        tokenizer: Option<&'a Tokenizer>,
        started: Instant,
        emit: Option<&'a mut dyn FnMut(&Piece)>,
    ) -> Self {
        let Options { ending, shown, .. } = &asked.options;
        let text = TextStream {
            decoder: tokenizer.map(|tokenizer| asked.decoder(tokenizer)),
            stop: StopMatcher::new(ending.stop.clone()),
            stopped: false,
        };
        Writer {
            tokenizer,
            logprobs: shown.logprobs,
            tells_all: shown.token_ids || shown.logprobs.is_some(),
            text,
            calls: asked.calling.as_ref().map(Calling::parser),
            n_calls: 0,
            whole: Piece::default(),
            emit,
            started,
            first: None,
            last: started,
        }
    }

    fn push(&mut self, sampled: Sampled) -> ControlFlow<()> {
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
        let (shown, stopped) = self.text.push(sampled.id);
        let mut piece = self.parted(shown);
        piece.ids.push(sampled.id);
        if let (Some(logits), Some(top)) = (sampled.logits, self.logprobs) {
            piece.logprobs.push(token_logprob(self.tokenizer, logits, sampled.id, top));
        }
        // A piece without text says nothing, unless ids or log-probabilities were asked for.
        if piece.says_something() || self.tells_all {
            self.tell(&piece);
        }
        self.whole.append(piece);
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The whole choice, with what was held back.
    fn finish(mut self, finish: Finish) -> Piece {
        let tail = self.text.finish();
        let mut piece = self.parted(tail);
        piece.text.push_str(&self.calls.take().map(|mut calls| calls.finish()).unwrap_or_default());
        if piece.says_something() && finish != Finish::Abort {
            self.tell(&piece);
        }
        self.whole.append(piece);
        self.whole
    }

    fn tell(&mut self, piece: &Piece) {
        if let Some(emit) = &mut self.emit {
            emit(piece);
        }
    }

    /// A piece of this text, without the calls in it.
    fn parted(&mut self, text: String) -> Piece {
        let Some(parser) = &mut self.calls else { return Piece { text, ..Piece::default() } };
        let found = parser.push(&text);
        let call = |call| {
            self.n_calls += 1;
            Call { index: self.n_calls - 1, id: random::call_id(), call }
        };
        Piece { text: found.text, calls: found.calls.into_iter().map(call).collect(), ..Piece::default() }
    }

    fn times(&self) -> Times {
        let first = self.first.unwrap_or(self.last);
        Times { first_token: (first - self.started).as_secs_f64(), decode: (self.last - first).as_secs_f64() }
    }
}

/// Ids → text that may be shown.
struct TextStream {
    decoder: Option<StreamDecoder>,
    stop: StopMatcher,
    /// A stop string was met: nothing follows it.
    stopped: bool,
}

impl TextStream {
    fn push(&mut self, id: u32) -> (String, bool) {
        // A model's table may have more rows than its tokenizer has tokens; those ids have no text.
        let text = self.decoder.as_mut().and_then(|d| d.push(id).ok().map(str::to_string)).unwrap_or_default();
        let (shown, stopped) = self.stop.push(&text);
        self.stopped |= stopped;
        (shown, stopped)
    }

    fn finish(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        let tail = self.decoder.as_mut().map(|d| d.flush().to_string()).unwrap_or_default();
        let (shown, stopped) = self.stop.push(&tail);
        if stopped { shown } else { shown + &self.stop.finish() }
    }
}

fn token_logprob(tokenizer: Option<&Tokenizer>, logits: &[f32], id: u32, top: usize) -> TokenLogprob {
    let name = |id: u32| {
        let bytes = tokenizer.and_then(|t| t.token_bytes(id)).unwrap_or_default();
        (String::from_utf8_lossy(&bytes).into_owned(), bytes)
    };
    let (token, bytes) = name(id);
    let alternatives = top_logprobs(logits, top).into_iter().map(|(id, logprob)| {
        let (token, bytes) = name(id);
        (token, bytes, logprob)
    });
    TokenLogprob { token, bytes, logprob: logprob(logits, id), top: alternatives.collect() }
}
