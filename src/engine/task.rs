//! A loaded model's executor: what generates text, embeds texts or pictures, or transcribes.

use crate::device::Device;
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::speech::Transcriber;
use crate::viewer::Viewer;
use std::cell::Cell;
use std::rc::Rc;

/// Why a speech model does nothing else.
const TRANSCRIBES: &str = "writes down what is said in recordings; texts need a language model";
/// Why an encoder of pictures does nothing else.
const SEES: &str = "makes vectors of pictures, and knows no text; give it { image } as input of embeddings";

/// By the model's architecture.
pub enum Task {
    Generate(Generator),
    Embed(Embedder),
    Transcribe(Box<Transcriber>),
    See(Box<See>),
}

/// An encoder of pictures, and the device that it is on.
pub struct See {
    pub device: Device,
    pub viewer: Viewer,
}

impl Task {
    /// # Errors
    /// `INVALID_REQUEST` if the model embeds or transcribes.
    pub fn generator(&mut self) -> Result<&mut Generator> {
        match self {
            Task::Generate(generator) => Ok(generator),
            Task::Embed(_) => Err(Error::invalid("model", "makes embeddings; it cannot generate text")),
            Task::Transcribe(_) => Err(Error::invalid("model", TRANSCRIBES)),
            Task::See(_) => Err(Error::invalid("model", SEES)),
        }
    }

    /// # Errors
    /// `INVALID_REQUEST` if the model does not transcribe.
    pub fn transcriber(&mut self) -> Result<&mut Transcriber> {
        match self {
            Task::Transcribe(transcriber) => Ok(transcriber),
            Task::Generate(_) | Task::Embed(_) | Task::See(_) => {
                Err(Error::invalid("model", "hears nothing; recordings need a speech model, such as Whisper"))
            }
        }
    }

    /// # Errors
    /// `INVALID_REQUEST` if the model generates or transcribes.
    pub fn embedder(&mut self) -> Result<&mut Embedder> {
        match self {
            Task::Embed(embedder) => Ok(embedder),
            Task::Generate(_) => {
                Err(Error::invalid("model", "generates text; embeddings need a model made for them, such as a BERT"))
            }
            Task::Transcribe(_) => Err(Error::invalid("model", TRANSCRIBES)),
            Task::See(_) => Err(Error::invalid("model", SEES)),
        }
    }

    /// # Errors
    /// `INVALID_REQUEST` if the model makes no vectors of pictures.
    pub fn see(&mut self) -> Result<&mut See> {
        match self {
            Task::See(see) => Ok(see),
            Task::Generate(_) | Task::Embed(_) | Task::Transcribe(_) => Err(Error::invalid(
                "model",
                "makes no vectors of pictures; they need an encoder of them, such as DINOv2",
            )),
        }
    }

    pub fn device(&self) -> &Device {
        match self {
            Task::Generate(generator) => &generator.device,
            Task::Embed(embedder) => &embedder.device,
            Task::Transcribe(transcriber) => &transcriber.device,
            Task::See(see) => &see.device,
        }
    }

    /// Begins to compile what the first requests need; that cannot run before [`Self::warm_up`].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn begin_warm_up(&mut self) -> Result<()> {
        match self {
            Task::Generate(generator) => generator.begin_warm_up(),
            Task::Embed(embedder) => embedder.begin_warm_up(),
            Task::Transcribe(transcriber) => transcriber.begin_warm_up(),
            Task::See(see) => see.viewer.begin_warm_up(&mut see.device),
        }
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// `DEVICE_LOST`, and those of compiling.
    pub async fn warm_up(&mut self) -> Result<()> {
        match self {
            Task::Generate(generator) => generator.warm_up().await,
            Task::Embed(embedder) => embedder.warm_up().await,
            Task::Transcribe(transcriber) => transcriber.warm_up().await,
            Task::See(see) => see.viewer.warm_up(&see.device).await,
        }
    }

    /// Set to end the running request soon.
    pub fn interrupted(&self) -> &Rc<Cell<bool>> {
        match self {
            Task::Generate(generator) => &generator.interrupted,
            Task::Embed(embedder) => &embedder.interrupted,
            Task::Transcribe(transcriber) => &transcriber.interrupted,
            Task::See(see) => &see.viewer.interrupted,
        }
    }

    /// Shares the other's [`Self::interrupted`]: handles that were given out keep working.
    pub fn share_interrupt(&mut self, other: &Task) {
        let interrupted = other.interrupted().clone();
        match self {
            Task::Generate(generator) => generator.interrupted = interrupted,
            Task::Embed(embedder) => embedder.interrupted = interrupted,
            Task::Transcribe(transcriber) => transcriber.interrupted = interrupted,
            Task::See(see) => see.viewer.interrupted = interrupted,
        }
    }
}
