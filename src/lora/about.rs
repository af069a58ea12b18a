//! Describes an adapter by its files alone, without the model it belongs to.

use super::pairs::{self, World};
use super::strength;
use crate::error::Result;
use crate::weights::Checkpoint;
use serde::Serialize;
use std::collections::BTreeSet;

/// An adapter in a few words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Who wrote it: `PEFT`, `MLX` or `GGUF`.
    pub origin: &'static str,
    /// The model it was trained on, as the files name it.
    pub base: Option<String>,
    /// Whether its files say how strong it is.
    pub says_strength: bool,
    /// Pairs of small matrices, one for each projection of the model.
    pub pairs: usize,
    /// The lowest and the highest rank of the pairs.
    pub ranks: [usize; 2],
    /// The last part of the names of what it corrects: `q_proj`, `attn_q`, …
    pub targets: BTreeSet<String>,
}

/// Reads the headers.
///
/// # Errors
/// Those of loading it that do not depend on the model.
pub fn about(checkpoint: &Checkpoint) -> Result<About> {
    let config = checkpoint.adapter_config();
    let says_strength = strength::is_said(checkpoint)?;
    let pairs = pairs::read(checkpoint)?;
    let is_mlx = config.map_or(pairs.iter().any(|pair| pair.turned == [true; 2]), strength::is_mlx);
    let ranks =
        || pairs.iter().filter_map(|pair| if pair.turned[0] { pair.a.shape.last() } else { pair.a.shape.first() });
    let named = match config {
        Some(config) => config["base_model_name_or_path"].as_str().or(config["model"].as_str()),
        None => checkpoint.metadata().str("general.base_model.0.name")?,
    };
    Ok(About {
        origin: match World::of(checkpoint) {
            World::Gguf => "GGUF",
            World::HuggingFace if is_mlx => "MLX",
            World::HuggingFace => "PEFT",
        },
        base: named.map(str::to_string),
        says_strength,
        pairs: pairs.len(),
        ranks: [ranks().min(), ranks().max()].map(|rank| rank.copied().unwrap_or(0)),
        targets: pairs.iter().filter_map(|pair| pair.base.rsplit('.').next()).map(str::to_string).collect(),
    })
}
