//! The adapters of a loaded model, by name: load, list, unload, and which of them a request means.

use super::request::{AdapterChoice, Fields};
use super::{Engine, Work};
use crate::error::{Error, Result};
use crate::generate::AdapterId;
use crate::lora::{self, LoraTargets};
use crate::weights::{Checkpoint, Files};
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
    places: LoraTargets,
    /// In the order they were loaded.
    loaded: Vec<Loaded>,
    default: Option<AdapterId>,
}

struct Loaded {
    name: String,
    id: AdapterId,
    source: AdapterSource,
}

/// What an adapter was made from.
pub(super) struct AdapterSource {
    pub files: Files,
    pub alpha: Option<f32>,
}

impl Adapters {
    pub fn new(places: LoraTargets) -> Self {
        Adapters { places, loaded: Vec::new(), default: None }
    }

    fn find(&self, name: &str) -> Result<AdapterId> {
        let found = self.loaded.iter().find(|loaded| loaded.name == name);
        found.map(|loaded| loaded.id).ok_or_else(|| {
            let known = self.loaded.iter().map(|loaded| loaded.name.as_str()).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none is loaded".to_string() } else { format!("loaded: {known}") };
            Error::invalid("adapter", format!("there is no adapter called {name:?} ({known})"))
        })
    }

    /// In the order they were loaded.
    pub(super) fn sources(&self) -> impl Iterator<Item = &AdapterSource> {
        self.loaded.iter().map(|loaded| &loaded.source)
    }

    /// They are on a new device, under these ids. Gives the one of the adapter that counted in `old`.
    pub(super) fn renew(&mut self, places: LoraTargets, ids: &[AdapterId], old: &Work) -> Option<AdapterId> {
        let selected = match old {
            Work::Generate(generator) => generator.selected_adapter(),
            Work::Embed(_) => None,
        };
        let renewed = |old: AdapterId| {
            let index = self.loaded.iter().position(|loaded| loaded.id == old)?;
            Some(ids[index])
        };
        let (selected, default) = (selected.and_then(renewed), self.default.and_then(renewed));
        for (loaded, &id) in self.loaded.iter_mut().zip(ids) {
            loaded.id = id;
        }
        (self.places, self.default) = (places, default);
        selected
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
        self.revive().await?;
        let generator = self.work.generator()?;
        let adapter = lora::load(checkpoint, &self.adapters.places, options.alpha, &mut generator.device).await?;
        let id = generator.add_adapter(adapter);
        let source = AdapterSource { files: checkpoint.files(), alpha: options.alpha };
        self.adapters.loaded.push(Loaded { name: name.to_string(), id, source });
        if options.default {
            self.adapters.default = Some(id);
        }
        Ok(())
    }

    /// `engine.adapters.unload`: gives its memory back. Error: `INVALID_REQUEST` if there is none of that name.
    pub fn unload_adapter(&mut self, name: &str) -> Result<()> {
        let id = self.adapters.find(name)?;
        self.adapters.loaded.retain(|loaded| loaded.id != id);
        self.adapters.default = self.adapters.default.filter(|default| *default != id);
        self.work.generator()?.remove_adapter(id);
        Ok(())
    }

    /// `engine.adapters.list`: `[{ name, rank, bytes, default }]`.
    pub fn adapters(&self) -> Value {
        let Work::Generate(generator) = &self.work else { return json!([]) };
        let list = self.adapters.loaded.iter().map(|Loaded { name, id, .. }| {
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
