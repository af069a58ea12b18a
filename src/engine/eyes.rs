//! The half of a model that sees, loaded beside the one that reads.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::load::{Allocator, Shape, UploadQueue};
use crate::models::{self, Architecture};
use crate::select::LoadOptions;
use crate::viewer::Viewer;
use crate::weights::Checkpoint;

/// Where the half that sees lies: in the files of the other, or in one of its own.
pub(super) struct Half {
    architecture: &'static Architecture,
    shape: Shape,
    projector: Option<Checkpoint>,
}

impl Half {
    /// `None`: the model only reads, or its eyes are of a kind that this build does not compute.
    ///
    /// # Errors
    /// Those of reading the projector's headers, and `MODEL_FORMAT` for one that is none.
    pub async fn of(checkpoint: &Checkpoint) -> Result<Option<Half>> {
        let projector = match checkpoint.projector() {
            Some(files) => Some(Checkpoint::open(files).await?),
            None => None,
        };
        let own = projector.as_ref().unwrap_or(checkpoint);
        let found = models::eyes_of(own);
        match found.and_then(|eyes| eyes.map(|eyes| eyes.read_shape(own).map(|shape| (eyes, shape))).transpose()) {
            Ok(Some((architecture, shape))) => Ok(Some(Half { architecture, shape, projector })),
            Ok(None) => match projector {
                None => Ok(None),
                Some(other) => Err(Error::format(other.name(), "this is no projector, the half of a model that sees")),
            },
            Err(error @ Error::Unsupported { .. }) => {
                log::warn!("the model reads, but does not see: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn checkpoint<'c>(&'c self, model: &'c Checkpoint) -> &'c Checkpoint {
        self.projector.as_ref().unwrap_or(model)
    }

    /// Bytes that come on top of the model's own.
    pub fn bytes(&self) -> u64 {
        self.projector.as_ref().map_or(0, Checkpoint::file_bytes)
    }

    /// Looks for every tensor.
    ///
    /// # Errors
    /// `MODEL_FORMAT` and `MODEL_UNSUPPORTED`, naming what is wrong.
    pub async fn check(&self, model: &Checkpoint, reads: &Shape) -> Result<()> {
        self.load(model, reads, Allocator::none()).await.map(drop)
    }

    /// Puts it on the device; its plan is on its way, its weights are still to be read.
    ///
    /// # Errors
    /// Those of [`Architecture::load`].
    pub async fn open(
        &self,
        model: &Checkpoint,
        reads: &Shape,
        options: &LoadOptions,
        device: &mut Device,
    ) -> Result<(Viewer, UploadQueue)> {
        let memory = Allocator::new(device, options.quantize);
        let (encoder, uploads) = self.load(model, reads, memory).await?;
        let mut viewer = Viewer::new(device, encoder)?;
        viewer.begin_warm_up(device)?;
        Ok((viewer, uploads))
    }

    /// Reads its weights.
    ///
    /// # Errors
    /// Those of [`UploadQueue::read`].
    pub async fn read(
        &self,
        model: &Checkpoint,
        uploads: UploadQueue,
        device: &Device,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        uploads.read(self.checkpoint(model), device, progress).await
    }

    async fn load(
        &self,
        model: &Checkpoint,
        reads: &Shape,
        memory: Allocator<'_>,
    ) -> Result<(models::VisionEncoder, UploadQueue)> {
        let own = self.checkpoint(model);
        let hyper = self.architecture.hyper(own);
        let loaded = self.architecture.load(hyper, &self.shape, self.shape.context, memory).await?;
        let models::Model::Vision(encoder) = loaded.model else { unreachable!("eyes see") };
        match encoder.output() {
            [_, columns] if columns == reads.d_model => Ok((*encoder, loaded.uploads)),
            [_, columns] => {
                let reason = format!("gives {columns} numbers a token, but the model that reads has {}", reads.d_model);
                Err(Error::format(own.name(), reason))
            }
        }
    }
}
