//! A decoder's sizes, read before any weight.

use super::Hyper;
use super::names::Name;
use crate::error::{Error, Result};
use crate::ops::MOST_HEAD_DIM;
use serde::Serialize;

/// What every decoder says about itself before a weight is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    pub architecture: &'static str,
    pub d_model: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    pub d_ffn: usize,
    pub vocabulary: usize,
    /// Positions the model was made for.
    pub context: usize,
}

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
    "embeddings.word_embeddings.weight",
    "bert.embeddings.word_embeddings.weight",
    "embeddings.tok_embeddings.weight",
    "model.embeddings.tok_embeddings.weight",
];

impl Shape {
    /// The sizes under the names that most architectures use. `own`: the architecture's own names of tensors. `d_ffn`:
    /// where the file may leave it out, its default.
    pub fn read(hyper: &Hyper, own: &'static [Name], d_ffn: Option<usize>) -> Result<Shape> {
        let d_model = hyper.count("embedding_length", "hidden_size|n_embd")?;
        let n_heads = hyper.count("attention.head_count", "num_attention_heads|n_head|num_heads")?;
        let n_kv_heads = hyper.optional_count("attention.head_count_kv", "num_key_value_heads")?.unwrap_or(n_heads);
        let head_dim = match hyper.optional_count("attention.key_length", "head_dim")? {
            Some(head_dim) => head_dim,
            None if d_model.is_multiple_of(n_heads) => d_model / n_heads,
            None => return Err(hyper.wrong("the embedding length", "must be a multiple of the number of heads")),
        };
        if n_heads > d_model {
            return Err(hyper.wrong("the number of heads", "must not be larger than the embedding length"));
        }
        if !n_heads.is_multiple_of(n_kv_heads) {
            return Err(hyper.wrong("the number of heads", "must be a multiple of the number of key-value heads"));
        }
        if !head_dim.is_multiple_of(4) || head_dim > MOST_HEAD_DIM {
            let most = MOST_HEAD_DIM;
            return Err(Error::unsupported(format!(
                "a head size of {head_dim} (this build: multiples of 4 up to {most})"
            )));
        }
        let d_ffn = match (hyper.optional_count("feed_forward_length", "intermediate_size|n_inner")?, d_ffn) {
            (Some(d_ffn), _) | (None, Some(d_ffn)) => d_ffn,
            (None, None) => hyper.count("feed_forward_length", "intermediate_size")?,
        };
        hyper.note("feed_forward_length", d_ffn as u32); // at most four times 2²⁰
        Ok(Shape {
            architecture: hyper.architecture,
            d_model,
            n_layers: hyper.count("block_count", "num_hidden_layers|n_layer|num_layers")?,
            n_heads,
            n_kv_heads,
            head_dim,
            d_ffn,
            vocabulary: hyper.vocabulary(own, TABLES)?,
            context: hyper.count("context_length", "max_position_embeddings|n_positions|n_ctx")?,
        })
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
