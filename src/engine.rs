//! Joins the rooms: a checkpoint becomes an engine that answers OpenAI's requests. No arithmetic.
//!
//! [`Engine`] holds the state and names the steps; the steps are in the files of `engine/`, none of which knows [`Engine`].

mod adapters;
mod answer;
mod bench;
mod chat_pictures;
mod choice;
mod estimate;
mod eyes;
mod load;
mod model;
mod perplexity;
mod probe;
mod progress;
mod random;
mod rebuild;
mod sampling;
mod see;
mod size;
mod source_rules;
mod speech_ids;
mod task;
mod transcribe;
mod words;

#[cfg(not(target_arch = "wasm32"))]
pub use crate::convert::Conversion;
pub use crate::device::never_yield;
pub use crate::select::{Ceilings, Demoted, DeviceChoice, LoadOptions, LoadProgress, SelfTest, Verdict};
pub use adapters::AdapterOptions;
pub use answer::OnChunk;
pub use bench::{BenchOptions, BenchReport, PerToken, Roofline, Speed};
pub use estimate::estimate;
pub use load::ModelInfo;
pub use perplexity::Perplexity;
pub use probe::probe;
pub use progress::{OnProgress, RequestProgress};
pub use transcribe::SpeechTask;

use crate::api::answer::AnswerKind;
use crate::api::embeddings::EmbeddingsRequest;
use crate::api::fields::Fields;
use crate::api::messages;
use crate::api::pictures::measured;
use crate::api::prompt::{ChatPrompt, chat_prompt};
use crate::api::request::{self, AdapterChoice, Prompt};
use crate::api::transcription::TranscriptionRequest;
use crate::chat::ChatTemplate;
use crate::chat::tool_calls::ToolCallParser;
use crate::device::Tuning;
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::{Generator, Media, YieldNow};
use crate::pictures::Picture;
use crate::sampler::SamplingParams;
use crate::speech::Transcriber;
use crate::tokenizer::Tokenizer;
use crate::weights::Checkpoint;
use adapters::Adapters;
use answer::answer;
use chat_pictures::ChatPictures;
use choice::{About, Calling, PreparedRequest};
use load::{Built, Loaded};
use model::Model;
use rebuild::Origin;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use task::Task;
use web_time::SystemTime;

/// A loaded model, ready to answer.
pub struct Engine {
    model: Model,
    tokenizer: Option<Tokenizer>,
    /// `None` if the model has none, `Err` if its own is broken.
    template: Result<Option<ChatTemplate>>,
    info: ModelInfo,
    /// What stands for the sampling parameters that a request leaves out.
    sampling: SamplingParams,
    /// The self-test's verdict, if it ran.
    verdict: Option<Verdict>,
    requests: u64,
    /// Seconds that the clock on the wall is ahead of UTC.
    utc_offset: i64,
    /// Is told how far requests are.
    on_progress: Rc<OnProgress>,
}

/// Loading, and what is known afterwards.
impl Engine {
    /// Loads a checkpoint.
    ///
    /// # Errors
    /// `MODEL_FORMAT`, `MODEL_UNSUPPORTED`, `OUT_OF_MEMORY`, `WEBGPU_UNAVAILABLE`, `INVALID_REQUEST` for options that the
    /// model does not allow, and those of reading the files.
    pub async fn load(
        checkpoint: Checkpoint,
        options: &LoadOptions,
        on_progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Engine> {
        let Loaded { built, tokenizer, template, info, sampling } =
            load::load(&checkpoint, options, on_progress).await?;
        let Built { task, eyes, targets, verdict, most_context } = built;
        let mut options = options.clone();
        options.self_test.known.extend(verdict.clone());
        let origin = Origin::new(checkpoint.files(), options);
        let model = Model { task, eyes, adapters: Adapters::new(targets), origin, most_context };
        Ok(Engine {
            model,
            tokenizer,
            template,
            info,
            sampling,
            verdict,
            requests: 0,
            utc_offset: 0,
            on_progress: Rc::new(|_| ()),
        })
    }

    /// Sets the visitor's time zone, which templates use to tell a model the date. UTC unless set.
    pub fn set_utc_offset(&mut self, seconds: i64) {
        self.utc_offset = seconds;
    }

    /// From the next request on, this is told how far they are.
    pub fn set_on_progress(&mut self, on_progress: Rc<OnProgress>) {
        self.on_progress = on_progress;
    }

    /// Set to end the running request soon, with `finish_reason: "abort"`.
    pub fn interrupt_handle(&self) -> Rc<Cell<bool>> {
        self.model.task.interrupted().clone()
    }

    /// `engine.info`: model, device, memory in bytes by kind, the variants in use.
    pub fn info(&self) -> Value {
        let device = self.model.task.device();
        let memory = device.memory();
        let mut by_kind = json!(memory);
        by_kind["total"] = json!(memory.total());
        let mut model = json!(self.info);
        if let Task::Generate(generator) = &self.model.task {
            let context = generator.context();
            model["contextLength"] = json!(context);
            model["contextLimit"] = json!(context.max(self.model.most_context));
        }
        if let Some(eyes) = &self.model.eyes {
            model["vision"] = json!({ "tokens": eyes.model().output()[0] });
        }
        json!({
            "build": env!("CRESSET_BUILD"),
            "model": model,
            "sampling": matches!(self.model.task, Task::Generate(_)).then(|| sampling::shown(&self.sampling)),
            "device": load::device_facts(device),
            "memory": by_kind,
            "adapters": self.adapters(),
            "tokenizer": self.tokenizer.as_ref().map(|t| t.info()),
            "variants": self.variants(),
        })
    }

    /// The kernel variants in use, and those that the self-test rejected.
    fn variants(&self) -> Value {
        let mut variants = json!({ "kv": self.model.origin.options.kv.name() });
        let device = self.model.task.device();
        if !device.is_cpu() {
            let Tuning { matvec, matmul, unpack_f16, .. } = device.tuning();
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

    /// The self-test's verdict, to be given to later loads; `None` if it did not run.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// `engine.stats()`: what the executor has counted since loading.
    pub fn stats(&self) -> Value {
        let Model { task, origin, .. } = &self.model;
        json!({ "requests": self.requests, "rebuilds": origin.rebuilds, "counters": task.device().counters() })
    }

    /// The model's name, sizes and format.
    pub fn model(&self) -> &ModelInfo {
        &self.info
    }

    /// The generator below the text.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the model only embeds.
    pub fn generator(&mut self) -> Result<&mut Generator> {
        self.model.task.generator()
    }

    /// The embedder below the text.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the model generates.
    pub fn embedder(&mut self) -> Result<&mut Embedder> {
        self.model.task.embedder()
    }

    /// The transcriber below the text.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the model knows texts only.
    pub fn transcriber(&mut self) -> Result<&mut Transcriber> {
        self.model.task.transcriber()
    }
}

/// Texts and ids.
impl Engine {
    /// The model's tokenizer.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` if the model came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.tokenizer.as_ref().ok_or_else(no_tokenizer)
    }

    /// Text → ids, with the model's own beginning-of-text rule.
    ///
    /// # Errors
    /// Errors of [`Self::tokenizer`] and of the tokenizer.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer()?.encode(text, true, true)
    }

    /// Ids → text.
    ///
    /// # Errors
    /// Errors of [`Self::tokenizer`], and `INVALID_REQUEST` for an id that it does not know.
    pub fn detokenize(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer()?.decode(ids, false)
    }

    /// Messages → the prompt text the model was taught, with the tokens of each picture, of which parts
    /// `{ "type": "image_url", "image_url": { "width": w, "height": h } }` say the size. `options` has the fields of a chat request that
    /// matter here.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, also for pictures where the model sees none, and errors of [`chat_prompt`].
    pub fn apply_chat_template(&self, messages: &[Value], options: &Value) -> Result<String> {
        let fields = Fields::of_options(options)?;
        messages::check(messages)?;
        let (messages, sizes) = measured(messages)?;
        let eyes = self.model.eyes.as_ref();
        let grids = chat_pictures::grids(&sizes, eyes)?;
        let prompt = self.chat_prompt(&messages, &fields)?;
        let text = chat_pictures::written(prompt.text, &grids, eyes)?;
        Ok(Tokenizer::unquoted(&text))
    }

    fn chat_prompt(&self, messages: &[Value], fields: &Fields) -> Result<ChatPrompt> {
        let picture = chat_pictures::text_of(self.model.eyes.as_ref()).marker;
        chat_prompt(messages, fields, &self.template, self.tokenizer.as_ref(), self.now(), picture)
    }

    /// Seconds since 1970 by the clock on the wall.
    fn now(&self) -> Option<i64> {
        let seconds = SystemTime::UNIX_EPOCH.elapsed().ok()?.as_secs();
        i64::try_from(seconds).ok()?.checked_add(self.utc_offset)
    }
}

/// Answers. After an error the engine stays usable.
impl Engine {
    /// `completions.create`. Chunks go to `on_chunk` if the request streams; the whole answer is returned otherwise,
    /// and in a stream an object without choices.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, `OUT_OF_MEMORY`, `DEVICE_LOST`.
    pub async fn complete(
        &mut self,
        request: &Value,
        on_chunk: &mut OnChunk<'_>,
        yield_now: &YieldNow,
    ) -> Result<Value> {
        self.complete_with(request, &[], on_chunk, yield_now).await
    }

    /// As [`Self::complete`], with pictures: in place of the markers that the prompt has for them, else before it.
    ///
    /// # Errors
    /// Those of [`Self::complete`]; `INVALID_REQUEST` also for pictures where the model sees none.
    pub async fn complete_with(
        &mut self,
        request: &Value,
        pictures: &[Picture],
        on_chunk: &mut OnChunk<'_>,
        yield_now: &YieldNow,
    ) -> Result<Value> {
        let rules = self.generator()?.source_rules().cloned();
        let fields = Fields::of(request)?;
        let options = request::options(&fields, false, &self.sampling)?;
        let (prompt, media) = match request::prompt(&fields)? {
            Prompt::Ids(_) if !pictures.is_empty() => {
                return Err(Error::invalid("prompt", "must be a text where there are pictures"));
            }
            Prompt::Ids(ids) => (ids, Vec::new()),
            Prompt::Text(text) if pictures.is_empty() => (self.tokenizer()?.encode(&text, true, true)?, Vec::new()),
            Prompt::Text(text) => {
                let eyes = self.model.eyes.as_ref();
                let seen = ChatPictures::all(pictures, eyes)?;
                let text = chat_pictures::with_markers(text, pictures.len(), chat_pictures::text_of(eyes));
                let text = seen.write(text, eyes)?;
                self.see(seen, &text, true, yield_now).await?
            }
        };
        let (kind, continues) = (AnswerKind::Completion, rules.is_none());
        let source = About::of(rules, &options)?;
        let prepared = PreparedRequest { kind, prompt, media, source, options, continues, calling: None };
        self.answer(prepared, on_chunk, yield_now).await
    }

    /// `chat.completions.create`, likewise.
    ///
    /// # Errors
    /// Errors of [`Self::complete`] and of [`chat_prompt`].
    pub async fn chat(&mut self, request: &Value, on_chunk: &mut OnChunk<'_>, yield_now: &YieldNow) -> Result<Value> {
        self.chat_with(request, &[], on_chunk, yield_now).await
    }

    /// As [`Self::chat`], with the pictures that parts `{ "type": "image_url", "image_url": { "picture": n } }` mean.
    ///
    /// # Errors
    /// Those of [`Self::chat`]; `INVALID_REQUEST` also for pictures where the model sees none.
    pub async fn chat_with(
        &mut self,
        request: &Value,
        pictures: &[Picture],
        on_chunk: &mut OnChunk<'_>,
        yield_now: &YieldNow,
    ) -> Result<Value> {
        let rules = self.generator()?.source_rules().cloned();
        let fields = Fields::of(request)?;
        let options = request::options(&fields, true, &self.sampling)?;
        let mut source = About::of(rules, &options)?;
        let mut messages = messages::messages(&fields)?;
        if let (Some(about), Some((before, begun))) = (&mut source, source_rules::begun(messages, &fields)?) {
            about.rules.opening.extend(self.tokenizer()?.encode(begun, false, false)?);
            messages = before;
        }
        let seen = ChatPictures::take(messages, pictures, self.model.eyes.as_ref())?;
        let mut prompt = self.chat_prompt(&seen.messages, &fields)?;
        prompt.text = seen.write(prompt.text, self.model.eyes.as_ref())?;
        // An encoder's text ends as its files say; a template has written what a chat's begins with.
        let (ids, media) = self.see(seen, &prompt.text, source.is_some(), yield_now).await?;
        let in_thought = ToolCallParser::begins_thought(&prompt.text);
        let calling =
            (!prompt.tools.is_empty()).then_some(Calling { tools: prompt.tools, in_thought, opening: prompt.opening });
        let prepared = PreparedRequest {
            kind: AnswerKind::Chat,
            prompt: ids,
            media,
            source,
            options,
            continues: prompt.continues,
            calling,
        };
        self.answer(prepared, on_chunk, yield_now).await
    }

    /// A prompt's ids, and the embeddings of the pictures among them.
    async fn see(
        &mut self,
        seen: ChatPictures,
        prompt: &str,
        add_special: bool,
        yield_now: &YieldNow,
    ) -> Result<(Vec<u32>, Vec<Media>)> {
        let (ids, places) = seen.encode(self.tokenizer()?, prompt, add_special)?;
        let media = seen.see(&mut self.model, ids.len(), &places, yield_now).await?;
        Ok((ids, media))
    }

    async fn answer(
        &mut self,
        prepared: PreparedRequest,
        on_chunk: &mut OnChunk<'_>,
        yield_now: &YieldNow,
    ) -> Result<Value> {
        self.generator()?;
        self.model.select_adapter(&prepared.options.adapter)?;
        self.requests += 1;
        let tokenizer = self.tokenizer.as_ref();
        answer(&mut self.model, tokenizer, &self.info.name, &prepared, on_chunk, &*self.on_progress, yield_now).await
    }

    /// `embeddings.create`: texts or ids → OpenAI's list of vectors.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW` (unless `truncate_prompt_tokens` is given), `ABORTED`, `DEVICE_LOST`.
    pub async fn embed(&mut self, request: &Value, yield_now: &YieldNow) -> Result<Value> {
        self.embed_with(request, &[], yield_now).await
    }

    /// As [`Self::embed`], with the pictures that inputs `{ "image": n }` mean.
    ///
    /// # Errors
    /// Those of [`Self::embed`].
    pub async fn embed_with(&mut self, request: &Value, pictures: &[Picture], yield_now: &YieldNow) -> Result<Value> {
        let fields = Fields::of(request)?;
        if matches!(self.model.task, Task::See(_)) {
            self.requests += 1;
            return see::see(&mut self.model, &self.info.name, &fields, pictures, yield_now).await;
        }
        let (context, model) = (self.embedder()?.context(), self.embedder()?.model());
        let wanted = EmbeddingsRequest::parse(&fields, context, model.shape.d_model, model.pooling)?;
        let encode = |text: &str| self.tokenizer()?.encode(text, true, true);
        let sequences = wanted.inputs(&fields, &encode)?;

        self.interrupt_handle().set(false);
        self.requests += 1;
        let tokens = sequences.iter().map(Vec::len).sum();
        let vectors = match self.embedder()?.embed(&sequences, wanted.how, yield_now).await {
            Err(Error::DeviceLost { reason }) => {
                self.model.rebuild(reason).await?;
                self.embedder()?.embed(&sequences, wanted.how, yield_now).await?
            }
            vectors => vectors?,
        };
        Ok(wanted.answer(vectors, &self.info.name, tokens))
    }

    /// `audio.transcriptions.create` and `audio.translations.create`: what is said in `sound`, samples of one channel, 16,000 a
    /// second. An object, or a string where the request wants plain text or subtitles. Where it streams, passages go to
    /// `on_chunk` as they are settled, and the last event is returned.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, also for models that know texts only; `ABORTED`, `OUT_OF_MEMORY`, `DEVICE_LOST`.
    pub async fn transcribe(
        &mut self,
        request: &Value,
        task: SpeechTask,
        sound: &[f32],
        on_chunk: &mut OnChunk<'_>,
        yield_now: &YieldNow,
    ) -> Result<Value> {
        self.transcriber()?;
        let wanted = TranscriptionRequest::parse(&Fields::of(request)?)?;
        self.requests += 1;
        let tokenizer = self.tokenizer.as_ref().ok_or_else(no_tokenizer)?;
        let wanted = (&wanted, task);
        transcribe::transcribe(&mut self.model, tokenizer, wanted, sound, on_chunk, &*self.on_progress, yield_now).await
    }
}

/// Measurements.
impl Engine {
    /// Logits [V] of the last position, or of every position, in order.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, `DEVICE_LOST`.
    pub async fn logits(
        &mut self,
        ids: &[u32],
        all: bool,
        on_row: &mut dyn FnMut(&[f32]),
        yield_now: &YieldNow,
    ) -> Result<()> {
        self.model.revive().await?;
        self.model.select_adapter(&AdapterChoice::Default)?;
        self.scored()?.logits(ids, all, on_row, yield_now).await
    }

    /// The generator, where logits depend on the ids before them and on nothing else.
    fn scored(&mut self) -> Result<&mut Generator> {
        match self.generator()?.source_rules() {
            Some(_) => {
                Err(Error::invalid("model", "writes about a text that an encoder reads; a text alone has no score"))
            }
            None => self.generator(),
        }
    }

    /// Scores a text in windows of `window` tokens side by side; in each, every token but the first is predicted.
    ///
    /// # Errors
    /// Errors of [`perplexity::perplexity`].
    pub async fn perplexity(
        &mut self,
        text: &str,
        window: usize,
        on_progress: &mut dyn FnMut(usize, usize),
        yield_now: &YieldNow,
    ) -> Result<Perplexity> {
        self.model.revive().await?;
        self.model.select_adapter(&AdapterChoice::Default)?;
        self.scored()?;
        let generator = self.model.task.generator()?;
        let tokenizer = self.tokenizer.as_ref().ok_or_else(no_tokenizer)?;
        perplexity::perplexity(generator, tokenizer, (text, window), on_progress, yield_now).await
    }

    /// Measures greedy generation.
    ///
    /// # Errors
    /// Errors of [`bench::bench`].
    pub async fn bench(&mut self, options: &BenchOptions, yield_now: &YieldNow) -> Result<BenchReport> {
        self.model.revive().await?;
        self.interrupt_handle().set(false);
        bench::bench(self.model.task.generator()?, &self.info, options, yield_now).await
    }
}

/// LoRA adapters.
impl Engine {
    /// `engine.adapters.load`: a LoRA adapter beside the model, under a name of the caller's.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a name that is taken; otherwise those of [`crate::lora::load`]. The engine stays usable.
    pub async fn load_adapter(&mut self, name: &str, checkpoint: &Checkpoint, options: &AdapterOptions) -> Result<()> {
        self.model.adapters.check_new(name)?;
        self.model.revive().await?;
        let Model { task, adapters, .. } = &mut self.model;
        adapters.load(name, checkpoint, options, task.generator()?).await
    }

    /// `engine.adapters.unload`: gives its memory back.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if there is none of that name.
    pub fn unload_adapter(&mut self, name: &str) -> Result<()> {
        let id = self.model.adapters.remove(name)?;
        self.generator()?.remove_adapter(id);
        Ok(())
    }

    /// `engine.adapters.list`: `[{ name, rank, bytes, default }]`.
    pub fn adapters(&self) -> Value {
        match &self.model.task {
            Task::Generate(generator) => self.model.adapters.list(generator),
            Task::Embed(_) | Task::Transcribe(_) | Task::See(_) => json!([]),
        }
    }
}

fn no_tokenizer() -> Error {
    Error::Unsupported {
        what: "text".into(),
        hint: ": the model came without a tokenizer; give token ids instead".into(),
    }
}
