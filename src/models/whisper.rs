//! Whisper (Radford et al. 2022, <https://arxiv.org/abs/2212.04356>): log-mel bands, two convolutions, an encoder, a decoder with
//! cross-attention; LayerNorm before the sublayers, learnt positions, GELU.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::encoder_decoder::{BART_NAMES, EncoderShape, NormPlace, decoder_shape};
use super::speech::{SoundEncoder, Speech};
use crate::error::{Error, Result};
use crate::load::names::{Name, joined};
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape, pre_norm};
use crate::nn::{Conv1d, Embedding};
use crate::ops::{Activation, FRAME};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "whisper",
        gguf: &[],
        hf: &["whisper"],
        tensors: NAMES,
        prefixes: &["model.", ""],
        defaults: &[
            ("d_model", 384.0),
            ("encoder_layers", 4.0),
            ("encoder_attention_heads", 6.0),
            ("encoder_ffn_dim", 1536.0),
            ("decoder_layers", 4.0),
            ("decoder_attention_heads", 6.0),
            ("decoder_ffn_dim", 1536.0),
            ("num_mel_bins", 80.0),
            ("max_source_positions", 1500.0),
            ("max_target_positions", 448.0),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Speech(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &joined::<{ BART_NAMES.len() + 12 }>(
    &[
        ("embed", "", "model.decoder.embed_tokens.weight"),
        ("positions", "", "model.decoder.embed_positions.weight"),
        ("norm", "", "model.decoder.layer_norm.weight"),
        ("norm.bias", "", "model.decoder.layer_norm.bias"),
        ("lm_head", "", "proj_out.weight"),
        ("encoder.conv1", "", "model.encoder.conv1.weight"),
        ("encoder.conv1.bias", "", "model.encoder.conv1.bias"),
        ("encoder.conv2", "", "model.encoder.conv2.weight"),
        ("encoder.conv2.bias", "", "model.encoder.conv2.bias"),
        ("encoder.positions", "", "model.encoder.embed_positions.weight"),
        ("encoder.norm", "", "model.encoder.layer_norm.weight"),
        ("encoder.norm.bias", "", "model.encoder.layer_norm.bias"),
    ],
    BART_NAMES,
);

/// The epsilon of all its norms, which no file says.
const EPSILON: f32 = 1e-5;

/// Sizes of the encoder, beside those of the decoder in [`Shape`].
struct SoundShape {
    blocks: EncoderShape,
    mels: usize,
    positions: usize,
}

/// The decoder's sizes.
fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("gelu")?;
    if hyper.flag("", "scale_embedding")? == Some(true) {
        return Err(Error::unsupported("a whisper model with scaled embeddings"));
    }
    encoder_shape(hyper)?;
    decoder_shape(hyper, "max_target_positions")
}

fn encoder_shape(hyper: &Hyper) -> Result<SoundShape> {
    let shape = SoundShape {
        blocks: EncoderShape::read(hyper)?,
        mels: hyper.count("", "num_mel_bins")?,
        positions: hyper.count("", "max_source_positions")?,
    };
    if !shape.mels.is_multiple_of(4) || shape.mels > FRAME {
        return Err(hyper.wrong("num_mel_bins", &format!("must be a multiple of 4 up to {FRAME}")));
    }
    // Two rows of the grid are one position's frames.
    if shape.positions > 30_000 {
        return Err(hyper.wrong("max_source_positions", "must be at most 30000, ten minutes"));
    }
    Ok(shape)
}

async fn load(loader: &mut Loader<'_>) -> Result<Speech> {
    let sizes = encoder_shape(&loader.hyper)?;
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon: EPSILON }, Activation::Gelu);
    let encoder = encoder(&mut parts, &sizes)?;
    let positions = Some(parts.positions()?);
    let embed = Embedding { positions, ..parts.embedding(1.0)? };
    let decoder = Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = pre_norm(
            parts.norm("attn.norm", i)?,
            parts.attention(i, None)?,
            parts.norm("ffn.norm", i)?,
            parts.plain_mlp(i)?,
        );
        block.cross = Some(parts.cross_attention(i, encoder.cross[i].1, NormPlace::Before)?);
        Ok(block)
    })?;
    Ok(Speech { encoder, decoder })
}

fn encoder(parts: &mut Parts, sizes: &SoundShape) -> Result<SoundEncoder> {
    let d_model = parts.shape.d_model;
    let first = conv(parts, "encoder.conv1", [d_model, sizes.mels], 1)?;
    let second = conv(parts, "encoder.conv2", [d_model; 2], 2)?;
    let position_table = parts.loader.matrix("encoder.positions", 0, [sizes.positions, d_model])?;
    let blocks = parts.encoder_blocks(&sizes.blocks, "encoder.ffn.up", NormPlace::Before, None)?;
    let norm = parts.norm("encoder.norm", 0)?;
    let cross = parts.cross_projections(sizes.positions)?;
    let SoundShape { mels, positions, .. } = *sizes;
    Ok(SoundEncoder { d_model, mels, positions, first, second, position_table, blocks, norm, cross })
}

/// Three taps, the first of them on the row before.
fn conv(parts: &mut Parts, name: &str, [out, columns]: [usize; 2], step: usize) -> Result<Conv1d> {
    let linear = parts.loader.conv(name, [out, columns, 3])?;
    Ok(Conv1d { linear, step, before: 1, activation: parts.activation })
}
