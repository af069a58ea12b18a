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
        gguf: &["t5"],
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
    ("embed", "token_embd.weight", "shared.weight"),
    ("lm_head", "output.weight", "lm_head.weight"),
    ("norm", "dec.output_norm.weight", "decoder.final_layer_norm.weight"),
    ("bias", "dec.blk.0.attn_rel_b.weight", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
    ("attn.norm", "dec.blk.{i}.attn_norm.weight", "decoder.block.{i}.layer.0.layer_norm.weight"),
    ("attn.q", "dec.blk.{i}.attn_q.weight", "decoder.block.{i}.layer.0.SelfAttention.q.weight"),
    ("attn.k", "dec.blk.{i}.attn_k.weight", "decoder.block.{i}.layer.0.SelfAttention.k.weight"),
    ("attn.v", "dec.blk.{i}.attn_v.weight", "decoder.block.{i}.layer.0.SelfAttention.v.weight"),
    ("attn.o", "dec.blk.{i}.attn_o.weight", "decoder.block.{i}.layer.0.SelfAttention.o.weight"),
    ("cross.norm", "dec.blk.{i}.cross_attn_norm.weight", "decoder.block.{i}.layer.1.layer_norm.weight"),
    ("cross.q", "dec.blk.{i}.cross_attn_q.weight", "decoder.block.{i}.layer.1.EncDecAttention.q.weight"),
    ("cross.k", "dec.blk.{i}.cross_attn_k.weight", "decoder.block.{i}.layer.1.EncDecAttention.k.weight"),
    ("cross.v", "dec.blk.{i}.cross_attn_v.weight", "decoder.block.{i}.layer.1.EncDecAttention.v.weight"),
    ("cross.o", "dec.blk.{i}.cross_attn_o.weight", "decoder.block.{i}.layer.1.EncDecAttention.o.weight"),
    ("ffn.norm", "dec.blk.{i}.ffn_norm.weight", "decoder.block.{i}.layer.2.layer_norm.weight"),
    ("ffn.only", "dec.blk.{i}.ffn_up.weight", "decoder.block.{i}.layer.2.DenseReluDense.wi.weight"),
    ("ffn.gate", "dec.blk.{i}.ffn_gate.weight", "decoder.block.{i}.layer.2.DenseReluDense.wi_0.weight"),
    ("ffn.up", "dec.blk.{i}.ffn_up.weight", "decoder.block.{i}.layer.2.DenseReluDense.wi_1.weight"),
    ("ffn.down", "dec.blk.{i}.ffn_down.weight", "decoder.block.{i}.layer.2.DenseReluDense.wo.weight"),
    ("encoder.norm", "enc.output_norm.weight", "encoder.final_layer_norm.weight"),
    (
        "encoder.bias",
        "enc.blk.0.attn_rel_b.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    ),
    ("encoder.attn.norm", "enc.blk.{i}.attn_norm.weight", "encoder.block.{i}.layer.0.layer_norm.weight"),
    ("encoder.attn.q", "enc.blk.{i}.attn_q.weight", "encoder.block.{i}.layer.0.SelfAttention.q.weight"),
    ("encoder.attn.k", "enc.blk.{i}.attn_k.weight", "encoder.block.{i}.layer.0.SelfAttention.k.weight"),
    ("encoder.attn.v", "enc.blk.{i}.attn_v.weight", "encoder.block.{i}.layer.0.SelfAttention.v.weight"),
    ("encoder.attn.o", "enc.blk.{i}.attn_o.weight", "encoder.block.{i}.layer.0.SelfAttention.o.weight"),
    ("encoder.ffn.norm", "enc.blk.{i}.ffn_norm.weight", "encoder.block.{i}.layer.1.layer_norm.weight"),
    ("encoder.ffn.only", "enc.blk.{i}.ffn_up.weight", "encoder.block.{i}.layer.1.DenseReluDense.wi.weight"),
    ("encoder.ffn.gate", "enc.blk.{i}.ffn_gate.weight", "encoder.block.{i}.layer.1.DenseReluDense.wi_0.weight"),
    ("encoder.ffn.up", "enc.blk.{i}.ffn_up.weight", "encoder.block.{i}.layer.1.DenseReluDense.wi_1.weight"),
    ("encoder.ffn.down", "enc.blk.{i}.ffn_down.weight", "encoder.block.{i}.layer.1.DenseReluDense.wo.weight"),
];

/// Positions that these models were trained for, where config.json does not say: biases by distance set no bound.
const TRAINED: usize = 512;
/// Where distances begin to share the last bucket; GGUF has no words for it.
const FARTHEST: usize = 128;

/// The decoder's sizes.
fn shape(hyper: &Hyper) -> Result<Shape> {
    activation(hyper, false)?;
    let n_heads = PerLayer::Same(hyper.count("attention.head_count", "num_heads")?);
    let n_layers = match hyper.optional_count("decoder_block_count", "num_decoder_layers")? {
        Some(n_layers) => n_layers,
        None => layers_of_encoder(hyper)?,
    };
    Ok(Shape {
        architecture: hyper.family.name,
        d_model: hyper.count("embedding_length", "d_model")?,
        n_layers,
        n_kv_heads: n_heads.clone(),
        n_heads,
        head_dim: hyper.own_head_dim("attention.key_length", "d_kv")?,
        d_ffn: PerLayer::Same(hyper.count("feed_forward_length", "d_ff")?),
        vocabulary: hyper.vocabulary()?,
        context: hyper.optional_count("context_length", "n_positions")?.unwrap_or(TRAINED),
    })
}

fn layers_of_encoder(hyper: &Hyper) -> Result<usize> {
    hyper.count("block_count", "num_layers")
}

/// GGUF says it by whether there is a gate.
fn activation(hyper: &Hyper, gated: bool) -> Result<Activation> {
    match hyper.text("", "feed_forward_proj")? {
        None if hyper.config().is_none() && gated => Ok(Activation::GeluTanh),
        None | Some("relu") => Ok(Activation::Relu),
        Some("gated-gelu") => Ok(Activation::GeluTanh),
        Some("gated-silu") => Ok(Activation::Silu),
        Some(other) => Err(Error::unsupported(format!("the feed-forward layer {other} in a t5 model"))),
    }
}

async fn load(loader: &mut Loader<'_>) -> Result<EncoderDecoder> {
    let (hyper, gated) = (loader.hyper, loader.tensors.has("ffn.gate", 0));
    let activation = activation(&hyper, gated)?;
    let (d_model, d_ffn) = (loader.shape.d_model, loader.shape.d_ffn.at(0));
    let (heads, head_dim) = (loader.shape.n_heads.at(0), loader.shape.head_dim);
    let buckets = Buckets {
        count: hyper.count("attention.relative_buckets_count", "relative_attention_num_buckets")?,
        most: hyper.optional_count("", "relative_attention_max_distance")?.unwrap_or(FARTHEST),
        both_sides: false,
    };
    if !buckets.count.is_multiple_of(4) || buckets.most <= buckets.count / 2 {
        return Err(hyper.wrong("relative_attention_num_buckets", "must be a multiple of 4 below twice the distance"));
    }
    if hyper.notes() && buckets.most != FARTHEST {
        return Err(Error::unsupported(format!("a relative_attention_max_distance of {} in GGUF", buckets.most)));
    }
    let bias = Some(loader.relative_bias("bias", heads, buckets).await?);
    let of_encoder = Some(loader.relative_bias("encoder.bias", heads, Buckets { both_sides: true, ..buckets }).await?);
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "layer_norm_epsilon")? as f32;
    hyper.optional_integer("decoder_start_token_id", "decoder_start_token_id|pad_token_id", 0)?; // for who writes the file anew
    let tied = if hyper.config().is_some() { !hyper.is_untied() } else { !loader.tensors.has("lm_head", 0) };
    let mut parts = Parts::new(loader, NormStyle::Rms { epsilon, offset: 0.0 }, activation);
    let up = if gated { "ffn.up" } else { "ffn.only" };
    let embed = parts.embedding(1.0)?;
    let positions = parts.loader.context;
    let sizes = EncoderShape { layers: layers_of_encoder(&hyper)?, heads, head_dim, d_ffn };
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
    if hyper.flag("", "scale_decoder_outputs")?.unwrap_or(tied) {
        decoder.lm_head = decoder.lm_head.scaled((d_model as f32).sqrt().recip());
    }
    Ok(EncoderDecoder { encoder, decoder })
}
