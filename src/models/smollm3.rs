//! SmolLM 3 (Hugging Face 2025): a llama of which every fourth layer has no positions (NoPE: Kazemnejad et al. 2023,
//! <https://arxiv.org/abs/2305.19466>; Yang et al. 2025, <https://arxiv.org/abs/2501.18795>).

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::rows::RowOrder;
use crate::load::{Family, Hyper, Loader, Parts};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "smollm3",
        gguf: &["smollm3"],
        hf: &["smollm3"],
        row_order: RowOrder::InterleavedHalves,
        defaults: &[
            ("hidden_size", 2048.0),
            ("intermediate_size", 11_008.0),
            ("num_hidden_layers", 36.0),
            ("num_attention_heads", 16.0),
            ("num_key_value_heads", 4.0),
            ("max_position_embeddings", 32_768.0),
            ("rms_norm_eps", 1e-6),
            ("rope_theta", 2e6),
        ],
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_is("silu")?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let (hyper, n_layers) = (parts.hyper, parts.shape.n_layers);
    let turning = turning(&hyper, n_layers)?;
    let windows = hyper.switched_windows(n_layers, |i| !turning[i])?;
    let rope = parts.rope().await?;
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, turning[i].then_some(rope))?;
        block.attn.scores.window = windows[i];
        Ok(block)
    })
}

/// Which layers turn queries and keys: those that config.json's `no_rope_layers` gives a 1, or all but every fourth.
fn turning(hyper: &Hyper, n_layers: usize) -> Result<Vec<bool>> {
    if let Some(list) = hyper.config().and_then(|config| config["no_rope_layers"].as_array()) {
        let turning: Vec<bool> = list.iter().take(n_layers).filter_map(|x| x.as_u64().map(|x| x != 0)).collect();
        let wrong = || hyper.wrong("no_rope_layers", "must have a 0 or a 1 for each layer");
        return Some(turning).filter(|turning| turning.len() == n_layers).ok_or_else(wrong);
    }
    let interval = hyper.optional_count("", "no_rope_layer_interval")?.unwrap_or(4);
    Ok((0..n_layers).map(|i| !(i + 1).is_multiple_of(interval)).collect())
}
