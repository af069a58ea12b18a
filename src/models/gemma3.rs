//! Gemma 3 (2025, <https://arxiv.org/abs/2503.19786>): Gemma 2 with QK-norm instead of soft caps, and five layers with a
//! sliding window to one without; the two kinds turn by different angles. Larger ones see by SigLIP's encoder, whose patches are
//! averaged; the tokens of a picture see each other.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::gemma::{GELU, gemma_parts};
use super::gemma2::{NAMES, attention_scale, gemma_block};
use super::siglip;
use super::vision::{VisionEncoder, VisionHead};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::rope::RopeSpec;
use crate::load::rows::one_run;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts};
use crate::nn::NormOver;
use crate::ops::{Activation, Scores};
use crate::pictures::{Filter, Grid, Preprocessing};

/// The half that reads.
pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gemma3",
        gguf: &["gemma3"],
        hf: &["gemma3", "gemma3_text"],
        tensors: NAMES,
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

/// The half that sees: beside the other in safetensors, a file of its own in GGUF (`mmproj`).
pub static EYES: Architecture = Architecture {
    family: Family { name: "gemma3", gguf: &["clip"], hf: &[], tensors: EYES_NAMES, ..siglip::ARCHITECTURE.family },
    shape: |hyper| siglip::body_shape(hyper, &preprocessing(hyper)?.1),
    load: Load::Vision(|loader| Box::pin(siglip::load_with(loader, preprocessing, head))),
};

const EYES_NAMES: &[Name] = &siglip::names::<{ siglip::NAMES.len() + 2 }>(&[
    ("projector", "mm.input_projection.weight", "multi_modal_projector.mm_input_projection_weight"),
    ("projector.norm", "mm.soft_emb_norm.weight", "multi_modal_projector.mm_soft_emb_norm.weight"),
]);

/// Most tokens of a picture: they see each other, so that they run together.
const MOST_TOKENS: usize = 256;

/// How pictures are prepared, and their patches: transformers' own values for what the file leaves out.
fn preprocessing(hyper: &Hyper) -> Result<(Preprocessing, Grid)> {
    let edge = hyper.count("vision.image_size", "image_size")?;
    let usual = Preprocessing { filter: Filter::Bilinear, ..Preprocessing::square(edge) };
    if hyper.checkpoint.preprocessor_config().is_some_and(|config| config["do_pan_and_scan"] == true) {
        return Err(Error::unsupported("a gemma3 model that cuts pictures by itself (pan and scan)"));
    }
    let across = edge / hyper.count("vision.patch_size", "patch_size")?;
    let (name, merge) = match hyper.checkpoint.config() {
        Some(config) => {
            let tokens = &config["mm_tokens_per_image"];
            let tokens = if tokens.is_null() { Some(MOST_TOKENS as u64) } else { tokens.as_u64() };
            let tokens = tokens.and_then(|n| usize::try_from(n).ok());
            ("mm_tokens_per_image", tokens.and_then(|n| across.checked_div(n.isqrt())))
        }
        None => {
            let factor = hyper.metadata_u64("vision.projector.scale_factor")?.unwrap_or(4);
            ("vision.projector.scale_factor", usize::try_from(factor).ok())
        }
    };
    let merge = merge.filter(|merge| (1..=across).contains(merge));
    let merge = merge.ok_or_else(|| hyper.wrong(name, &format!("must fit {across} × {across} patches")))?;
    let prepared = siglip::prepared(hyper, usual, merge)?;
    match prepared.1.patches() / (merge * merge) {
        ..=MOST_TOKENS => Ok(prepared),
        n => Err(Error::unsupported(format!("a gemma3 model with {n} tokens a picture (most: {MOST_TOKENS})"))),
    }
}

fn head(loader: &mut Loader, encoder: &VisionEncoder) -> Result<VisionHead> {
    // As the decoder's norms: safetensors keep w − 1.
    let offset = if loader.tensors.is_gguf() { 0.0 } else { 1.0 };
    let epsilon = loader.hyper.number("vision.attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let norm =
        Parts::new(loader, NormStyle::Rms { epsilon, offset }, Activation::GeluTanh).norm("projector.norm", 0)?;
    // Both kinds of file keep it as [in, out].
    let [_, columns] = loader.tensors.size("projector", 0);
    let [projector] =
        loader.transposed_parts("projector", 0, [columns, encoder.shape.d_model], [one_run(0..columns)])?;
    Ok(VisionHead::Averaged(norm, projector))
}

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
    Ok(Transformer { logit_cap: logit_cap.map(|cap| cap as f32), whole_media: true, ..model })
}
