//! ModernBERT (Warner et al. 2024, <https://arxiv.org/abs/2412.13663>): pre-norm, rotary positions, GeGLU, and local
//! attention in two of three layers.

use super::encoder::pooling;
use super::{Architecture, Encoder, Load};
use crate::error::{Error, Result};
use crate::load::hyper::PATTERN;
use crate::load::names::Name;
use crate::load::rope::RopeSpec;
use crate::load::rows::consecutive;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{EncoderAttention, EncoderBlock, FeedForward, Mlp};
use crate::ops::{Activation, Pairing, Pooling};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "modern-bert",
    gguf: &["modern-bert"],
    hf: &["modernbert"],
    defaults: &[
        ("hidden_size", 768.0),
        ("intermediate_size", 1152.0),
        ("num_hidden_layers", 22.0),
        ("num_attention_heads", 12.0),
        ("max_position_embeddings", 8192.0),
        ("local_attention", 128.0),
    ],
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
    Shape::read(hyper, NAMES, None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Encoder> {
    loader.prefixes = &["", "model."];
    let hyper = loader.hyper("modern-bert");
    let epsilon = hyper.optional_number("attention.layer_norm_epsilon", "norm_eps")?.unwrap_or(1e-5) as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Layer { epsilon });
    let Shape { d_model, n_heads, head_dim, d_ffn, n_layers, .. } = parts.shape;
    // The file counts both sides together.
    let window = hyper.count("attention.sliding_window", "local_attention")? as u32 / 2;
    let local = match hyper.listed_sliding_layers(n_layers)? {
        Some(listed) => listed,
        None => {
            let every = hyper.optional_count(PATTERN, "global_attn_every_n_layers")?.unwrap_or(3);
            (0..n_layers).map(|i| !i.is_multiple_of(every)).collect()
        }
    };
    let base = |section: &str, gguf: &'static str, hf: &str| match hyper.rope_section(section, "rope_theta") {
        Some(base) => Ok(Some(base)),
        None => hyper.optional_number(gguf, hf),
    };
    let bases = [
        base("full_attention", "rope.freq_base", "global_rope_theta")?.unwrap_or(BASES[0]),
        base("sliding_attention", "rope.freq_base_swa", "local_rope_theta")?.unwrap_or(BASES[1]),
    ];
    let [global, local_rope] = bases.map(|base| RopeSpec { dims: head_dim, base, scaling: None });
    let ropes = [parts.rope_table(&global, Pairing::HalfSplit)?, parts.rope_table(&local_rope, Pairing::HalfSplit)?];

    let embed = parts.embedding(1.0)?;
    let embed_norm = parts.norm("embed.norm", 0)?;
    let mut blocks = parts.encoder_blocks();
    for (i, local) in local.into_iter().enumerate() {
        let thirds = consecutive([d_model; 3]);
        let [q, k, v] = parts.loader.linear_parts("attn.qkv", i, [3 * d_model, d_model], thirds)?;
        let o = parts.loader.linear("attn.o", i, [d_model; 2])?;
        let halves = consecutive([d_ffn; 2]);
        let [gate, up] = parts.loader.linear_parts("ffn.gate_up", i, [2 * d_ffn, d_model], halves)?;
        let down = parts.loader.linear("ffn.down", i, [d_model, d_ffn])?;
        // The first block has none: the embedding's own norm stands before it.
        let attn_norm = match i {
            0 => None,
            _ => Some(parts.norm("attn.norm", i)?),
        };
        blocks.push(EncoderBlock {
            attn_norm,
            attn: EncoderAttention {
                q,
                k,
                v,
                o,
                n_heads,
                rope: Some(ropes[usize::from(local)]),
                scale: 1.0 / (head_dim as f32).sqrt(),
                window: local.then_some(window),
            },
            attn_out_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: FeedForward::Dense(Mlp { gate: Some(gate), up, down, activation: Activation::Gelu }),
            ffn_out_norm: None,
        });
    }
    let norm = Some(parts.norm("norm", 0)?);
    let pooling = pooling(&hyper, Pooling::Mean)?;
    Ok(Encoder { shape: parts.shape.clone(), embed, embed_norm, blocks, norm, pooling })
}
