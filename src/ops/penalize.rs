//! Penalties on logits [L, V], in place, for the last ids of each row's slot up to the row's position.
//!
//! Of each id among them, a positive logit is divided, a negative one multiplied by the repetition penalty (Keskar et al. 2019,
//! <https://arxiv.org/abs/1909.05858>). Then frequency penalty × count and presence penalty are subtracted (OpenAI's definition).

use crate::device::{Kernel, Options, Pass, SamplingSlot, Slot, Tensor, Twin, kernel, params};
use std::collections::BTreeMap;

pub static PENALIZE: Kernel = kernel!(penalize, [Uniform, Read, Read, Write], shared: ["control", "rows", "sampling"]);

/// Most workgroups along a history; longer ones take several rounds.
const MOST_GROUPS: usize = 256;

params! {
    struct Params {
        vocab: u32,
        stride: u32,
    }
}

/// Records the penalties for the logit rows whose slot has [`SamplingSlot::PENALTIES`] on.
pub fn penalize(pass: &mut Pass, logits: &Tensor) {
    let params = Params { vocab: logits.columns as u32, stride: logits.stride() as u32 };
    let groups = pass.layout.context.div_ceil(64).clamp(1, MOST_GROUPS);
    let bindings = [pass.control, pass.state, logits.buffer];
    pass.record(&PENALIZE, Options::default(), params, &bindings, [groups as u32, logits.rows as u32, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state) = (t.read::<u32>(1), t.read::<u32>(2));
    let mut logits = t.write::<f32>(3);
    for i in 0..Slot::logit_rows(&control) {
        let row = Slot::row(&control, &state, Slot::gathered(&control, i));
        let sampling = Slot::sampling(&control, row.slot);
        if sampling.flags & SamplingSlot::PENALTIES == 0 || row.position >= Slot::context(&control) {
            continue;
        }
        // Id → how often it is among them.
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for position in first_penalized(&sampling, row.position)..=row.position {
            *counts.entry(state[Slot::history_at(&control, row.slot, position)]).or_default() += 1;
        }
        for (id, count) in counts.into_iter().filter(|(id, _)| *id < p.vocab) {
            let z = &mut logits[i * p.stride as usize + id as usize];
            *z = if *z > 0.0 { *z / sampling.repetition_penalty } else { *z * sampling.repetition_penalty };
            *z -= count as f32 * sampling.frequency_penalty + sampling.presence_penalty;
        }
    }
}

/// The first position that penalties look at in drawing the token after `position`.
fn first_penalized(sampling: &SamplingSlot, position: u32) -> u32 {
    let last_n = if sampling.penalty_last_n == 0 { u32::MAX } else { sampling.penalty_last_n };
    sampling.penalized_from.max((position + 1).saturating_sub(last_n))
}
