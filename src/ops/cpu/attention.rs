//! Attention over a cache, made for speed: tiles of keys and values are turned to f32 once and serve all queries of a
//! block, with an online softmax.

use super::dispatch::{Vectorized, vectorized};
use super::lanes::Lanes;
use crate::device::{KvFormat, Twin};
use std::cell::Ref;
use std::ops::Range;

/// Keys in a tile: with their values they fit the nearest cache.
const TILE: usize = 32;
/// The widest register; rows are padded to a whole number of them.
const WIDEST: usize = 16;

/// Keys or values of a layer, as the cache keeps them.
pub enum Cached<'a> {
    F32(Ref<'a, [f32]>),
    F16(Ref<'a, [u16]>),
}

impl<'a> Cached<'a> {
    pub fn of(t: &'a Twin, binding: usize, format: KvFormat) -> Self {
        match format {
            KvFormat::F32 => Cached::F32(t.read(binding)),
            KvFormat::F16 => Cached::F16(t.read(binding)),
        }
    }

    /// What threads may share.
    pub fn numbers(&self) -> Numbers<'_> {
        match self {
            Cached::F32(x) => Numbers::F32(x),
            Cached::F16(x) => Numbers::F16(x),
        }
    }
}

#[derive(Clone, Copy)]
pub enum Numbers<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
}

/// What all queries of a block have in common: a KV head of a slot.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub keys: Numbers<'a>,
    pub values: Numbers<'a>,
    pub head_dim: usize,
    pub scale: f32,
    pub soft_cap: Option<f32>,
}

/// A query [head_dim], the positions it sees, and where its answer [head_dim] goes.
pub struct Query<'a> {
    pub q: &'a [f32],
    pub positions: Range<u32>,
    pub y: &'a mut [f32],
}

/// Answers all queries. `cell` says where a position's numbers begin in the cache.
pub fn attention(head: Head, queries: &mut [Query], cell: &dyn Fn(u32) -> usize) {
    vectorized(Job { head, queries, cell });
}

struct Job<'a, 'q> {
    head: Head<'a>,
    queries: &'a mut [Query<'q>],
    cell: &'a dyn Fn(u32) -> usize,
}

impl Vectorized for Job<'_, '_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Job { head, queries, cell } = self;
        let padded = head.head_dim.next_multiple_of(WIDEST);
        let first = queries.iter().map(|query| query.positions.start).min().unwrap_or(0);
        let end = queries.iter().map(|query| query.positions.end).max().unwrap_or(0);
        let mut q = vec![0f32; queries.len() * padded];
        for (to, query) in q.chunks_exact_mut(padded).zip(queries.iter()) {
            to[..head.head_dim].copy_from_slice(query.q);
        }
        let mut gathered = vec![0f32; queries.len() * padded];
        let mut softmaxes = vec![Softmax { max: f32::MIN, sum: 0.0 }; queries.len()];
        let (mut keys, mut values) = (vec![0f32; TILE * padded], vec![0f32; TILE * padded]);
        for tile in (first..end).step_by(TILE) {
            let tile = tile..end.min(tile + TILE as u32);
            for (i, position) in tile.clone().enumerate() {
                let (at, to) = (cell(position), i * padded..i * padded + head.head_dim);
                // SAFETY: as this function's.
                unsafe {
                    load_row::<V>(head.keys, at, &mut keys[to.clone()]);
                    load_row::<V>(head.values, at, &mut values[to]);
                }
            }
            let rows = q.chunks_exact(padded).zip(gathered.chunks_exact_mut(padded));
            for (((q, gathered), query), softmax) in rows.zip(queries.iter()).zip(&mut softmaxes) {
                let seen = query.positions.start.max(tile.start)..query.positions.end.min(tile.end);
                if seen.is_empty() {
                    continue;
                }
                let rows = (seen.start - tile.start) as usize * padded..(seen.end - tile.start) as usize * padded;
                // SAFETY: as this function's; rows have `padded` numbers, a whole number of registers.
                unsafe { step::<V>(&head, q, &keys[rows.clone()], &values[rows], softmax, gathered) };
            }
        }
        for ((query, gathered), softmax) in queries.iter_mut().zip(gathered.chunks_exact(padded)).zip(&softmaxes) {
            query.y.iter_mut().zip(gathered).for_each(|(y, x)| *y = x / softmax.sum);
        }
    }
}

#[derive(Clone, Copy)]
struct Softmax {
    max: f32,
    sum: f32,
}

/// A position's row → f32.
#[inline(always)]
unsafe fn load_row<V: Lanes>(from: Numbers, at: usize, to: &mut [f32]) {
    match from {
        Numbers::F32(x) => to.copy_from_slice(&x[at..at + to.len()]),
        Numbers::F16(x) => {
            let x = &x[at..at + to.len()];
            let whole = to.len() / V::N * V::N;
            for i in (0..whole).step_by(V::N) {
                // SAFETY: both have `whole` numbers, and the processor has the instruction set of `V`.
                unsafe { V::load_halves(x.as_ptr().add(i)).store(to.as_mut_ptr().add(i)) };
            }
            for (to, bits) in to[whole..].iter_mut().zip(&x[whole..]) {
                *to = half::f16::from_bits(*bits).to_f32();
            }
        }
    }
}

/// One query and a tile of the keys it sees, with their values.
#[inline(always)]
unsafe fn step<V: Lanes>(
    head: &Head,
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    softmax: &mut Softmax,
    gathered: &mut [f32],
) {
    let padded = q.len();
    let n = keys.len() / padded;
    assert!(n <= TILE && values.len() == keys.len() && gathered.len() == padded && padded.is_multiple_of(WIDEST));
    let mut scores = [f32::MIN; TILE];
    // SAFETY: all rows have `padded` numbers, and the processor has the instruction set of `V`.
    unsafe {
        for (keys, scores) in keys.chunks(4 * padded).zip(scores.chunks_exact_mut(4)) {
            let in_four = keys.len() / padded;
            let rows: [*const f32; 4] = std::array::from_fn(|i| keys.as_ptr().add(i.min(in_four - 1) * padded));
            let mut sums = [V::zero(); 4];
            for d in (0..padded).step_by(V::N) {
                let q = V::load(q.as_ptr().add(d));
                for (sum, row) in sums.iter_mut().zip(&rows) {
                    *sum = q.mul_add(V::load(row.add(d)), *sum);
                }
            }
            for (score, sum) in scores[..in_four].iter_mut().zip(sums) {
                *score = sum.sum() * head.scale;
            }
        }
    }
    let scores = &mut scores[..n];
    if let Some(cap) = head.soft_cap {
        scores.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
    }
    let max = scores.iter().copied().fold(softmax.max, f32::max);
    let correction = exp(softmax.max - max);
    scores.iter_mut().for_each(|score| *score = exp(*score - max));
    *softmax = Softmax { max, sum: softmax.sum * correction + scores.iter().sum::<f32>() };
    // SAFETY: as above.
    unsafe {
        const D: usize = 4; // registers of sums
        let mut d = 0;
        while d < padded {
            let registers = ((padded - d) / V::N).min(D);
            let mut sums = [V::zero(); D];
            for (i, sum) in sums.iter_mut().enumerate().take(registers) {
                *sum = V::load(gathered.as_ptr().add(d + i * V::N)).mul_add(V::splat(correction), V::zero());
            }
            for (score, value) in scores.iter().zip(values.chunks_exact(padded)) {
                let score = V::splat(*score);
                for (i, sum) in sums.iter_mut().enumerate().take(registers) {
                    *sum = score.mul_add(V::load(value.as_ptr().add(d + i * V::N)), *sum);
                }
            }
            for (i, sum) in sums.iter().enumerate().take(registers) {
                sum.store(gathered.as_mut_ptr().add(d + i * V::N));
            }
            d += registers * V::N;
        }
    }
}

/// eˣ to within two units in the last place, for x ≤ 0 and without a branch, so that loops over it become vector code.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 × 2²³: adding it leaves no digits behind the point
    let x = x.max(-87.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let f = (x - n * 0.693_359_4) - n * -2.121_944_4e-4; // ln 2 in two parts
    let series = 1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f * (1.0 / 720.0)));
    let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
    power * (1.0 + f * (1.0 + f * (0.5 + f * series)))
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exponentials() {
        for i in 0..=86_000 {
            let x = -(i as f32) / 1000.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() <= 3e-7 * want, "{x}");
        }
        assert!(exp(f32::MIN) < 1e-37 && exp(0.0) == 1.0);
    }
}
