//! T5 (Raffel et al. 2020, <https://arxiv.org/abs/1910.10683>), T5 1.1 and FLAN-T5: an encoder and a decoder with RMSNorm before the
//! sublayers, biases by distance in place of positions, and scores that are not scaled.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::encoder_decoder::{EncoderDecoder, EncoderShape, NormPlace, SourceEncoder};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Buckets, Family, Hyper, Loader, NormStyle, Parts, PerLayer, Shape, pre_norm};
use crate::ops::{Activation, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "t5",
        hf: &["t5"],
        tensors: NAMES,
        prefixes: &["model.", ""],
        defaults: &[
            ("d_model", 512.0),
            ("d_kv", 64.0),
            ("d_ff", 2048.0),
            ("num_layers", 6.0),
            ("num_heads", 8.0),
            ("relative_attention_num_buckets", 32.0),
            ("relative_attention_max_distance", 128.0),
            ("layer_norm_epsilon", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::EncoderDecoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "", "shared.weight"),
    ("lm_head", "", "lm_head.weight"),
    ("norm", "", "decoder.final_layer_norm.weight"),
    ("bias", "", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    ("attn.norm", "", "decoder.block.{i}.layer.0.layer_norm.weight"),
    ("attn.q", "", "decoder.block.{i}.layer.0.SelfAttention.q.weight"),
    ("attn.k", "", "decoder.block.{i}.layer.0.SelfAttention.k.weight"),
    ("attn.v", "", "decoder.block.{i}.layer.0.SelfAttention.v.weight"),
    ("attn.o", "", "decoder.block.{i}.layer.0.SelfAttention.o.weight"),
    ("cross.norm", "", "decoder.block.{i}.layer.1.layer_norm.weight"),
    ("cross.q", "", "decoder.block.{i}.layer.1.EncDecAttention.q.weight"),
    ("cross.k", "", "decoder.block.{i}.layer.1.EncDecAttention.k.weight"),
    ("cross.v", "", "decoder.block.{i}.layer.1.EncDecAttention.v.weight"),
    ("cross.o", "", "decoder.block.{i}.layer.1.EncDecAttention.o.weight"),
    ("ffn.norm", "", "decoder.block.{i}.layer.2.layer_norm.weight"),
    ("ffn.only", "", "decoder.block.{i}.layer.2.DenseReluDense.wi.weight"),
    ("ffn.gate", "", "decoder.block.{i}.layer.2.DenseReluDense.wi_0.weight"),
    ("ffn.up", "", "decoder.block.{i}.layer.2.DenseReluDense.wi_1.weight"),
    ("ffn.down", "", "decoder.block.{i}.layer.2.DenseReluDense.wo.weight"),
    ("encoder.norm", "", "encoder.final_layer_norm.weight"),
    ("encoder.bias", "", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    ("encoder.attn.norm", "", "encoder.block.{i}.layer.0.layer_norm.weight"),
    ("encoder.attn.q", "", "encoder.block.{i}.layer.0.SelfAttention.q.weight"),
    ("encoder.attn.k", "", "encoder.block.{i}.layer.0.SelfAttention.k.weight"),
    ("encoder.attn.v", "", "encoder.block.{i}.layer.0.SelfAttention.v.weight"),
    ("encoder.attn.o", "", "encoder.block.{i}.layer.0.SelfAttention.o.weight"),
    ("encoder.ffn.norm", "", "encoder.block.{i}.layer.1.layer_norm.weight"),
    ("encoder.ffn.only", "", "encoder.block.{i}.layer.1.DenseReluDense.wi.weight"),
    ("encoder.ffn.gate", "", "encoder.block.{i}.layer.1.DenseReluDense.wi_0.weight"),
    ("encoder.ffn.up", "", "encoder.block.{i}.layer.1.DenseReluDense.wi_1.weight"),
    ("encoder.ffn.down", "", "encoder.block.{i}.layer.1.DenseReluDense.wo.weight"),
];

/// Positions that these models were trained for, where config.json does not say: biases by distance set no bound.
const TRAINED: usize = 512;

/// The decoder's sizes.
fn shape(hyper: &Hyper) -> Result<Shape> {
    activation(hyper)?;
    let n_heads = PerLayer::Same(hyper.count("", "num_heads")?);
    Ok(Shape {
        architecture: hyper.family.name,
        d_model: hyper.count("", "d_model")?,
        n_layers: hyper.count("", "num_decoder_layers|num_layers")?,
        n_kv_heads: n_heads.clone(),
        n_heads,
        head_dim: hyper.own_head_dim("d_kv")?,
        d_ffn: PerLayer::Same(hyper.count("", "d_ff")?),
        vocabulary: hyper.vocabulary()?,
        context: hyper.optional_count("", "n_positions")?.unwrap_or(TRAINED),
    })
}

fn activation(hyper: &Hyper) -> Result<Activation> {
    match hyper.text("", "feed_forward_proj")? {
        None | Some("relu") => Ok(Activation::Relu),
        Some("gated-gelu") => Ok(Activation::GeluTanh),
        Some("gated-silu") => Ok(Activation::Silu),
        Some(other) => Err(Error::unsupported(format!("the feed-forward layer {other} in a t5 model"))),
    }
}

async fn load(loader: &mut Loader<'_>) -> Result<EncoderDecoder> {
    let (hyper, activation) = (loader.hyper, activation(&loader.hyper)?);
    let (d_model, d_ffn) = (loader.shape.d_model, hyper.count("", "d_ff")?);
    let (heads, head_dim) = (loader.shape.n_heads.at(0), loader.shape.head_dim);
    let buckets = Buckets {
        count: hyper.count("", "relative_attention_num_buckets")?,
        most: hyper.count("", "relative_attention_max_distance")?,
        both_sides: false,
    };
    if !buckets.count.is_multiple_of(4) || buckets.most <= buckets.count / 2 {
        return Err(hyper.wrong("relative_attention_num_buckets", "must be a multiple of 4 below twice the distance"));
    }
    let bias = Some(loader.relative_bias("bias", heads, buckets).await?);
    let of_encoder = Some(loader.relative_bias("encoder.bias", heads, Buckets { both_sides: true, ..buckets }).await?);
    let epsilon = hyper.number("", "layer_norm_epsilon")? as f32;
    let mut parts = Parts::new(loader, NormStyle::Rms { epsilon, offset: 0.0 }, activation);
    let gated = parts.loader.tensors.has("ffn.gate", 0);
    let up = if gated { "ffn.up" } else { "ffn.only" };
    let embed = parts.embedding(1.0)?;
    let positions = parts.loader.context;
    let sizes = EncoderShape { layers: hyper.count("", "num_layers")?, heads, head_dim, d_ffn };
    let up_of_encoder = if gated { "encoder.ffn.up" } else { "encoder.ffn.only" };
    let encoder = SourceEncoder {
        positions,
        embed: parts.embedding(1.0)?,
        blocks: parts.encoder_blocks(&sizes, up_of_encoder, NormPlace::Before, of_encoder)?,
        norm: Some(parts.norm("encoder.norm", 0)?),
        cross: parts.cross_projections(positions)?,
    };
    let mut decoder = Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = pre_norm(
            parts.norm("attn.norm", i)?,
            parts.attention(i, None)?,
            parts.norm("ffn.norm", i)?,
            parts.feed_forward(["ffn.gate", up, "ffn.down"], i, d_ffn)?,
        );
        block.attn.scores = Scores { scale: 1.0, bias, ..block.attn.scores };
        let mut cross = parts.cross_attention(i, encoder.cross[i].1, NormPlace::Before)?;
        cross.scale = 1.0;
        block.cross = Some(cross);
        Ok(block)
    })?;
    // transformers 5 writes a key of its own for what older files say with the tie.
    if hyper.flag("", "scale_decoder_outputs")?.unwrap_or(!hyper.is_untied()) {
        decoder.lm_head = decoder.lm_head.scaled((d_model as f32).sqrt().recip());
    }
    Ok(EncoderDecoder { encoder, decoder })
}
