//! GPT-2 (Radford et al. 2019): LayerNorm, learnt positions, multi-head attention, GELU, biases everywhere.

use super::loader::Name;
use super::{Architecture, Decoder, Hyper, Loader, Shape, Transformer};
use crate::error::{Error, Result};
use crate::nn::{Attention, Block, Embedding, Linear, Mlp, Norm};
use crate::ops::{Activation, MOST_HEAD_DIM};

pub static ARCHITECTURE: Architecture =
    Architecture { gguf: "gpt2", hf: "gpt2", shape, load: |loader| Box::pin(load(loader)) };

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "transformer.wte.weight"),
    ("positions", "position_embd.weight", "transformer.wpe.weight"),
    ("norm", "output_norm.weight", "transformer.ln_f.weight"),
    ("norm.bias", "output_norm.bias", "transformer.ln_f.bias"),
    ("lm_head", "output.weight", "lm_head.weight"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "transformer.h.{i}.ln_1.weight"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "transformer.h.{i}.ln_1.bias"),
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "transformer.h.{i}.attn.c_attn.weight"),
    ("attn.qkv.bias", "blk.{i}.attn_qkv.bias", "transformer.h.{i}.attn.c_attn.bias"),
    ("attn.o", "blk.{i}.attn_output.weight", "transformer.h.{i}.attn.c_proj.weight"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "transformer.h.{i}.attn.c_proj.bias"),
    ("mlp.norm", "blk.{i}.ffn_norm.weight", "transformer.h.{i}.ln_2.weight"),
    ("mlp.norm.bias", "blk.{i}.ffn_norm.bias", "transformer.h.{i}.ln_2.bias"),
    ("mlp.up", "blk.{i}.ffn_up.weight", "transformer.h.{i}.mlp.c_fc.weight"),
    ("mlp.up.bias", "blk.{i}.ffn_up.bias", "transformer.h.{i}.mlp.c_fc.bias"),
    ("mlp.down", "blk.{i}.ffn_down.weight", "transformer.h.{i}.mlp.c_proj.weight"),
    ("mlp.down.bias", "blk.{i}.ffn_down.bias", "transformer.h.{i}.mlp.c_proj.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    let d_model = hyper.count("embedding_length", "n_embd")?;
    let n_heads = hyper.count("attention.head_count", "n_head")?;
    if !d_model.is_multiple_of(n_heads) {
        return Err(hyper.wrong("the embedding length", "must be a multiple of the number of heads"));
    }
    let head_dim = d_model / n_heads;
    if !head_dim.is_multiple_of(4) || head_dim > MOST_HEAD_DIM {
        let most = MOST_HEAD_DIM;
        return Err(Error::unsupported(format!("a head size of {head_dim} (this build: multiples of 4 up to {most})")));
    }
    let context = match hyper.optional_count("context_length", "n_positions")? {
        Some(context) => context,
        None => hyper.count("context_length", "n_ctx")?,
    };
    Ok(Shape {
        architecture: "gpt2",
        d_model,
        n_layers: hyper.count("block_count", "n_layer")?,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        d_ffn: hyper.optional_count("feed_forward_length", "n_inner")?.unwrap_or(4 * d_model),
        vocabulary: hyper.vocabulary("token_embd.weight", &["transformer.wte.weight", "wte.weight"])?,
        context,
    })
}

async fn load(loader: &mut Loader<'_>) -> Result<Box<dyn Decoder>> {
    (loader.architecture, loader.names, loader.optional_prefix) = ("gpt2", NAMES, "transformer.");
    let hyper = loader.hyper("gpt2");
    let shape = shape(&hyper)?;
    let Shape { d_model, n_heads, head_dim, d_ffn, vocabulary, context, .. } = shape;
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_epsilon")? as f32;
    let activation = match hyper.text("activation", "activation_function")? {
        None | Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("gelu") => Activation::Gelu,
        Some("relu") => Activation::Relu,
        Some(other) => return Err(Error::unsupported(format!("the activation {other} in a gpt2 model"))),
    };

    let flag = |key: &str| hyper.checkpoint.config().and_then(|config| config[key].as_bool());
    let scaled = flag("scale_attn_weights").unwrap_or(true);
    let by_layer = flag("scale_attn_by_inverse_layer_idx").unwrap_or(false);
    let scale = |layer: usize| {
        let by_dim = if scaled { 1.0 / (head_dim as f32).sqrt() } else { 1.0 };
        if by_layer { by_dim / (layer + 1) as f32 } else { by_dim }
    };

    let tokens = loader.matrix("embed", 0, [vocabulary, d_model]).await?;
    let positions = Some(loader.matrix("positions", 0, [context, d_model]).await?);
    let mut blocks = Vec::with_capacity(shape.n_layers.min(1024));
    for i in 0..shape.n_layers {
        let attn_norm = norm(loader, "attn.norm", i, d_model, epsilon).await?;
        let [q, k, v] = linears(loader, "attn.qkv", i, [d_model, d_model]).await?;
        let [o] = linears(loader, "attn.o", i, [d_model, d_model]).await?;
        let attn = Attention { q, k, v, o, n_heads, rope: None, scale: scale(i) };
        let mlp_norm = norm(loader, "mlp.norm", i, d_model, epsilon).await?;
        let [up] = linears(loader, "mlp.up", i, [d_ffn, d_model]).await?;
        let [down] = linears(loader, "mlp.down", i, [d_model, d_ffn]).await?;
        let mlp = Mlp { gate: None, up, down, activation };
        blocks.push(Block { attn_norm, attn, mlp_norm, mlp });
    }
    let norm = norm(loader, "norm", 0, d_model, epsilon).await?;
    let lm_head = match loader.has("lm_head", 0) {
        true => loader.linear("lm_head", 0, [vocabulary, d_model]).await?,
        false => Linear { weight: tokens.clone(), bias: None }, // tied
    };
    Ok(Box::new(Transformer { shape, embed: Embedding { tokens, positions }, blocks, norm, lm_head }))
}

async fn norm(loader: &mut Loader<'_>, name: &str, layer: usize, n: usize, epsilon: f32) -> Result<Norm> {
    let weight = loader.vector(name, layer, n).await?;
    let bias = loader.vector(&format!("{name}.bias"), layer, n).await?;
    Ok(Norm::Layer { weight, bias, epsilon })
}

/// `N` projections [out, in] with biases that the file keeps as one; safetensors keep it as Conv1D, [in, N × out].
async fn linears<const N: usize>(
    loader: &mut Loader<'_>,
    name: &str,
    layer: usize,
    [out, columns]: [usize; 2],
) -> Result<[Linear; N]> {
    let shape = [N * out, columns];
    let parts: [_; N] = std::array::from_fn(|i| i * out..(i + 1) * out);
    let weights = match loader.is_gguf() {
        true => loader.matrix_parts(name, layer, shape, &parts).await?,
        false => loader.transposed_parts(name, layer, shape, &parts).await?,
    };
    let biases = loader.vector_parts(&format!("{name}.bias"), layer, N * out, &parts).await?;
    let linears = weights.into_iter().zip(biases).map(|(weight, bias)| Linear { weight, bias: Some(bias) });
    Ok(linears.collect::<Vec<_>>().try_into().unwrap_or_else(|_| unreachable!("one projection a part")))
}
