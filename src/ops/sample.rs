//! The next token of each logit row, into `state`: the second of the sampler's two stages.
//!
//! Temperature, then top-k, then top-p (Holtzman et al. 2019, <https://arxiv.org/abs/1904.09751>) of what top-k kept,
//! then min-p (Nguyen et al. 2024, <https://arxiv.org/abs/2407.01082>). Each is a threshold on the logits, so tokens
//! that tie with the last one kept are kept too, and the most likely token always is. The draw is Gumbel-max: the
//! largest logit / temperature + noise, where the noise is a pure function of (seed, position, token id).

use super::argmax::{LogitParams, NOT_A_NUMBER, argmax, edited_logits, key_of, logit_params, partial_columns};
use crate::device::{BufferId, FORBIDDEN, Kernel, Options, Pass, SamplingSlot, Slot, Tensor, Twin, kernel};
use crate::error::Result;
use cresset_numerics::rows::LEAST;
use cresset_numerics::sort_by;

pub static SAMPLE: Kernel = kernel!(
    sample,
    [Uniform, Read, Read, Read, Read, Write],
    shared: ["control", "rows", "sampling", "nan", "keys", "edits", "logits"]
);

/// Below it sampling is greedy; `shaders/sample.wgsl` has the same.
const LEAST_TEMPERATURE: f32 = 1e-5;

/// Records the draw from `logits` [L, V], of which `candidates` [L, 2n] holds the best (key, id) of n parts: the token and
/// the position after the row's become the slot's in `state`, unless the row lies past the context. A slot has one logit
/// row at most. `edits` holds the slots' [`Edits`](crate::device::EditsLayout).
pub fn sample(pass: &mut Pass, logits: &Tensor, edits: BufferId, candidates: &Tensor) {
    let params = logit_params(logits, candidates);
    let bindings = [pass.control, logits.buffer, edits, candidates.buffer, pass.state];
    pass.record(&SAMPLE, Options::default(), params, &bindings, [logits.rows as u32, 1, 1]);
}

/// Records the candidates of logits [L, V] that are there already.
///
/// # Errors
/// `OUT_OF_MEMORY` where there is no room for them.
pub fn candidates(pass: &mut Pass, logits: &Tensor, edits: BufferId) -> Result<Tensor> {
    let partial = pass.tensor(logits.rows, partial_columns(logits.columns))?;
    argmax(pass, logits, edits, &partial);
    Ok(partial)
}

fn twin(t: &Twin) {
    let p: LogitParams = t.params();
    let (control, logits) = (t.read::<u32>(1), t.read::<f32>(2));
    let (edits, partial) = (t.read::<u32>(3), t.read::<u32>(4));
    let mut state = t.write::<u32>(5);
    for i in 0..Slot::logit_rows(&control) {
        let row = Slot::row(&control, &state, Slot::gathered(&control, i));
        if row.position >= Slot::context(&control) {
            continue;
        }
        let sampling = Slot::sampling(&control, row.slot);
        let pairs = partial[i * p.partial_stride2 as usize * 2..].chunks_exact(2).take(p.chunks as usize);
        // `min_by` gives the first of equals: the lowest id.
        let (key, best) = pairs.min_by_key(|pair| !pair[0]).map_or((0, 0), |pair| (pair[0], pair[1]));
        let broken = key == NOT_A_NUMBER || key == key_of(LEAST);
        let token = if broken || sampling.temperature < LEAST_TEMPERATURE {
            best
        } else {
            let logits = &logits[i * p.stride as usize..][..p.vocab as usize];
            draw(&edited_logits(logits, &edits, row.slot, &sampling), &sampling, row.position)
        };
        Slot::advance(&mut state, row.slot, token, broken, row.position + 1);
    }
}

/// An id drawn from the softmax of `z` / temperature over the kept tokens.
fn draw(z: &[f32], sampling: &SamplingSlot, position: u32) -> u32 {
    let key = noise_key(sampling.seed, position);
    let scored = kept(z, sampling).into_iter().map(|id| (z[id as usize] / sampling.temperature + gumbel(key, id), id));
    scored.reduce(|a, b| if b.0 > a.0 { b } else { a }).expect("the most likely token is kept").1
}

/// The ids that the mask, top-k, top-p and min-p leave, ascending; all if the mask leaves none.
fn kept(z: &[f32], sampling: &SamplingSlot) -> Vec<u32> {
    let max = z.iter().copied().fold(f32::MIN, f32::max);
    // Relative to the most likely token's probability.
    let relative = |id: &u32| f64::from((z[*id as usize] - max) / sampling.temperature).exp();
    let descending = |a: &u32, b: &u32| z[*b as usize].total_cmp(&z[*a as usize]);
    let mut kept: Vec<u32> = (0..z.len() as u32).filter(|id| z[*id as usize] > FORBIDDEN || max <= FORBIDDEN).collect();
    let k = sampling.top_k as usize;
    if (1..kept.len()).contains(&k) {
        let last = *kept.select_nth_unstable_by(k - 1, descending).1;
        kept.retain(|id| key_of(z[*id as usize]) >= key_of(z[last as usize]));
    }
    if sampling.top_p < 1.0 {
        let top_p = f64::from(sampling.top_p);
        let mass: f64 = kept.iter().map(relative).sum();
        // Tokens below this have less than 1 − top_p together, so none of them is needed, nor are they sorted.
        let least = (1.0 - top_p) * mass / kept.len() as f64;
        kept.retain(|id| relative(id) >= least || z[*id as usize] == max);
        sort_by(&mut kept, descending);
        let (mut sum, mut last) = (0.0, kept[0]);
        for &id in &kept {
            last = id;
            sum += relative(&id);
            if sum >= top_p * mass {
                break;
            }
        }
        kept.retain(|id| key_of(z[*id as usize]) >= key_of(z[last as usize]));
    }
    kept.retain(|id| relative(id) >= f64::from(sampling.min_p) || z[*id as usize] == max);
    sort_by(&mut kept, u32::cmp);
    kept
}

fn noise_key([low, high]: [u32; 2], position: u32) -> [u32; 2] {
    [mix(low ^ mix(position)), mix(high.wrapping_add(mix(!position)))]
}

/// Standard Gumbel noise, a pure function of key and id.
fn gumbel(key: [u32; 2], id: u32) -> f32 {
    let hash = mix(mix(id ^ key[0]).wrapping_add(key[1]));
    let u = ((hash as f32 + 0.5) * 2f32.powi(-32)).min(1.0 - f32::EPSILON / 2.0); // in (0, 1)
    -(-(-u).ln_1p()).ln()
}

/// An integer hash with good avalanche (Wellons, "lowbias32").
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
