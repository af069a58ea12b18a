//! Attention over a cache, made for speed: tiles of keys and values are turned to f32 once and serve all queries of a
//! block, with an online softmax.

use super::dispatch::{Vectorized, vectorized};
use super::lanes::Lanes;
use super::math::exp;
use crate::KvFormat;
use std::ops::Range;

/// Keys in a tile: with their values they fit the nearest cache.
const TILE: usize = 32;
/// The widest register; rows are padded to a whole number of them.
const WIDEST: usize = 16;

/// What all queries of a block have in common: a KV head of a slot.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// Of the whole layer, as the cache keeps them.
    pub keys: &'a [u32],
    pub values: &'a [u32],
    pub format: KvFormat,
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

/// Answers all queries. `row` says which of the cache's rows is that of a position.
pub fn attention(head: Head, queries: &mut [Query], row: &dyn Fn(u32) -> usize) {
    vectorized(Job { head, queries, row });
}

struct Job<'a, 'q> {
    head: Head<'a>,
    queries: &'a mut [Query<'q>],
    row: &'a dyn Fn(u32) -> usize,
}

impl Vectorized for Job<'_, '_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Job { head, queries, row } = self;
        let words = head.format.row_words(head.head_dim);
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
                let (at, to) = (words * row(position), i * padded..i * padded + head.head_dim);
                // SAFETY: as this function's.
                unsafe {
                    load_row::<V>(head.format, &head.keys[at..at + words], &mut keys[to.clone()]);
                    load_row::<V>(head.format, &head.values[at..at + words], &mut values[to]);
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

/// A tile's numbers joined two by two: loops over fixed counts become vector code.
#[inline(always)]
fn folded(numbers: &[f32; TILE], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut left = *numbers;
    let mut n = TILE / 2;
    while n > 0 {
        for i in 0..n {
            left[i] = join(left[i], left[i + n]);
        }
        n /= 2;
    }
    left[0]
}

#[derive(Clone, Copy)]
struct Softmax {
    max: f32,
    sum: f32,
}

/// A position's row → f32.
#[inline(always)]
unsafe fn load_row<V: Lanes>(format: KvFormat, from: &[u32], to: &mut [f32]) {
    if format != KvFormat::F16 {
        return format.read(from, to);
    }
    let from: &[u16] = bytemuck::cast_slice(from);
    let whole = to.len() / V::N * V::N;
    assert_eq!(from.len(), to.len());
    for i in (0..whole).step_by(V::N) {
        // SAFETY: both have `whole` numbers, and the processor has the instruction set of `V`.
        unsafe { V::load_halves(from.as_ptr().add(i)).store(to.as_mut_ptr().add(i)) };
    }
    for (to, bits) in to[whole..].iter_mut().zip(&from[whole..]) {
        *to = half::f16::from_bits(*bits).to_f32();
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
    if let Some(cap) = head.soft_cap {
        scores[..n].iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
    }
    let max = folded(&scores, |a, b| if b > a { b } else { a });
    let max = if max > softmax.max { max } else { softmax.max };
    let correction = exp(softmax.max - max);
    scores.iter_mut().for_each(|score| *score = exp(*score - max));
    scores[n..].fill(0.0);
    *softmax = Softmax { max, sum: softmax.sum * correction + folded(&scores, |a, b| a + b) };
    let scores = &scores[..n];
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
