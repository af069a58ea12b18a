//! A model on its device, with its adapters. If the device is lost, the model moves to a new one.

use super::adapters::Adapters;
use super::rebuild::Origin;
use super::task::Task;
use crate::api::request::AdapterChoice;
use crate::error::Result;

/// A loaded model, and where it came from, so that it can be rebuilt when its device is lost.
pub struct Model {
    pub task: Task,
    pub adapters: Adapters,
    pub origin: Origin,
}

impl Model {
    /// Loads it onto a new device. `reason`: why the old one was lost.
    ///
    /// # Errors
    /// `DEVICE_LOST` if that does not succeed.
    pub async fn rebuild(&mut self, reason: String) -> Result<()> {
        self.origin.rebuild(reason, &mut self.task, &mut self.adapters).await
    }

    /// Replaces the device if it was lost since the last request.
    ///
    /// # Errors
    /// `DEVICE_LOST`.
    pub async fn revive(&mut self) -> Result<()> {
        if self.task.device().is_lost() { self.rebuild("between two requests".to_string()).await } else { Ok(()) }
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
