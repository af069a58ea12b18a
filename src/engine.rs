//! Joins the rooms: a checkpoint becomes an engine that answers OpenAI's requests. No arithmetic.

mod adapters;
mod answer;
mod bench;
mod ceilings;
#[cfg(not(target_arch = "wasm32"))]
mod convert;
mod embeddings;
mod estimate;
mod faster;
mod known;
mod load;
mod probe;
mod prompt;
mod rebuild;
mod request;
mod self_test;
mod stop;

pub use adapters::AdapterOptions;
pub use bench::{BenchOptions, BenchReport};
pub use ceilings::Ceilings;
#[cfg(not(target_arch = "wasm32"))]
pub use convert::Conversion;
pub use load::{DeviceChoice, LoadOptions, LoadProgress, ModelInfo, open_device};
pub use probe::probe;
pub use self_test::{Demoted, SelfTest, Verdict};

use crate::chat::ChatTemplate;
use crate::chat::tool_calls::{self, ToolCallParser};
use crate::device::{Device, Tuning};
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::{Breathe, Finish, Generator, Outcome, Request};
use crate::sampler::{logprob, top_logprobs};
use crate::tokenizer::{StreamDecoder, Tokenizer};
use crate::weights::Checkpoint;
use adapters::Adapters;
use answer::{Call, Envelope, Kind, Piece, Times, TokenLogprob, finish_reason};
use rebuild::Origin;
use request::{AdapterChoice, Fields, Options, Prompt};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use stop::StopMatcher;
use web_time::{Instant, SystemTime};

/// A loaded model, ready to answer.
pub struct Engine {
    work: Work,
    tokenizer: Option<Tokenizer>,
    /// Or why there is none.
    template: Result<Option<ChatTemplate>>,
    model: ModelInfo,
    adapters: Adapters,
    origin: Origin,
    /// Of the self-test, where there was one.
    verdict: Option<Verdict>,
    requests: u64,
    /// Seconds that the clock on the wall is ahead of UTC.
    utc_offset: i64,
}

/// What an engine's model does.
enum Work {
    Generate(Generator),
    Embed(Embedder),
}

impl Work {
    fn generator(&mut self) -> Result<&mut Generator> {
        match self {
            Work::Generate(generator) => Ok(generator),
            Work::Embed(_) => Err(Error::invalid("model", "makes embeddings; it cannot generate text")),
        }
    }

    fn device(&self) -> &Device {
        match self {
            Work::Generate(generator) => &generator.device,
            Work::Embed(embedder) => &embedder.device,
        }
    }

    fn begin_warm_up(&mut self) -> Result<()> {
        match self {
            Work::Generate(generator) => generator.begin_warm_up(),
            Work::Embed(embedder) => embedder.begin_warm_up(),
        }
    }

    async fn warm_up(&mut self) -> Result<()> {
        match self {
            Work::Generate(generator) => generator.warm_up().await,
            Work::Embed(embedder) => embedder.warm_up().await,
        }
    }

    fn interrupted(&mut self) -> &mut Rc<Cell<bool>> {
        match self {
            Work::Generate(generator) => &mut generator.interrupted,
            Work::Embed(embedder) => &mut embedder.interrupted,
        }
    }
}

/// Receives the chunk objects of a stream.
pub type OnChunk<'a> = dyn FnMut(Value) + 'a;

/// What a scored text amounts to.
#[derive(Debug, Clone, Copy)]
pub struct Perplexity {
    /// exp of the mean negative log-likelihood of the scored tokens.
    pub perplexity: f64,
    pub scored_tokens: usize,
    /// Negative log-likelihood in bits, per byte of text.
    pub bits_per_byte: f64,
}

impl Engine {
    /// Loads a checkpoint. Errors: `MODEL_FORMAT`, `MODEL_UNSUPPORTED`, `OUT_OF_MEMORY`, `WEBGPU_UNAVAILABLE`, …
    pub async fn load(
        checkpoint: Checkpoint,
        options: &LoadOptions,
        on_progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Engine> {
        load::load(checkpoint, options, on_progress).await
    }

    /// Where the visitor is: templates that tell a model the date go by it. UTC unless set.
    pub fn set_utc_offset(&mut self, seconds: i64) {
        self.utc_offset = seconds;
    }

    /// Set to end the running request soon, with `finish_reason: "abort"`.
    pub fn interrupt_handle(&self) -> Rc<Cell<bool>> {
        match &self.work {
            Work::Generate(generator) => generator.interrupted.clone(),
            Work::Embed(embedder) => embedder.interrupted.clone(),
        }
    }

    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(|| Error::Unsupported {
            what: "text".into(),
            hint: ": the model came without a tokenizer; give token ids instead".into(),
        })
    }

    /// Text → ids, with the model's own beginning-of-text rule.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer()?.encode(text, true, true)
    }

    pub fn detokenize(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer()?.decode(ids, false)
    }

    /// `completions.create`. Chunks go to `on_chunk` if the request streams; the whole answer is returned otherwise,
    /// and in a stream an object without choices.
    pub async fn complete(&mut self, request: &Value, on_chunk: &mut OnChunk<'_>, breathe: &Breathe) -> Result<Value> {
        let fields = Fields::of(request)?;
        let options = fields.options(false)?;
        let ids = match fields.prompt()? {
            Prompt::Ids(ids) => ids,
            Prompt::Text(text) => self.tokenizer()?.encode(&text, true, true)?,
        };
        let kind = Asked { kind: Kind::Completion, continues: true, calling: None };
        self.answer(kind, ids, options, on_chunk, breathe).await
    }

    /// `chat.completions.create`, likewise.
    pub async fn chat(&mut self, request: &Value, on_chunk: &mut OnChunk<'_>, breathe: &Breathe) -> Result<Value> {
        let fields = Fields::of(request)?;
        let options = fields.options(true)?;
        let prompt = self.chat_prompt(fields.messages()?, &fields)?;
        let ids = self.tokenizer()?.encode(&prompt.text, false, true)?;
        let in_thought = ToolCallParser::begins_thought(&prompt.text);
        let calling =
            (!prompt.tools.is_empty()).then_some(Calling { tools: prompt.tools, in_thought, opening: prompt.opening });
        let kind = Asked { kind: Kind::Chat, continues: prompt.continues, calling };
        self.answer(kind, ids, options, on_chunk, breathe).await
    }

    async fn answer(
        &mut self,
        asked: Asked,
        prompt: Vec<u32>,
        options: Options,
        on_chunk: &mut OnChunk<'_>,
        breathe: &Breathe,
    ) -> Result<Value> {
        self.generator()?;
        self.select_adapter(&options.adapter)?;
        self.requests += 1;
        let interrupted = self.interrupt_handle();
        interrupted.set(false);
        let started = Instant::now();
        let seed = options.sampling.seed.unwrap_or_else(random_seed);
        let kind = asked.kind;
        let envelope = Envelope {
            kind,
            id: format!("{}-{:016x}", if kind == Kind::Chat { "chatcmpl" } else { "cmpl" }, random_seed()),
            created: SystemTime::UNIX_EPOCH.elapsed().map(|d| d.as_secs()).unwrap_or(0),
            model: self.model.name.clone(),
        };
        let stop_ids = match (&self.tokenizer, options.ignore_eos) {
            (Some(tokenizer), false) => tokenizer.stop_ids().to_vec(),
            _ => Vec::new(),
        };
        let mut request = Request {
            prompt,
            begun: 0,
            max_tokens: options.max_tokens,
            min_tokens: options.min_tokens,
            stop_ids,
            sampling: options.sampling.clone(),
            seed,
            want_logits: options.logprobs.is_some(),
            recompute: !options.cache_prompt,
            ..Request::default()
        };
        let (mut choices, mut outcomes, mut times) = (Vec::new(), Vec::new(), Times::default());
        for index in 0..options.n {
            request.seed = seed.wrapping_add(index as u64);
            let mut opened = false;
            let mut emit = |piece: &Piece| {
                if !std::mem::replace(&mut opened, true) {
                    envelope.opening(index).into_iter().for_each(&mut *on_chunk);
                }
                on_chunk(envelope.piece(index, piece, options.return_token_ids, options.logprobs.is_some()));
            };
            let mut emit: Option<&mut dyn FnMut(&Piece)> = if options.stream { Some(&mut emit) } else { None };
            let (whole, outcome, took) = self.choice(&asked, &request, &options, started, &mut emit, breathe).await?;
            let finish = finish_reason(outcome.finish, !whole.calls.is_empty());
            if options.stream {
                if !opened {
                    envelope.opening(index).into_iter().for_each(&mut *on_chunk);
                }
                on_chunk(envelope.closing(index, finish));
            } else {
                let (ids, logprobs) = (options.return_token_ids, options.logprobs.is_some());
                choices.push(envelope.choice(index, &whole, Some(finish), ids, logprobs, false));
            }
            if index == 0 {
                times = took;
            }
            outcomes.push(outcome);
            if outcome.finish == Finish::Abort || interrupted.get() {
                break;
            }
        }
        let usage = answer::usage(&outcomes, times);
        if options.stream && options.include_usage {
            on_chunk(envelope.usage_chunk(usage.clone()));
        }
        Ok(envelope.whole(choices, usage))
    }

    /// One choice: generates, detokenises, matches stop strings. Gives the whole of it.
    async fn choice(
        &mut self,
        asked: &Asked,
        request: &Request,
        options: &Options,
        started: Instant,
        emit: &mut Option<&mut dyn FnMut(&Piece)>,
        breathe: &Breathe,
    ) -> Result<(Piece, Outcome, Times)> {
        let Engine { work, tokenizer, origin, adapters, .. } = self;
        let tokenizer = tokenizer.as_ref();
        let mut text = TextStream {
            decoder: tokenizer.map(|t| asked.decoder(t)),
            stop: StopMatcher::new(options.stop.clone()),
            stopped: false,
        };
        let mut calls = asked.calling.as_ref().map(Calling::parser);
        let mut n_calls = 0;
        let mut whole = Piece::default();
        let mut first_token = None;
        let mut last_token = started;
        let given = RefCell::new(Vec::new());
        let mut on_token = |sampled: crate::generate::Sampled| {
            given.borrow_mut().push(sampled.id);
            last_token = Instant::now();
            first_token.get_or_insert(last_token);
            let (shown, stopped) = text.push(sampled.id);
            let mut piece = Piece { ids: vec![sampled.id], ..parted(shown, &mut calls, &mut n_calls) };
            if let (Some(logits), Some(top)) = (sampled.logits, options.logprobs) {
                piece.logprobs.push(token_logprob(tokenizer, logits, sampled.id, top));
            }
            // A piece without text says nothing, unless ids or log-probabilities were asked for.
            if let Some(emit) = emit
                && (piece.says_something() || options.return_token_ids || options.logprobs.is_some())
            {
                emit(&piece);
            }
            whole.text.push_str(&piece.text);
            whole.calls.append(&mut piece.calls);
            whole.ids.append(&mut piece.ids);
            whole.logprobs.append(&mut piece.logprobs);
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut request = request.clone();
        let (prompt_tokens, mut vain) = (request.prompt.len(), false);
        let outcome = loop {
            match work.generator()?.generate(&request, &mut on_token, breathe).await {
                // A device that is lost twice without a token between would be lost for ever.
                Err(Error::DeviceLost { reason }) if !vain || given.borrow().len() > request.begun => {
                    origin.rebuild(reason, work, adapters).await?;
                    request.prompt.truncate(prompt_tokens);
                    request.prompt.extend_from_slice(&given.borrow());
                    (request.begun, vain) = (given.borrow().len(), true);
                }
                outcome => break outcome?,
            }
        };
        let mut piece = parted(text.finish(), &mut calls, &mut n_calls);
        piece.text.push_str(&calls.map(|mut calls| calls.finish()).unwrap_or_default());
        if piece.says_something() {
            if let Some(emit) = emit.as_mut().filter(|_| outcome.finish != Finish::Abort) {
                emit(&piece);
            }
            whole.text.push_str(&piece.text);
            whole.calls.append(&mut piece.calls);
        }
        let first = first_token.unwrap_or(last_token);
        let times = Times { first_token: (first - started).as_secs_f64(), decode: (last_token - first).as_secs_f64() };
        Ok((whole, outcome, times))
    }

    /// Logits [V] of the last position, or of every position, in order.
    pub async fn logits(
        &mut self,
        ids: &[u32],
        all: bool,
        on_row: &mut dyn FnMut(&[f32]),
        breathe: &Breathe,
    ) -> Result<()> {
        self.revive().await?;
        self.select_adapter(&AdapterChoice::Default)?;
        self.generator()?.logits(ids, all, on_row, breathe).await
    }

    /// Scores a text in windows of `window` tokens side by side; in each, every token but the first is predicted.
    pub async fn perplexity(
        &mut self,
        text: &str,
        window: usize,
        on_progress: &mut dyn FnMut(usize, usize),
        breathe: &Breathe,
    ) -> Result<Perplexity> {
        self.revive().await?;
        self.select_adapter(&AdapterChoice::Default)?;
        let window = window.min(self.generator()?.context());
        let tokenizer = self.tokenizer()?;
        let bos = tokenizer.encode("", true, false)?;
        let ids = tokenizer.encode(text, false, false)?;
        let body = window.saturating_sub(bos.len());
        if body < 2 || ids.len() < 2 {
            return Err(Error::invalid("file", "is too short to score, or the context is"));
        }
        let (mut bits, mut scored, mut bytes) = (0f64, 0usize, 0usize);
        for (i, chunk) in ids.chunks(body).enumerate() {
            let row: Vec<u32> = bos.iter().chain(chunk).copied().collect();
            let mut position = 0;
            let mut nll = 0f64;
            let mut on_row = |logits: &[f32]| {
                position += 1;
                if let Some(&next) = row.get(position) {
                    nll -= f64::from(logprob(logits, next));
                }
            };
            self.generator()?.logits(&row, true, &mut on_row, breathe).await?;
            bits += nll / std::f64::consts::LN_2;
            scored += row.len() - 1;
            // Without a first token of its own, a window cannot score the text's first token.
            let scored_ids = &chunk[usize::from(bos.is_empty())..];
            bytes += scored_ids
                .iter()
                .filter_map(|&id| self.tokenizer().ok()?.token_bytes(id))
                .map(|b| b.len())
                .sum::<usize>();
            on_progress(((i + 1) * body).min(ids.len()), ids.len());
        }
        Ok(Perplexity {
            perplexity: (bits * std::f64::consts::LN_2 / scored as f64).exp(),
            scored_tokens: scored,
            bits_per_byte: bits / bytes.max(1) as f64,
        })
    }

    /// `engine.info`: model, device, memory in bytes by kind, the variants in use.
    pub fn info(&self) -> Value {
        let device = self.work.device();
        let memory = device.memory();
        let mut by_kind = json!(memory);
        by_kind["total"] = json!(memory.total());
        json!({
            "build": env!("CRESSET_BUILD"),
            "model": self.model,
            "device": load::device_facts(device),
            "memory": by_kind,
            "adapters": self.adapters(),
            "tokenizer": self.tokenizer.as_ref().map(|t| t.info()),
            "variants": self.variants(),
        })
    }

    /// How the device computes, and what it would compute wrongly.
    fn variants(&self) -> Value {
        let mut variants = json!({ "kv": self.origin.options.kv.name() });
        if !self.work.device().is_cpu() {
            let Tuning { matvec, matmul, unpack_f16, .. } = self.work.device().tuning();
            variants["matvec"] = json!(matvec.to_string());
            variants["matmul"] = json!(matmul.to_string());
            variants["f16"] = json!(unpack_f16.to_string());
            variants["proven"] = json!(self.verdict.is_some());
        }
        if let Some(verdict) = &self.verdict {
            variants["demoted"] = json!(verdict.demoted);
        }
        variants
    }

    /// What the self-test found out, to be given to later loads; none without one.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// `engine.stats()`: what the executor has counted since loading.
    pub fn stats(&self) -> Value {
        json!({ "requests": self.requests, "rebuilds": self.origin.rebuilds, "counters": self.work.device().counters() })
    }

    pub fn model(&self) -> &ModelInfo {
        &self.model
    }

    /// The generator below the text. Error: `INVALID_REQUEST` if the model only embeds.
    pub fn generator(&mut self) -> Result<&mut Generator> {
        self.work.generator()
    }

    /// The embedder below the text. Error: `INVALID_REQUEST` if the model generates.
    pub fn embedder(&mut self) -> Result<&mut Embedder> {
        match &mut self.work {
            Work::Embed(embedder) => Ok(embedder),
            Work::Generate(_) => {
                Err(Error::invalid("model", "generates text; embeddings need a model made for them, such as a BERT"))
            }
        }
    }
}

/// Ids → text that may be shown.
/// What a request is for, beside its prompt.
struct Asked {
    kind: Kind,
    /// The answer goes on within a text.
    continues: bool,
    /// What the model was told it may call.
    calling: Option<Calling>,
}

struct Calling {
    tools: Vec<String>,
    in_thought: bool,
    /// What the prompt has of a call already.
    opening: String,
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

/// A piece's text, without the calls in it.
fn parted(text: String, calls: &mut Option<ToolCallParser>, n_calls: &mut usize) -> Piece {
    let Some(parser) = calls else { return Piece { text, ..Piece::default() } };
    let found = parser.push(&text);
    let call = |call| {
        *n_calls += 1;
        Call { index: *n_calls - 1, id: call_id(), call }
    };
    Piece { text: found.text, calls: found.calls.into_iter().map(call).collect(), ..Piece::default() }
}

/// Nine letters and digits.
fn call_id() -> String {
    let mut seed = random_seed();
    let digit = |_| {
        let digit = char::from_digit((seed % 36) as u32, 36).expect("a digit of base 36");
        seed /= 36;
        digit
    };
    (0..9).map(digit).collect()
}

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

/// A seed nobody chose.
fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // Without a source of randomness the clock must do.
        Err(_) => SystemTime::UNIX_EPOCH.elapsed().map(|d| d.as_nanos() as u64).unwrap_or(0),
    }
}

/// Natively nothing needs to breathe between tokens.
pub fn no_breathing() -> crate::weights::LocalBoxFuture<'static, ()> {
    Box::pin(std::future::ready(()))
}
