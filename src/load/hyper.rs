//! Hyperparameters by name, from GGUF metadata or config.json, checked for sense.

use super::family::Family;
use super::shape::{PerLayer, Shape};
use crate::error::{Error, Result};
use crate::ops::MOST_HEAD_DIM;
use crate::weights::{Array, Checkpoint, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Whether kernels compute heads of this size.
///
/// # Errors
/// `MODEL_UNSUPPORTED` if they do not.
pub fn computable_head(head_dim: usize) -> Result<()> {
    match head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM {
        true => Ok(()),
        false => {
            let what = format!("a head size of {head_dim} (this build: multiples of 4 up to {MOST_HEAD_DIM})");
            Err(Error::unsupported(what))
        }
    }
}

/// A larger count than any model has, except of tokens. So bounded, a width times a workgroup's share of it fits a grid.
const MOST: usize = 1 << 20;
/// A larger vocabulary than any model has.
const MOST_TOKENS: usize = 1 << 21;

/// Hugging Face's names of the embedding table, which tells the vocabulary.
const TABLES: &[&str] = &[
    "model.embed_tokens.weight",
    "embed_tokens.weight",
    "transformer.wte.weight",
    "wte.weight",
    "gpt_neox.embed_in.weight",
    "embed_in.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "model.text_model.embed_tokens.weight",
    "embeddings.word_embeddings.weight",
    "bert.embeddings.word_embeddings.weight",
    "embeddings.tok_embeddings.weight",
    "model.embeddings.tok_embeddings.weight",
];

/// Which layers' windows slide: every layer but each n-th, or a list.
pub const PATTERN: &str = "attention.sliding_window_pattern";

/// Reads one architecture's numbers from a checkpoint. Names are (GGUF key without prefix, config.json keys: `|` between
/// those that mean the same).
///
/// All methods that read end in `MODEL_FORMAT`, naming the key, for a value of another type or out of range, and for one
/// that must be there and is not.
#[derive(Clone, Copy)]
pub struct Hyper<'a> {
    /// The files with the numbers.
    pub checkpoint: &'a Checkpoint,
    /// Whose keys and defaults they are read by.
    pub family: &'static Family,
    /// Where what is read is taken down, under GGUF's keys.
    notes: Option<&'a Notes>,
}

/// Numbers and switches by GGUF's keys, without the architecture's prefix.
pub type Notes = RefCell<BTreeMap<&'static str, Value>>;

impl<'a> Hyper<'a> {
    /// The numbers of `checkpoint`, which is of this family.
    pub fn new(checkpoint: &'a Checkpoint, family: &'static Family) -> Self {
        Hyper { checkpoint, family, notes: None }
    }

    /// This reader, which also notes in `notes` the keys it reads.
    pub fn noting(self, notes: &'a Notes) -> Self {
        Hyper { notes: Some(notes), ..self }
    }

    /// Whether what is read is taken down, for a GGUF file.
    pub fn notes(&self) -> bool {
        self.notes.is_some()
    }

    /// Takes down what the model has for a key of GGUF's.
    pub fn note(&self, gguf: &'static str, value: impl Into<Value>) {
        if let Some(notes) = self.notes.filter(|_| !gguf.is_empty()) {
            notes.borrow_mut().insert(gguf, value.into());
        }
    }

    /// config.json, or the part of it that is about the family's half of a model that reads and sees.
    pub fn config(&self) -> Option<&'a serde_json::Value> {
        let config = self.checkpoint.config()?;
        let section = &config[self.family.section];
        Some(if section.is_object() { section } else { config })
    }

    /// The first of config.json's keys that is there, with its value.
    fn in_config<'k>(&self, config: &'a serde_json::Value, keys: &'k str) -> Option<(&'k str, &'a serde_json::Value)> {
        keys.split('|').map(|key| (key, &config[key])).find(|(_, value)| !value.is_null())
    }

    /// The family's default for a key that config.json omits. A key that is null is not omitted.
    fn left_out(&self, config: &serde_json::Value, keys: &str) -> Option<f64> {
        if keys.split('|').any(|key| config.get(key).is_some()) {
            return None;
        }
        let defaults = self.family.defaults;
        keys.split('|').find_map(|key| defaults.iter().find(|(name, _)| *name == key).map(|(_, value)| *value))
    }

    /// A key of the metadata, with the file's own prefix.
    fn key(&self, gguf: &str) -> String {
        let named = self.checkpoint.metadata().str("general.architecture").ok().flatten();
        format!("{}.{gguf}", named.unwrap_or(self.family.name))
    }

    /// An integer in 1 ..= 2²⁰ that must be there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` if it is missing, and for any other value.
    pub fn count(&self, gguf: &'static str, hf: &str) -> Result<usize> {
        self.optional_count(gguf, hf)?.ok_or_else(|| self.missing(gguf, hf))
    }

    /// An integer in 1 ..= 2²⁰, if it is there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for any other value.
    pub fn optional_count(&self, gguf: &'static str, hf: &str) -> Result<Option<usize>> {
        self.optional_integer(gguf, hf, 1)
    }

    /// Keys that a query sees where the window slides; `None`, as the file says it or by a zero, for all.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for anything but an integer up to 2²⁰.
    pub fn window(&self) -> Result<Option<u32>> {
        let window = self.optional_integer("attention.sliding_window", "sliding_window", 0)?;
        Ok(window.filter(|&n| n > 0).map(|n| n as u32))
    }

    /// An integer in `least` ..= 2²⁰, if it is there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for any other value.
    pub fn optional_integer(&self, gguf: &'static str, hf: &str, least: usize) -> Result<Option<usize>> {
        let found = self.integer(gguf, hf, least)?;
        found.inspect(|n| self.note(gguf, *n as u32)); // at most 2²⁰
        Ok(found)
    }

    fn integer(&self, gguf: &str, hf: &str, least: usize) -> Result<Option<usize>> {
        let (name, value) = match self.config() {
            Some(config) => match self.in_config(config, hf) {
                None => return Ok(self.left_out(config, hf).map(|n| n as usize)),
                Some((key, value)) => (key.to_string(), value.as_u64().and_then(|n| usize::try_from(n).ok())),
            },
            None => {
                let key = self.key(gguf);
                match self.of_all_layers(&key)? {
                    None => return Ok(None),
                    value => (key, value),
                }
            }
        };
        match value {
            Some(n) if (least..=MOST).contains(&n) => Ok(Some(n)),
            _ => Err(self.wrong(&name, &format!("must be an integer from {least} to {MOST}"))),
        }
    }

    /// An integer of the metadata, where it may be listed for each layer: all layers have the same here.
    fn of_all_layers(&self, key: &str) -> Result<Option<usize>> {
        let metadata = self.checkpoint.metadata();
        let Some(Value::Array(_)) = metadata.get(key) else { return metadata.usize(key) };
        let listed = metadata.i32s(key)?.unwrap_or_default();
        match listed.split_first() {
            Some((first, others)) if others.iter().all(|n| n == first) => {
                usize::try_from(*first).map(Some).map_err(|_| self.wrong(key, "must not be negative"))
            }
            Some(_) => Err(Error::unsupported(format!("{key} that differs from layer to layer"))),
            None => Err(self.wrong(key, "must have a value for each layer")),
        }
    }

    /// An integer in 1 ..= 2²⁰ for each of `n_layers` layers, if it is there. GGUF's metadata may list them.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for any other value and for a list of another length, `MODEL_UNSUPPORTED` for a layer with none.
    fn optional_counts(&self, gguf: &'static str, hf: &str, n_layers: usize) -> Result<Option<PerLayer>> {
        let (key, metadata) = (self.key(gguf), self.checkpoint.metadata());
        let Some(Value::Array(_)) = metadata.get(&key).filter(|_| self.config().is_none()) else {
            return Ok(self.optional_count(gguf, hf)?.map(PerLayer::Same));
        };
        let listed = metadata.i32s(&key)?.unwrap_or_default();
        if listed.len() != n_layers {
            return Err(self.wrong(&key, &format!("must have a value for each of {n_layers} layers")));
        }
        if listed.contains(&0) {
            return Err(Error::unsupported(format!("a layer whose {key} is 0")));
        }
        let sizes = listed.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n <= MOST));
        let sizes: Option<Vec<usize>> = sizes.collect();
        let sizes = sizes.ok_or_else(|| self.wrong(&key, &format!("must be integers from 1 to {MOST}")))?;
        Ok(Some(match sizes.split_first() {
            Some((first, others)) if others.iter().all(|n| n == first) => PerLayer::Same(*first),
            _ => PerLayer::Each(sizes),
        }))
    }

    /// A finite number greater than zero, if it is there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for any other value.
    pub fn optional_number(&self, gguf: &'static str, hf: &str) -> Result<Option<f64>> {
        let found = self.real(gguf, hf)?;
        found.inspect(|x| self.note(gguf, *x as f32));
        Ok(found)
    }

    fn real(&self, gguf: &str, hf: &str) -> Result<Option<f64>> {
        let (name, value) = match self.config() {
            Some(config) => match self.in_config(config, hf) {
                None => return Ok(self.left_out(config, hf)),
                Some((key, value)) => (key.to_string(), value.as_f64()),
            },
            None => {
                let key = self.key(gguf);
                match self.checkpoint.metadata().f32(&key)? {
                    None => return Ok(None),
                    value => (key, value.map(f64::from)),
                }
            }
        };
        match value {
            Some(x) if x.is_finite() && x > 0.0 => Ok(Some(x)),
            _ => Err(self.wrong(&name, "must be a number greater than zero")),
        }
    }

    /// A finite number greater than zero that must be there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` if it is missing, and for any other value.
    pub fn number(&self, gguf: &'static str, hf: &str) -> Result<f64> {
        self.optional_number(gguf, hf)?.ok_or_else(|| self.missing(gguf, hf))
    }

    /// Text, if it is there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where GGUF's metadata have a value of another type; config.json's counts as missing then.
    pub fn text(&self, gguf: &'static str, hf: &str) -> Result<Option<&str>> {
        let found = match self.config() {
            Some(config) => self.in_config(config, hf).and_then(|(_, value)| value.as_str()),
            None => self.checkpoint.metadata().str(&self.key(gguf))?,
        };
        found.inspect(|text| self.note(gguf, *text));
        Ok(found)
    }

    /// A whole number of the metadata, 0 included.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a value of another type.
    pub fn metadata_u64(&self, gguf: &str) -> Result<Option<u64>> {
        self.checkpoint.metadata().u64(&self.key(gguf))
    }

    /// Three numbers of the metadata, one a colour, if they are there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a value of another type or length.
    pub fn colours(&self, gguf: &str) -> Result<Option<[f32; 3]>> {
        let key = self.key(gguf);
        let Some(listed) = self.checkpoint.metadata().f32s(&key)? else { return Ok(None) };
        let three: Option<[f32; 3]> =
            (*listed).try_into().ok().filter(|all: &[f32; 3]| all.iter().all(|x| x.is_finite()));
        three.map(Some).ok_or_else(|| self.wrong(&key, "must be three numbers"))
    }

    /// A switch, if it is there.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where GGUF's metadata have a value of another type; config.json's counts as missing then.
    pub fn flag(&self, gguf: &'static str, hf: &str) -> Result<Option<bool>> {
        let found = match self.config() {
            Some(config) => self.in_config(config, hf).and_then(|(_, value)| value.as_bool()),
            None => self.checkpoint.metadata().bool(&self.key(gguf))?,
        };
        found.inspect(|on| self.note(gguf, *on));
        Ok(found)
    }

    /// A number of one of config.json's several sets of `rope_parameters`.
    pub fn rope_section(&self, section: &str, key: &str) -> Option<f64> {
        let number = self.config()?["rope_parameters"][section][key].as_f64();
        number.filter(|x| x.is_finite() && *x > 0.0)
    }

    /// Which of `n` layers have a sliding window, where the file lists them.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a list that is too short or has other values.
    pub fn listed_sliding_layers(&self, n: usize) -> Result<Option<Vec<bool>>> {
        let key = self.key(PATTERN);
        if let Some(Value::Array(_)) = self.checkpoint.metadata().get(&key) {
            let listed = self.checkpoint.metadata().bools(&key)?.unwrap_or_default();
            let wrong = || self.wrong(&key, &format!("must have a value for each of {n} layers"));
            return listed.get(..n).map(|listed| Some(listed.to_vec())).ok_or_else(wrong);
        }
        let Some(kinds) = self.config().and_then(|config| config["layer_types"].as_array()) else { return Ok(None) };
        let sliding = |kind: &serde_json::Value| match kind.as_str() {
            Some("sliding_attention") => Some(true),
            Some("full_attention") => Some(false),
            _ => None,
        };
        let wrong = || self.wrong("layer_types", "must say sliding_attention or full_attention for each layer");
        let kinds: Option<Vec<bool>> = kinds.iter().take(n).map(sliding).collect();
        let kinds = kinds.filter(|kinds| kinds.len() == n).ok_or_else(wrong)?;
        self.note(PATTERN, Value::Array(Array::Bool(kinds.clone())));
        Ok(Some(kinds))
    }

    /// Each layer's window where `use_sliding_window` of config.json switches it on, in the layers listed or else those
    /// that `slides` says. GGUF has no such switch.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a window that is no integer up to 2²⁰, and those of [`Hyper::listed_sliding_layers`].
    pub fn switched_windows(&self, n: usize, slides: impl Fn(usize) -> bool) -> Result<Vec<Option<u32>>> {
        if self.config().is_none() || self.flag("", "use_sliding_window")? != Some(true) {
            return Ok(vec![None; n]);
        }
        let window = self.window()?;
        let slides = match self.listed_sliding_layers(n)? {
            Some(listed) => listed,
            None => (0..n).map(slides).collect(),
        };
        Ok(slides.into_iter().map(|slides| window.filter(|_| slides)).collect())
    }

    /// Which of `n` layers have a sliding window: as the file says, else every layer but each `pattern`-th (`None`: no
    /// layer).
    ///
    /// # Errors
    /// Those of [`Hyper::listed_sliding_layers`]; `MODEL_FORMAT` for a pattern that is no integer from 1 to 2²⁰.
    pub fn sliding_layers(&self, n: usize, pattern: Option<usize>) -> Result<Vec<bool>> {
        if let Some(listed) = self.listed_sliding_layers(n)? {
            return Ok(listed);
        }
        let pattern = self.optional_count(PATTERN, "sliding_window_pattern")?.or(pattern);
        Ok((0..n).map(|i| pattern.is_some_and(|pattern| !(i + 1).is_multiple_of(pattern))).collect())
    }

    /// Whether the activation that the file asks for, if it does, is the architecture's own.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` if not.
    pub fn activation_is(&self, name: &str) -> Result<()> {
        self.activation_among(&[name])
    }

    /// An activation that has several names.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` if it is none of `names`.
    pub fn activation_among(&self, names: &[&str]) -> Result<()> {
        match self.text("activation", "hidden_act|hidden_activation|activation_function")? {
            Some(other) if !names.contains(&other) => {
                Err(Error::unsupported(format!("the activation {other} in a {} model", self.family.name)))
            }
            _ => Ok(()),
        }
    }

    /// Whether config.json says that the way to logits is not the embedding table once more.
    pub fn is_untied(&self) -> bool {
        let of = |config: Option<&serde_json::Value>| config.and_then(|config| config["tie_word_embeddings"].as_bool());
        of(self.config()).or(of(self.checkpoint.config())) == Some(false)
    }

    /// The sizes, under the names that most architectures use.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for numbers that are missing or do not fit together; `MODEL_UNSUPPORTED` for heads of a size that
    /// this build does not compute.
    pub fn shape(&self) -> Result<Shape> {
        self.shape_with(None)
    }

    /// The model's shape; `d_ffn` is the feed-forward layer's width where the file may omit it.
    ///
    /// # Errors
    /// Those of [`Hyper::shape`].
    pub fn shape_with(&self, d_ffn: Option<usize>) -> Result<Shape> {
        let d_model = self.count("embedding_length", "hidden_size|n_embd")?;
        let n_layers = self.count("block_count", "num_hidden_layers|n_layer|num_layers")?;
        let (heads, hf_heads) = ("attention.head_count", "num_attention_heads|n_head|num_heads");
        let n_heads = self.optional_counts(heads, hf_heads, n_layers)?.ok_or_else(|| self.missing(heads, hf_heads))?;
        let n_kv_heads = self.optional_counts("attention.head_count_kv", "num_key_value_heads", n_layers)?;
        let n_kv_heads = n_kv_heads.unwrap_or_else(|| n_heads.clone());
        let head_dim = match self.optional_count("attention.key_length", "head_dim")? {
            Some(head_dim) => head_dim,
            None if d_model.is_multiple_of(n_heads.at(0)) => d_model / n_heads.at(0),
            None => return Err(self.wrong("the embedding length", "must be a multiple of the number of heads")),
        };
        if n_heads.most() > d_model {
            return Err(self.wrong("the number of heads", "must not be larger than the embedding length"));
        }
        if (0..n_layers).any(|i| !n_heads.at(i).is_multiple_of(n_kv_heads.at(i))) {
            return Err(self.wrong("the number of heads", "must be a multiple of the number of key-value heads"));
        }
        computable_head(head_dim)?;
        let listed = self.optional_counts("feed_forward_length", "intermediate_size|n_inner", n_layers)?;
        let d_ffn = match (listed, d_ffn) {
            (Some(d_ffn), _) => d_ffn,
            (None, Some(d_ffn)) => PerLayer::Same(d_ffn),
            (None, None) => return Err(self.missing("feed_forward_length", "intermediate_size")),
        };
        self.note("feed_forward_length", d_ffn.at(0) as u32); // config.json has one for all, at most four times 2²⁰
        Ok(Shape {
            architecture: self.family.name,
            d_model,
            n_layers,
            n_heads,
            n_kv_heads,
            head_dim,
            d_ffn,
            vocabulary: self.vocabulary()?,
            context: self.count("context_length", "max_position_embeddings|n_positions|n_ctx")?,
        })
    }

    /// Columns of each of `heads` heads of `d_model`, which the file names so.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where they do not share it evenly, `MODEL_UNSUPPORTED` for a size that kernels do not compute.
    pub fn head_dim(&self, name: &str, d_model: usize, heads: usize) -> Result<usize> {
        if !d_model.is_multiple_of(heads) {
            return Err(self.wrong(name, "must be a multiple of the number of heads"));
        }
        computable_head(d_model / heads)?;
        Ok(d_model / heads)
    }

    /// Columns of a head where the file names them.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where it does not, `MODEL_UNSUPPORTED` for a size that kernels do not compute.
    pub fn own_head_dim(&self, gguf: &'static str, hf: &str) -> Result<usize> {
        let head_dim = self.count(gguf, hf)?;
        computable_head(head_dim).map(|()| head_dim)
    }

    /// Rows of the embedding table: what the vocabulary really is.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where there is no such table, or one of another shape.
    pub fn vocabulary(&self) -> Result<usize> {
        let &(_, gguf_name, hf_name) = self.family.tensor("embed").expect("every model has an embedding table");
        let name = if self.config().is_some() { hf_name } else { gguf_name };
        let table = std::iter::once(name).chain(TABLES.iter().copied()).find_map(|name| self.checkpoint.tensor(name));
        let table =
            table.ok_or_else(|| Error::MissingTensor { architecture: self.family.name, tensor: name.to_string() })?;
        match table.shape[..] {
            [rows, _] if (1..=MOST_TOKENS).contains(&rows) => Ok(rows),
            _ => Err(self.wrong(&table.name, "must be a matrix of one row a token")),
        }
    }

    /// The error of a number, `name` in the file, that makes no sense: what it `must` be.
    pub fn wrong(&self, name: &str, must: &str) -> Error {
        Error::format(self.checkpoint.name(), format!("{name} {must}"))
    }

    fn missing(&self, gguf: &str, hf: &str) -> Error {
        let name = match self.config() {
            Some(_) => format!("config.json has no {}", hf.split('|').next().unwrap_or(hf)),
            None => format!("there is no {} in the metadata", self.key(gguf)),
        };
        Error::format(self.checkpoint.name(), name)
    }
}
