//! A model on its device, with its adapters. Where the device is lost, it goes on on another.

use super::adapters::Adapters;
use super::rebuild::Origin;
use super::work::Work;
use crate::api::request::AdapterChoice;
use crate::error::Result;

/// A model that computes, and what it is made of again where its device is lost.
pub struct Model {
    pub work: Work,
    pub adapters: Adapters,
    pub origin: Origin,
}

impl Model {
    /// Puts it on a new device. `reason`: what became of the old one.
    ///
    /// # Errors
    /// `DEVICE_LOST` if that does not succeed.
    pub async fn rebuild(&mut self, reason: String) -> Result<()> {
        self.origin.rebuild(reason, &mut self.work, &mut self.adapters).await
    }

    /// Makes sure that there is a device: one that was lost since the last request is replaced.
    ///
    /// # Errors
    /// `DEVICE_LOST`.
    pub async fn revive(&mut self) -> Result<()> {
        if self.work.device().is_lost() { self.rebuild("between two requests".to_string()).await } else { Ok(()) }
    }

    /// What is computed next is computed with the adapter that `choice` means.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a name that no adapter has, or if the model only embeds.
    pub fn select_adapter(&mut self, choice: &AdapterChoice) -> Result<()> {
        let id = self.adapters.chosen(choice)?;
        self.work.generator()?.select_adapter(id);
        Ok(())
    }
}
