//! Nomic BERT (Nussbaum et al. 2024, <https://arxiv.org/abs/2402.01613>): a BERT with rotary positions, SwiGLU and no
//! biases.

use super::architecture::{Architecture, Load};
use super::encoder::{Encoder, encoder_attention, pooling};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::rows::consecutive;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape};
use crate::nn::{Embedding, EncoderAttention, EncoderBlock};
use crate::ops::{Activation, Pooling};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "nomic-bert",
        gguf: &["nomic-bert"],
        hf: &["nomic_bert"],
        tensors: NAMES,
        prefixes: &["", "bert."],
        defaults: &[
            ("hidden_size", 768.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 12.0),
            ("max_position_embeddings", 2048.0),
            ("type_vocab_size", 2.0),
            ("layer_norm_eps", 1e-12),
            ("rope_theta", 1000.0),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Encoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "embeddings.word_embeddings.weight"),
    ("types", "token_types.weight", "embeddings.token_type_embeddings.weight"),
    ("embed.norm", "token_embd_norm.weight", "emb_ln.weight"),
    ("embed.norm.bias", "token_embd_norm.bias", "emb_ln.bias"),
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "encoder.layers.{i}.attn.Wqkv.weight"),
    ("attn.o", "blk.{i}.attn_output.weight", "encoder.layers.{i}.attn.out_proj.weight"),
    ("attn.out_norm", "blk.{i}.attn_output_norm.weight", "encoder.layers.{i}.norm1.weight"),
    ("attn.out_norm.bias", "blk.{i}.attn_output_norm.bias", "encoder.layers.{i}.norm1.bias"),
    ("ffn.gate", "blk.{i}.ffn_gate.weight", "encoder.layers.{i}.mlp.fc12.weight"),
    ("ffn.up", "blk.{i}.ffn_up.weight", "encoder.layers.{i}.mlp.fc11.weight"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "encoder.layers.{i}.mlp.fc2.weight"),
    ("ffn.out_norm", "blk.{i}.layer_output_norm.weight", "encoder.layers.{i}.norm2.weight"),
    ("ffn.out_norm.bias", "blk.{i}.layer_output_norm.bias", "encoder.layers.{i}.norm2.bias"),
];

/// Switches of config.json that this build does not compute.
const SWITCHES: [&str; 8] = [
    "prenorm",
    "parallel_block",
    "causal",
    "use_rms_norm",
    "qkv_proj_bias",
    "mlp_fc1_bias",
    "mlp_fc2_bias",
    "rotary_emb_interleaved",
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    let unusual = |key: &str| Err(Error::unsupported(format!("{key} in a nomic-bert model")));
    for key in SWITCHES {
        if hyper.flag("", key)? == Some(true) {
            return unusual(key);
        }
    }
    // Scaled rotary positions, by either name of them.
    for key in ["rotary_scaling_factor", "rotary_emb_scale_base"] {
        if hyper.optional_number("", key)?.is_some() {
            return unusual(key);
        }
    }
    if hyper.optional_count("moe_every_n_layers", "moe_every_n_layers").ok().flatten().is_some() {
        return Err(Error::unsupported("a mixture of experts in a nomic-bert model"));
    }
    let d_model = hyper.count("embedding_length", "hidden_size|n_embd")?;
    hyper.shape_with(Some(4 * d_model))
}

async fn load(loader: &mut Loader<'_>) -> Result<Encoder> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_epsilon|layer_norm_eps")? as f32;
    if let Some(other) = hyper.text("", "activation_function")?.filter(|name| *name != "swiglu") {
        return Err(Error::unsupported(format!("the activation {other} in a nomic-bert model")));
    }
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, Activation::Silu);
    let rope = Some(parts.rope().await?);
    let types = parts.token_types()?;
    let embed = Embedding { types, ..parts.embedding(1.0)? };
    let embed_norm = parts.norm("embed.norm", 0)?;
    let blocks = parts.layers(|parts, i| {
        let linears = parts.fused_qkvo(i, consecutive([parts.shape.q_dim(i); 3]))?;
        Ok(EncoderBlock {
            attn_norm: None,
            attn: EncoderAttention { rope, ..encoder_attention(linears, &parts.shape, i) },
            attn_out_norm: Some(parts.norm("attn.out_norm", i)?),
            ffn_norm: None,
            ffn: parts.gated_mlp(i)?,
            ffn_out_norm: Some(parts.norm("ffn.out_norm", i)?),
        })
    })?;
    let pooling = pooling(&hyper, Pooling::Mean)?;
    Ok(Encoder { shape: parts.shape, embed, embed_norm, blocks, norm: None, pooling })
}
