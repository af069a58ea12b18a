//! ModernBERT (Warner et al. 2024, <https://arxiv.org/abs/2412.13663>): pre-norm, rotary positions, GeGLU, and local
//! attention in two of three layers.

use super::architecture::{Architecture, Load};
use super::encoder::{Encoder, encoder_attention, pooling};
use crate::error::{Error, Result};
use crate::load::hyper::PATTERN;
use crate::load::names::Name;
use crate::load::rope::RopeSpec;
use crate::load::rows::consecutive;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape};
use crate::nn::{EncoderAttention, EncoderBlock};
use crate::ops::{Activation, Pooling};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "modern-bert",
        gguf: &["modern-bert"],
        hf: &["modernbert"],
        tensors: NAMES,
        prefixes: &["", "model."],
        defaults: &[
            ("hidden_size", 768.0),
            ("intermediate_size", 1152.0),
            ("num_hidden_layers", 22.0),
            ("num_attention_heads", 12.0),
            ("max_position_embeddings", 8192.0),
            ("local_attention", 128.0),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Encoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "embeddings.tok_embeddings.weight"),
    ("embed.norm", "token_embd_norm.weight", "embeddings.norm.weight"),
    ("norm", "output_norm.weight", "final_norm.weight"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "layers.{i}.attn_norm.weight"),
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "layers.{i}.attn.Wqkv.weight"),
    ("attn.o", "blk.{i}.attn_output.weight", "layers.{i}.attn.Wo.weight"),
    ("ffn.norm", "blk.{i}.ffn_norm.weight", "layers.{i}.mlp_norm.weight"),
    ("ffn.gate_up", "blk.{i}.ffn_up.weight", "layers.{i}.mlp.Wi.weight"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "layers.{i}.mlp.Wo.weight"),
];

/// Bases of the rotary positions where the file does not say: global layers, local layers.
const BASES: [f64; 2] = [160_000.0, 10_000.0];

fn shape(hyper: &Hyper) -> Result<Shape> {
    for key in ["attention_bias", "mlp_bias", "norm_bias"] {
        if hyper.flag("", key)? == Some(true) {
            return Err(Error::unsupported(format!("{key} in a modernbert model")));
        }
    }
    if let Some(other) = hyper.text("", "hidden_activation")?.filter(|name| *name != "gelu") {
        return Err(Error::unsupported(format!("the activation {other} in a modernbert model")));
    }
    hyper.shape()
}

async fn load(loader: &mut Loader<'_>) -> Result<Encoder> {
    let hyper = loader.hyper;
    let epsilon = hyper.optional_number("attention.layer_norm_epsilon", "norm_eps")?.unwrap_or(1e-5) as f32;
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, Activation::Gelu);
    // The file counts both sides together.
    let window = hyper.count("attention.sliding_window", "local_attention")? as u32 / 2;
    let local = local_layers(&hyper, parts.shape.n_layers)?;
    let dims = parts.shape.head_dim;
    let [global_rope, local_rope] = bases(&hyper)?.map(|base| RopeSpec { dims, base, scaling: None });
    let ropes = [parts.loader.rope(&global_rope)?, parts.loader.rope(&local_rope)?];

    let embed = parts.embedding(1.0)?;
    let embed_norm = parts.norm("embed.norm", 0)?;
    let blocks = parts.layers(|parts, i| {
        let (rope, window) = (Some(ropes[usize::from(local[i])]), local[i].then_some(window));
        let linears = parts.fused_qkvo(i, consecutive([parts.shape.q_dim(i); 3]))?;
        let ffn = parts.fused_mlp(i)?;
        Ok(EncoderBlock {
            // The first block has none: the embedding's own norm stands before it.
            attn_norm: if i == 0 { None } else { Some(parts.norm("attn.norm", i)?) },
            attn: EncoderAttention { rope, window, ..encoder_attention(linears, &parts.shape, i) },
            attn_out_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn,
            ffn_out_norm: None,
        })
    })?;
    let norm = Some(parts.norm("norm", 0)?);
    let pooling = pooling(&hyper, Pooling::Mean)?;
    Ok(Encoder { shape: parts.shape, embed, embed_norm, blocks, norm, pooling })
}

/// Which layers have a window.
fn local_layers(hyper: &Hyper, n_layers: usize) -> Result<Vec<bool>> {
    if let Some(listed) = hyper.listed_sliding_layers(n_layers)? {
        return Ok(listed);
    }
    let every = hyper.optional_count(PATTERN, "global_attn_every_n_layers")?.unwrap_or(3);
    Ok((0..n_layers).map(|i| !i.is_multiple_of(every)).collect())
}

/// Bases of the rotary positions: of layers without a window, of those with one.
fn bases(hyper: &Hyper) -> Result<[f64; 2]> {
    let base = |section: &str, gguf: &'static str, hf: &str| match hyper.rope_section(section, "rope_theta") {
        Some(base) => Ok(Some(base)),
        None => hyper.optional_number(gguf, hf),
    };
    Ok([
        base("full_attention", "rope.freq_base", "global_rope_theta")?.unwrap_or(BASES[0]),
        base("sliding_attention", "rope.freq_base_swa", "local_rope_theta")?.unwrap_or(BASES[1]),
    ])
}
