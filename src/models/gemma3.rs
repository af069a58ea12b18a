//! Gemma 3 (2025, <https://arxiv.org/abs/2503.19786>): Gemma 2 with QK-norm instead of soft caps, and five layers with a
//! sliding window to one without; the two kinds turn by different angles. Of files that also see, the language model.

use super::gemma::{GELU, norms};
use super::gemma2::{NAMES, attention_scale};
use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::Parts;
use crate::load::rope::RopeSpec;
use crate::load::{Loader, Shape};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::{Activation, Pairing, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "gemma3",
    gguf: &["gemma3"],
    hf: &["gemma3", "gemma3_text"],
    defaults: &[
        ("hidden_size", 2304.0),
        ("intermediate_size", 9216.0),
        ("num_hidden_layers", 26.0),
        ("num_attention_heads", 8.0),
        ("num_key_value_heads", 4.0),
        ("head_dim", 256.0),
        ("max_position_embeddings", 131_072.0),
        ("rms_norm_eps", 1e-6),
        ("rope_theta", 1e6),
        ("query_pre_attn_scalar", 256.0),
        ("sliding_window", 4096.0),
    ],
    shape: |hyper| {
        hyper.activation_among(&GELU)?;
        Shape::read(hyper, NAMES, None)
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// The local layers' rotary base where the file does not say.
const LOCAL_BASE: f64 = 10_000.0;

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    loader.prefixes = &["model.", "", "language_model.model.", "model.language_model."];
    let hyper = loader.hyper("gemma3");
    let norms = norms(loader, &hyper)?;
    let mut parts = Parts::new(loader, Shape::read(&hyper, NAMES, None)?, NAMES, norms);
    let logit_cap = hyper.optional_number("final_logit_softcapping", "final_logit_softcapping")?;
    let scale = attention_scale(&hyper, &parts.shape, 62)?;
    let window = hyper.count("attention.sliding_window", "sliding_window")? as u32;
    let sliding = hyper.sliding_layers(parts.shape.n_layers, Some(6))?;

    let head_dim = parts.shape.head_dim;
    let global = RopeSpec::read(&hyper, parts.loader, head_dim, Some("full_attention")).await?;
    let local_base = match hyper.rope_section("sliding_attention", "rope_theta") {
        Some(base) => base,
        None => hyper.optional_number("rope.freq_base_swa", "rope_local_base_freq")?.unwrap_or(LOCAL_BASE),
    };
    let local = RopeSpec { dims: global.dims, base: local_base, scaling: None };
    let [global, local] =
        [parts.rope_table(&global, Pairing::HalfSplit)?, parts.rope_table(&local, Pairing::HalfSplit)?];
    let embed = parts.embedding((parts.shape.d_model as f32).sqrt())?;
    let mut blocks = parts.blocks();
    for (i, &sliding) in sliding.iter().enumerate() {
        let (rope, window) = if sliding { (local, Some(window)) } else { (global, None) };
        let scores = Scores { scale, soft_cap: None, window };
        let qk_norm = Some(parts.qk_norm(i, NormOver::Head)?);
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { scores, qk_norm, ..parts.attention(i, Some(rope))? },
            attn_post_norm: Some(parts.norm("attn.post_norm", i)?),
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.gated_mlp(i, Activation::GeluTanh)?,
            ffn_post_norm: Some(parts.norm("ffn.post_norm", i)?),
            parallel: false,
        });
    }
    let logit_cap = logit_cap.map(|cap| cap as f32);
    Ok(Transformer { logit_cap, ..Transformer::finish(&mut parts, embed, blocks)? })
}
