//! A device can be lost at any time: a driver's reset, a laptop's sleep, a crash of the browser's GPU process. The model
//! is then put on a new one, from the files it came from, and whatever was going on goes on: an answer's prompt and the
//! ids it has so far are computed anew, which is all that the cache held.

use super::adapters::Adapters;
use super::load::{Built, ModelPlan, build};
use super::task::Task;
use crate::error::{Error, Result};
use crate::lora;
use crate::select::LoadOptions;
use crate::viewer::Viewer;
use crate::weights::{Checkpoint, Files};

/// The files an engine was made from. Headers and vocabularies are read again when they are needed again.
pub(super) struct Origin {
    files: Files,
    pub options: LoadOptions,
    /// How many times the engine was made anew.
    pub rebuilds: u64,
}

impl Origin {
    pub fn new(files: Files, options: LoadOptions) -> Self {
        Origin { files, options, rebuilds: 0 }
    }

    /// Puts model and adapters on a new device. `reason`: what became of the old one.
    ///
    /// # Errors
    /// `DEVICE_LOST` if that does not succeed; `task` is then still the old one.
    pub async fn rebuild(
        &mut self,
        reason: String,
        task: &mut Task,
        eyes: &mut Option<Viewer>,
        adapters: &mut Adapters,
    ) -> Result<()> {
        log::warn!("the graphics device was lost ({reason}); the model is put on a new one");
        // Frees the lost device's memory before the new one needs it.
        task.device().destroy();
        let renewed = async {
            let checkpoint = Checkpoint::open(self.files.clone()).await?;
            let plan = ModelPlan::read(&checkpoint, &self.options)?;
            let Built { task: mut renewed, eyes, targets, .. } =
                build(&checkpoint, &plan, &self.options, &mut |_| ()).await?;
            let ids = match &mut renewed {
                Task::Generate(generator) => {
                    let mut ids = Vec::new();
                    for source in adapters.sources() {
                        let checkpoint = Checkpoint::open(source.files.clone()).await?;
                        let adapter = lora::load(&checkpoint, &targets, source.alpha, &mut generator.device).await?;
                        ids.push(generator.add_adapter(adapter));
                    }
                    ids
                }
                Task::Embed(_) | Task::Transcribe(_) | Task::See(_) => Vec::new(),
            };
            Ok((renewed, eyes, targets, ids))
        };
        let (mut renewed, seeing, targets, ids) = renewed.await.map_err(|error: Error| Error::DeviceLost {
            reason: format!("{reason}; the model could not be put on another: {error}"),
        })?;
        let selected = adapters.renew(targets, &ids, task);
        renewed.share_interrupt(task);
        (*task, *eyes) = (renewed, seeing);
        if let Task::Generate(generator) = task {
            generator.select_adapter(selected);
        }
        self.rebuilds += 1;
        Ok(())
    }
}
