//! One choice of an answer: generates ids, decodes them to text until a stop string, and parses tool calls out of it.

use super::model::Model;
use super::progress::{OnProgress, RequestProgress};
use super::random;
use super::source_rules::beams;
use crate::api::answer::{AnswerKind, Call, Piece, Times, TokenLogprob};
use crate::api::request::RequestOptions;
use crate::api::stop::StopMatcher;
use crate::chat::tool_calls::{self, ToolCallParser};
use crate::error::{Error, Result};
use crate::generate::{Beams, Finish, Media, Outcome, PromptProgress, Request, Sampled, SourceRules, YieldNow};
use crate::sampler::{logprob, top_logprobs};
use crate::tokenizer::{StreamDecoder, Tokenizer};
use std::ops::ControlFlow;
use web_time::Instant;

/// A request that was checked, with its prompt tokenised.
pub struct PreparedRequest {
    pub kind: AnswerKind,
    pub prompt: Vec<u32>,
    /// The embeddings of the prompt's pictures.
    pub media: Vec<Media>,
    /// How the model writes about the prompt, where an encoder reads it.
    pub source: Option<About>,
    pub options: RequestOptions,
    /// The answer continues a text instead of beginning one.
    pub continues: bool,
    /// The tools that the model may call.
    pub calling: Option<Calling>,
}

/// How a model with an encoder writes about a prompt.
pub struct About {
    /// The ids that its own text begins behind, and those that are never drawn.
    pub rules: SourceRules,
    /// The search, if there is one.
    pub beams: Option<Beams>,
}

impl About {
    /// `None` for a model without an encoder.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a search by such a model, and for what does not go with one.
    pub fn of(rules: Option<SourceRules>, options: &RequestOptions) -> Result<Option<About>> {
        let Some(rules) = rules else {
            return match options.search.num_beams {
                None | Some(1) => Ok(None),
                Some(_) => Err(Error::invalid("num_beams", "is for models with an encoder, such as T5")),
            };
        };
        let beams = beams(rules.beams, &options.search, options.sampling.temperature)?;
        if beams.is_some() && (options.shown.logprobs.is_some() || options.n > 1) {
            let field = if options.n > 1 { "n" } else { "logprobs" };
            return Err(Error::invalid(field, "is not for a search for the likeliest text; that needs num_beams 1"));
        }
        Ok(Some(About { rules, beams }))
    }
}

/// The tools of a request.
pub struct Calling {
    /// Their names.
    pub tools: Vec<String>,
    /// The prompt ends within a thought.
    pub in_thought: bool,
    /// The beginning of a call, if the prompt ends with one.
    pub opening: String,
}

impl Calling {
    /// A parser that has seen the call's beginning in the prompt.
    fn parser(&self) -> ToolCallParser {
        let mut parser = ToolCallParser::new(self.tools.clone(), self.in_thought);
        parser.push(&self.opening);
        parser
    }
}

impl PreparedRequest {
    /// Decodes ids to the text of an answer. With tools, the markers of calls are shown to the parser even if they are control
    /// tokens.
    fn decoder(&self, tokenizer: &Tokenizer) -> StreamDecoder {
        let decoder = tokenizer.stream();
        let decoder = if self.continues { decoder } else { decoder.at_text_start() };
        match self.calling {
            _ if self.options.shown.special => decoder.with_special(),
            Some(_) => decoder.showing(tool_calls::markers()),
            None => decoder,
        }
    }
}

/// A finished choice.
pub struct Choice {
    pub whole: Piece,
    pub outcome: Outcome,
    pub times: Times,
}

/// Generates a choice into `writer`; `on_progress` is told how much of the prompt was read. Continues on a new device where the
/// old one is lost, and in a larger context where that may grow.
///
/// # Errors
/// Errors of [`crate::generate::Generator::generate`]; `DEVICE_LOST` only if a new device does not help.
pub async fn choice(
    model: &mut Model,
    mut request: Request,
    mut writer: Writer<'_>,
    on_progress: &OnProgress,
    yield_now: &YieldNow,
) -> Result<Choice> {
    let (prompt_tokens, mut vain, mut cached_tokens) = (request.prompt.len(), false, None);
    let mut outcome = loop {
        match attempt(model, &request, &mut writer, on_progress, yield_now).await {
            // A device that is lost twice without a token in between will be lost again.
            Err(Error::DeviceLost { reason }) if !vain || writer.whole.ids.len() > request.resumed_tokens => {
                model.rebuild(reason).await?;
                vain = true;
            }
            Ok(outcome) if is_cut(&outcome, &request) => {
                cached_tokens.get_or_insert(outcome.cached_tokens);
                if !model.grow(prompt_tokens + outcome.tokens, on_progress).await? {
                    break outcome;
                }
            }
            outcome => break outcome?,
        }
        request.prompt.truncate(prompt_tokens);
        request.prompt.extend_from_slice(&writer.whole.ids);
        request.resumed_tokens = writer.whole.ids.len();
    };
    outcome.cached_tokens = cached_tokens.unwrap_or(outcome.cached_tokens);
    let times = writer.times();
    Ok(Choice { whole: writer.finish(outcome.finish), outcome, times })
}

/// Generates until the answer ends, the context is full, or the device is lost.
async fn attempt(
    model: &mut Model,
    request: &Request,
    writer: &mut Writer<'_>,
    on_progress: &OnProgress,
    yield_now: &YieldNow,
) -> Result<Outcome> {
    model.grow(request.prompt.len(), on_progress).await?;
    let most = model.most_context()?;
    if request.prompt.len() > most {
        return Err(Error::ContextOverflow { prompt: request.prompt.len(), context: most });
    }
    let mut on_token = |sampled: Sampled| writer.push(sampled);
    let mut on_prompt = |PromptProgress { read, total }: PromptProgress| {
        on_progress(RequestProgress { status: "prompt", loaded: read as u64, total: total as u64 });
    };
    model.task.generator()?.generate_telling(request, &mut on_prompt, &mut on_token, yield_now).await
}

/// Whether the answer ended because the context is full.
fn is_cut(outcome: &Outcome, request: &Request) -> bool {
    outcome.finish == Finish::Length && request.max_tokens.is_none_or(|most| outcome.tokens < most)
}

/// Turns a choice's ids into pieces of text: emits each as soon as it may be shown, and collects the whole.
pub struct Writer<'a> {
    tokenizer: Option<&'a Tokenizer>,
    /// Alternatives to report for each token; `None`: no log-probabilities.
    logprobs: Option<usize>,
    /// Emits pieces without text as well.
    emits_all: bool,
    text: TextStream,
    calls: Option<ToolCallParser>,
    n_calls: usize,
    whole: Piece,
    emit: Option<&'a mut dyn FnMut(&Piece)>,
    /// Times of the request, of its first token and of its latest.
    started: Instant,
    first: Option<Instant>,
    last: Instant,
}

impl<'a> Writer<'a> {
    /// `started`: when the request came. `emit` gets the pieces of a stream.
    pub fn new(
        prepared: &PreparedRequest,
        tokenizer: Option<&'a Tokenizer>,
        started: Instant,
        emit: Option<&'a mut dyn FnMut(&Piece)>,
    ) -> Self {
        let RequestOptions { ending, shown, .. } = &prepared.options;
        let text = TextStream {
            decoder: tokenizer.map(|tokenizer| prepared.decoder(tokenizer)),
            stop: StopMatcher::new(ending.stop.clone()),
            stopped: false,
        };
        Writer {
            tokenizer,
            logprobs: shown.logprobs,
            emits_all: shown.token_ids || shown.logprobs.is_some(),
            text,
            calls: prepared.calling.as_ref().map(Calling::parser),
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
        let mut piece = self.split(shown);
        piece.ids.push(sampled.id);
        if let (Some(logits), Some(top)) = (sampled.logits, self.logprobs) {
            piece.logprobs.push(token_logprob(self.tokenizer, logits, sampled.id, top));
        }
        // A piece without text says nothing, unless ids or log-probabilities were asked for.
        if piece.says_something() || self.emits_all {
            self.emit(&piece);
        }
        self.whole.append(piece);
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The whole choice, with text that was held back as a possible stop string.
    fn finish(mut self, finish: Finish) -> Piece {
        let tail = self.text.finish();
        let mut piece = self.split(tail);
        piece.text.push_str(&self.calls.take().map(|mut calls| calls.finish()).unwrap_or_default());
        if piece.says_something() && finish != Finish::Abort {
            self.emit(&piece);
        }
        self.whole.append(piece);
        self.whole
    }

    fn emit(&mut self, piece: &Piece) {
        if let Some(emit) = &mut self.emit {
            emit(piece);
        }
    }

    /// Splits text into text and tool calls.
    fn split(&mut self, text: String) -> Piece {
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

/// Ids → text, up to a stop string.
struct TextStream {
    decoder: Option<StreamDecoder>,
    stop: StopMatcher,
    /// A stop string was found: nothing follows it.
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
