//! What an architecture's file hands to the registry.

use super::decoder::Transformer;
use super::encoder::Encoder;
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::weights::LocalBoxFuture;

/// Reads an architecture's weights onto the device.
pub enum Load {
    Decoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Transformer>>),
    Encoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Encoder>>),
}

/// A model whose weights are on the device: one that generates, or one that embeds.
pub enum Model {
    Decoder(Box<Transformer>),
    Encoder(Encoder),
}

impl Model {
    pub fn shape(&self) -> &Shape {
        match self {
            Model::Decoder(decoder) => &decoder.shape,
            Model::Encoder(encoder) => &encoder.shape,
        }
    }
}

impl Architecture {
    pub async fn load(&self, loader: &mut Loader<'_>) -> Result<Model> {
        Ok(match self.load {
            Load::Decoder(load) => Model::Decoder(Box::new(load(loader).await?)),
            Load::Encoder(load) => Model::Encoder(load(loader).await?),
        })
    }

    /// Whether it makes vectors of texts instead of continuing them.
    pub fn is_encoder(&self) -> bool {
        matches!(self.load, Load::Encoder(_))
    }
}

/// A row of the registry.
pub struct Architecture {
    /// What it is called in messages.
    pub name: &'static str,
    /// `general.architecture` in GGUF; empty where no such files exist. The first row of a name reads its files.
    pub gguf: &'static [&'static str],
    /// `model_type` in config.json; empty where GGUF alone tells it apart.
    pub hf: &'static [&'static str],
    /// What config.json means by leaving a number out, if anything: as transformers' class for it has it.
    pub defaults: &'static [(&'static str, f64)],
    pub shape: fn(&Hyper) -> Result<Shape>,
    pub load: Load,
}
