//! An adapter's tensors → pairs, each with the name of the base's tensor that it corrects.

use crate::error::{Error, Result};
use crate::weights::{Checkpoint, FileFormat, TensorInfo};
use std::collections::BTreeMap;

/// Whose names and row orders a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    Gguf,
    HuggingFace,
}

impl World {
    pub fn of(checkpoint: &Checkpoint) -> World {
        match checkpoint.file_format() {
            FileFormat::Gguf { .. } => World::Gguf,
            FileFormat::Safetensors | FileFormat::WhisperCpp => World::HuggingFace,
        }
    }
}

/// The two matrices beside one tensor of the base.
pub struct Pair<'a> {
    /// The base's tensor in the words of `world`, without `.weight`.
    pub base: String,
    pub world: World,
    /// [r, in]
    pub a: &'a TensorInfo,
    /// [out, r]
    pub b: &'a TensorInfo,
    /// Whether A and B are kept as their transposes: MLX's habit, and for A of the embedding table GGUF's.
    pub turned: Turned,
}

/// Of A and of B.
pub type Turned = [bool; 2];

/// A tensor's name, parsed: which projection, and which half of the pair.
struct Half<'n> {
    base: &'n str,
    is_b: bool,
    turned: Turned,
}

/// All pairs, by name.
///
/// # Errors
/// `MODEL_UNSUPPORTED` or `MODEL_FORMAT`, naming the tensor that belongs to none.
pub fn read(checkpoint: &Checkpoint) -> Result<Vec<Pair<'_>>> {
    let world = World::of(checkpoint);
    let mut halves: BTreeMap<(&str, Turned), [Option<&TensorInfo>; 2]> = BTreeMap::new();
    for info in checkpoint.tensors() {
        if info.name.ends_with(".base_layer.weight") {
            continue; // the base's own weight, which PEFT keeps beside the pair of an output layer
        }
        let half = half(&info.name, world)?;
        let place = &mut halves.entry((half.base, half.turned)).or_default()[usize::from(half.is_b)];
        if place.replace(info).is_some() {
            return Err(Error::format(checkpoint.name(), format!("two tensors stand for {}", info.name)));
        }
    }
    if halves.is_empty() {
        return Err(Error::format(checkpoint.name(), "holds no LoRA tensors"));
    }
    let pairs = halves.into_iter().map(|((base, turned), halves)| match halves {
        [Some(a), Some(b)] => Ok(Pair { base: base.to_string(), world, a, b, turned }),
        [a, b] => {
            let (alone, other) = (a.or(b).map_or("", |info| &info.name), if a.is_none() { "A" } else { "B" });
            Err(Error::format(alone, format!("has no matrix {other} that belongs to it")))
        }
    });
    pairs.collect()
}

/// Reads a tensor's name.
fn half(name: &str, world: World) -> Result<Half<'_>> {
    let beside = |what: &str| Err(Error::unsupported(format!("{what} in an adapter (the tensor {name})")));
    if name.contains("lora_magnitude_vector") || (world == World::HuggingFace && name.ends_with(".m")) {
        return beside("DoRA");
    }
    let found = match world {
        World::Gguf => gguf_half(name),
        World::HuggingFace => peft_half(name).or_else(|| mlx_half(name)),
    };
    match found {
        Some(half) => Ok(half),
        None if name.contains("lora_B") && name.ends_with(".bias") => beside("a bias"),
        None => beside("a tensor that is no half of a LoRA pair"),
    }
}

/// `blk.0.attn_q.weight.lora_a`
fn gguf_half(name: &str) -> Option<Half<'_>> {
    let (base, which) = name.rsplit_once(".lora_")?;
    let base = base.strip_suffix(".weight").unwrap_or(base);
    let turned = [base == "token_embd", false]; // so that rows of A can be taken by token
    matches!(which, "a" | "b").then_some(Half { base, is_b: which == "b", turned })
}

/// `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`; some have the adapter's name before `weight`. Of the
/// embedding table `base_model.model.model.embed_tokens.lora_embedding_A`.
fn peft_half(name: &str) -> Option<Half<'_>> {
    let (base, rest) = name.rsplit_once(".lora_")?;
    let which = match rest.strip_prefix("embedding_") {
        Some(rest) => rest.split('.').next()?,
        None => rest.split_once('.').filter(|(_, rest)| *rest == "weight" || rest.ends_with(".weight"))?.0,
    };
    let base = base.strip_prefix("base_model.model.").unwrap_or(base);
    matches!(which, "A" | "B").then_some(Half { base, is_b: which == "B", turned: [false; 2] })
}

/// `model.layers.0.self_attn.q_proj.lora_a`
fn mlx_half(name: &str) -> Option<Half<'_>> {
    let (base, which) = name.rsplit_once(".lora_")?;
    matches!(which, "a" | "b").then_some(Half { base, is_b: which == "b", turned: [true; 2] })
}
