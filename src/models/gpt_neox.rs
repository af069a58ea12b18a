//! GPT-NeoX (Black et al. 2022, <https://arxiv.org/abs/2204.06745>) and Pythia: attention and the feed-forward layer
//! side by side, rotary positions on a part of each head.

use super::{Architecture, Load, Transformer};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::rows::Rows;
use crate::load::rows::consecutive;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block};
use crate::ops::{Activation, Pairing};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "gptneox",
    gguf: &["gptneox"],
    hf: &["gpt_neox"],
    defaults: &[
        ("hidden_size", 6144.0),
        ("intermediate_size", 24_576.0),
        ("num_hidden_layers", 44.0),
        ("num_attention_heads", 64.0),
        ("max_position_embeddings", 2048.0),
        ("layer_norm_eps", 1e-5),
        ("rotary_pct", 0.25),
    ],
    shape: |hyper| Shape::read(hyper, NAMES, None),
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "gpt_neox.embed_in.weight"),
    ("norm", "output_norm.weight", "gpt_neox.final_layer_norm.weight"),
    ("norm.bias", "output_norm.bias", "gpt_neox.final_layer_norm.bias"),
    ("lm_head", "output.weight", "embed_out.weight"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "gpt_neox.layers.{i}.input_layernorm.weight"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "gpt_neox.layers.{i}.input_layernorm.bias"),
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "gpt_neox.layers.{i}.attention.query_key_value.weight"),
    ("attn.qkv.bias", "blk.{i}.attn_qkv.bias", "gpt_neox.layers.{i}.attention.query_key_value.bias"),
    ("attn.o", "blk.{i}.attn_output.weight", "gpt_neox.layers.{i}.attention.dense.weight"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "gpt_neox.layers.{i}.attention.dense.bias"),
    ("ffn.norm", "blk.{i}.ffn_norm.weight", "gpt_neox.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.norm.bias", "blk.{i}.ffn_norm.bias", "gpt_neox.layers.{i}.post_attention_layernorm.bias"),
    ("ffn.up", "blk.{i}.ffn_up.weight", "gpt_neox.layers.{i}.mlp.dense_h_to_4h.weight"),
    ("ffn.up.bias", "blk.{i}.ffn_up.bias", "gpt_neox.layers.{i}.mlp.dense_h_to_4h.bias"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "gpt_neox.layers.{i}.mlp.dense_4h_to_h.weight"),
    ("ffn.down.bias", "blk.{i}.ffn_down.bias", "gpt_neox.layers.{i}.mlp.dense_4h_to_h.bias"),
];

/// Rows of queries, keys and values: in turn for each head in safetensors, one behind the other in GGUF.
fn qkv_rows(shape: &Shape, is_gguf: bool) -> [Rows; 3] {
    let Shape { n_heads, head_dim, .. } = *shape;
    if is_gguf {
        return consecutive([shape.q_dim(); 3]);
    }
    let rows = |part: usize| (0..n_heads).map(|h| (3 * h + part) * head_dim..(3 * h + part + 1) * head_dim).collect();
    [rows(0), rows(1), rows(2)]
}

/// For each of GGUF's rows of queries, keys and values Hugging Face's: for adapters of the other kind of file.
fn gguf_order(shape: &Shape, name: &str) -> Option<Vec<usize>> {
    (name == "attn.qkv").then(|| qkv_rows(shape, false).into_iter().flatten().flatten().collect())
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    loader.prefixes = &["gpt_neox.", ""];
    loader.gguf_order = gguf_order;
    let hyper = loader.hyper("gptneox");
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let activation = activation(&hyper)?;
    let parallel = hyper.flag("use_parallel_residual", "use_parallel_residual")?.unwrap_or(true);
    hyper.note("use_parallel_residual", parallel);
    let mut parts = Parts::new(loader, Shape::read(&hyper, NAMES, None)?, NAMES, NormStyle::Layer { epsilon });
    if hyper.flag("", "attention_bias")? == Some(false) {
        parts.loader.required.retain(|name| !name.starts_with("attn.") || name.starts_with("attn.norm"));
    }
    let Shape { d_model, n_heads, head_dim, .. } = parts.shape;
    let rows = qkv_rows(&parts.shape, parts.loader.is_gguf());
    let q_dim = parts.shape.q_dim();
    let rope = Some(parts.rope(Pairing::HalfSplit).await?);
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..parts.shape.n_layers {
        let attn_norm = Some(parts.norm("attn.norm", i)?);
        let [q, k, v] = parts.loader.linear_parts("attn.qkv", i, [3 * q_dim, d_model], rows.clone())?;
        let o = parts.loader.linear("attn.o", i, [d_model, q_dim])?;
        blocks.push(Block {
            attn_norm,
            attn: Attention { rope, ..Attention::new([q, k, v, o], n_heads, head_dim) },
            attn_post_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.plain_mlp(i, activation)?,
            ffn_post_norm: None,
            parallel,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}

fn activation(hyper: &Hyper<'_>) -> Result<Activation> {
    match hyper.text("activation", "hidden_act")? {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a gptneox model"))),
    }
}
