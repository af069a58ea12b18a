//! Llamas with a mixture of experts: OLMoE (Muennighoff et al. 2024, <https://arxiv.org/abs/2409.02060>), whose queries
//! and keys are normalised over all heads together, and Qwen 3 MoE, whose are over each head.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, Experts, FeedForward, NormOver};
use crate::ops::{Activation, MOST_EXPERTS, Pairing, Scores};

pub static OLMOE: Architecture = Architecture {
    name: "olmoe",
    gguf: &["olmoe"],
    hf: &["olmoe"],
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
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, "olmoe", NormOver::Row))),
};

pub static QWEN3_MOE: Architecture = Architecture {
    name: "qwen3moe",
    gguf: &["qwen3moe"],
    hf: &["qwen3_moe"],
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
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, "qwen3moe", NormOver::Head))),
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
        Some(d_ffn) => Ok(Shape { d_ffn, ..Shape::read(hyper, NAMES, Some(d_ffn))? }),
        None => Shape::read(hyper, NAMES, None),
    }
}

async fn load(loader: &mut Loader<'_>, name: &'static str, over: NormOver) -> Result<Transformer> {
    let hyper = loader.hyper(name);
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    if hyper.optional_number("", "clip_qkv")?.is_some() {
        return Err(crate::error::Error::unsupported("clip_qkv"));
    }
    let experts = hyper.count("expert_count", "num_experts|num_local_experts")?;
    let top_k = hyper.count("expert_used_count", "num_experts_per_tok")?;
    if experts > MOST_EXPERTS || top_k > experts.min(32) {
        let what = format!("{top_k} of {experts} experts (this build: up to 32 of {MOST_EXPERTS})");
        return Err(crate::error::Error::unsupported(what));
    }
    // GGUF's metadata leave it to the architecture; left out of config.json, it is off.
    let usual = name == "qwen3moe" && hyper.config().is_none();
    let normalize = hyper.flag("expert_weights_norm", "norm_topk_prob")?.unwrap_or(usual);
    hyper.note("expert_weights_norm", normalize);
    let dense = dense_layers(&hyper)?;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { d_model, d_ffn, n_layers, head_dim, .. } = parts.shape;
    let windows = hyper.switched_windows(n_layers, |_| true)?;
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for (i, &window) in windows.iter().enumerate() {
        let scores = Scores { window, ..Scores::scaled(head_dim) };
        let qk_norm = Some(parts.qk_norm(i, over)?);
        let attn_norm = Some(parts.norm("attn.norm", i)?);
        let attn = Attention { qk_norm, scores, ..parts.attention(i, Some(rope))? };
        let ffn_norm = Some(parts.norm("ffn.norm", i)?);
        let ffn = match dense(i) {
            true => parts.dense_mlp(i, hyper.count("feed_forward_length", "intermediate_size")?)?,
            false => FeedForward::Experts(Experts {
                router: parts.loader.linear("ffn.router", i, [experts, d_model])?,
                gate: parts.loader.experts("ffn.gates", i, [experts, d_ffn, d_model])?,
                up: parts.loader.experts("ffn.ups", i, [experts, d_ffn, d_model])?,
                down: parts.loader.experts("ffn.downs", i, [experts, d_model, d_ffn])?,
                top_k,
                normalize,
                activation: Activation::Silu,
            }),
        };
        blocks.push(Block {
            attn_norm,
            attn,
            attn_post_norm: None,
            ffn_norm,
            ffn,
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}

/// Which layers have one feed-forward layer for all rows.
fn dense_layers(hyper: &Hyper<'_>) -> Result<impl Fn(usize) -> bool> {
    let listed = hyper.config().and_then(|config| config["mlp_only_layers"].as_array());
    let listed: Vec<u64> = listed.into_iter().flatten().filter_map(|layer| layer.as_u64()).collect();
    let step = hyper.optional_count("", "decoder_sparse_step")?.unwrap_or(1);
    Ok(move |i: usize| listed.contains(&(i as u64)) || !(i + 1).is_multiple_of(step))
}
