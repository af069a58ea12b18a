//! The interface between an architecture's file and the registry.

use super::decoder::Transformer;
use super::encoder::Encoder;
use super::encoder_decoder::EncoderDecoder;
use super::speech::Speech;
use super::vision::VisionEncoder;
use crate::error::Result;
use crate::load::{Allocator, Family, Hyper, Loader, Record, Shape, UploadQueue};
use crate::weights::{Checkpoint, LocalBoxFuture};

/// A row of the registry.
pub struct Architecture {
    /// Names and defaults of its files.
    pub family: Family,
    /// Reads the sizes, and refuses what this build does not compute.
    pub shape: fn(&Hyper) -> Result<Shape>,
    /// Makes its layers.
    pub load: Load,
}

/// Finds an architecture's tensors and makes layers of them.
pub enum Load {
    /// Builds a model that generates.
    Decoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Transformer>>),
    /// Builds a model that embeds.
    Encoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Encoder>>),
    /// Builds a model that reads a whole text, then writes another.
    EncoderDecoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<EncoderDecoder>>),
    /// Builds a model that transcribes.
    Speech(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Speech>>),
    /// Builds a model that sees.
    Vision(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<VisionEncoder>>),
}

/// A model with room for its weights on the device, by what it does.
pub enum Model {
    /// One that generates.
    Decoder(Box<Transformer>),
    /// One that embeds.
    Encoder(Box<Encoder>),
    /// One that reads a whole text, then writes another.
    EncoderDecoder(Box<EncoderDecoder>),
    /// One that transcribes.
    Speech(Box<Speech>),
    /// One that makes vectors of pictures.
    Vision(Box<VisionEncoder>),
}

/// The result of [`Architecture::load`].
pub struct Loaded {
    /// Its layers, with room for their weights.
    pub model: Model,
    /// The tensors it was made of.
    pub record: Record,
    /// Its weights, still to be read.
    pub uploads: UploadQueue,
}

impl Model {
    /// Its sizes.
    pub fn shape(&self) -> &Shape {
        match self {
            Model::Decoder(decoder) => &decoder.shape,
            Model::Encoder(encoder) => &encoder.shape,
            Model::EncoderDecoder(model) => &model.decoder.shape,
            Model::Speech(speech) => &speech.decoder.shape,
            Model::Vision(encoder) => &encoder.shape,
        }
    }
}

impl Architecture {
    /// The numbers of a checkpoint that is of this architecture.
    pub fn hyper<'a>(&'static self, checkpoint: &'a Checkpoint) -> Hyper<'a> {
        Hyper::new(checkpoint, &self.family)
    }

    /// The sizes that a checkpoint of this architecture gives.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for numbers that are missing or make no sense, `MODEL_UNSUPPORTED` for a variant that this build
    /// does not compute.
    pub fn read_shape(&'static self, checkpoint: &Checkpoint) -> Result<Shape> {
        (self.shape)(&self.hyper(checkpoint))
    }

    /// Finds every tensor and makes room for it in `memory`; the weights are still to be read. `hyper` and `shape`: the
    /// numbers and sizes of the checkpoint. `context`: positions that will be used.
    ///
    /// # Errors
    /// `MODEL_FORMAT` and `MODEL_UNSUPPORTED`, naming the tensor or the number; `OUT_OF_MEMORY`.
    pub async fn load<'a>(
        &self,
        hyper: Hyper<'a>,
        shape: &Shape,
        context: usize,
        memory: Allocator<'a>,
    ) -> Result<Loaded> {
        let mut loader = Loader::new(hyper, shape.clone(), context, memory);
        let model = match self.load {
            Load::Decoder(load) => Model::Decoder(Box::new(load(&mut loader).await?)),
            Load::Encoder(load) => Model::Encoder(Box::new(load(&mut loader).await?)),
            Load::EncoderDecoder(load) => Model::EncoderDecoder(Box::new(load(&mut loader).await?)),
            Load::Speech(load) => Model::Speech(Box::new(load(&mut loader).await?)),
            Load::Vision(load) => Model::Vision(Box::new(load(&mut loader).await?)),
        };
        let (record, uploads) = loader.finish();
        Ok(Loaded { model, record, uploads })
    }

    /// Whether it writes what an encoder's text asks for.
    pub fn is_encoder_decoder(&self) -> bool {
        matches!(self.load, Load::EncoderDecoder(_))
    }

    /// Whether it continues texts.
    pub fn is_decoder(&self) -> bool {
        matches!(self.load, Load::Decoder(_))
    }

    /// Whether it makes vectors of texts instead of continuing them.
    pub fn is_encoder(&self) -> bool {
        matches!(self.load, Load::Encoder(_))
    }

    /// Whether it makes vectors of pictures.
    pub fn is_vision(&self) -> bool {
        matches!(self.load, Load::Vision(_))
    }

    /// Whether it writes down what is said.
    pub fn is_speech(&self) -> bool {
        matches!(self.load, Load::Speech(_))
    }
}
