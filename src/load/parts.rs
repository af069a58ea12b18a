//! What decoders read alike, under our names. An architecture's file takes these parts and overrides what is its own.

use super::names::{NAMES, Name};
use super::rope::RopeSpec;
use super::rows::interleaved_halves;
use super::{Hyper, Loader, Shape};
use crate::device::Weight;
use crate::error::{Error, Result};
use crate::nn::{
    Angles, Attention, Block, Embedding, FeedForward, Linear, Mlp, Norm, NormKind, NormOver, QkNorm, Rope,
};
use crate::ops::{Activation, Pairing};

/// config.json's switches for biases, with our names of them.
const BIASES: &[(&str, &[&str])] = &[
    ("attention_bias", &["attn.q.bias", "attn.k.bias", "attn.v.bias", "attn.o.bias"]),
    ("use_qkv_bias", &["attn.q.bias", "attn.k.bias", "attn.v.bias"]),
    ("mlp_bias", &["ffn.gate.bias", "ffn.up.bias", "ffn.down.bias"]),
];

/// Reads one decoder.
pub struct Parts<'p, 'a> {
    pub loader: &'p mut Loader<'a>,
    pub hyper: Hyper<'a>,
    pub shape: Shape,
    pub norm: NormStyle,
}

/// Which norm an architecture has throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormStyle {
    /// RMSNorm; `offset` is added to the file's weights (1 in Gemma's safetensors).
    Rms { epsilon: f32, offset: f32 },
    /// LayerNorm, with a bias where the file has one.
    Layer { epsilon: f32 },
}

impl<'p, 'a> Parts<'p, 'a> {
    /// `own`: the names that differ from [`NAMES`]. Biases among them must be there, and those that config.json speaks of.
    pub fn new(loader: &'p mut Loader<'a>, shape: Shape, own: &'static [Name], norm: NormStyle) -> Self {
        loader.architecture = shape.architecture;
        loader.names = [own, NAMES];
        let hyper = loader.hyper(shape.architecture);
        let said = |(key, _): &&(&str, _)| hyper.flag("", key).ok().flatten() == Some(true);
        let said = BIASES.iter().filter(said).flat_map(|(_, names)| names.iter().copied());
        loader.required = own.iter().map(|row| row.0).filter(|name| name.ends_with(".bias")).chain(said).collect();
        Parts { loader, hyper, shape, norm }
    }

    /// The embedding table [V, D], its rows times `scale`.
    pub fn embedding(&mut self, scale: f32) -> Result<Embedding> {
        let Shape { vocabulary, d_model, .. } = self.shape;
        let tokens = self.loader.matrix("embed", 0, [vocabulary, d_model])?;
        Ok(Embedding { tokens, positions: None, types: None, scale })
    }

    /// BERT's table of segment types [types, D], where it has one.
    pub fn token_types(&mut self, hyper: &Hyper<'_>) -> Result<Option<Weight>> {
        if !self.loader.has("types", 0) {
            return Ok(None);
        }
        // GGUF's metadata have no such key: its tables have BERT's two rows, or the one that is used.
        let types = match hyper.optional_count("token_type_count", "type_vocab_size")? {
            Some(types) => types,
            None => self.loader.rows("types", 0)?,
        };
        Ok(Some(self.loader.matrix("types", 0, [types, self.shape.d_model])?))
    }

    /// Rotary positions for heads of this shape, as the file describes them.
    pub async fn rope(&mut self, pairing: Pairing) -> Result<Rope> {
        let spec = RopeSpec::read(&self.hyper, self.loader, self.shape.head_dim, None).await?;
        self.rope_table(&spec, pairing)
    }

    /// How q and k turn in llama's family: GGUF's converter permutes their rows so that neighbours turn together;
    /// Hugging Face's files turn halves.
    pub fn permuted_pairing(&mut self) -> Pairing {
        self.loader.gguf_order = interleaved_halves;
        if self.loader.is_gguf() { Pairing::Adjacent } else { Pairing::HalfSplit }
    }

    /// The table of `spec`'s angles on the device.
    pub fn rope_table(&mut self, spec: &RopeSpec, pairing: Pairing) -> Result<Rope> {
        self.loader.ropes.push(spec.clone());
        let angles = Angles::new(spec.dims, spec.base, spec.scaling.as_ref());
        let table = self.loader.upload_rows("the rotary positions", spec.dims, |positions| angles.table(positions))?;
        Ok(Rope { table, dims: spec.dims, pairing })
    }

    /// The norm `name` over D columns.
    pub fn norm(&mut self, name: &str, layer: usize) -> Result<Norm> {
        self.norm_of(name, layer, self.shape.d_model)
    }

    /// The norm `name` over `n` columns.
    pub fn norm_of(&mut self, name: &str, layer: usize, n: usize) -> Result<Norm> {
        match self.norm {
            NormStyle::Rms { epsilon, offset } => {
                let weight = self.loader.vector_plus(name, layer, n, offset)?;
                Ok(Norm { kind: NormKind::Rms, weight, epsilon })
            }
            NormStyle::Layer { epsilon } => {
                let weight = self.loader.vector(name, layer, n)?;
                let bias = self.loader.optional_vector(&format!("{name}.bias"), layer, n)?;
                Ok(Norm { kind: NormKind::Layer { bias }, weight, epsilon })
            }
        }
    }

    /// The norms of queries and keys.
    pub fn qk_norm(&mut self, layer: usize, over: NormOver) -> Result<QkNorm> {
        let Shape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let q = self.norm_of_heads("attn.q_norm", layer, n_heads, over)?;
        let k = self.norm_of_heads("attn.k_norm", layer, n_kv_heads, over)?;
        let columns = |heads| if over == NormOver::Head { head_dim } else { heads * head_dim };
        let joined = match (self.norm, over) {
            (NormStyle::Rms { offset, .. }, NormOver::Row | NormOver::Head) => {
                let names = [("attn.q_norm", columns(n_heads)), ("attn.k_norm", columns(n_kv_heads))];
                Some(self.loader.joined_vectors(&names, layer, offset)?)
            }
            _ => None,
        };
        Ok(QkNorm { q, k, over, joined })
    }

    fn norm_of_heads(&mut self, name: &str, layer: usize, heads: usize, over: NormOver) -> Result<Norm> {
        let head_dim = self.shape.head_dim;
        match (over, self.norm) {
            (NormOver::Row, _) => self.norm_of(name, layer, heads * head_dim),
            (NormOver::Head, _) => self.norm_of(name, layer, head_dim),
            (NormOver::OwnHead, NormStyle::Layer { epsilon }) => {
                let weight = self.loader.stacked_vectors(name, layer, [heads, head_dim])?;
                Ok(Norm { kind: NormKind::Layer { bias: None }, weight, epsilon })
            }
            (NormOver::OwnHead, NormStyle::Rms { epsilon, .. }) => {
                let weight = self.loader.stacked_vectors(name, layer, [heads, head_dim])?;
                Ok(Norm { kind: NormKind::Rms, weight, epsilon })
            }
        }
    }

    /// Attention with projections of their own for queries, keys and values.
    pub fn attention(&mut self, layer: usize, rope: Option<Rope>) -> Result<Attention> {
        let (d_model, q_dim, kv_dim) = (self.shape.d_model, self.shape.q_dim(), self.shape.kv_dim());
        let qkv = [("attn.q", [q_dim, d_model]), ("attn.k", [kv_dim, d_model]), ("attn.v", [kv_dim, d_model])];
        let [q, k, v] = self.loader.linears(qkv, layer)?;
        let linears = [q, k, v, self.loader.linear("attn.o", layer, [d_model, q_dim])?];
        let joined_bias = match linears[..3].iter().all(|linear| linear.bias.is_some()) {
            true => {
                let biases = [("attn.q.bias", q_dim), ("attn.k.bias", kv_dim), ("attn.v.bias", kv_dim)];
                Some(self.loader.joined_vectors(&biases, layer, 0.0)?)
            }
            false => None,
        };
        let attention = Attention::new(linears, self.shape.n_heads, self.shape.head_dim);
        Ok(Attention { joined_bias, rope, ..attention })
    }

    /// down(act(gate(x)) × up(x)), all there is to the feed-forward layer.
    pub fn gated_mlp(&mut self, layer: usize, activation: Activation) -> Result<FeedForward> {
        Ok(FeedForward::Dense(self.gated(layer, activation)?))
    }

    /// down(act(gate(x)) × up(x)).
    pub fn gated(&mut self, layer: usize, activation: Activation) -> Result<Mlp> {
        let Shape { d_model, d_ffn, .. } = self.shape;
        let both = [("ffn.gate", [d_ffn, d_model]), ("ffn.up", [d_ffn, d_model])];
        let [gate, up] = self.loader.linears(both, layer)?;
        Ok(Mlp { gate: Some(gate), up, down: self.loader.linear("ffn.down", layer, [d_model, d_ffn])?, activation })
    }

    /// down(silu(gate(x)) × up(x)), `d_ffn` wide: a dense layer among experts.
    pub fn dense_mlp(&mut self, layer: usize, d_ffn: usize) -> Result<FeedForward> {
        let experts = std::mem::replace(&mut self.shape.d_ffn, d_ffn);
        let mlp = self.gated_mlp(layer, Activation::Silu);
        self.shape.d_ffn = experts;
        mlp
    }

    /// down(act(up(x))).
    pub fn plain_mlp(&mut self, layer: usize, activation: Activation) -> Result<FeedForward> {
        let Shape { d_model, d_ffn, .. } = self.shape;
        Ok(FeedForward::Dense(Mlp {
            gate: None,
            up: self.loader.linear("ffn.up", layer, [d_ffn, d_model])?,
            down: self.loader.linear("ffn.down", layer, [d_model, d_ffn])?,
            activation,
        }))
    }

    /// The final norm, and the projection to logits: the embedding table again where the file has none of its own and
    /// does not say that it should have.
    pub fn head(&mut self, embed: &Embedding) -> Result<(Norm, Linear)> {
        let Shape { vocabulary, d_model, .. } = self.shape;
        let norm = self.norm("norm", 0)?;
        let lm_head = match self.loader.has("lm_head", 0) || self.hyper.is_untied() {
            true => self.loader.linear("lm_head", 0, [vocabulary, d_model])?,
            false => self.loader.tied("lm_head", embed.tokens.clone()),
        };
        Ok((norm, lm_head))
    }

    /// Error: `MODEL_UNSUPPORTED` where the metadata speak of a window, but no layer has one. (config.json may speak of
    /// more than its architecture means: transformers passes over it too.)
    pub fn check_window(&self, blocks: &[Block]) -> Result<()> {
        let windowed = |block: &Block| block.attn.scores.window.is_some();
        if !self.loader.is_gguf() || blocks.iter().any(windowed) {
            return Ok(());
        }
        match self.hyper.window()? {
            Some(window) => {
                let listed = self.hyper.listed_sliding_layers(blocks.len())?;
                if listed.is_some_and(|listed| !listed.contains(&true)) || self.loader.context <= window as usize {
                    return Ok(()); // no layer is to have one, or all that the context holds is within it
                }
                Err(Error::Unsupported {
                    what: format!("a sliding window in a {} model", self.shape.architecture),
                    hint: format!("; with a context of {window} or less it runs").into(),
                })
            }
            None => Ok(()),
        }
    }

    /// Room for the blocks; a header may claim any number of them.
    pub fn blocks(&self) -> Vec<Block> {
        Vec::with_capacity(self.shape.n_layers.min(1024))
    }
}
