//! GPT-NeoX (Black et al. 2022, <https://arxiv.org/abs/2204.06745>) and Pythia: attention and the feed-forward layer
//! side by side, rotary positions on a part of each head.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::rows::{RowOrder, by_head, consecutive};
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape, pre_norm};
use crate::nn::Block;
use crate::ops::Activation;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gptneox",
        gguf: &["gptneox"],
        hf: &["gpt_neox"],
        tensors: NAMES,
        prefixes: &["gpt_neox.", ""],
        row_order: RowOrder::QkvByHead,
        defaults: &[
            ("hidden_size", 6144.0),
            ("intermediate_size", 24_576.0),
            ("num_hidden_layers", 44.0),
            ("num_attention_heads", 64.0),
            ("max_position_embeddings", 2048.0),
            ("layer_norm_eps", 1e-5),
            ("rotary_pct", 0.25),
        ],
        ..Family::PLAIN
    },
    shape,
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

fn shape(hyper: &Hyper) -> Result<Shape> {
    let shape = hyper.shape()?;
    match shape.n_kv_heads == shape.n_heads {
        true => Ok(shape),
        false => Err(Error::unsupported("grouped queries in a gptneox model")),
    }
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let activation = activation(&hyper)?;
    let parallel = hyper.flag("use_parallel_residual", "use_parallel_residual")?.unwrap_or(true);
    hyper.note("use_parallel_residual", parallel);
    if hyper.flag("", "attention_bias")? == Some(false) {
        loader.tensors.may_lack(|name| name.starts_with("attn.") && !name.starts_with("attn.norm"));
    }
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, activation);
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        // Rows of queries, keys and values.
        let rows = match parts.is_gguf() {
            true => consecutive([parts.shape.q_dim(i); 3]),
            false => by_head(&parts.shape, i),
        };
        let block = pre_norm(
            parts.norm("attn.norm", i)?,
            parts.fused_attention(i, rows, rope)?,
            parts.norm("ffn.norm", i)?,
            parts.plain_mlp(i)?,
        );
        Ok(Block { parallel, ..block })
    })
}

fn activation(hyper: &Hyper<'_>) -> Result<Activation> {
    match hyper.text("activation", "hidden_act")? {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a gptneox model"))),
    }
}
