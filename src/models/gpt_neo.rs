//! GPT-Neo (Black et al. 2021, <https://doi.org/10.5281/zenodo.5297715>) and the TinyStories models: a GPT-2 with
//! unscaled attention, every other layer local. No GGUF converter knows it.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape, pre_norm};
use crate::nn::{Attention, Embedding};
use crate::ops::{Activation, Scores};
use serde_json::Value;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gpt_neo",
        gguf: &[],
        hf: &["gpt_neo"],
        tensors: NAMES,
        prefixes: &["transformer.", ""],
        defaults: &[
            ("hidden_size", 2048.0),
            ("num_layers", 24.0),
            ("num_heads", 16.0),
            ("max_position_embeddings", 2048.0),
            ("window_size", 256.0),
            ("layer_norm_epsilon", 1e-5),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "", "transformer.wte.weight"),
    ("positions", "", "transformer.wpe.weight"),
    ("norm", "", "transformer.ln_f.weight"),
    ("norm.bias", "", "transformer.ln_f.bias"),
    ("attn.norm", "", "transformer.h.{i}.ln_1.weight"),
    ("attn.norm.bias", "", "transformer.h.{i}.ln_1.bias"),
    ("attn.q", "", "transformer.h.{i}.attn.attention.q_proj.weight"),
    ("attn.k", "", "transformer.h.{i}.attn.attention.k_proj.weight"),
    ("attn.v", "", "transformer.h.{i}.attn.attention.v_proj.weight"),
    ("attn.o", "", "transformer.h.{i}.attn.attention.out_proj.weight"),
    ("attn.o.bias", "", "transformer.h.{i}.attn.attention.out_proj.bias"),
    ("ffn.norm", "", "transformer.h.{i}.ln_2.weight"),
    ("ffn.norm.bias", "", "transformer.h.{i}.ln_2.bias"),
    ("ffn.up", "", "transformer.h.{i}.mlp.c_fc.weight"),
    ("ffn.up.bias", "", "transformer.h.{i}.mlp.c_fc.bias"),
    ("ffn.down", "", "transformer.h.{i}.mlp.c_proj.weight"),
    ("ffn.down.bias", "", "transformer.h.{i}.mlp.c_proj.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    let d_model = hyper.count("embedding_length", "hidden_size")?;
    hyper.shape_with(Some(4 * d_model))
}

/// Which layers are local: `attention_layers` lists them, `attention_types` as [[kinds, times], …]; else every other.
fn local_layers(hyper: &Hyper<'_>, n_layers: usize) -> Result<Vec<bool>> {
    let wrong = || hyper.wrong("attention_layers", "must say global or local for each layer");
    let config = hyper.config().ok_or_else(wrong)?;
    let mut kinds: Vec<&Value> = Vec::new();
    if let Some(list) = config["attention_layers"].as_array() {
        kinds.extend(list.iter().take(n_layers));
    } else if config.get("attention_types").is_none() {
        return Ok((0..n_layers).map(|i| i % 2 == 1).collect());
    } else {
        for pair in config["attention_types"].as_array().ok_or_else(wrong)? {
            let (list, times) = (pair[0].as_array().ok_or_else(wrong)?, pair[1].as_u64().ok_or_else(wrong)?);
            let times = usize::try_from(times).unwrap_or(usize::MAX).min(n_layers);
            let room = n_layers.saturating_sub(kinds.len());
            kinds.extend(list.iter().cycle().take(list.len().saturating_mul(times).min(room)));
        }
    }
    let local = |kind: &&Value| match kind.as_str() {
        Some("local") => Some(true),
        Some("global") => Some(false),
        _ => None,
    };
    let layers: Option<Vec<bool>> = kinds.iter().map(local).collect();
    layers.filter(|layers| layers.len() == n_layers).ok_or_else(wrong)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("", "layer_norm_epsilon")? as f32;
    let activation = match hyper.text("", "activation_function")? {
        None | Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("gelu") => Activation::Gelu,
        Some("relu") => Activation::Relu,
        Some(other) => return Err(Error::unsupported(format!("the activation {other} in a gpt_neo model"))),
    };
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, activation);
    let window = hyper.count("", "window_size")? as u32;
    let local = local_layers(&hyper, parts.shape.n_layers)?;
    let positions = Some(parts.positions()?);
    let embed = Embedding { positions, ..parts.embedding(1.0)? };
    Transformer::build(&mut parts, embed, |parts, i| {
        let scores = Scores { scale: 1.0, soft_cap: None, window: local[i].then_some(window), bias: None };
        Ok(pre_norm(
            parts.norm("attn.norm", i)?,
            Attention { scores, ..parts.attention(i, None)? },
            parts.norm("ffn.norm", i)?,
            parts.plain_mlp(i)?,
        ))
    })
}
