//! Llamas with a mixture of experts: OLMoE (Muennighoff et al. 2024, <https://arxiv.org/abs/2409.02060>), whose queries
//! and keys are normalised over all heads together, and Qwen 3 MoE, whose are over each head.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Parts, PerLayer, Shape, pre_norm};
use crate::nn::{Attention, Experts, FeedForward, NormOver};
use crate::ops::{MOST_EXPERTS, Scores};

pub static OLMOE: Architecture = Architecture {
    family: Family {
        name: "olmoe",
        gguf: &["olmoe"],
        hf: &["olmoe"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 2048.0),
            ("intermediate_size", 2048.0),
            ("num_hidden_layers", 16.0),
            ("num_attention_heads", 16.0),
            ("max_position_embeddings", 4096.0),
            ("num_experts", 64.0),
            ("num_experts_per_tok", 8.0),
            ("rms_norm_eps", 1e-5),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, NormOver::Row))),
};

pub static QWEN3_MOE: Architecture = Architecture {
    family: Family {
        name: "qwen3moe",
        gguf: &["qwen3moe"],
        hf: &["qwen3_moe"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 2048.0),
            ("intermediate_size", 6144.0),
            ("num_hidden_layers", 24.0),
            ("num_attention_heads", 32.0),
            ("num_key_value_heads", 4.0),
            ("max_position_embeddings", 32_768.0),
            ("sliding_window", 4096.0),
            ("moe_intermediate_size", 768.0),
            ("num_experts", 128.0),
            ("num_experts_per_tok", 8.0),
            ("rms_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, NormOver::Head))),
};

/// `{j}`: the expert, each a tensor of its own in safetensors.
const NAMES: &[Name] = &[
    ("ffn.router", "blk.{i}.ffn_gate_inp.weight", "model.layers.{i}.mlp.gate.weight"),
    ("ffn.gates", "blk.{i}.ffn_gate_exps.weight", "model.layers.{i}.mlp.experts.{j}.gate_proj.weight"),
    ("ffn.ups", "blk.{i}.ffn_up_exps.weight", "model.layers.{i}.mlp.experts.{j}.up_proj.weight"),
    ("ffn.downs", "blk.{i}.ffn_down_exps.weight", "model.layers.{i}.mlp.experts.{j}.down_proj.weight"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    // An expert's width, where it is not that of the dense layers.
    match hyper.optional_count("expert_feed_forward_length", "moe_intermediate_size")? {
        Some(d_ffn) => Ok(Shape { d_ffn: PerLayer::Same(d_ffn), ..hyper.shape_with(Some(d_ffn))? }),
        None => hyper.shape(),
    }
}

async fn load(loader: &mut Loader<'_>, over: NormOver) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let hyper = parts.hyper;
    if hyper.optional_number("", "clip_qkv")?.is_some() {
        return Err(Error::unsupported("clip_qkv"));
    }
    let routing = Routing::read(&hyper)?;
    let dense = dense_layers(&hyper)?;
    let windows = hyper.switched_windows(parts.shape.n_layers, |_| true)?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let scores = Scores { window: windows[i], ..Scores::scaled(parts.shape.head_dim) };
        let qk_norm = Some(parts.qk_norm(i, over)?);
        Ok(pre_norm(
            parts.norm("attn.norm", i)?,
            Attention { qk_norm, scores, ..parts.attention(i, rope)? },
            parts.norm("ffn.norm", i)?,
            match dense(i) {
                true => parts.gated_mlp_of(i, hyper.count("feed_forward_length", "intermediate_size")?)?,
                false => routing.experts(parts, i)?,
            },
        ))
    })
}

/// How rows come to their experts.
struct Routing {
    experts: usize,
    /// Experts of a row.
    top_k: usize,
    /// Whether the weights of a row's experts sum to 1.
    normalize: bool,
}

impl Routing {
    fn read(hyper: &Hyper) -> Result<Routing> {
        let experts = hyper.count("expert_count", "num_experts|num_local_experts")?;
        let top_k = hyper.count("expert_used_count", "num_experts_per_tok")?;
        if experts > MOST_EXPERTS || top_k > experts.min(32) {
            let what = format!("{top_k} of {experts} experts (this build: up to 32 of {MOST_EXPERTS})");
            return Err(Error::unsupported(what));
        }
        // GGUF's metadata leave it to the architecture; left out of config.json, it is off.
        let usual = hyper.family.name == "qwen3moe" && hyper.config().is_none();
        let normalize = hyper.flag("expert_weights_norm", "norm_topk_prob")?.unwrap_or(usual);
        hyper.note("expert_weights_norm", normalize);
        Ok(Routing { experts, top_k, normalize })
    }

    /// Layer i's experts and their router.
    fn experts(&self, parts: &mut Parts, i: usize) -> Result<FeedForward> {
        let (d_model, d_ffn) = (parts.shape.d_model, parts.shape.d_ffn.at(i));
        let &Routing { experts, top_k, normalize } = self;
        Ok(FeedForward::Experts(Experts {
            router: parts.loader.linear("ffn.router", i, [experts, d_model])?,
            gate: parts.loader.experts("ffn.gates", i, [experts, d_ffn, d_model])?,
            up: parts.loader.experts("ffn.ups", i, [experts, d_ffn, d_model])?,
            down: parts.loader.experts("ffn.downs", i, [experts, d_model, d_ffn])?,
            top_k,
            normalize,
            activation: parts.activation,
        }))
    }
}

/// Which layers have one feed-forward layer for all rows.
fn dense_layers(hyper: &Hyper<'_>) -> Result<impl Fn(usize) -> bool> {
    let listed = hyper.config().and_then(|config| config["mlp_only_layers"].as_array());
    let listed: Vec<u64> = listed.into_iter().flatten().filter_map(|layer| layer.as_u64()).collect();
    let step = hyper.optional_count("", "decoder_sparse_step")?.unwrap_or(1);
    Ok(move |i: usize| listed.contains(&(i as u64)) || !(i + 1).is_multiple_of(step))
}
