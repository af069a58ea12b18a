//! Marian (Junczys-Dowmunt et al. 2018, <https://arxiv.org/abs/1804.00344>), as opus-mt has it: the original Transformer, which
//! translates. LayerNorm behind each sublayer, sines as positions, a bias on logits.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::encoder_decoder::{BART_NAMES, EncoderDecoder, EncoderShape, NormPlace, SourceEncoder, decoder_shape};
use crate::device::Weight;
use crate::error::{Error, Result};
use crate::load::names::{Name, joined};
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape};
use crate::nn::{Block, Embedding};
use crate::ops::Activation;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "marian",
        hf: &["marian"],
        tensors: NAMES,
        prefixes: &["model.", ""],
        defaults: &[
            ("d_model", 1024.0),
            ("encoder_layers", 12.0),
            ("encoder_attention_heads", 16.0),
            ("encoder_ffn_dim", 4096.0),
            ("decoder_layers", 12.0),
            ("decoder_attention_heads", 16.0),
            ("decoder_ffn_dim", 4096.0),
            ("max_position_embeddings", 1024.0),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::EncoderDecoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &joined::<{ BART_NAMES.len() + 5 }>(
    &[
        ("embed", "", "model.shared.weight"),
        ("logit.bias", "", "final_logits_bias"),
        ("attn.k.bias", "", "model.decoder.layers.{i}.self_attn.k_proj.bias"),
        ("cross.k.bias", "", "model.decoder.layers.{i}.encoder_attn.k_proj.bias"),
        ("encoder.attn.k.bias", "", "model.encoder.layers.{i}.self_attn.k_proj.bias"),
    ],
    BART_NAMES,
);

/// The epsilon of all its norms, which no file says.
const EPSILON: f32 = 1e-5;

/// The decoder's sizes.
fn shape(hyper: &Hyper) -> Result<Shape> {
    activation(hyper)?;
    if hyper.flag("", "share_encoder_decoder_embeddings")? == Some(false) {
        return Err(Error::unsupported("a marian model with a vocabulary for each language"));
    }
    decoder_shape(hyper, "max_position_embeddings")
}

fn activation(hyper: &Hyper) -> Result<Activation> {
    match hyper.text("", "activation_function")? {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("swish" | "silu") => Ok(Activation::Silu),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a marian model"))),
    }
}

async fn load(loader: &mut Loader<'_>) -> Result<EncoderDecoder> {
    let (hyper, activation) = (loader.hyper, activation(&loader.hyper)?);
    let Shape { d_model, vocabulary, .. } = loader.shape;
    let scale = if hyper.flag("", "scale_embedding")? == Some(true) { (d_model as f32).sqrt() } else { 1.0 };
    let logit_bias = loader.values("logit.bias", 0, &[1, vocabulary]).await?;
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon: EPSILON }, activation);
    let table = positions(&mut parts)?;
    let mut embed = || Ok(Embedding { positions: Some(table.clone()), ..parts.embedding(scale)? });
    let (embed_source, embed) = (embed()?, embed()?);
    let positions = parts.loader.context;
    let sizes = EncoderShape::read(&hyper)?;
    let encoder = SourceEncoder {
        positions,
        embed: embed_source,
        blocks: parts.encoder_blocks(&sizes, "encoder.ffn.up", NormPlace::After, None)?,
        norm: None,
        cross: parts.cross_projections(positions)?,
    };
    let blocks = parts.layers(|parts, i| {
        Ok(Block {
            attn_norm: None,
            attn: parts.attention(i, None)?,
            attn_post_norm: None,
            attn_out_norm: Some(parts.norm("attn.norm", i)?),
            cross: Some(parts.cross_attention(i, encoder.cross[i].1, NormPlace::After)?),
            ffn_norm: None,
            ffn: parts.plain_mlp(i)?,
            ffn_post_norm: None,
            ffn_out_norm: Some(parts.norm("ffn.norm", i)?),
            parallel: false,
        })
    })?;
    let mut lm_head = parts.loader.tied("lm_head", embed.tokens.clone());
    lm_head.bias = Some(parts.loader.computed_vector("the bias of logits", &logit_bias)?);
    let shape = parts.shape;
    Ok(EncoderDecoder {
        encoder,
        decoder: Transformer { shape, embed, blocks, norm: None, lm_head, logit_cap: None, whole_media: false },
    })
}

/// Sines of a position, slower and slower, then their cosines (Vaswani et al. 2017, section 3.5).
fn positions(parts: &mut Parts) -> Result<Weight> {
    let (context, d_model) = (parts.loader.context, parts.shape.d_model);
    let half = d_model.div_ceil(2);
    let angle = |position: usize, i: usize| position as f64 / 10_000f64.powf(2.0 * i as f64 / d_model as f64);
    let number = |position: usize, column: usize| match column.checked_sub(half) {
        None => angle(position, column).sin() as f32,
        Some(i) => angle(position, i).cos() as f32,
    };
    let numbers = (0..context).flat_map(|position| (0..d_model).map(move |column| number(position, column)));
    let numbers = numbers.collect();
    parts.loader.computed("sines of positions", [context, d_model], numbers)
}
