//! Llama (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): RMSNorm, rotary positions, grouped-query
//! attention, SwiGLU.

use super::loader::Name;
use super::{Architecture, Decoder, Hyper, Loader, Shape, Transformer};
use crate::error::{Error, Result};
use crate::nn::{Attention, Block, Embedding, Linear, Mlp, Norm, Rope, RopeScaling, inverse_frequencies, rope_table};
use crate::ops::{Activation, MOST_HEAD_DIM, Pairing};

pub static ARCHITECTURE: Architecture =
    Architecture { gguf: "llama", hf: "llama", shape, load: |loader| Box::pin(load(loader)) };

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "model.embed_tokens.weight"),
    ("norm", "output_norm.weight", "model.norm.weight"),
    ("lm_head", "output.weight", "lm_head.weight"),
    ("rope_divisors", "rope_freqs.weight", "rope_freqs.weight"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "model.layers.{i}.input_layernorm.weight"),
    ("attn.q", "blk.{i}.attn_q.weight", "model.layers.{i}.self_attn.q_proj.weight"),
    ("attn.k", "blk.{i}.attn_k.weight", "model.layers.{i}.self_attn.k_proj.weight"),
    ("attn.v", "blk.{i}.attn_v.weight", "model.layers.{i}.self_attn.v_proj.weight"),
    ("attn.o", "blk.{i}.attn_output.weight", "model.layers.{i}.self_attn.o_proj.weight"),
    ("attn.q.bias", "blk.{i}.attn_q.bias", "model.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k.bias", "blk.{i}.attn_k.bias", "model.layers.{i}.self_attn.k_proj.bias"),
    ("attn.v.bias", "blk.{i}.attn_v.bias", "model.layers.{i}.self_attn.v_proj.bias"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "model.layers.{i}.self_attn.o_proj.bias"),
    ("mlp.norm", "blk.{i}.ffn_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("mlp.gate", "blk.{i}.ffn_gate.weight", "model.layers.{i}.mlp.gate_proj.weight"),
    ("mlp.up", "blk.{i}.ffn_up.weight", "model.layers.{i}.mlp.up_proj.weight"),
    ("mlp.down", "blk.{i}.ffn_down.weight", "model.layers.{i}.mlp.down_proj.weight"),
    ("mlp.gate.bias", "blk.{i}.ffn_gate.bias", "model.layers.{i}.mlp.gate_proj.bias"),
    ("mlp.up.bias", "blk.{i}.ffn_up.bias", "model.layers.{i}.mlp.up_proj.bias"),
    ("mlp.down.bias", "blk.{i}.ffn_down.bias", "model.layers.{i}.mlp.down_proj.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    let d_model = hyper.count("embedding_length", "hidden_size")?;
    let n_heads = hyper.count("attention.head_count", "num_attention_heads")?;
    let n_kv_heads = hyper.optional_count("attention.head_count_kv", "num_key_value_heads")?.unwrap_or(n_heads);
    let head_dim = match hyper.optional_count("attention.key_length", "head_dim")? {
        Some(head_dim) => head_dim,
        None if d_model.is_multiple_of(n_heads) => d_model / n_heads,
        None => return Err(hyper.wrong("the embedding length", "must be a multiple of the number of heads")),
    };
    if n_heads > d_model {
        return Err(hyper.wrong("the number of heads", "must not be larger than the embedding length"));
    }
    if !n_heads.is_multiple_of(n_kv_heads) {
        return Err(hyper.wrong("the number of heads", "must be a multiple of the number of key-value heads"));
    }
    if !head_dim.is_multiple_of(4) || head_dim > MOST_HEAD_DIM {
        let most = MOST_HEAD_DIM;
        return Err(Error::unsupported(format!("a head size of {head_dim} (this build: multiples of 4 up to {most})")));
    }
    if hyper.optional_count("expert_count", "num_local_experts")?.is_some_and(|n| n > 1) {
        return Err(Error::unsupported("a mixture of experts"));
    }
    if let Some(act) = hyper.text("activation", "hidden_act")?
        && act != "silu"
    {
        return Err(Error::unsupported(format!("the activation {act} in a llama model")));
    }
    Ok(Shape {
        architecture: "llama",
        d_model,
        n_layers: hyper.count("block_count", "num_hidden_layers")?,
        n_heads,
        n_kv_heads,
        head_dim,
        d_ffn: hyper.count("feed_forward_length", "intermediate_size")?,
        vocabulary: hyper.vocabulary("token_embd.weight", &["model.embed_tokens.weight", "embed_tokens.weight"])?,
        context: hyper.count("context_length", "max_position_embeddings")?,
    })
}

async fn load(loader: &mut Loader<'_>) -> Result<Box<dyn Decoder>> {
    (loader.architecture, loader.names, loader.optional_prefix) = ("llama", NAMES, "model.");
    let hyper = loader.hyper("llama");
    let shape = shape(&hyper)?;
    let Shape { d_model, n_heads, n_kv_heads, head_dim, d_ffn, vocabulary, .. } = shape;
    let (q_dim, kv_dim) = (n_heads * head_dim, n_kv_heads * head_dim);
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let rope = load_rope(loader, &hyper, head_dim).await?;

    let tokens = loader.matrix("embed", 0, [vocabulary, d_model]).await?;
    let mut blocks = Vec::with_capacity(shape.n_layers.min(1024));
    for i in 0..shape.n_layers {
        let attn_norm = Norm::Rms { weight: loader.vector("attn.norm", i, d_model).await?, epsilon };
        let attn = Attention {
            q: loader.linear("attn.q", i, [q_dim, d_model]).await?,
            k: loader.linear("attn.k", i, [kv_dim, d_model]).await?,
            v: loader.linear("attn.v", i, [kv_dim, d_model]).await?,
            o: loader.linear("attn.o", i, [d_model, q_dim]).await?,
            n_heads,
            rope: Some(rope),
            scale: 1.0 / (head_dim as f32).sqrt(),
        };
        let mlp_norm = Norm::Rms { weight: loader.vector("mlp.norm", i, d_model).await?, epsilon };
        let mlp = Mlp {
            gate: Some(loader.linear("mlp.gate", i, [d_ffn, d_model]).await?),
            up: loader.linear("mlp.up", i, [d_ffn, d_model]).await?,
            down: loader.linear("mlp.down", i, [d_model, d_ffn]).await?,
            activation: Activation::Silu,
        };
        blocks.push(Block { attn_norm, attn, mlp_norm, mlp });
    }
    let norm = Norm::Rms { weight: loader.vector("norm", 0, d_model).await?, epsilon };
    let lm_head = match loader.has("lm_head", 0) {
        true => loader.linear("lm_head", 0, [vocabulary, d_model]).await?,
        false => Linear { weight: tokens.clone(), bias: None }, // tied
    };
    Ok(Box::new(Transformer { shape, embed: Embedding { tokens, positions: None }, blocks, norm, lm_head }))
}

/// GGUF's converter permutes q and k so that neighbours turn together; Hugging Face's files turn halves.
async fn load_rope(loader: &mut Loader<'_>, hyper: &Hyper<'_>, head_dim: usize) -> Result<Rope> {
    let dims = hyper.optional_count("rope.dimension_count", "")?.unwrap_or(head_dim);
    if !dims.is_multiple_of(2) || dims > head_dim {
        return Err(hyper.wrong("rope.dimension_count", "must be even and no larger than a head"));
    }
    let nested = hyper.checkpoint.config().and_then(|c| c["rope_parameters"]["rope_theta"].as_f64());
    let base = match nested {
        Some(base) if base > 0.0 => base,
        Some(_) => return Err(hyper.wrong("rope_parameters.rope_theta", "must be a number greater than zero")),
        None => hyper.optional_number("rope.freq_base", "rope_theta")?.unwrap_or(10_000.0),
    };
    let scaling = match loader.has("rope_divisors", 0) {
        true => Some(RopeScaling::Divisors(loader.values("rope_divisors", 0, &[dims / 2]).await?)),
        false => rope_scaling(hyper)?,
    };
    if matches!(&scaling, Some(RopeScaling::Divisors(d)) if d.iter().any(|d| !d.is_finite() || *d <= 0.0)) {
        return Err(hyper.wrong("rope_freqs.weight", "must hold numbers greater than zero"));
    }
    let frequencies = inverse_frequencies(dims, base, scaling.as_ref());
    let pairing = if loader.is_gguf() { Pairing::Adjacent } else { Pairing::HalfSplit };
    let table = loader.upload_rows("the rotary positions", dims, |positions| rope_table(&frequencies, positions))?;
    Ok(Rope { table, dims, pairing })
}

/// The scaling the file asks for. Error: `MODEL_UNSUPPORTED` for a kind this build does not compute.
fn rope_scaling(hyper: &Hyper) -> Result<Option<RopeScaling>> {
    let Some(config) = hyper.checkpoint.config() else {
        let factor = match hyper.optional_number("rope.scaling.factor", "")? {
            None => hyper.optional_number("rope.scale_linear", "")?, // its name in older files
            factor => factor,
        };
        return match hyper.text("rope.scaling.type", "")? {
            Some("none") => Ok(None),
            // llama.cpp takes a factor without a type for a linear one.
            None | Some("linear") => Ok(factor.map(|factor| RopeScaling::Linear { factor })),
            Some(kind) => Err(Error::unsupported(format!("the RoPE scaling {kind}"))),
        };
    };
    let scaling = [&config["rope_scaling"], &config["rope_parameters"]].into_iter().find(|s| s.is_object());
    let Some(scaling) = scaling else { return Ok(None) };
    let kind = [&scaling["rope_type"], &scaling["type"]].into_iter().find_map(|kind| kind.as_str());
    let number = |key: &str| {
        let value = scaling[key].as_f64().filter(|x| x.is_finite() && *x > 0.0);
        value.ok_or_else(|| hyper.wrong(&format!("rope_scaling.{key}"), "must be a number greater than zero"))
    };
    match kind {
        None | Some("default") => Ok(None),
        Some("linear") => Ok(Some(RopeScaling::Linear { factor: number("factor")? })),
        Some("llama3") => {
            let (low_freq_factor, high_freq_factor) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if high_freq_factor <= low_freq_factor {
                return Err(hyper.wrong("rope_scaling.high_freq_factor", "must be larger than low_freq_factor"));
            }
            let (factor, original_context) = (number("factor")?, number("original_max_position_embeddings")?);
            Ok(Some(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }))
        }
        Some(kind) => Err(Error::unsupported(format!("the RoPE scaling {kind}"))),
    }
}
