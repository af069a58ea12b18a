//! The parts that most models share, under our names: norms, attention, feed-forward layers, whole blocks. An
//! architecture's file takes these parts and overrides what is its own.

use super::hyper::Hyper;
use super::loader::Loader;
use super::rope::RopeSpec;
use super::rows::{RowRanges, consecutive, count};
use super::shape::Shape;
use crate::device::Weight;
use crate::error::{Error, Result};
use crate::nn::{Attention, Block, Embedding, FeedForward, Linear, Mlp, Norm, NormKind, NormOver, QkNorm, Rope};
use crate::ops::Activation;

/// Reads one model.
pub struct Parts<'p, 'a> {
    /// Finds tensors and makes room for them.
    pub loader: &'p mut Loader<'a>,
    /// The checkpoint's numbers.
    pub hyper: Hyper<'a>,
    /// Its sizes.
    pub shape: Shape,
    /// The norm that it has throughout.
    norm: NormStyle,
    /// The activation that it has throughout.
    pub activation: Activation,
}

/// Which norm an architecture has throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormStyle {
    /// RMSNorm; Gemma's safetensors keep w − 1, so that 1 is added.
    Rms {
        /// Added to the mean square.
        epsilon: f32,
        /// Added to each weight.
        offset: f32,
    },
    /// LayerNorm, with a bias where the file has one.
    Layer {
        /// Added to the variance.
        epsilon: f32,
    },
}

/// A block of norm, attention, norm and feed-forward layer, one after the other.
pub fn pre_norm(attn_norm: Norm, attn: Attention, ffn_norm: Norm, ffn: FeedForward) -> Block {
    Block {
        attn_norm: Some(attn_norm),
        attn,
        attn_post_norm: None,
        attn_out_norm: None,
        cross: None,
        ffn_norm: Some(ffn_norm),
        ffn,
        ffn_post_norm: None,
        ffn_out_norm: None,
        parallel: false,
    }
}

impl<'p, 'a> Parts<'p, 'a> {
    /// Those of a model with this norm and this activation throughout.
    pub fn new(loader: &'p mut Loader<'a>, norm: NormStyle, activation: Activation) -> Self {
        let (hyper, shape) = (loader.hyper, loader.shape.clone());
        Parts { loader, hyper, shape, norm, activation }
    }

    /// Those of llama's family: RMSNorm and SiLU.
    ///
    /// # Errors
    /// `MODEL_FORMAT` where the file does not say the norms' epsilon.
    pub fn rms_silu(loader: &'p mut Loader<'a>) -> Result<Self> {
        let epsilon = loader.hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
        Ok(Parts::new(loader, NormStyle::Rms { epsilon, offset: 0.0 }, Activation::Silu))
    }

    /// Whether the files are GGUF, and not safetensors.
    pub fn is_gguf(&self) -> bool {
        self.loader.tensors.is_gguf()
    }

    /// The embedding table [V, D], its rows times `scale`.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn embedding(&mut self, scale: f32) -> Result<Embedding> {
        let Shape { vocabulary, d_model, .. } = self.shape;
        let (tokens, id) = self.loader.table("embed", [vocabulary, d_model])?;
        Ok(Embedding { tokens, id, positions: None, types: None, scale })
    }

    /// The table of learnt positions [context, D].
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn positions(&mut self) -> Result<Weight> {
        let Shape { context, d_model, .. } = self.shape;
        self.loader.matrix("positions", 0, [context, d_model])
    }

    /// BERT's table of segment types [types, D], where it has one.
    ///
    /// # Errors
    /// Those of [`Loader`], and `MODEL_FORMAT` for a number of types that is no integer from 1 to 2²⁰.
    pub fn token_types(&mut self) -> Result<Option<Weight>> {
        if !self.loader.tensors.has("types", 0) {
            return Ok(None);
        }
        // GGUF's metadata have no such key: its tables have BERT's two rows, or the one that is used.
        let types = match self.hyper.optional_count("token_type_count", "type_vocab_size")? {
            Some(types) => types,
            None => self.loader.tensors.rows("types", 0),
        };
        Ok(Some(self.loader.matrix("types", 0, [types, self.shape.d_model])?))
    }

    /// Rotary positions for heads of this shape, as the file describes them.
    ///
    /// # Errors
    /// Those of [`RopeSpec::read`], and `OUT_OF_MEMORY` where the device has no room for the table.
    pub async fn rope(&mut self) -> Result<Rope> {
        let spec = self.rope_spec(None).await?;
        self.loader.rope(&spec)
    }

    /// RoPE as plain numbers. `section` names one of config.json's several sets of `rope_parameters`.
    ///
    /// # Errors
    /// Those of [`RopeSpec::read`].
    pub async fn rope_spec(&self, section: Option<&str>) -> Result<RopeSpec> {
        let Loader { tensors, context, .. } = &*self.loader;
        RopeSpec::read(&self.hyper, tensors, self.shape.head_dim, *context, section).await
    }

    /// The norm `name` over D columns.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn norm(&mut self, name: &str, layer: usize) -> Result<Norm> {
        self.norm_of(name, layer, self.shape.d_model)
    }

    /// The norm `name` over `n` columns.
    fn norm_of(&mut self, name: &str, layer: usize, n: usize) -> Result<Norm> {
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
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn qk_norm(&mut self, layer: usize, over: NormOver) -> Result<QkNorm> {
        let (n_heads, n_kv_heads) = (self.shape.n_heads.at(layer), self.shape.n_kv_heads.at(layer));
        let head_dim = self.shape.head_dim;
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
        let (kind, epsilon) = match (over, self.norm) {
            (NormOver::Row, _) => return self.norm_of(name, layer, heads * head_dim),
            (NormOver::Head, _) => return self.norm_of(name, layer, head_dim),
            (NormOver::OwnHead, NormStyle::Layer { epsilon }) => (NormKind::Layer { bias: None }, epsilon),
            (NormOver::OwnHead, NormStyle::Rms { epsilon, .. }) => (NormKind::Rms, epsilon),
        };
        let weight = self.loader.stacked_vectors(name, layer, [heads, head_dim])?;
        Ok(Norm { kind, weight, epsilon })
    }

    /// A plain block: norm, attention, norm, gated feed-forward layer. `rope`: rotary positions, if the layer has any.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn block(&mut self, layer: usize, rope: Option<Rope>) -> Result<Block> {
        Ok(pre_norm(
            self.norm("attn.norm", layer)?,
            self.attention(layer, rope)?,
            self.norm("ffn.norm", layer)?,
            self.gated_mlp(layer)?,
        ))
    }

    /// One of what `read` makes for each layer. A header may claim any number of them: room is made as they are found.
    ///
    /// # Errors
    /// The first that `read` gives.
    pub fn layers<T>(&mut self, mut read: impl FnMut(&mut Self, usize) -> Result<T>) -> Result<Vec<T>> {
        let mut layers = Vec::with_capacity(self.shape.n_layers.min(1024));
        for i in 0..self.shape.n_layers {
            layers.push(read(self, i)?);
        }
        Ok(layers)
    }

    /// Attention with projections of their own for queries, keys and values.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn attention(&mut self, layer: usize, rope: Option<Rope>) -> Result<Attention> {
        let (d_model, q_dim, kv_dim) = (self.shape.d_model, self.shape.q_dim(layer), self.shape.kv_dim(layer));
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
        let attention = Attention::new(linears, self.shape.n_heads.at(layer), self.shape.head_dim);
        Ok(Attention { joined_bias, rope, ..attention })
    }

    /// Attention whose queries, keys and values the file keeps as one, `rows` of it for each.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn fused_attention(&mut self, layer: usize, rows: [RowRanges; 3], rope: Option<Rope>) -> Result<Attention> {
        let linears = self.fused_qkvo(layer, rows)?;
        Ok(Attention { rope, ..Attention::new(linears, self.shape.n_heads.at(layer), self.shape.head_dim) })
    }

    /// The projections of queries, keys and values, which the file keeps as one, and the one of attention's output.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn fused_qkvo(&mut self, layer: usize, rows: [RowRanges; 3]) -> Result<[Linear; 4]> {
        let d_model = self.shape.d_model;
        let (fused, q_dim) = (rows.iter().map(count).sum(), count(&rows[0]));
        let [q, k, v] = self.loader.linear_parts("attn.qkv", layer, [fused, d_model], rows)?;
        Ok([q, k, v, self.loader.linear("attn.o", layer, [d_model, q_dim])?])
    }

    /// down(act(gate(x)) × up(x)).
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn gated_mlp(&mut self, layer: usize) -> Result<FeedForward> {
        self.gated_mlp_of(layer, self.shape.d_ffn.at(layer))
    }

    /// A gated feed-forward layer, `d_ffn` wide.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn gated_mlp_of(&mut self, layer: usize, d_ffn: usize) -> Result<FeedForward> {
        let d_model = self.shape.d_model;
        let both = [("ffn.gate", [d_ffn, d_model]), ("ffn.up", [d_ffn, d_model])];
        let [gate, up] = self.loader.linears(both, layer)?;
        let down = self.loader.linear("ffn.down", layer, [d_model, d_ffn])?;
        Ok(FeedForward::Dense(Mlp { gate: Some(gate), up, down, activation: self.activation }))
    }

    /// A gated feed-forward layer whose gate and up are one tensor in the file.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn fused_mlp(&mut self, layer: usize) -> Result<FeedForward> {
        let (d_model, d_ffn) = (self.shape.d_model, self.shape.d_ffn.at(layer));
        let halves = consecutive([d_ffn; 2]);
        let [gate, up] = self.loader.linear_parts("ffn.gate_up", layer, [2 * d_ffn, d_model], halves)?;
        let down = self.loader.linear("ffn.down", layer, [d_model, d_ffn])?;
        Ok(FeedForward::Dense(Mlp { gate: Some(gate), up, down, activation: self.activation }))
    }

    /// down(act(up(x))).
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn plain_mlp(&mut self, layer: usize) -> Result<FeedForward> {
        let (d_model, d_ffn) = (self.shape.d_model, self.shape.d_ffn.at(layer));
        let up = self.loader.linear("ffn.up", layer, [d_ffn, d_model])?;
        let down = self.loader.linear("ffn.down", layer, [d_model, d_ffn])?;
        Ok(FeedForward::Dense(Mlp { gate: None, up, down, activation: self.activation }))
    }

    /// The final norm, and the projection to logits: the embedding table again where the file has none of its own and
    /// does not say that it should have.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn head(&mut self, embed: &Embedding) -> Result<(Norm, Linear)> {
        let Shape { vocabulary, d_model, .. } = self.shape;
        let norm = self.norm("norm", 0)?;
        let lm_head = match self.loader.tensors.has("lm_head", 0) || self.hyper.is_untied() {
            true => self.loader.linear("lm_head", 0, [vocabulary, d_model])?,
            false => self.loader.tied("lm_head", embed.tokens.clone()),
        };
        Ok((norm, lm_head))
    }

    /// Whether the metadata's window, if they speak of one, is that of a layer. (config.json may speak of more than its
    /// architecture means: transformers passes over it too.)
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` where no layer has one.
    pub fn check_window(&self, blocks: &[Block]) -> Result<()> {
        let windowed = |block: &Block| block.attn.scores.window.is_some();
        if !self.is_gguf() || blocks.iter().any(windowed) {
            return Ok(());
        }
        let Some(window) = self.hyper.window()? else { return Ok(()) };
        let listed = self.hyper.listed_sliding_layers(blocks.len())?;
        if listed.is_some_and(|listed| !listed.contains(&true)) || self.loader.context <= window as usize {
            return Ok(()); // no layer is to have one, or all that the context holds is within it
        }
        Err(Error::Unsupported {
            what: format!("a sliding window in a {} model", self.shape.architecture),
            hint: format!("; with a context of {window} or less it runs").into(),
        })
    }
}
