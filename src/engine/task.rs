//! A loaded model's executor: a generator of text or an embedder.

use crate::device::Device;
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::generate::Generator;
use std::cell::Cell;
use std::rc::Rc;

/// A generator of text or an embedder, by the model's architecture.
pub enum Task {
    Generate(Generator),
    Embed(Embedder),
}

impl Task {
    /// # Errors
    /// `INVALID_REQUEST` if the model only embeds.
    pub fn generator(&mut self) -> Result<&mut Generator> {
        match self {
            Task::Generate(generator) => Ok(generator),
            Task::Embed(_) => Err(Error::invalid("model", "makes embeddings; it cannot generate text")),
        }
    }

    /// # Errors
    /// `INVALID_REQUEST` if the model generates.
    pub fn embedder(&mut self) -> Result<&mut Embedder> {
        match self {
            Task::Embed(embedder) => Ok(embedder),
            Task::Generate(_) => {
                Err(Error::invalid("model", "generates text; embeddings need a model made for them, such as a BERT"))
            }
        }
    }

    pub fn device(&self) -> &Device {
        match self {
            Task::Generate(generator) => &generator.device,
            Task::Embed(embedder) => &embedder.device,
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
        }
    }

    /// Set to end the running request soon.
    pub fn interrupted(&self) -> &Rc<Cell<bool>> {
        match self {
            Task::Generate(generator) => &generator.interrupted,
            Task::Embed(embedder) => &embedder.interrupted,
        }
    }

    /// Shares the other's [`Self::interrupted`]: handles that were given out keep working.
    pub fn share_interrupt(&mut self, other: &Task) {
        let interrupted = other.interrupted().clone();
        match self {
            Task::Generate(generator) => generator.interrupted = interrupted,
            Task::Embed(embedder) => embedder.interrupted = interrupted,
        }
    }
}
