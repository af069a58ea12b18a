//! A model on its device, with its adapters. If the device is lost, the model moves to a new one.

use super::adapters::Adapters;
use super::progress::{OnProgress, RequestProgress};
use super::rebuild::Origin;
use super::task::Task;
use crate::api::request::AdapterChoice;
use crate::error::{Error, Result};
use crate::generate::PAGE;
use crate::viewer::Viewer;

/// A loaded model, and where it came from, so that it can be rebuilt when its device is lost.
pub struct Model {
    pub task: Task,
    /// The half that sees, of a model that reads and sees.
    pub eyes: Option<Viewer>,
    pub adapters: Adapters,
    pub origin: Origin,
    /// Positions that the context may grow to.
    pub most_context: usize,
}

impl Model {
    /// Loads it onto a new device. `reason`: why the old one was lost.
    ///
    /// # Errors
    /// `DEVICE_LOST` if that does not succeed.
    pub async fn rebuild(&mut self, reason: String) -> Result<()> {
        self.origin.rebuild(reason, &mut self.task, &mut self.eyes, &mut self.adapters).await
    }

    /// Replaces the device if it was lost since the last request.
    ///
    /// # Errors
    /// `DEVICE_LOST`.
    pub async fn revive(&mut self) -> Result<()> {
        if self.task.device().is_lost() { self.rebuild("between two requests".to_string()).await } else { Ok(()) }
    }

    /// The positions that the context may come to hold.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the model only embeds.
    pub fn most_context(&mut self) -> Result<usize> {
        Ok(self.most_context.max(self.task.generator()?.context()))
    }

    /// Makes room for `positions` positions where the context holds fewer and may grow so far: for twice as many as it holds, or
    /// for just those if there is no room for more. What it holds stays. Whether it grew.
    ///
    /// # Errors
    /// Those of the device. That there is no room is none: the context stays as it is from then on.
    pub async fn grow(&mut self, positions: usize, on_progress: &OnProgress) -> Result<bool> {
        let most = self.most_context;
        let generator = self.task.generator()?;
        let now = generator.context();
        if positions <= now || positions > most {
            return Ok(false);
        }
        for context in [(2 * now).max(positions), positions] {
            let context = context.next_multiple_of(PAGE).min(most);
            match generator.grow(context).await {
                Ok(()) => {
                    log::info!("the context grew from {now} to {context} tokens");
                    on_progress(RequestProgress { status: "context", loaded: context as u64, total: most as u64 });
                    return Ok(true);
                }
                Err(Error::OutOfMemory { .. }) => log::warn!("there is no room for a context of {context} tokens"),
                Err(error) => return Err(error),
            }
        }
        self.most_context = now;
        Ok(false)
    }

    /// Selects the adapter for what is computed next.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a name that no adapter has, or if the model only embeds.
    pub fn select_adapter(&mut self, choice: &AdapterChoice) -> Result<()> {
        let id = self.adapters.chosen(choice)?;
        self.task.generator()?.select_adapter(id);
        Ok(())
    }
}
