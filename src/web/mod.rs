//! The engine as a page's worker sees it. Requests and answers are OpenAI's objects as JSON text; errors are thrown as
//! `{ code, message, details }`. With `device/web.rs`, the only place that knows `JsValue`.
#![allow(clippy::await_holding_refcell_ref, reason = "whoever asks meanwhile is told that the engine is busy")]

mod logger;
mod source;
#[cfg(feature = "threads")]
mod threads;

use crate::device::set_heartbeat;
use crate::engine::{self, AdapterOptions, BenchOptions, LoadOptions, SpeechTask};
use crate::error::{Error, Result};
use crate::pictures::Picture;
use crate::weights::{Checkpoint, Files, LocalBoxFuture};
use js_sys::{Array, Function, Reflect, Uint8ClampedArray};
use serde::Serialize;
use serde_json::Value;
use source::JsSource;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/web/yield_now.js")]
extern "C" {
    #[wasm_bindgen(js_name = yieldNow, catch)]
    async fn yield_now() -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/web/sign_of_life.js")]
extern "C" {
    #[wasm_bindgen(js_name = signOfLife)]
    fn sign_of_life();
}

/// Runs when the module is instantiated: what is logged, and what panics say, goes to the console.
#[wasm_bindgen(start)]
pub fn start() {
    logger::start();
    set_heartbeat(sign_of_life);
    #[cfg(not(feature = "threads"))]
    console_error_panic_hook::set_once();
    #[cfg(feature = "threads")]
    threads::set_panic_hook();
}

/// The version of this build.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_string()
}

/// An error as JavaScript catches it: `{ code, message, details }`.
fn thrown(error: Error) -> JsValue {
    js_sys::JSON::parse(&error.to_json().to_string()).expect("what has been written as JSON")
}

fn parse(json: &str, what: &'static str) -> Result<Value> {
    if json.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(json).map_err(|e| Error::invalid(what, format!("is no JSON: {e}")))
}

fn files(list: &Array) -> Result<Files> {
    let sources: Result<Vec<_>> = list.iter().map(|file| Ok(Box::new(JsSource::new(file)?) as Box<_>)).collect();
    Ok(Files::new(sources?))
}

/// The event loop's turn: messages (an interrupt, say) are handled between tokens.
fn yield_to_events() -> LocalBoxFuture<'static, ()> {
    Box::pin(async {
        // It resolves always.
        let _ = yield_now().await;
    })
}

/// Reads a model's headers and says whether it fits; JSON.
///
/// # Errors
/// Those of [`crate::engine::probe`], and `INVALID_REQUEST` for options that are none.
#[wasm_bindgen]
pub async fn probe(list: Array, options: String) -> Result<String, JsValue> {
    let run = async {
        let options = LoadOptions::parse(&parse(&options, "options")?)?;
        let checkpoint = Checkpoint::open(files(&list)?).await?;
        Ok(engine::probe(&checkpoint, &options).await?.to_string())
    };
    run.await.map_err(thrown)
}

/// Estimates memory and speed of a catalogue's models: takes `{ models, measured }` as JSON and gives the answer as
/// JSON.
///
/// # Errors
/// Those of [`crate::engine::estimate`], and `INVALID_REQUEST` for options that are none.
#[wasm_bindgen]
pub async fn estimate(request: String, options: String) -> Result<String, JsValue> {
    let run = async {
        let options = LoadOptions::parse(&parse(&options, "options")?)?;
        Ok(engine::estimate(&parse(&request, "models")?, &options).await?.to_string())
    };
    run.await.map_err(thrown)
}

/// The kinds of request that stream.
enum Asked {
    Completion,
    Chat(Vec<Picture>),
    /// Samples of one channel, 16,000 a second.
    Recording(SpeechTask, Vec<f32>),
}

/// A loaded model. One request at a time; `interrupt`, `info` and `stats` answer while one runs.
#[wasm_bindgen]
pub struct Engine {
    engine: Rc<RefCell<engine::Engine>>,
    interrupted: Rc<Cell<bool>>,
    /// The last `info` and `stats`, for when a request holds the engine.
    snapshot: Rc<RefCell<(String, String)>>,
}

#[wasm_bindgen]
impl Engine {
    /// `files`: `[{ name, size, read(offset, length) → Promise<Uint8Array> }]`.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::load`].
    pub async fn load(list: Array, options: String, on_progress: Function) -> Result<Engine, JsValue> {
        let run = async {
            let options = LoadOptions::parse(&parse(&options, "options")?)?;
            let checkpoint = Checkpoint::open(files(&list)?).await?;
            let mut report = |progress| tell(Some(&on_progress), &progress);
            let mut engine = engine::Engine::load(checkpoint, &options, &mut report).await?;
            engine.set_utc_offset(-60 * js_sys::Date::new_0().get_timezone_offset() as i64);
            let interrupted = engine.interrupt_handle();
            let snapshot = (engine.info().to_string(), engine.stats().to_string());
            Ok(Engine { engine: Rc::new(RefCell::new(engine)), interrupted, snapshot: Rc::new(RefCell::new(snapshot)) })
        };
        run.await.map_err(thrown)
    }

    /// `completions.create`; a request as JSON, its answer as JSON, in a stream the object without choices that ends it.
    /// `on_chunk` gets each chunk of a stream as JSON, `on_progress` `{ status, loaded, total }` while the prompt is read.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::complete`]; `INTERNAL` while a request runs.
    pub async fn completion(
        &self,
        request: String,
        on_chunk: Function,
        on_progress: Option<Function>,
    ) -> Result<String, JsValue> {
        self.request(Asked::Completion, request, on_chunk, on_progress).await.map_err(thrown)
    }

    /// `chat.completions.create`, likewise. `pictures`: `[{ width, height, data }]`, 4 bytes a pixel, which parts
    /// `{ "image_url": { "picture": n } }` mean.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::chat_with`]; `INTERNAL` while a request runs.
    pub async fn chat(
        &self,
        request: String,
        pictures: Option<Array>,
        on_chunk: Function,
        on_progress: Option<Function>,
    ) -> Result<String, JsValue> {
        let pictures = read_pictures(pictures.as_ref()).map_err(thrown)?;
        self.request(Asked::Chat(pictures), request, on_chunk, on_progress).await.map_err(thrown)
    }

    async fn request(
        &self,
        asked: Asked,
        request: String,
        on_chunk: Function,
        on_progress: Option<Function>,
    ) -> Result<String> {
        let request = parse(&request, "request")?;
        let mut emit = |chunk: Value| {
            // A listener's own exception is its own affair.
            let _ = on_chunk.call1(&JsValue::NULL, &chunk.to_string().into());
        };
        let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
        engine.set_on_progress(Rc::new(move |progress| tell(on_progress.as_ref(), &progress)));
        let answer = match asked {
            Asked::Completion => engine.complete(&request, &mut emit, &yield_to_events).await,
            Asked::Chat(pictures) => engine.chat_with(&request, &pictures, &mut emit, &yield_to_events).await,
            Asked::Recording(task, sound) => {
                engine.transcribe(&request, task, &sound, &mut emit, &yield_to_events).await
            }
        };
        *self.snapshot.borrow_mut() = (engine.info().to_string(), engine.stats().to_string());
        Ok(answer?.to_string())
    }

    /// `audio.transcriptions.create`, or with `translate` `audio.translations.create`; a request as JSON, `sound` with 16,000
    /// samples a second, the answer as JSON. `on_chunk` gets each event of a stream as JSON, `on_progress`
    /// `{ status, loaded, total }` as the recording is heard.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::transcribe`]; `INTERNAL` while a request runs.
    pub async fn recording(
        &self,
        request: String,
        sound: Vec<f32>,
        translate: bool,
        on_chunk: Function,
        on_progress: Option<Function>,
    ) -> Result<String, JsValue> {
        let task = if translate { SpeechTask::Translate } else { SpeechTask::Transcribe };
        self.request(Asked::Recording(task, sound), request, on_chunk, on_progress).await.map_err(thrown)
    }

    /// Vectors of texts, or of `pictures` as for [`Self::chat`], which inputs `{ "image": n }` mean; an OpenAI request as JSON, its
    /// answer as JSON.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::embed_with`]; `INTERNAL` while a request runs.
    pub async fn embeddings(&self, request: String, pictures: Option<Array>) -> Result<String, JsValue> {
        let run = async {
            let (request, pictures) = (parse(&request, "request")?, read_pictures(pictures.as_ref())?);
            let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
            let answer = engine.embed_with(&request, &pictures, &yield_to_events).await;
            *self.snapshot.borrow_mut() = (engine.info().to_string(), engine.stats().to_string());
            Ok(answer?.to_string())
        };
        run.await.map_err(thrown)
    }

    /// Logits of the last position of `ids`, or of every position one after the other.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::logits`]; `INTERNAL` while a request runs.
    pub async fn logits(&self, ids: Vec<u32>, all: bool) -> Result<Vec<f32>, JsValue> {
        let run = async {
            let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
            let mut rows = Vec::new();
            engine.logits(&ids, all, &mut |row| rows.extend_from_slice(row), &yield_to_events).await?;
            Ok(rows)
        };
        run.await.map_err(thrown)
    }

    /// Measures generation; options and report are JSON.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::bench`]; `INTERNAL` while a request runs.
    pub async fn bench(&self, options: String) -> Result<String, JsValue> {
        let run = async {
            let options = BenchOptions::parse(&parse(&options, "options")?)?;
            let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
            let report = engine.bench(&options, &yield_to_events).await?;
            Ok(serde_json::to_string(&report).expect("plain data"))
        };
        run.await.map_err(thrown)
    }

    /// A LoRA adapter under a name, from files as for `load`.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::load_adapter`] and of reading the files; `INTERNAL` while a request runs.
    #[wasm_bindgen(js_name = loadAdapter)]
    pub async fn load_adapter(&self, name: String, list: Array, options: String) -> Result<(), JsValue> {
        let run = async {
            let options = AdapterOptions::parse(&parse(&options, "options")?)?;
            let checkpoint = Checkpoint::open(files(&list)?).await?;
            let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
            engine.load_adapter(&name, &checkpoint, &options).await
        };
        run.await.map_err(thrown)
    }

    /// Gives an adapter's memory back.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::unload_adapter`]; `INTERNAL` while a request runs.
    #[wasm_bindgen(js_name = unloadAdapter)]
    pub fn unload_adapter(&self, name: &str) -> Result<(), JsValue> {
        self.engine.try_borrow_mut().map_err(|_| thrown(busy()))?.unload_adapter(name).map_err(thrown)
    }

    /// The loaded adapters; JSON.
    ///
    /// # Errors
    /// `INTERNAL` while a request runs.
    pub fn adapters(&self) -> Result<String, JsValue> {
        Ok(self.engine.try_borrow().map_err(|_| thrown(busy()))?.adapters().to_string())
    }

    /// Text → ids, with the model's own beginning-of-text rule.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::tokenize`]; `INTERNAL` while a request runs.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, JsValue> {
        self.engine.try_borrow().map_err(|_| thrown(busy()))?.tokenize(text).map_err(thrown)
    }

    /// Ids → text.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::detokenize`]; `INTERNAL` while a request runs.
    pub fn detokenize(&self, ids: Vec<u32>) -> Result<String, JsValue> {
        self.engine.try_borrow().map_err(|_| thrown(busy()))?.detokenize(&ids).map_err(thrown)
    }

    /// A list of messages → the prompt text that the model was taught, with the tokens of pictures whose parts are
    /// `{ "image_url": { "width": w, "height": h } }`; both arguments are JSON, `options` with the fields of a chat request.
    ///
    /// # Errors
    /// Those of [`crate::engine::Engine::apply_chat_template`], and `INVALID_REQUEST` for arguments that are no JSON;
    /// `INTERNAL` while a request runs.
    #[wasm_bindgen(js_name = applyChatTemplate)]
    pub fn apply_chat_template(&self, messages: &str, options: &str) -> Result<String, JsValue> {
        let run = || {
            let messages = parse(messages, "messages")?;
            let list = messages.as_array().ok_or_else(|| Error::invalid("messages", "must be a list"))?;
            let engine = self.engine.try_borrow().map_err(|_| busy())?;
            engine.apply_chat_template(list, &parse(options, "options")?)
        };
        run().map_err(thrown)
    }

    /// Model, device, memory in bytes by kind, the variants in use; JSON. While a request runs, as of before it.
    pub fn info(&self) -> String {
        match self.engine.try_borrow() {
            Ok(engine) => engine.info().to_string(),
            Err(_) => self.snapshot.borrow().0.clone(),
        }
    }

    /// The executor's counters since loading, as JSON. While a request runs: as they were before it.
    pub fn stats(&self) -> String {
        match self.engine.try_borrow() {
            Ok(engine) => engine.stats().to_string(),
            Err(_) => self.snapshot.borrow().1.clone(),
        }
    }

    /// The self-test's verdict, for the `verdicts` of later loads, as JSON; empty without one.
    pub fn verdict(&self) -> String {
        let engine = self.engine.try_borrow();
        let verdict = engine.as_ref().ok().and_then(|engine| engine.verdict());
        verdict.map(|verdict| serde_json::to_string(verdict).expect("plain data")).unwrap_or_default()
    }

    /// Ends the running request soon, with `finish_reason: "abort"`.
    pub fn interrupt(&self) {
        self.interrupted.set(true);
    }
}

/// Pictures as a canvas gives them: `{ width, height, data }`, 4 bytes a pixel.
fn read_pictures(list: Option<&Array>) -> Result<Vec<Picture>> {
    let picture = |picture: JsValue| {
        let field = |name: &str| Reflect::get(&picture, &name.into()).unwrap_or_default();
        let pixels = |name: &str| field(name).as_f64().unwrap_or_default() as usize;
        Picture::from_rgba(pixels("width"), pixels("height"), &Uint8ClampedArray::new(&field("data")).to_vec())
    };
    list.into_iter().flat_map(|list| list.iter()).map(picture).collect()
}

/// Calls a listener, if there is one, with what serde makes of `progress`.
fn tell(listener: Option<&Function>, progress: &impl Serialize) {
    let Some(listener) = listener else { return };
    let text = serde_json::to_string(progress).expect("plain data");
    // A listener's own exception is its own affair.
    let _ = listener.call1(&JsValue::NULL, &js_sys::JSON::parse(&text).unwrap_or_default());
}

/// The worker queues requests; a second one at the same time is a mistake there.
fn busy() -> Error {
    Error::Internal("a request came while another one ran".into())
}
