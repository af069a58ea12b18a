//! Attention, made for speed: tiles of keys and values are turned to f32 once and serve all queries of a
//! block, with an online softmax. Scores and answers are two small matrix products; scores lie with the queries side by
//! side, so that the softmax takes a register of queries at a time.

use super::dispatch::{Vectorized, vectorized};
use super::lanes::Lanes;
use super::math::{exp, folded, max, soft_cap};
use crate::KvFormat;
use std::ops::Range;

/// Keys in a tile: with their values they fit the nearest cache.
const TILE: usize = 32;
/// The widest register; rows are padded to a whole number of them.
const WIDEST: usize = 16;
/// Rows of a product that are computed together.
const ROWS: usize = 4;

/// A KV head of a sequence, shared by all queries of a block.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// Rows of `head_dim` numbers in `format`, where [`Run`]s say: the cache of a layer, or the keys of all rows.
    pub keys: &'a [u32],
    /// In the same places as the keys.
    pub values: &'a [u32],
    /// How keys and values are stored.
    pub format: KvFormat,
    /// Words from a position's row to the next one's.
    pub stride: usize,
    /// Numbers of a query, a key or a value.
    pub head_dim: usize,
    /// Multiplies the products of queries and keys.
    pub scale: f32,
    /// The bound c of scores, if there is one: a finite score becomes c · tanh(score / c).
    pub soft_cap: Option<f32>,
}

/// A query [head_dim], the positions it sees, and where its answer [head_dim] goes.
pub struct Query<'a> {
    /// [head_dim], not yet scaled.
    pub q: &'a [f32],
    /// The positions whose keys it sees.
    pub positions: Range<u32>,
    /// [positions], added to the scores; empty: nothing is.
    pub bias: &'a [f32],
    /// [head_dim], overwritten.
    pub y: &'a mut [f32],
}

impl Query<'_> {
    fn sees_all(&self, tile: &Range<u32>) -> bool {
        self.positions.start <= tile.start && tile.end <= self.positions.end
    }
}

/// The weights of the keys that a query has seen: what they are relative to, and their sum.
#[derive(Clone, Copy)]
pub struct Softmax {
    /// The largest score: a key's weight is e^(score − max).
    pub max: f32,
    /// Σ of the weights.
    pub sum: f32,
}

/// Rows of positions one after the other, a stride apart.
pub struct Run {
    /// The word at which the first begins.
    pub at: usize,
    /// How many there are; at least one.
    pub rows: usize,
}

/// Answers all queries. `runs` gives the rows from that of a position on: to the end of its page, say.
pub fn attention(head: Head, queries: &mut [Query], runs: &dyn Fn(u32) -> Run) {
    let softmaxes = gather(head, queries, runs);
    for (query, softmax) in queries.iter_mut().zip(softmaxes) {
        query.y.iter_mut().for_each(|y| *y /= softmax.sum);
    }
}

/// The same, but answers are not yet divided by the sums of weights: parts of what a query sees can be merged.
pub fn gather(head: Head, queries: &mut [Query], runs: &dyn Fn(u32) -> Run) -> Vec<Softmax> {
    let mut softmaxes = vec![Softmax { max: f32::MIN, sum: 0.0 }; queries.len()];
    vectorized(Job { head, queries, softmaxes: &mut softmaxes, runs });
    softmaxes
}

/// y [head_dim] = what was gathered of different keys [head_dim], together.
pub fn merge<'a>(parts: impl Iterator<Item = (&'a [f32], Softmax)> + Clone, y: &mut [f32]) {
    let max = parts.clone().fold(f32::MIN, |most, (_, part)| max(part.max, most));
    let mut sum = 0.0;
    y.fill(0.0);
    for (gathered, part) in parts {
        let weight = weight(part.max - max);
        sum += weight * part.sum;
        y.iter_mut().zip(gathered).for_each(|(y, x)| *y += weight * x);
    }
    y.iter_mut().for_each(|y| *y /= sum);
}

struct Job<'a, 'q> {
    head: Head<'a>,
    queries: &'a mut [Query<'q>],
    softmaxes: &'a mut [Softmax],
    runs: &'a dyn Fn(u32) -> Run,
}

impl Vectorized for Job<'_, '_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Job { head, queries, softmaxes, runs } = self;
        let (m, wide) = (queries.len(), head.head_dim.next_multiple_of(WIDEST));
        // Few queries would leave too much of a register empty: then they lie one after the other.
        let side_by_side = m >= V::N;
        let lanes = if side_by_side { m.next_multiple_of(V::N.max(ROWS)) } else { m };
        let [q_row, q_step] = if side_by_side { [1, lanes] } else { [wide, 1] };
        let [row, step] = if side_by_side { [1, lanes] } else { [TILE, 1] };
        let mut q = vec![0f32; lanes * wide]; // [wide, lanes] or [lanes, wide]
        for (i, query) in queries.iter().enumerate() {
            for (d, x) in query.q.iter().enumerate() {
                q[i * q_row + d * q_step] = x * head.scale;
            }
        }
        let mut gathered = vec![0f32; m * wide]; // [m, wide]
        let mut softmax = Softmaxes::new(lanes);
        let mut scores = vec![0f32; TILE * lanes]; // [TILE, lanes] or [lanes, TILE]
        let (mut keys, mut values) = (vec![0f32; TILE * wide], vec![0f32; TILE * wide]); // [TILE, wide]
        let end = queries.iter().map(|query| query.positions.end).max().unwrap_or(0);
        let mut first = queries.iter().map(|query| query.positions.start).min().unwrap_or(0);
        while first < end {
            let run = runs(first);
            let n = TILE.min(run.rows).min((end - first) as usize);
            let tile = first..first + n as u32;
            // SAFETY: as this function's.
            unsafe {
                load::<V>(&head, &head.keys[run.at..], n, &mut keys); // [n, wide]
                load::<V>(&head, &head.values[run.at..], n, &mut values); // [n, wide]
            }
            // SAFETY: as this function's. A tile is a whole number of ROWS; the rest is as the comments above say. What its
            // rows hold beyond `n` comes to scores that count for nothing.
            unsafe {
                if side_by_side {
                    scores.fill(0.0);
                    let keys = Factor { at: keys.as_ptr(), row: wide, step: 1 };
                    let size = [n.next_multiple_of(ROWS), head.head_dim, lanes];
                    product::<V>(size, keys, q.as_ptr(), scores.as_mut_ptr(), [lanes, lanes]); // [TILE, lanes]
                } else {
                    dots::<V>([n, m, wide], keys.as_ptr(), q.as_ptr(), scores.as_mut_ptr()); // [m, TILE]
                }
            }
            if let Some(cap) = head.soft_cap {
                scores.iter_mut().for_each(|score| *score = soft_cap(*score, cap));
            }
            add_biases(queries, &tile, &mut scores, [row, step]);
            let hidden = queries.iter().any(|query| !query.sees_all(&tile));
            if n < TILE || hidden {
                hide(queries, &tile, &mut scores, [row, step]);
            }
            match (side_by_side, V::N) {
                (false, _) => softmax.one_by_one(&mut scores),
                (true, 16) => softmax.side_by_side::<16>(&mut scores),
                (true, 8) => softmax.side_by_side::<8>(&mut scores),
                (true, _) => softmax.side_by_side::<4>(&mut scores),
            }
            for (row, correction) in gathered.chunks_exact_mut(wide).zip(&softmax.correction) {
                if *correction != 1.0 {
                    row.iter_mut().for_each(|x| *x *= correction);
                }
            }
            if hidden && values[..n * wide].iter().fold(false, |odd, x| odd | !x.is_finite()) {
                // A weight of 0 times infinity is NaN, so each query takes only what it sees.
                for (i, query) in queries.iter().enumerate() {
                    for key in (0..n).filter(|key| query.positions.contains(&(first + *key as u32))) {
                        let weight = scores[i * row + key * step];
                        let gathered = gathered[i * wide..][..wide].iter_mut();
                        gathered.zip(&values[key * wide..]).for_each(|(y, v)| *y += weight * v);
                    }
                }
                first = tile.end;
                continue;
            }
            // SAFETY: as above.
            unsafe {
                let weights = Factor { at: scores.as_ptr(), row, step };
                product::<V>([m, n, wide], weights, values.as_ptr(), gathered.as_mut_ptr(), [wide, wide]); // [m, wide]
            }
            first = tile.end;
        }
        for (i, (query, own)) in queries.iter_mut().zip(softmaxes).enumerate() {
            query.y.copy_from_slice(&gathered[i * wide..][..head.head_dim]);
            *own = Softmax { max: softmax.max[i], sum: softmax.sum[i] };
        }
    }
}

/// Adds what a query's bias has for the keys that it sees.
#[inline(always)]
fn add_biases(queries: &[Query], tile: &Range<u32>, scores: &mut [f32], [row, step]: [usize; 2]) {
    for (i, query) in queries.iter().enumerate().filter(|(_, query)| !query.bias.is_empty()) {
        let seen = query.positions.start.max(tile.start)..query.positions.end.min(tile.end);
        for position in seen {
            let key = (position - tile.start) as usize;
            scores[i * row + key * step] += query.bias[(position - query.positions.start) as usize];
        }
    }
}

/// Gives keys that a query does not see the least score, which weighs nothing.
#[inline(always)]
fn hide(queries: &[Query], tile: &Range<u32>, scores: &mut [f32], [row, step]: [usize; 2]) {
    for (i, query) in queries.iter().enumerate() {
        let key_at = |position: u32| (position.saturating_sub(tile.start) as usize).min(TILE);
        let behind = key_at(query.positions.end.min(tile.end));
        for key in (0..key_at(query.positions.start)).chain(behind..TILE) {
            scores[i * row + key * step] = f32::MIN;
        }
    }
}

/// eˣ for x ≤ 0, or nothing where it is too little to change a sum with 1 in it: its products with values would be too
/// small to have all their digits, and processors are slow with such. NaN stays.
#[inline(always)]
fn weight(x: f32) -> f32 {
    let kept = u32::from(x >= -60.0).wrapping_neg();
    let nan = u32::from(x.is_nan()).wrapping_neg() & f32::NAN.to_bits();
    f32::from_bits(exp(x).to_bits() & kept | nan)
}

/// Softmaxes of queries [lanes].
struct Softmaxes {
    max: Vec<f32>,
    sum: Vec<f32>,
    /// exp(previous maximum − maximum): rescales the sums of earlier tiles.
    correction: Vec<f32>,
}

impl Softmaxes {
    fn new(lanes: usize) -> Self {
        // Far above the least score, far below all others.
        Softmaxes { max: vec![f32::MIN / 2.0; lanes], sum: vec![0.0; lanes], correction: vec![0.0; lanes] }
    }

    /// Scores [TILE, lanes] → weights; `N` queries at a time, as many as a register holds.
    #[inline(always)]
    fn side_by_side<const N: usize>(&mut self, scores: &mut [f32]) {
        let lanes = self.max.len();
        for first in (0..lanes).step_by(N) {
            let mut max: [f32; N] = self.max[first..first + N].try_into().expect("N lanes");
            for key in 0..TILE {
                let scores = &scores[key * lanes + first..][..N];
                for (max, score) in max.iter_mut().zip(scores) {
                    *max = if *score > *max { *score } else { *max };
                }
            }
            let mut sum = [0f32; N];
            for key in 0..TILE {
                let scores = &mut scores[key * lanes + first..][..N];
                for ((score, max), sum) in scores.iter_mut().zip(&max).zip(&mut sum) {
                    *score = weight(*score - max);
                    *sum += *score;
                }
            }
            for i in 0..N {
                self.correction[first + i] = weight(self.max[first + i] - max[i]);
                self.max[first + i] = max[i];
                self.sum[first + i] = self.sum[first + i] * self.correction[first + i] + sum[i];
            }
        }
    }

    /// Scores [m, TILE] → weights.
    #[inline(always)]
    fn one_by_one(&mut self, scores: &mut [f32]) {
        for (i, scores) in scores.chunks_exact_mut(TILE).enumerate() {
            let scores: &mut [f32; TILE] = scores.try_into().expect("a tile's");
            let max = folded(scores, |a, b| if b > a { b } else { a });
            let max = if max > self.max[i] { max } else { self.max[i] };
            scores.iter_mut().for_each(|score| *score = weight(*score - max));
            self.correction[i] = weight(self.max[i] - max);
            self.max[i] = max;
            self.sum[i] = self.sum[i] * self.correction[i] + folded(scores, |a, b| a + b);
        }
    }
}

/// The first rows of a run → f32 [n, wide].
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
unsafe fn load<V: Lanes>(head: &Head, run: &[u32], n: usize, to: &mut [f32]) {
    let (words, wide) = (head.format.row_words(head.head_dim), head.head_dim.next_multiple_of(WIDEST));
    for (i, to) in to.chunks_exact_mut(wide).take(n).enumerate() {
        // SAFETY: as this function's.
        unsafe { load_row::<V>(head.format, &run[i * head.stride..][..words], &mut to[..head.head_dim]) };
    }
}

/// A position's row → f32.
///
/// # Safety
/// The processor has the instruction set of `V`.
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

/// The left factor of a product: where it begins, and how far its rows and the numbers of a row lie apart.
#[derive(Clone, Copy)]
struct Factor {
    at: *const f32,
    row: usize,
    step: usize,
}

/// c [m, lanes] += a [m, n] · b [n, lanes], whole registers of lanes; `rows` says how far rows of b and c lie apart.
///
/// # Safety
/// The processor has the instruction set of `V`. `lanes` is a whole number of registers. All of `a` that the sizes
/// speak of may be read, and of `b` and `c`, whose rows lie so far apart as `rows` says; `c` may be written, and
/// overlaps neither.
#[inline(always)]
unsafe fn product<V: Lanes>([m, n, lanes]: [usize; 3], a: Factor, b: *const f32, c: *mut f32, rows: [usize; 2]) {
    // As many sums as there are registers for.
    let most = if V::N == 16 { 4 } else { 2 };
    let mut lane = 0;
    while lane < lanes {
        let registers = ((lanes - lane) / V::N).min(most);
        for i in (0..m).step_by(ROWS) {
            // SAFETY: as this function's.
            unsafe {
                let a = Factor { at: a.at.add(i * a.row), ..a };
                let (b, c) = (b.add(lane), c.add(i * rows[1] + lane));
                macro_rules! panels {
                    ($($rows:literal)*) => {
                        match ((m - i).min(ROWS), registers) {
                            $(($rows, 1) => panel::<V, $rows, 1>(n, a, b, c, rows),
                            ($rows, 3) if V::N == 16 => panel::<V, $rows, 3>(n, a, b, c, rows),
                            ($rows, 4) if V::N == 16 => panel::<V, $rows, 4>(n, a, b, c, rows),
                            ($rows, _) => panel::<V, $rows, 2>(n, a, b, c, rows),)*
                            _ => unreachable!("{ROWS} rows at most"),
                        }
                    };
                }
                panels!(1 2 3 4);
            }
        }
        lane += registers * V::N;
    }
}

/// `M` rows and `R` registers of a product.
///
/// # Safety
/// As for [`product`], of `M` rows and `R` registers of lanes from `b` and `c` on.
#[inline(always)]
unsafe fn panel<V: Lanes, const M: usize, const R: usize>(
    n: usize,
    a: Factor,
    b: *const f32,
    c: *mut f32,
    [b_row, c_row]: [usize; 2],
) {
    // SAFETY: as this function's.
    unsafe {
        let mut sums = [[V::zero(); R]; M];
        for (i, sums) in sums.iter_mut().enumerate() {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(c.add(i * c_row + r * V::N));
            }
        }
        for k in 0..n {
            let mut numbers = [V::zero(); R];
            for (r, numbers) in numbers.iter_mut().enumerate() {
                *numbers = V::load(b.add(k * b_row + r * V::N));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = V::splat(*a.at.add(i * a.row + k * a.step));
                for (sum, numbers) in sums.iter_mut().zip(numbers) {
                    *sum = a.mul_add(numbers, *sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (r, sum) in sums.iter().enumerate() {
                sum.store(c.add(i * c_row + r * V::N));
            }
        }
    }
}

/// scores [m, TILE] = q [m, wide] · keys [n, wide]ᵀ, whole registers of dimensions; of n up to a whole number of ROWS.
///
/// # Safety
/// The processor has the instruction set of `V`. `wide` is a whole number of registers. `q` has [m, wide] numbers,
/// `keys` [n up to a whole number of ROWS, wide]; [m, TILE] may be written at `scores`, which overlaps neither.
#[inline(always)]
unsafe fn dots<V: Lanes>([n, m, wide]: [usize; 3], keys: *const f32, q: *const f32, scores: *mut f32) {
    for key in (0..n).step_by(ROWS) {
        for query in (0..m).step_by(2) {
            // SAFETY: as this function's.
            unsafe {
                let (keys, q) = (keys.add(key * wide), q.add(query * wide));
                let scores = scores.add(query * TILE + key);
                match m - query {
                    1 => four_keys::<V, 1>(wide, keys, q, scores),
                    _ => four_keys::<V, 2>(wide, keys, q, scores),
                }
            }
        }
    }
}

/// The scores of `M` queries with four keys.
///
/// # Safety
/// As for [`dots`], of ROWS keys and `M` queries from the pointers on.
#[inline(always)]
unsafe fn four_keys<V: Lanes, const M: usize>(wide: usize, keys: *const f32, q: *const f32, scores: *mut f32) {
    // SAFETY: as this function's.
    unsafe {
        let mut sums = [[V::zero(); ROWS]; M];
        for d in (0..wide).step_by(V::N) {
            let mut numbers = [V::zero(); ROWS];
            for (key, numbers) in numbers.iter_mut().enumerate() {
                *numbers = V::load(keys.add(key * wide + d));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let q = V::load(q.add(i * wide + d));
                for (sum, numbers) in sums.iter_mut().zip(numbers) {
                    *sum = q.mul_add(numbers, *sum);
                }
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (key, sum) in V::sums(sums).into_iter().enumerate() {
                *scores.add(i * TILE + key) = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Set, run_on};

    /// Numbers below 1 that repeat nowhere soon.
    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// A cache of one head, a row a position in pages of `page`, which lie in reverse.
    struct Cache {
        rows: Vec<f32>,
        stored: Vec<u32>,
    }

    const CONTEXT: usize = 240;

    fn row(page: usize, position: usize) -> usize {
        (CONTEXT / page - 1 - position / page) * page + position % page
    }

    fn run(head: &Head, page: usize, position: u32) -> Run {
        let position = position as usize;
        Run { at: row(page, position) * head.stride, rows: page - position % page }
    }

    impl Cache {
        fn new(format: KvFormat, head_dim: usize, seed: u32) -> Cache {
            let words = format.row_words(head_dim);
            let (mut rows, mut stored) = (numbers(CONTEXT * head_dim, seed), vec![0; CONTEXT * words]);
            for (x, words) in rows.chunks_exact_mut(head_dim).zip(stored.chunks_exact_mut(words)) {
                format.write(x, words);
                format.read(words, x);
            }
            Cache { rows, stored }
        }
    }

    /// By the formula, in f64.
    fn plain(head: &Head, keys: &[f32], values: &[f32], query: &Query, page: usize) -> Vec<f32> {
        let (q, positions) = (query.q, query.positions.clone());
        let cells = |cache: &[f32], position: u32| {
            cache[row(page, position as usize) * head.head_dim..][..head.head_dim].to_vec()
        };
        let score = |position| {
            let dot: f64 = q.iter().zip(cells(keys, position)).map(|(a, b)| f64::from(*a) * f64::from(b)).sum();
            let score = dot * f64::from(head.scale);
            let score = head.soft_cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh());
            score + query.bias.get((position - query.positions.start) as usize).map_or(0.0, |bias| f64::from(*bias))
        };
        let scores: Vec<f64> = positions.clone().map(score).collect();
        let max = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
        let mut y = vec![0f64; head.head_dim];
        for (position, score) in positions.zip(scores) {
            let weight = (score - max).exp() / sum;
            y.iter_mut().zip(cells(values, position)).for_each(|(y, v)| *y += weight * f64::from(v));
        }
        y.into_iter().map(|y| y as f32).collect()
    }

    /// On every instruction set, as many queries as fill registers, leave them part empty, or are taken one by one.
    #[test]
    fn answers_are_those_of_the_formula() {
        let head_dims = [4, 20, 48, 64, 80, 128, 256];
        for (i, m) in [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 48, 64, 70].into_iter().enumerate() {
            for format in KvFormat::ALL {
                let (head_dim, page) = (head_dims[(i + format as usize) % 7], [8, 24, 32, 48, 240][i % 5]);
                let (keys, values) = (Cache::new(format, head_dim, 1), Cache::new(format, head_dim, 2));
                let head = Head {
                    keys: &keys.stored,
                    values: &values.stored,
                    format,
                    stride: format.row_words(head_dim),
                    head_dim,
                    scale: [2.0, 0.1][i % 2],
                    soft_cap: [None, None, Some(0.5)][i % 3],
                };
                let q = numbers(m * head_dim, 3);
                // Each position's three queries: the newest keys, or all from somewhere on, so that some see nothing of a tile.
                let seen = |i: usize| {
                    let end = (150 + i / 3) as u32;
                    if m % 2 == 0 { end.saturating_sub(40)..end } else { (i as u32 * 37 % 140)..end }
                };
                // Every other query has a bias for each of its keys.
                let biases = numbers(256, 4);
                let bias = |i: usize| if (i + m).is_multiple_of(2) { &biases[..seen(i).len()] } else { &[] };
                for set in Set::here() {
                    let mut y = vec![f32::NAN; m * head_dim];
                    let rows = q.chunks_exact(head_dim).zip(y.chunks_exact_mut(head_dim)).enumerate();
                    let mut queries: Vec<_> =
                        rows.map(|(i, (q, y))| Query { q, positions: seen(i), bias: bias(i), y }).collect();
                    let mut softmaxes = vec![Softmax { max: f32::MIN, sum: 0.0 }; m];
                    let runs = |position| run(&head, page, position);
                    let job = Job { head, queries: &mut queries, softmaxes: &mut softmaxes, runs: &runs };
                    // SAFETY: the set is one of those that are here.
                    unsafe { run_on(set, job) };
                    for (i, (y, q)) in y.chunks_exact(head_dim).zip(q.chunks_exact(head_dim)).enumerate() {
                        let query = Query { q, positions: seen(i), bias: bias(i), y: &mut [] };
                        let want = plain(&head, &keys.rows, &values.rows, &query, page);
                        for (y, want) in y.iter().map(|y| y / softmaxes[i].sum).zip(want) {
                            assert!(
                                (y - want).abs() < 1e-5,
                                "{set:?}, {format:?}, {m} × {head_dim}, {i}: {y}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_are_merged_by_what_they_weigh() {
        let (keys, values) = (Cache::new(KvFormat::F32, 16, 1), Cache::new(KvFormat::F32, 16, 2));
        let format = KvFormat::F32;
        let head = Head {
            keys: &keys.stored,
            values: &values.stored,
            format,
            stride: 16,
            head_dim: 16,
            scale: 5.0,
            soft_cap: None,
        };
        let q = numbers(16, 4);
        let gathered = |positions: Range<u32>| {
            let mut y = vec![0f32; 16];
            let mut queries = [Query { q: &q, positions, bias: &[], y: &mut y }];
            let softmaxes = gather(head, &mut queries, &|position| run(&head, 24, position));
            (y, softmaxes[0])
        };
        let parts = [gathered(0..100), gathered(100..101), gathered(101..230)];
        let mut y = vec![f32::NAN; 16];
        merge(parts.iter().map(|(y, softmax)| (&y[..], *softmax)), &mut y);
        let all = Query { q: &q, positions: 0..230, bias: &[], y: &mut [] };
        for (y, want) in y.iter().zip(plain(&head, &keys.rows, &values.rows, &all, 24)) {
            assert!((y - want).abs() < 1e-5, "{y}, not {want}");
        }
    }
}
