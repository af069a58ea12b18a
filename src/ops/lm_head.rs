//! Logits [L, V] = cap(norm(x [L, K]) · Wᵀ + b) for few rows, and the best (key, id) of each workgroup's logits: the
//! projection to the vocabulary with the norm before it and the first of the sampler's two stages, in one dispatch.

use super::argmax::{NOT_A_NUMBER, key_of};
use super::skinny::{self, DispatchShape, Products, Prologue, Tensor2, fold, or_control};
use super::soft_cap::capped;
use crate::device::{BufferId, Edits, Kernel, Pass, SamplingSlot, Slot, Tensor, Twin, Weight, kernel, params};
use crate::error::Result;
use cresset_numerics::products;
use cresset_numerics::rows::{self, finish, finite, first_broken};

pub static LM_HEAD: Kernel = kernel!(
    lm_head,
    [Uniform, Read, Read, Read, Read, Read, Read, Write, Write],
    shared: ["control", "columns", "sums", "sampling", "nan", "keys", "edits"]
)
.fast(fast);

params! {
    struct Params {
        n: u32,
        k: u32,
        x_stride4: u32,
        vocab: u32,
        /// Where this piece of the weight begins, and from one row to the next, in vec4<u32>.
        base: u32,
        stride: u32,
        /// Its first logit.
        n_offset: u32,
        logits_stride: u32,
        epsilon: f32,
        scale: f32,
        cap: f32,
        /// In (key, id) pairs.
        partial_stride2: u32,
        partial_offset: u32,
        unused: [u32; 3],
    }
}

/// The steps between a product and a logit, before the request's own edits.
#[derive(Clone, Copy)]
pub struct LogitEpilogue {
    /// The projection's bias [V].
    pub bias: Option<BufferId>,
    /// Multiplies the products of row and weights.
    pub scale: f32,
    /// Logits become cap × tanh(logits / cap).
    pub cap: Option<f32>,
}

/// Records the logits; → the candidates [L, 2 × groups] for [`super::sample`]. `edits` holds the slots'
/// [`Edits`](crate::device::EditsLayout).
///
/// # Errors
/// `OUT_OF_MEMORY` where there is no room for the candidates.
pub fn lm_head(
    pass: &mut Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weight: &Weight,
    epilogue: LogitEpilogue,
    edits: BufferId,
    logits: &Tensor,
) -> Result<Tensor> {
    skinny::check_columns("lm_head", x, weight);
    assert!(x.rows <= skinny::MOST_ROWS && pass.logit_rows, "lm_head: rows");
    assert_eq!((x.rows, weight.rows), (logits.rows, logits.columns), "lm_head: shape of logits");
    let smallest = weight.pieces.iter().map(|piece| piece.rows.len()).min().unwrap_or(0);
    let shape = DispatchShape::of(pass, smallest, false);
    let groups: usize = weight.pieces.iter().map(|piece| shape.groups(piece.rows.len())).sum();
    let partial = pass.tensor(x.rows, 2 * groups)?; // [L, 2 × groups]
    let stride = skinny::stride4(weight.format, weight.columns);
    let mut before = 0;
    for piece in &weight.pieces {
        let params = Params {
            n: piece.rows.len() as u32,
            k: weight.columns as u32,
            x_stride4: (x.stride() / 4) as u32,
            vocab: weight.rows as u32,
            base: piece.at as u32 * stride,
            stride,
            n_offset: piece.rows.start as u32,
            logits_stride: logits.stride() as u32,
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            scale: epilogue.scale,
            cap: epilogue.cap.unwrap_or(0.0),
            partial_stride2: (partial.stride() / 2) as u32,
            partial_offset: before as u32,
            unused: [0; 3],
        };
        let options = shape
            .options(&[weight.format], x.rows, x.columns, norm.is_some())
            .set("BIAS", epilogue.bias.is_some().into())
            .set("CAP", epilogue.cap.is_some().into())
            .set("GROUP", shape.results_a_group() as u32);
        let (norm, bias) = (or_control(pass, norm.map(|norm| norm.weight)), or_control(pass, epilogue.bias));
        let bindings = [pass.control, x.buffer, norm, bias, piece.buffer, edits, logits.buffer, partial.buffer];
        let groups = shape.groups(piece.rows.len());
        pass.record(&LM_HEAD, options, params, &bindings, fold(groups));
        before += groups;
    }
    Ok(partial)
}

fn twin(t: &Twin) {
    run(t, skinny::specified(t));
}

fn fast(t: &Twin) {
    run(t, products);
}

fn run(t: &Twin, products: Products) {
    let p: Params = t.params();
    let (control, x, bias) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(4));
    let (n, columns, rows) = (p.n as usize, p.k as usize, Slot::logit_rows(&control));
    if rows == 0 {
        return;
    }
    let x = Tensor2 { numbers: &x, rows, columns, stride: 4 * p.x_stride4 as usize };
    let x = skinny::normed_rows(t, &x, 3, p.epsilon);
    let weight = t.read::<u8>(5);
    let weight = skinny::rows_of(t.format(), &weight, columns, (p.base / p.stride.max(1)) as usize, n);
    let sums = products(t.format(), weight, &skinny::slices(&x)); // [L, N]
    let edits = t.read::<u32>(6);
    let edits = Edits { words: &edits, vocabulary: p.vocab as usize };
    let (mut logits, mut partial) = (t.write::<f32>(7), t.write::<u32>(8));
    let first = p.n_offset as usize;
    let (biased, is_capped) = (t.constant("BIAS") == 1, t.constant("CAP") == 1);
    for (r, sums) in sums.chunks_exact(n).enumerate() {
        let out = &mut logits[r * p.logits_stride as usize + first..][..n];
        finish(sums, biased.then(|| &bias[first..]), p.scale, false, out);
        if is_capped {
            out.iter_mut().for_each(|z| *z = capped(*z, p.cap));
        }
        let slot = Slot::slot(&control, Slot::gathered(&control, r));
        let sampling = Slot::sampling(&control, slot);
        let pairs = partial[2 * (r * p.partial_stride2 as usize + p.partial_offset as usize)..].chunks_exact_mut(2);
        let group = t.constant("GROUP") as usize;
        for (i, (group_logits, pair)) in out.chunks(group).zip(pairs).enumerate() {
            let begin = first + i * group;
            let best = if let Some(at) = first_broken(group_logits) {
                (NOT_A_NUMBER, at)
            } else if sampling.flags & (SamplingSlot::BIAS | SamplingSlot::MASK) == 0 {
                largest(group_logits)
            } else {
                let mut z: Vec<f32> = group_logits.iter().copied().map(finite).collect();
                edits.apply(&mut z, begin, slot, sampling.flags, finite);
                largest(&z)
            };
            let best = [best.0, (begin + best.1) as u32];
            pair.copy_from_slice(&best);
        }
    }
}

/// The key of the largest logit, and where it is; the first of equals. NaN is below every number.
fn largest(z: &[f32]) -> (u32, usize) {
    let at = rows::largest(z);
    (key_of(finite(z[at])), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_the_first_of_those_with_the_highest_key() {
        let numbers = [1.0, -2.5, f32::NAN, f32::INFINITY, 3.0e38, f32::NEG_INFINITY, -3.0e38, 0.0, -0.0, 1.0];
        for n in 1..40 {
            for start in 0..numbers.len() {
                let z: Vec<f32> = (0..n).map(|i| numbers[(start + i * 7) % numbers.len()]).collect();
                let keys: Vec<u32> = z.iter().map(|z| key_of(finite(*z))).collect();
                let most = *keys.iter().max().expect("some");
                let want = keys.iter().position(|key| *key == most).expect("it is there");
                let got = largest(&z);
                // Zeros of both signs are equal as numbers, not as keys.
                assert!(got == (most, want) || z[got.1] == 0.0 && z[want] == 0.0, "{z:?}: {got:?}, not {want}");
            }
        }
    }
}
