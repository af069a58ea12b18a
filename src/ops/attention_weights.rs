//! w [T, S] = softmax(q kᵀ × scale) of one head: how much each row attends to each row of another sequence. What cross-attention
//! multiplies values with, written down; words are aligned with sound by it.

use super::attention::MOST_HEAD_DIM;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::rows::dot;

pub static ATTENTION_WEIGHTS: Kernel =
    kernel!(attention_weights, [Uniform, Read, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        head: u32,
        head_dim: u32,
        stride: u32,
        scale: f32,
        keys: u32,
        /// Where the first row's weights begin.
        first: u32,
        /// From a row's weights to the next one's.
        step: u32,
        unused: u32,
    }
}

/// Records the weights of the head `head` of `q` [T, n_heads × head_dim] over `k` [S, n_heads × head_dim], as the `at`th of those
/// that stand side by side in a row of `w` [T, heads × S].
pub fn attention_weights(
    pass: &mut Pass,
    [q, k]: [&Tensor; 2],
    (head, n_heads): (usize, usize),
    scale: f32,
    w: &Tensor,
    at: usize,
) {
    let head_dim = q.columns / n_heads;
    assert!(q.columns == k.columns && head_dim * n_heads == q.columns, "attention_weights: columns");
    assert!(head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM, "attention_weights: head_dim");
    assert!(head < n_heads && (at + 1) * k.rows <= w.columns, "attention_weights: heads");
    assert!(q.rows <= w.rows, "attention_weights: rows");
    let params = Params {
        head: head as u32,
        head_dim: head_dim as u32,
        stride: q.stride() as u32,
        scale,
        keys: k.rows as u32,
        first: (at * k.rows) as u32,
        step: w.stride() as u32,
        unused: 0,
    };
    let bindings = [pass.control, q.buffer, k.buffer, w.buffer];
    pass.record(&ATTENTION_WEIGHTS, Options::default(), params, &bindings, [q.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, q, k) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let mut w = t.write::<f32>(4);
    let (head_dim, stride) = (p.head_dim as usize, p.stride as usize);
    let at = |row: usize| row * stride + p.head as usize * head_dim..row * stride + (p.head as usize + 1) * head_dim;
    for r in 0..Slot::rows(&control) {
        let w = &mut w[p.first as usize + r * p.step as usize..][..p.keys as usize];
        w.iter_mut().enumerate().for_each(|(key, w)| *w = dot(&q[at(r)], &k[at(key)]) * p.scale);
        let max = w.iter().copied().fold(f32::MIN, f32::max);
        w.iter_mut().for_each(|w| *w = (*w - max).exp());
        let sum: f32 = w.iter().sum();
        w.iter_mut().for_each(|w| *w /= sum);
    }
}
