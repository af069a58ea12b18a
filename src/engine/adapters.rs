//! The adapters of a loaded model, by name: load, list, unload, and which of them a request means.

use super::task::Task;
use crate::api::Fields;
use crate::api::request::AdapterChoice;
use crate::error::{Error, Result};
use crate::generate::{AdapterId, Generator};
use crate::lora::{self, LoraTargets};
use crate::sampler::Range;
use crate::weights::{Checkpoint, Files};
use serde_json::{Value, json};

/// The range of `lora_alpha`.
const ALPHA: Range = Range { name: "alpha", min: 0.0, max: 1e6, default: None, whole: false };

/// How to load an adapter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdapterOptions {
    /// Stands for the `lora_alpha` of its files; needed where they say none.
    pub alpha: Option<f32>,
    /// Requests that name no adapter use this one.
    pub default: bool,
}

impl AdapterOptions {
    /// From the option object of the JavaScript interface.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a field that is wrong.
    pub fn parse(options: &Value) -> Result<Self> {
        let fields = Fields::of_options(options)?;
        Ok(AdapterOptions { alpha: fields.number(&ALPHA)?, default: fields.flag("default")? })
    }
}

/// The projections that adapters may change, and the loaded adapters.
pub struct Adapters {
    targets: LoraTargets,
    /// In the order they were loaded.
    loaded: Vec<Loaded>,
    default: Option<AdapterId>,
}

struct Loaded {
    name: String,
    id: AdapterId,
    source: AdapterSource,
}

/// The files and options an adapter was made from.
pub(super) struct AdapterSource {
    pub files: Files,
    pub alpha: Option<f32>,
}

impl Adapters {
    pub fn new(targets: LoraTargets) -> Self {
        Adapters { targets, loaded: Vec::new(), default: None }
    }

    fn find(&self, name: &str) -> Result<AdapterId> {
        let found = self.loaded.iter().find(|loaded| loaded.name == name);
        found.map(|loaded| loaded.id).ok_or_else(|| {
            let known = self.loaded.iter().map(|loaded| loaded.name.as_str()).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none is loaded".to_string() } else { format!("loaded: {known}") };
            Error::invalid("adapter", format!("there is no adapter called {name:?} ({known})"))
        })
    }

    /// Whether an adapter may be called so.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for an empty name, and for one that is taken.
    pub fn check_new(&self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(Error::invalid("name", "is empty; give the adapter a name"));
        }
        if self.find(name).is_ok() {
            let reason = format!("there is an adapter called {name:?} already; unload it first");
            return Err(Error::invalid("name", reason));
        }
        Ok(())
    }

    /// Puts an adapter beside the model, under a name that [`Self::check_new`] found good.
    ///
    /// # Errors
    /// Errors of [`lora::load`].
    pub async fn load(
        &mut self,
        name: &str,
        checkpoint: &Checkpoint,
        options: &AdapterOptions,
        generator: &mut Generator,
    ) -> Result<()> {
        let adapter = lora::load(checkpoint, &self.targets, options.alpha, &mut generator.device).await?;
        let id = generator.add_adapter(adapter);
        let source = AdapterSource { files: checkpoint.files(), alpha: options.alpha };
        self.loaded.push(Loaded { name: name.to_string(), id, source });
        if options.default {
            self.default = Some(id);
        }
        Ok(())
    }

    /// Takes an adapter off the list, and gives its id.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if there is none of that name.
    pub fn remove(&mut self, name: &str) -> Result<AdapterId> {
        let id = self.find(name)?;
        self.loaded.retain(|loaded| loaded.id != id);
        self.default = self.default.filter(|default| *default != id);
        Ok(id)
    }

    /// `[{ name, rank, bytes, default }]`.
    pub fn list(&self, generator: &Generator) -> Value {
        let list = self.loaded.iter().map(|Loaded { name, id, .. }| {
            let adapter = generator.adapter(*id);
            let default = self.default == Some(*id);
            json!({ "name": name, "rank": adapter.rank, "bytes": adapter.bytes, "default": default })
        });
        list.collect()
    }

    /// The adapter that a request means.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a name that none has.
    pub fn chosen(&self, choice: &AdapterChoice) -> Result<Option<AdapterId>> {
        match choice {
            AdapterChoice::Default => Ok(self.default),
            AdapterChoice::None => Ok(None),
            AdapterChoice::Named(name) => self.find(name).map(Some),
        }
    }

    /// In the order they were loaded.
    pub(super) fn sources(&self) -> impl Iterator<Item = &AdapterSource> {
        self.loaded.iter().map(|loaded| &loaded.source)
    }

    /// The adapters were loaded onto a new device under these ids. Returns the new id of the one that `old` had selected.
    pub(super) fn renew(&mut self, targets: LoraTargets, ids: &[AdapterId], old: &Task) -> Option<AdapterId> {
        let selected = match old {
            Task::Generate(generator) => generator.selected_adapter(),
            Task::Embed(_) | Task::Transcribe(_) | Task::See(_) => None,
        };
        let renewed = |old: AdapterId| {
            let index = self.loaded.iter().position(|loaded| loaded.id == old)?;
            Some(ids[index])
        };
        let (selected, default) = (selected.and_then(renewed), self.default.and_then(renewed));
        for (loaded, &id) in self.loaded.iter_mut().zip(ids) {
            loaded.id = id;
        }
        (self.targets, self.default) = (targets, default);
        selected
    }
}
