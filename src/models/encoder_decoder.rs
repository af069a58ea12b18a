//! The original Transformer (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>): an encoder reads a whole text, a decoder
//! writes another and attends to it.

use super::decoder::Transformer;
use super::encoder::encoder_attention;
use crate::device::Pass;
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Hyper, Parts, PerLayer, Shape};
use crate::nn::{CrossAttention, CrossKeys, CrossProjections, Embedding, EncoderBlock, FeedForward, Linear, Mlp, Norm};
use crate::ops::RelativeBias;

/// The tensors that BART's descendants have in common. Which projections of keys have biases is their own.
pub const BART_NAMES: &[Name] = &[
    ("attn.norm", "", "model.decoder.layers.{i}.self_attn_layer_norm.weight"),
    ("attn.norm.bias", "", "model.decoder.layers.{i}.self_attn_layer_norm.bias"),
    ("attn.q", "", "model.decoder.layers.{i}.self_attn.q_proj.weight"),
    ("attn.q.bias", "", "model.decoder.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k", "", "model.decoder.layers.{i}.self_attn.k_proj.weight"),
    ("attn.v", "", "model.decoder.layers.{i}.self_attn.v_proj.weight"),
    ("attn.v.bias", "", "model.decoder.layers.{i}.self_attn.v_proj.bias"),
    ("attn.o", "", "model.decoder.layers.{i}.self_attn.out_proj.weight"),
    ("attn.o.bias", "", "model.decoder.layers.{i}.self_attn.out_proj.bias"),
    ("cross.norm", "", "model.decoder.layers.{i}.encoder_attn_layer_norm.weight"),
    ("cross.norm.bias", "", "model.decoder.layers.{i}.encoder_attn_layer_norm.bias"),
    ("cross.q", "", "model.decoder.layers.{i}.encoder_attn.q_proj.weight"),
    ("cross.q.bias", "", "model.decoder.layers.{i}.encoder_attn.q_proj.bias"),
    ("cross.k", "", "model.decoder.layers.{i}.encoder_attn.k_proj.weight"),
    ("cross.v", "", "model.decoder.layers.{i}.encoder_attn.v_proj.weight"),
    ("cross.v.bias", "", "model.decoder.layers.{i}.encoder_attn.v_proj.bias"),
    ("cross.o", "", "model.decoder.layers.{i}.encoder_attn.out_proj.weight"),
    ("cross.o.bias", "", "model.decoder.layers.{i}.encoder_attn.out_proj.bias"),
    ("ffn.norm", "", "model.decoder.layers.{i}.final_layer_norm.weight"),
    ("ffn.norm.bias", "", "model.decoder.layers.{i}.final_layer_norm.bias"),
    ("ffn.up", "", "model.decoder.layers.{i}.fc1.weight"),
    ("ffn.up.bias", "", "model.decoder.layers.{i}.fc1.bias"),
    ("ffn.down", "", "model.decoder.layers.{i}.fc2.weight"),
    ("ffn.down.bias", "", "model.decoder.layers.{i}.fc2.bias"),
    ("encoder.attn.norm", "", "model.encoder.layers.{i}.self_attn_layer_norm.weight"),
    ("encoder.attn.norm.bias", "", "model.encoder.layers.{i}.self_attn_layer_norm.bias"),
    ("encoder.attn.q", "", "model.encoder.layers.{i}.self_attn.q_proj.weight"),
    ("encoder.attn.q.bias", "", "model.encoder.layers.{i}.self_attn.q_proj.bias"),
    ("encoder.attn.k", "", "model.encoder.layers.{i}.self_attn.k_proj.weight"),
    ("encoder.attn.v", "", "model.encoder.layers.{i}.self_attn.v_proj.weight"),
    ("encoder.attn.v.bias", "", "model.encoder.layers.{i}.self_attn.v_proj.bias"),
    ("encoder.attn.o", "", "model.encoder.layers.{i}.self_attn.out_proj.weight"),
    ("encoder.attn.o.bias", "", "model.encoder.layers.{i}.self_attn.out_proj.bias"),
    ("encoder.ffn.norm", "", "model.encoder.layers.{i}.final_layer_norm.weight"),
    ("encoder.ffn.norm.bias", "", "model.encoder.layers.{i}.final_layer_norm.bias"),
    ("encoder.ffn.up", "", "model.encoder.layers.{i}.fc1.weight"),
    ("encoder.ffn.up.bias", "", "model.encoder.layers.{i}.fc1.bias"),
    ("encoder.ffn.down", "", "model.encoder.layers.{i}.fc2.weight"),
    ("encoder.ffn.down.bias", "", "model.encoder.layers.{i}.fc2.bias"),
];

/// Both halves, their weights on the device.
pub struct EncoderDecoder {
    /// Ids → the decoder's keys and values.
    pub encoder: SourceEncoder,
    /// Ids → logits.
    pub decoder: Transformer,
}

/// The encoder of the text that the decoder attends to.
pub struct SourceEncoder {
    /// The most ids of a text, S.
    pub positions: usize,
    /// Ids → [T, D].
    pub embed: Embedding,
    /// [T, D] → [T, D], one after the other.
    pub blocks: Vec<EncoderBlock>,
    /// After the last block, where blocks begin with their norms.
    pub norm: Option<Norm>,
    /// The decoder's layers.
    pub cross: Vec<CrossProjections>,
}

impl SourceEncoder {
    /// Records the way from the pass's rows, one whole text, to keys and values of each of the decoder's layers.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn forward(&self, pass: &mut Pass) -> Result<()> {
        let mut x = self.embed.forward(pass)?; // [T, D]
        for block in &self.blocks {
            x = block.forward(pass, x)?; // [T, D]
        }
        x = Norm::after(self.norm.as_ref(), pass, x)?; // [T, D]
        CrossKeys::keep(pass, &x, &self.cross) // [T, H × head_dim]
    }
}

/// Sizes of an encoder, beside those of the decoder in [`Shape`].
#[derive(Debug, Clone, Copy)]
pub struct EncoderShape {
    /// Blocks.
    pub layers: usize,
    /// Heads.
    pub heads: usize,
    /// Columns of a head.
    pub head_dim: usize,
    /// Columns inside the feed-forward layer.
    pub d_ffn: usize,
}

impl EncoderShape {
    /// Under BART's names.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for numbers that are missing or make no sense, `MODEL_UNSUPPORTED` for heads that kernels do not compute.
    pub fn read(hyper: &Hyper) -> Result<Self> {
        let heads = hyper.count("", "encoder_attention_heads")?;
        Ok(EncoderShape {
            layers: hyper.count("", "encoder_layers")?,
            heads,
            head_dim: hyper.head_dim("d_model", hyper.count("", "d_model")?, heads)?,
            d_ffn: hyper.count("", "encoder_ffn_dim")?,
        })
    }
}

/// The sizes of a decoder under BART's names; `context`: config.json's key of its positions.
///
/// # Errors
/// Those of [`EncoderShape::read`].
pub fn decoder_shape(hyper: &Hyper, context: &str) -> Result<Shape> {
    let d_model = hyper.count("", "d_model")?;
    let n_heads = hyper.count("", "decoder_attention_heads")?;
    Ok(Shape {
        architecture: hyper.family.name,
        d_model,
        n_layers: hyper.count("", "decoder_layers")?,
        n_heads: PerLayer::Same(n_heads),
        n_kv_heads: PerLayer::Same(n_heads),
        head_dim: hyper.head_dim("d_model", d_model, n_heads)?,
        d_ffn: PerLayer::Same(hyper.count("", "decoder_ffn_dim")?),
        vocabulary: hyper.vocabulary()?,
        context: hyper.count("", context)?,
    })
}

/// Where a model has its norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPlace {
    /// Before the sublayers.
    Before,
    /// On what the sublayers and the residual come to.
    After,
}

impl NormPlace {
    /// The norm, as one before a sublayer and as one after it.
    pub fn split(self, norm: Norm) -> [Option<Norm>; 2] {
        match self {
            NormPlace::Before => [Some(norm), None],
            NormPlace::After => [None, Some(norm)],
        }
    }
}

impl Parts<'_, '_> {
    /// The encoder's blocks: names begin with `encoder.`, `up` is that of the projection which gates go with. With `bias`, scores are not
    /// scaled (T5).
    ///
    /// # Errors
    /// Those of [`Loader`](crate::load::Loader).
    pub fn encoder_blocks(
        &mut self,
        sizes: &EncoderShape,
        up: &str,
        place: NormPlace,
        bias: Option<RelativeBias>,
    ) -> Result<Vec<EncoderBlock>> {
        // A header may claim any number of them.
        let mut blocks = Vec::with_capacity(sizes.layers.min(1024));
        for i in 0..sizes.layers {
            blocks.push(self.encoder_block(i, sizes, up, place, bias)?);
        }
        Ok(blocks)
    }

    fn encoder_block(
        &mut self,
        i: usize,
        sizes: &EncoderShape,
        up: &str,
        place: NormPlace,
        bias: Option<RelativeBias>,
    ) -> Result<EncoderBlock> {
        let EncoderShape { heads, head_dim, d_ffn, .. } = *sizes;
        let (d_model, q_dim) = (self.shape.d_model, heads * head_dim);
        let mut linear = |name: &str, shape| self.loader.linear(name, i, shape);
        let [q, k, v] =
            ["encoder.attn.q", "encoder.attn.k", "encoder.attn.v"].map(|name| linear(name, [q_dim, d_model]));
        let projections = [q?, k?, v?, linear("encoder.attn.o", [d_model, q_dim])?];
        let shape = Shape { n_heads: PerLayer::Same(heads), head_dim, ..self.shape.clone() };
        let mut attn = encoder_attention(projections, &shape, i);
        if bias.is_some() {
            (attn.bias, attn.scale) = (bias, 1.0);
        }
        let [attn_norm, attn_out_norm] = place.split(self.norm("encoder.attn.norm", i)?);
        let [ffn_norm, ffn_out_norm] = place.split(self.norm("encoder.ffn.norm", i)?);
        let ffn = self.feed_forward(["encoder.ffn.gate", up, "encoder.ffn.down"], i, d_ffn)?;
        Ok(EncoderBlock { attn_norm, attn, attn_out_norm, ffn_norm, ffn, ffn_out_norm })
    }

    /// A feed-forward layer by the names of its projections, gated where the file has gates.
    ///
    /// # Errors
    /// Those of [`Loader`](crate::load::Loader).
    pub fn feed_forward(&mut self, [gate, up, down]: [&str; 3], i: usize, d_ffn: usize) -> Result<FeedForward> {
        let d_model = self.shape.d_model;
        let gate = match self.loader.tensors.has(gate, i) {
            true => Some(self.loader.linear(gate, i, [d_ffn, d_model])?),
            false => None,
        };
        let up = self.loader.linear(up, i, [d_ffn, d_model])?;
        let down = self.loader.linear(down, i, [d_model, d_ffn])?;
        Ok(FeedForward::Dense(Mlp { gate, up, down, activation: self.activation }))
    }

    /// The decoder's projections of what the encoder makes of `rows` rows, with room for them.
    ///
    /// # Errors
    /// Those of [`Loader`](crate::load::Loader).
    pub fn cross_projections(&mut self, rows: usize) -> Result<Vec<CrossProjections>> {
        let d_model = self.shape.d_model;
        self.layers(|parts, i| {
            let q_dim = parts.shape.q_dim(i);
            let k = parts.loader.linear("cross.k", i, [q_dim, d_model])?;
            let v = parts.loader.linear("cross.v", i, [q_dim, d_model])?;
            let bytes = 4 * (rows * q_dim.next_multiple_of(4)) as u64;
            let mut room = || parts.loader.room("keys and values of the encoder's rows", bytes);
            Ok(([k, v], CrossKeys { keys: room()?, values: room()?, rows }))
        })
    }

    /// The decoder's attention to what the encoder makes.
    ///
    /// # Errors
    /// Those of [`Loader`](crate::load::Loader).
    pub fn cross_attention(&mut self, i: usize, attended: CrossKeys, place: NormPlace) -> Result<CrossAttention> {
        let (d_model, q_dim, head_dim) = (self.shape.d_model, self.shape.q_dim(i), self.shape.head_dim);
        let [norm, out_norm] = place.split(self.norm("cross.norm", i)?);
        let q: Linear = self.loader.linear("cross.q", i, [q_dim, d_model])?;
        let o = self.loader.linear("cross.o", i, [d_model, q_dim])?;
        let n_heads = self.shape.n_heads.at(i);
        Ok(CrossAttention { norm, out_norm, q, o, n_heads, scale: 1.0 / (head_dim as f32).sqrt(), attended })
    }
}
