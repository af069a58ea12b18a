//! The architecture-specific names and defaults that reading a checkpoint needs; no code.

use super::names::{NAMES, Name};
use super::rows::RowOrder;

/// Names and defaults that files of one architecture share.
#[derive(Debug)]
pub struct Family {
    /// The architecture's name in messages.
    pub name: &'static str,
    /// `general.architecture` in GGUF, which is also the prefix of its keys; empty where no such files exist.
    pub gguf: &'static [&'static str],
    /// `model_type` in config.json; empty where GGUF alone tells it apart.
    pub hf: &'static [&'static str],
    /// Values of keys that config.json may omit, as transformers' class has them.
    pub defaults: &'static [(&'static str, f64)],
    /// Its part of config.json, where a model has several: one for texts, one for pictures.
    pub section: &'static str,
    /// The tensors whose names differ from [`NAMES`]. Biases among them must be there; others may.
    pub tensors: &'static [Name],
    /// Prefixes of Hugging Face's names that stand for each other; the first is the one in the names.
    pub prefixes: &'static [&'static str],
    /// How GGUF's converter orders rows.
    pub row_order: RowOrder,
}

impl Family {
    /// A nameless decoder with the usual tensors: what each architecture's own row fills in.
    pub const PLAIN: Family = Family {
        name: "",
        gguf: &[],
        hf: &[],
        defaults: &[],
        section: "text_config",
        tensors: &[],
        prefixes: &["model.", "", "language_model.model.", "model.language_model."],
        row_order: RowOrder::Same,
    };

    /// The names of the tensor `name` in our words, if this architecture has such a one.
    pub fn tensor(&self, name: &str) -> Option<&'static Name> {
        self.tensors.iter().chain(NAMES).find(|row| row.0 == name)
    }

    /// Names that Hugging Face's files may have instead of `full`, the name with the first prefix.
    pub fn hf_variants(&self, full: &str) -> Vec<String> {
        let (prefixes, stem) = match self.prefixes.first().and_then(|prefix| full.strip_prefix(prefix)) {
            Some(stem) => (self.prefixes, stem),
            // Beside the halves of a model that reads and sees, or below them.
            None => (&["", "model.", "language_model."][..], full),
        };
        prefixes.iter().map(|prefix| [prefix, stem].concat()).collect()
    }
}
