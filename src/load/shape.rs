//! A model's sizes.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A size that all layers share, or that each has its own of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLayer {
    /// That of all layers.
    Same(usize),
    /// Those of the layers in their order.
    Each(Vec<usize>),
}

impl PerLayer {
    /// The size in a layer.
    pub fn at(&self, layer: usize) -> usize {
        match self {
            PerLayer::Same(n) => *n,
            PerLayer::Each(sizes) => sizes[layer],
        }
    }

    /// The largest of all layers.
    pub fn most(&self) -> usize {
        match self {
            PerLayer::Same(n) => *n,
            PerLayer::Each(sizes) => sizes.iter().copied().max().unwrap_or(0),
        }
    }

    /// The sum over `n_layers` layers.
    pub fn sum(&self, n_layers: usize) -> u64 {
        match self {
            PerLayer::Same(n) => *n as u64 * n_layers as u64,
            PerLayer::Each(sizes) => sizes.iter().map(|&n| n as u64).sum(),
        }
    }
}

/// A model's sizes, known before a weight is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    /// The architecture's name in messages; not deserialised.
    #[serde(skip_deserializing)]
    pub architecture: &'static str,
    /// Columns of the activations between blocks, D.
    pub d_model: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Heads of the queries, H.
    pub n_heads: PerLayer,
    /// Heads of the keys and values, Hkv; H is a multiple of it in each layer.
    pub n_kv_heads: PerLayer,
    /// Columns of a head.
    pub head_dim: usize,
    /// Columns inside the feed-forward layer, or inside each expert.
    pub d_ffn: PerLayer,
    /// Rows of the embedding table, V.
    pub vocabulary: usize,
    /// Positions the model was made for.
    pub context: usize,
}

impl Shape {
    /// All its numbers, each at its largest.
    pub fn sizes(&self) -> [usize; 8] {
        let Shape { d_model, n_layers, head_dim, vocabulary, context, .. } = *self;
        let [n_heads, n_kv_heads, d_ffn] = [&self.n_heads, &self.n_kv_heads, &self.d_ffn].map(PerLayer::most);
        [d_model, n_layers, n_heads, n_kv_heads, head_dim, d_ffn, vocabulary, context]
    }

    /// Checks that ids, which a request has as `field`, can be computed in a context of so many positions.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where there are none, or one that the vocabulary does not have; `CONTEXT_OVERFLOW`.
    pub fn check_ids(&self, field: &'static str, ids: &[u32], context: usize) -> Result<()> {
        let vocabulary = self.vocabulary;
        if ids.is_empty() {
            return Err(Error::invalid(field, "is empty; give at least one token"));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(Error::invalid(field, format!("has the id {id}, but the vocabulary has {vocabulary}")));
        }
        match ids.len() > context {
            true => Err(Error::ContextOverflow { prompt: ids.len(), context }),
            false => Ok(()),
        }
    }

    /// Columns of a layer's queries: H × head_dim.
    pub fn q_dim(&self, layer: usize) -> usize {
        self.n_heads.at(layer) * self.head_dim
    }

    /// Columns of a layer's keys, and of its values: Hkv × head_dim.
    pub fn kv_dim(&self, layer: usize) -> usize {
        self.n_kv_heads.at(layer) * self.head_dim
    }
}
