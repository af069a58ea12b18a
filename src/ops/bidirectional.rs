//! y [T, H, head_dim] = softmax(q kᵀ × scale) v without a mask: over the row's own sequence, before and behind it, an encoder's
//! attention (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>), or over another sequence, a decoder's cross-attention
//! (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>). No cache: keys and values are rows of a tensor.

use super::attention::{Biases, MOST_HEAD_DIM, RelativeBias, Sight, answer};
use crate::device::{Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::attention::{Head, Run};
use cresset_numerics::rows::dot;
use std::ops::Range;

pub static BIDIRECTIONAL: Kernel =
    kernel!(bidirectional, [Uniform, Read, Read, Read, Read, Read, Write], shared: ["control", "places", "nan"])
        .fast(fast);

params! {
    struct Params {
        n_heads: u32,
        head_dim: u32,
        stride: u32,
        scale: f32,
        window: u32,
        /// Rows of this dispatch.
        first_row: u32,
        rows: u32,
        /// The most keys of another sequence, which every row sees; 0: those of its own.
        others: u32,
        /// Columns of the table of biases; 0: there is none.
        bias_columns: u32,
        unused0: u32,
        unused1: u32,
        unused2: u32,
    }
}

/// Whose keys a row sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attended {
    /// Those of its own sequence, up to so far on either side.
    Own {
        /// `None`: all of them.
        window: Option<u32>,
        /// Added by how far a key lies from its query.
        bias: Option<RelativeBias>,
    },
    /// Rows of k and v, another sequence, the same for all: as many as the slot's parameters say.
    Other,
}

/// Rows of a dispatch. Its work is rows × keys: thousands of both would take a slow device seconds.
const ROWS: usize = 1024;

impl Params {
    /// The dispatch's rows that are in use.
    fn rows_in(&self, control: &[u32]) -> Range<usize> {
        let (first, end) = (self.first_row as usize, (self.first_row + self.rows) as usize);
        first..end.min(Slot::rows(control)).max(first)
    }

    /// The row of k at which the sequence that row `r` sees begins, and the positions of it that it sees.
    fn seen(&self, control: &[u32], r: usize) -> (usize, Range<u32>) {
        if self.others > 0 {
            return (0, 0..Slot::attended(control, r).min(self.others));
        }
        let (position, length) = Slot::place(control, r);
        let end = length.min(position.saturating_add(self.window).saturating_add(1));
        (r - position as usize, position.saturating_sub(self.window)..end)
    }
}

/// Records attention of `q` [T, n_heads × head_dim] over `k` and `v` [T or S, n_heads × head_dim].
pub fn bidirectional(
    pass: &mut Pass,
    [q, k, v]: [&Tensor; 3],
    n_heads: usize,
    scale: f32,
    attended: Attended,
    y: &Tensor,
) {
    let (window, others, bias) = match attended {
        Attended::Own { window, bias } => (window.unwrap_or(u32::MAX), 0, bias),
        Attended::Other => (u32::MAX, k.rows as u32, None),
    };
    let keys = if others > 0 { k.rows } else { q.rows };
    assert!((q.rows, q.columns) == (y.rows, y.columns), "bidirectional: queries");
    assert!([k, v].iter().all(|x| (x.rows, x.columns) == (keys, y.columns)), "bidirectional: keys and values");
    let head_dim = y.columns / n_heads;
    assert_eq!(head_dim * n_heads, y.columns, "bidirectional: columns");
    assert!(head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM, "bidirectional: head_dim");
    let table = bias.map_or(pass.control, |bias| bias.table);
    let options = Options::default().set("BIAS", bias.is_some().into());
    let bindings = [pass.control, q.buffer, k.buffer, v.buffer, table, y.buffer];
    for first in (0..y.rows).step_by(ROWS) {
        let rows = ROWS.min(y.rows - first) as u32;
        let params = Params {
            n_heads: n_heads as u32,
            head_dim: head_dim as u32,
            stride: y.stride() as u32,
            scale,
            window,
            first_row: first as u32,
            rows,
            others,
            bias_columns: RelativeBias::columns(bias),
            unused0: 0,
            unused1: 0,
            unused2: 0,
        };
        pass.record(&BIDIRECTIONAL, options.clone(), params, &bindings, [n_heads as u32, rows, 1]);
    }
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let control = t.read::<u32>(1);
    let (q, k, v) = (t.read::<f32>(2), t.read::<f32>(3), t.read::<f32>(4));
    let (bias, mut y) = (t.read::<f32>(5), t.write::<f32>(6));
    let (head_dim, stride) = (p.head_dim as usize, p.stride as usize);
    let biased = Biases { table: &bias, columns: p.bias_columns };
    for r in p.rows_in(&control) {
        let (start, Range { start: first, end }) = p.seen(&control, r);
        for head in 0..p.n_heads as usize {
            let at = |row: usize| row * stride + head * head_dim..row * stride + (head + 1) * head_dim;
            let key_at = |key: u32| at(start + key as usize);
            let mut scores: Vec<f32> = (first..end).map(|key| dot(&q[at(r)], &k[key_at(key)]) * p.scale).collect();
            let biases = biased.of(head, Slot::place(&control, r).0, first..end);
            scores.iter_mut().zip(biases).for_each(|(score, bias)| *score += bias);
            let max = scores.iter().copied().fold(f32::MIN, f32::max);
            let weights: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f32 = weights.iter().sum();
            let y = &mut y[at(r)];
            y.fill(0.0);
            for (key, weight) in (first..end).zip(weights) {
                y.iter_mut().zip(&v[key_at(key)]).for_each(|(y, v)| *y += weight / sum * v);
            }
        }
    }
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: Params = t.params();
    let (control, q) = (t.read::<u32>(1), t.read::<f32>(2));
    let (keys, values) = (t.read::<u32>(3), t.read::<u32>(4));
    let (bias, mut y) = (t.read::<f32>(5), t.write::<f32>(6));
    let (heads, head_dim, stride) = (p.n_heads as usize, p.head_dim as usize, p.stride as usize);
    let head =
        Head { keys: &keys, values: &values, format: KvFormat::F32, stride, head_dim, scale: p.scale, soft_cap: None };
    let sight = |r: usize| {
        let (sequence, positions) = p.seen(&control, r);
        Sight { sequence, position: Slot::place(&control, r).0, positions }
    };
    let rows: Vec<_> = p.rows_in(&control).map(sight).collect();
    let biased = Biases { table: &bias, columns: p.bias_columns };
    let own = p.first_row as usize * stride;
    // A sequence's rows lie one after the other; none sees beyond its end.
    answer(head, [heads, heads], (&q[own..], &mut y[own..], stride), &rows, &biased, |start, head, position| Run {
        at: (start + position as usize) * stride + head * head_dim,
        rows: usize::MAX,
    });
}
