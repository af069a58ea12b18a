//! Hyperparameters by name, from GGUF metadata or config.json, checked for sense.

use crate::error::{Error, Result};
use crate::weights::Checkpoint;

/// A larger count than any model has, except of tokens. So bounded, a width times a workgroup's share of it fits a grid.
const MOST: usize = 1 << 20;
/// A larger vocabulary than any model has.
const MOST_TOKENS: usize = 1 << 21;

/// Reads one architecture's numbers from a checkpoint. Names are (GGUF key without prefix, config.json key).
pub struct Hyper<'a> {
    pub checkpoint: &'a Checkpoint,
    pub architecture: &'static str,
}

impl Hyper<'_> {
    /// An integer in 1 ..= 2²⁰ that must be there.
    pub fn count(&self, gguf: &str, hf: &str) -> Result<usize> {
        self.optional_count(gguf, hf)?.ok_or_else(|| self.missing(gguf, hf))
    }

    pub fn optional_count(&self, gguf: &str, hf: &str) -> Result<Option<usize>> {
        let (name, value) = match self.checkpoint.config() {
            Some(config) => match &config[hf] {
                serde_json::Value::Null => return Ok(None),
                value => (hf.to_string(), value.as_u64().and_then(|n| usize::try_from(n).ok())),
            },
            None => {
                let key = format!("{}.{gguf}", self.architecture);
                match self.checkpoint.metadata().usize(&key)? {
                    None => return Ok(None),
                    value => (key, value),
                }
            }
        };
        match value {
            Some(n) if (1..=MOST).contains(&n) => Ok(Some(n)),
            _ => Err(self.wrong(&name, &format!("must be an integer from 1 to {MOST}"))),
        }
    }

    /// A finite number greater than zero, if it is there.
    pub fn optional_number(&self, gguf: &str, hf: &str) -> Result<Option<f64>> {
        let (name, value) = match self.checkpoint.config() {
            Some(config) => match &config[hf] {
                serde_json::Value::Null => return Ok(None),
                value => (hf.to_string(), value.as_f64()),
            },
            None => {
                let key = format!("{}.{gguf}", self.architecture);
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

    pub fn number(&self, gguf: &str, hf: &str) -> Result<f64> {
        self.optional_number(gguf, hf)?.ok_or_else(|| self.missing(gguf, hf))
    }

    /// Text, if it is there.
    pub fn text(&self, gguf: &str, hf: &str) -> Result<Option<&str>> {
        match self.checkpoint.config() {
            Some(config) => Ok(config[hf].as_str()),
            None => self.checkpoint.metadata().str(&format!("{}.{gguf}", self.architecture)),
        }
    }

    /// Rows of the embedding table: what the vocabulary really is.
    pub fn vocabulary(&self, gguf_table: &str, hf_tables: &[&str]) -> Result<usize> {
        let names = std::iter::once(gguf_table).chain(hf_tables.iter().copied());
        let table = names.clone().find_map(|name| self.checkpoint.tensor(name));
        let table = table.ok_or_else(|| Error::MissingTensor {
            architecture: self.architecture,
            tensor: names.clone().next().unwrap_or_default().to_string(),
        })?;
        match table.shape[..] {
            [rows, _] if (1..=MOST_TOKENS).contains(&rows) => Ok(rows),
            _ => Err(self.wrong(&table.name, "must be a matrix of one row a token")),
        }
    }

    pub fn wrong(&self, name: &str, must: &str) -> Error {
        Error::format(self.checkpoint.name(), format!("{name} {must}"))
    }

    fn missing(&self, gguf: &str, hf: &str) -> Error {
        let name = match self.checkpoint.config() {
            Some(_) => format!("config.json has no {hf}"),
            None => format!("there is no {}.{gguf} in the metadata", self.architecture),
        };
        Error::format(self.checkpoint.name(), name)
    }
}
