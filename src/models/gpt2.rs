//! GPT-2 (Radford et al. 2019): LayerNorm, learnt positions, multi-head attention, GELU, biases everywhere.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::rows::consecutive;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape, pre_norm};
use crate::nn::{Attention, Embedding, FeedForward, Linear, Mlp};
use crate::ops::Activation;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gpt2",
        gguf: &["gpt2"],
        hf: &["gpt2"],
        tensors: NAMES,
        prefixes: &["transformer.", ""],
        defaults: &[
            ("n_embd", 768.0),
            ("n_layer", 12.0),
            ("n_head", 12.0),
            ("n_positions", 1024.0),
            ("layer_norm_epsilon", 1e-5),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "transformer.wte.weight"),
    ("positions", "position_embd.weight", "transformer.wpe.weight"),
    ("norm", "output_norm.weight", "transformer.ln_f.weight"),
    ("norm.bias", "output_norm.bias", "transformer.ln_f.bias"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "transformer.h.{i}.ln_1.weight"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "transformer.h.{i}.ln_1.bias"),
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "transformer.h.{i}.attn.c_attn.weight"),
    ("attn.qkv.bias", "blk.{i}.attn_qkv.bias", "transformer.h.{i}.attn.c_attn.bias"),
    ("attn.o", "blk.{i}.attn_output.weight", "transformer.h.{i}.attn.c_proj.weight"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "transformer.h.{i}.attn.c_proj.bias"),
    ("ffn.norm", "blk.{i}.ffn_norm.weight", "transformer.h.{i}.ln_2.weight"),
    ("ffn.norm.bias", "blk.{i}.ffn_norm.bias", "transformer.h.{i}.ln_2.bias"),
    ("ffn.up", "blk.{i}.ffn_up.weight", "transformer.h.{i}.mlp.c_fc.weight"),
    ("ffn.up.bias", "blk.{i}.ffn_up.bias", "transformer.h.{i}.mlp.c_fc.bias"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "transformer.h.{i}.mlp.c_proj.weight"),
    ("ffn.down.bias", "blk.{i}.ffn_down.bias", "transformer.h.{i}.mlp.c_proj.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    let d_model = hyper.count("embedding_length", "n_embd")?;
    hyper.shape_with(Some(4 * d_model))
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_epsilon")? as f32;
    let activation = match hyper.text("activation", "activation_function")? {
        None | Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("gelu") => Activation::Gelu,
        Some("relu") => Activation::Relu,
        Some(other) => return Err(Error::unsupported(format!("the activation {other} in a gpt2 model"))),
    };
    let scaled = hyper.flag("", "scale_attn_weights")?.unwrap_or(true);
    let by_layer = hyper.flag("", "scale_attn_by_inverse_layer_idx")?.unwrap_or(false);

    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, activation);
    let positions = Some(parts.positions()?);
    let embed = Embedding { positions, ..parts.embedding(1.0)? };
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block =
            pre_norm(parts.norm("attn.norm", i)?, attention(parts, i)?, parts.norm("ffn.norm", i)?, mlp(parts, i)?);
        let scores = &mut block.attn.scores;
        if !scaled {
            scores.scale = 1.0;
        }
        if by_layer {
            scores.scale /= (i + 1) as f32;
        }
        Ok(block)
    })
}

fn attention(parts: &mut Parts, i: usize) -> Result<Attention> {
    let (d_model, q_dim, kv_dim) = (parts.shape.d_model, parts.shape.q_dim(i), parts.shape.kv_dim(i));
    let [q, k, v] = linears(parts.loader, "attn.qkv", i, [q_dim, kv_dim, kv_dim], d_model)?;
    let [o] = linears(parts.loader, "attn.o", i, [d_model], q_dim)?;
    Ok(Attention::new([q, k, v, o], parts.shape.n_heads.at(i), parts.shape.head_dim))
}

fn mlp(parts: &mut Parts, i: usize) -> Result<FeedForward> {
    let (d_model, d_ffn) = (parts.shape.d_model, parts.shape.d_ffn.at(i));
    let [up] = linears(parts.loader, "ffn.up", i, [d_ffn], d_model)?;
    let [down] = linears(parts.loader, "ffn.down", i, [d_model], d_ffn)?;
    Ok(FeedForward::Dense(Mlp { gate: None, up, down, activation: parts.activation }))
}

/// Projections [out, columns] that the file keeps as one; safetensors keep it as Conv1D, [columns, Σ out].
fn linears<const N: usize>(
    loader: &mut Loader<'_>,
    name: &str,
    layer: usize,
    outs: [usize; N],
    columns: usize,
) -> Result<[Linear; N]> {
    let shape = [outs.iter().sum(), columns];
    match loader.tensors.is_gguf() {
        true => loader.linear_parts(name, layer, shape, consecutive(outs)),
        false => loader.transposed_parts(name, layer, shape, consecutive(outs)),
    }
}
