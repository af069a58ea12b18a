//! Gemma 3 (2025, <https://arxiv.org/abs/2503.19786>): Gemma 2 with QK-norm instead of soft caps, and five layers with a
//! sliding window to one without; the two kinds turn by different angles. Of files that also see, the language model.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::gemma::{GELU, gemma_parts};
use super::gemma2::{NAMES, attention_scale, gemma_block};
use crate::error::Result;
use crate::load::rope::RopeSpec;
use crate::load::{Family, Loader};
use crate::nn::NormOver;
use crate::ops::Scores;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gemma3",
        gguf: &["gemma3"],
        hf: &["gemma3", "gemma3_text"],
        tensors: NAMES,
        prefixes: &["model.", "", "language_model.model.", "model.language_model."],
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
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_among(&GELU)?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// The local layers' rotary base where the file does not say.
const LOCAL_BASE: f64 = 10_000.0;

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = gemma_parts(loader)?;
    let hyper = parts.hyper;
    let logit_cap = hyper.optional_number("final_logit_softcapping", "final_logit_softcapping")?;
    let scale = attention_scale(&hyper, &parts.shape, 62)?;
    let window = hyper.count("attention.sliding_window", "sliding_window")? as u32;
    let sliding = hyper.sliding_layers(parts.shape.n_layers, Some(6))?;

    let global = parts.rope_spec(Some("full_attention")).await?;
    let local_base = match hyper.rope_section("sliding_attention", "rope_theta") {
        Some(base) => base,
        None => hyper.optional_number("rope.freq_base_swa", "rope_local_base_freq")?.unwrap_or(LOCAL_BASE),
    };
    let local = RopeSpec { dims: global.dims, base: local_base, scaling: None };
    let (global, local) = (parts.loader.rope(&global)?, parts.loader.rope(&local)?);
    let embed = parts.embedding((parts.shape.d_model as f32).sqrt())?;
    let model = Transformer::build(&mut parts, embed, |parts, i| {
        let (rope, window) = if sliding[i] { (local, Some(window)) } else { (global, None) };
        let mut block = gemma_block(parts, i, rope, Scores { scale, soft_cap: None, window, bias: None })?;
        block.attn.qk_norm = Some(parts.qk_norm(i, NormOver::Head)?);
        Ok(block)
    })?;
    Ok(Transformer { logit_cap: logit_cap.map(|cap| cap as f32), ..model })
}
