//! A model's sizes.

use serde::{Deserialize, Serialize};

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
    pub n_heads: usize,
    /// Heads of the keys and values, Hkv; H is a multiple of it.
    pub n_kv_heads: usize,
    /// Columns of a head.
    pub head_dim: usize,
    /// Columns inside the feed-forward layer, or inside each expert.
    pub d_ffn: usize,
    /// Rows of the embedding table, V.
    pub vocabulary: usize,
    /// Positions the model was made for.
    pub context: usize,
}

impl Shape {
    /// All its numbers.
    pub fn sizes(&self) -> [usize; 8] {
        let Shape { d_model, n_layers, n_heads, n_kv_heads, head_dim, d_ffn, vocabulary, context, .. } = *self;
        [d_model, n_layers, n_heads, n_kv_heads, head_dim, d_ffn, vocabulary, context]
    }

    /// Columns of the queries: H × head_dim.
    pub fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Columns of the keys, and of the values: Hkv × head_dim.
    pub fn kv_dim(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}
