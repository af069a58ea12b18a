//! Rotary positions → GGUF's keys, and tensors where GGUF keeps divisors.

use super::tensor::{PlannedTensor, no_form};
use crate::error::Result;
use crate::load::Hyper;
use crate::load::rope::{RopeSpec, long_factors};
use crate::nn::{Angles, RopeScaling};
use crate::weights::Value;

/// A key without the architecture's prefix, and its value.
type Key = (&'static str, Value);

fn number(x: f64) -> Value {
    Value::F32(x as f32)
}

/// The keys that say how queries and keys turn: by the rotation that layers share, then by that of layers with a window.
/// Tensors that say it go to `tensors`.
///
/// # Errors
/// `MODEL_UNSUPPORTED` for LongRoPE without factors of both kinds.
pub fn rope_keys(hyper: &Hyper<'_>, ropes: &[RopeSpec], tensors: &mut Vec<PlannedTensor>) -> Result<Vec<Key>> {
    let Some(first) = ropes.first() else { return Ok(Vec::new()) };
    let mut keys = vec![
        ("rope.freq_base", number(first.base)),
        ("rope.dimension_count", Value::U32(first.dims as u32)), // at most a head's size
    ];
    if let Some(second) = ropes.get(1) {
        keys.push(("rope.freq_base_swa", number(second.base)));
    }
    match &first.scaling {
        None => {}
        Some(RopeScaling::Linear { factor }) => {
            keys.extend([("rope.scaling.type", "linear".into()), ("rope.scaling.factor", number(*factor))]);
        }
        Some(scaling @ RopeScaling::Yarn { .. }) => keys.extend(yarn_keys(scaling)),
        // GGUF keeps what comes of it: a divisor for each pair.
        Some(scaling @ RopeScaling::Llama3 { .. }) => {
            let plain = Angles::new(first.dims, first.base, None).frequencies;
            let scaled = Angles::new(first.dims, first.base, Some(scaling)).frequencies;
            let divisors = plain.iter().zip(&scaled).map(|(plain, scaled)| (plain / scaled) as f32);
            tensors.push(PlannedTensor::of_numbers("rope_freqs.weight", divisors.collect()));
        }
        Some(RopeScaling::Divisors { magnitude, .. }) => {
            let ([long, short], original) =
                long_factors(hyper, first.dims)?.ok_or_else(|| no_form("LongRoPE", "the RoPE scaling"))?;
            tensors.push(PlannedTensor::of_numbers("rope_factors_long.weight", long));
            tensors.push(PlannedTensor::of_numbers("rope_factors_short.weight", short));
            keys.extend([
                ("rope.scaling.original_context_length", Value::U32(original as u32)),
                ("rope.scaling.attn_factor", number(*magnitude)),
            ]);
        }
    }
    Ok(keys)
}

/// YaRN's keys; none for another scaling.
fn yarn_keys(scaling: &RopeScaling) -> Vec<Key> {
    let RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, magnitude, .. } = scaling else {
        return Vec::new();
    };
    let usual = if *factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 };
    let mut keys = vec![
        ("rope.scaling.type", "yarn".into()),
        ("rope.scaling.factor", number(*factor)),
        ("rope.scaling.original_context_length", Value::U32(*original_context as u32)),
    ];
    // Defaults are left out.
    if *beta_fast != 32.0 {
        keys.push(("rope.scaling.yarn_beta_fast", number(*beta_fast)));
    }
    if *beta_slow != 1.0 {
        keys.push(("rope.scaling.yarn_beta_slow", number(*beta_slow)));
    }
    if *magnitude != usual {
        keys.push(("rope.scaling.attn_factor", number(*magnitude / usual)));
    }
    keys
}
