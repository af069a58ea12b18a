//! The adapters of a loaded model, by name: load, list, unload, and which of them a request means.

use super::request::{AdapterChoice, Fields};
use super::{Engine, Work};
use crate::error::{Error, Result};
use crate::generate::AdapterId;
use crate::models::lora::{self, Places};
use crate::weights::Checkpoint;
use serde_json::{Value, json};

/// How to load an adapter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdapterOptions {
    /// Stands for the `lora_alpha` of its files; needed where they say none.
    pub alpha: Option<f32>,
    /// Requests that name no adapter use this one.
    pub default: bool,
}

impl AdapterOptions {
    /// From API.md's option object.
    pub fn parse(options: &Value) -> Result<Self> {
        let empty = json!({});
        let fields = Fields::of(if options.is_null() { &empty } else { options })?;
        Ok(AdapterOptions { alpha: fields.number("alpha", 0.0..=1e6)?, default: fields.flag("default")? })
    }
}

/// Where adapters go, and those that are there.
pub struct Adapters {
    places: Places,
    /// In the order they were loaded.
    loaded: Vec<(String, AdapterId)>,
    default: Option<AdapterId>,
}

impl Adapters {
    pub fn new(places: Places) -> Self {
        Adapters { places, loaded: Vec::new(), default: None }
    }

    fn find(&self, name: &str) -> Result<AdapterId> {
        let found = self.loaded.iter().find(|(known, _)| known == name);
        found.map(|(_, id)| *id).ok_or_else(|| {
            let known = self.loaded.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none is loaded".to_string() } else { format!("loaded: {known}") };
            Error::invalid("adapter", format!("there is no adapter called {name:?} ({known})"))
        })
    }
}

impl Engine {
    /// `engine.adapters.load`: a LoRA adapter beside the model, under a name of the caller's.
    ///
    /// Errors: `INVALID_REQUEST` for a name that is taken; otherwise those of [`lora::load`]. The engine stays usable.
    pub async fn load_adapter(&mut self, name: &str, checkpoint: &Checkpoint, options: &AdapterOptions) -> Result<()> {
        if name.is_empty() {
            return Err(Error::invalid("name", "is empty; give the adapter a name"));
        }
        if self.adapters.find(name).is_ok() {
            return Err(Error::invalid(
                "name",
                format!("there is an adapter called {name:?} already; unload it first"),
            ));
        }
        let generator = self.work.generator()?;
        let adapter = lora::load(checkpoint, &self.adapters.places, options.alpha, &mut generator.device).await?;
        let id = generator.add_adapter(adapter);
        self.adapters.loaded.push((name.to_string(), id));
        if options.default {
            self.adapters.default = Some(id);
        }
        Ok(())
    }

    /// `engine.adapters.unload`: gives its memory back. Error: `INVALID_REQUEST` if there is none of that name.
    pub fn unload_adapter(&mut self, name: &str) -> Result<()> {
        let id = self.adapters.find(name)?;
        self.adapters.loaded.retain(|(_, other)| *other != id);
        self.adapters.default = self.adapters.default.filter(|default| *default != id);
        self.work.generator()?.remove_adapter(id);
        Ok(())
    }

    /// `engine.adapters.list`: `[{ name, rank, bytes, default }]`.
    pub fn adapters(&self) -> Value {
        let Work::Generate(generator) = &self.work else { return json!([]) };
        let list = self.adapters.loaded.iter().map(|(name, id)| {
            let adapter = generator.adapter(*id);
            let default = self.adapters.default == Some(*id);
            json!({ "name": name, "rank": adapter.rank, "bytes": adapter.bytes, "default": default })
        });
        list.collect()
    }

    /// What is computed next is computed with the adapter that `choice` means.
    pub(super) fn select_adapter(&mut self, choice: &AdapterChoice) -> Result<()> {
        let id = match choice {
            AdapterChoice::Default => self.adapters.default,
            AdapterChoice::None => None,
            AdapterChoice::Named(name) => Some(self.adapters.find(name)?),
        };
        self.work.generator()?.select_adapter(id);
        Ok(())
    }
}
