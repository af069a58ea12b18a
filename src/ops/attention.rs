//! y [T, H, head_dim] = softmax(q kᵀ × scale) v over the slot's cached positions up to the row's own: causal,
//! grouped-query, windowed and soft-capped where a model asks for it, online softmax (Milakov & Gimelshein 2018, <https://arxiv.org/abs/1805.02867>), never a T × T buffer.
//! Where `Pass::whole_media` says so, rows of a picture see it to its end (Gemma 3, <https://arxiv.org/abs/2503.19786>).

use super::kv_write::{KvCache, cache_row, cache_run, kv_piece};
use super::soft_cap::capped;
use crate::device::{BufferId, Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::attention::{Head, Query, Run, attention as attention_of};
use cresset_numerics::in_parallel;
use cresset_numerics::rows::dot;
use std::ops::Range;

pub static ATTENTION: Kernel =
    kernel!(attention, [Uniform, Read, Read, Read, Read, Read, Read, Write], shared: ["control", "rows", "nan", "cache"])
        .fast(fast);

/// The largest head that `attend` covers with 64 threads, four dimensions a thread.
pub const MOST_HEAD_DIM: usize = 256;

/// Queries of a workgroup.
const QUERIES: usize = 16;
/// Bytes of workgroup memory for a tile of keys or values: half of what every device has.
const TILE_BYTES: usize = 9 << 10;

/// Keys that fit a tile.
fn keys_a_tile(format: KvFormat, head_dim: usize) -> u32 {
    let cell = if format == KvFormat::F32 { 16 } else { 8 };
    let fits = |keys: &u32| (*keys as usize + 1) * head_dim / 4 * cell <= TILE_BYTES + 512;
    [32, 16, 8].into_iter().find(fits).unwrap_or(8)
}

params! {
    struct Params {
        n_heads: u32,
        n_kv_heads: u32,
        stride4: u32,
        page: u32,
        scale: f32,
        soft_cap: f32,
        window: u32,
        /// Columns of the table of biases; 0: there is none.
        bias_columns: u32,
    }
}

/// How scores come from queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Multiplies q · k; usually 1 / √head_dim.
    pub scale: f32,
    /// cap × tanh(score / cap), before the softmax (Gemma 2, <https://arxiv.org/abs/2408.00118>).
    pub soft_cap: Option<f32>,
    /// Keys that a query sees, its own the last of them (Beltagy et al. 2020, <https://arxiv.org/abs/2004.05150>).
    pub window: Option<u32>,
    /// Added by how far a key lies from its query.
    pub bias: Option<RelativeBias>,
}

/// What is added to scores by how far a key lies from its query (Raffel et al. 2020, section 2.1,
/// <https://arxiv.org/abs/1910.10683>): a table [H, 2 C − 1], a head's row beginning with the key C − 1 positions before the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelativeBias {
    /// The numbers, f32, without padding.
    pub table: BufferId,
    /// Positions that it is made for, C.
    pub context: usize,
}

impl RelativeBias {
    /// Columns of the table, as kernels' parameters have them; 0: there is no table.
    pub(super) fn columns(bias: Option<RelativeBias>) -> u32 {
        bias.map_or(0, |bias| 2 * bias.context as u32 - 1)
    }
}

impl Scores {
    /// q · k / √head_dim over all keys.
    pub fn scaled(head_dim: usize) -> Self {
        Scores { scale: 1.0 / (head_dim as f32).sqrt(), soft_cap: None, window: None, bias: None }
    }
}

/// Records attention of `q` [T, n_heads × head_dim] over a layer's cache, which already holds the rows' own keys.
pub fn attention(pass: &mut Pass, q: &Tensor, n_heads: usize, cache: &KvCache, scores: Scores, y: &Tensor) {
    let head_dim = cache.head_dim;
    assert_eq!(q.columns, n_heads * head_dim, "attention: columns");
    assert_eq!((q.rows, q.columns), (y.rows, y.columns), "attention: shapes");
    assert!(head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM, "attention: head_dim");
    assert!(n_heads.is_multiple_of(cache.n_kv_heads), "attention: groups");
    let params = Params {
        n_heads: n_heads as u32,
        n_kv_heads: cache.n_kv_heads as u32,
        stride4: (q.stride() / 4) as u32,
        page: pass.layout.page as u32,
        scale: scores.scale,
        soft_cap: scores.soft_cap.unwrap_or(0.0),
        window: scores.window.unwrap_or(u32::MAX),
        bias_columns: RelativeBias::columns(scores.bias),
    };
    assert!(params.window > 0, "attention: window");
    let options = Options::default()
        .set("HEAD_DIM", head_dim as u32)
        .set("KEYS", keys_a_tile(cache.format, head_dim))
        .set("KV", cache.format as u32)
        .set("SOFT_CAP", scores.soft_cap.is_some().into())
        .set("BIAS", scores.bias.is_some().into())
        .set("WHOLE_MEDIA", pass.whole_media.into())
        .piece(kv_piece(cache.format));
    let bias = scores.bias.map_or(pass.control, |bias| bias.table);
    let bindings = [pass.control, pass.state, q.buffer, cache.keys, cache.values, bias, y.buffer];
    let queries = q.rows * (n_heads / cache.n_kv_heads);
    pass.record(&ATTENTION, options, params, &bindings, [cache.n_kv_heads as u32, queries.div_ceil(QUERIES) as u32, 1]);
}

/// The positions that row `r` sees.
fn seen(t: &Twin, p: &Params, control: &[u32], r: usize, position: u32) -> Range<u32> {
    let ahead = if t.constant("WHOLE_MEDIA") == 1 { Slot::media_rows(control, r).max(1) } else { 1 };
    (position + 1).saturating_sub(p.window)..(position + ahead).min(Slot::context(control))
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state, q) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let (keys, values) = (t.read::<u32>(4), t.read::<u32>(5));
    let (bias, mut y) = (t.read::<f32>(6), t.write::<f32>(7));
    let (heads, kv_heads, head_dim) = (p.n_heads as usize, p.n_kv_heads as usize, t.constant("HEAD_DIM") as usize);
    let format = KvFormat::ALL[t.constant("KV") as usize];
    let words = format.row_words(head_dim);
    let is_capped = t.constant("SOFT_CAP") == 1;
    let mut cell = vec![0f32; head_dim];
    let biased = Biases { table: &bias, columns: p.bias_columns };
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        let seen = seen(t, &p, &control, r, row.position);
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let at = r * p.stride4 as usize * 4 + head * head_dim;
            let cache = |position: u32| {
                let at = Slot::cache_position(&control, row.slot, position, p.page);
                words * cache_row(at, p.page as usize, kv_heads, kv_head)
            };
            let mut scores = Vec::with_capacity(seen.len());
            let mut biases = biased.of(head, row.position, seen.clone()).iter();
            for position in seen.clone() {
                format.read(&keys[cache(position)..][..words], &mut cell);
                let score = dot(&q[at..at + head_dim], &cell) * p.scale;
                let score = if is_capped { capped(score, p.soft_cap) } else { score };
                scores.push(score + biases.next().unwrap_or(&0.0));
            }
            let max = scores.iter().copied().fold(f32::MIN, f32::max);
            scores.iter_mut().for_each(|s| *s = (*s - max).exp());
            let sum: f32 = scores.iter().sum();
            let y = &mut y[at..at + head_dim];
            y.fill(0.0);
            for (position, score) in seen.clone().zip(&scores) {
                format.read(&values[cache(position)..][..words], &mut cell);
                y.iter_mut().zip(&cell).for_each(|(y, v)| *y += score / sum * v);
            }
        }
    }
}

/// Queries that share what is read of keys and values.
const SHARE: usize = 64;
/// Multiply-adds that are worth a thread of their own.
pub(super) const WORTH_A_THREAD: usize = 1 << 16;

/// The keys within a row's mask: positions of a sequence, which `run` knows by its number.
pub(super) struct Sight {
    pub sequence: usize,
    pub position: u32,
    pub positions: Range<u32>,
}

/// A table of biases [H, columns], as far as there is one.
pub(super) struct Biases<'a> {
    pub table: &'a [f32],
    pub columns: u32,
}

impl Biases<'_> {
    /// The numbers to add to the scores of a query at `position` with the keys at `positions`; none where there is no table.
    pub fn of(&self, head: usize, position: u32, positions: Range<u32>) -> &[f32] {
        if self.columns == 0 {
            return &[];
        }
        let position = position.min(self.columns / 2); // those past the context write nothing that counts
        let first = head * self.columns as usize + (positions.start + self.columns / 2 - position) as usize;
        &self.table[first..first + positions.len()]
    }
}

/// Answers the queries `q` of rows, all heads of each: y [T, H × head_dim], both with rows `stride` apart. `run` says where a
/// sequence's keys and values of a KV head lie, from those of a position on.
pub(super) fn answer(
    head: Head,
    [n_heads, n_kv_heads]: [usize; 2],
    (q, y, stride): (&[f32], &mut [f32], usize),
    rows: &[Sight],
    biased: &Biases,
    run: impl Fn(usize, usize, u32) -> Run + Sync,
) {
    let (group, head_dim) = (n_heads / n_kv_heads, head.head_dim);
    let work = rows.iter().map(|row| row.positions.len() * n_heads * head_dim).sum::<usize>() / rows.len().max(1);
    in_parallel(&mut y[..rows.len() * stride], stride, WORTH_A_THREAD / work.max(1), |first, y| {
        let (mut at, mut y) = (first, y);
        let here = &rows[first..first + y.len() / stride];
        let sequences = here.chunk_by(|a, b| a.sequence == b.sequence);
        for block in sequences.flat_map(|rows| rows.chunks((SHARE / group).max(1))) {
            let (own, rest) = y.split_at_mut(block.len() * stride);
            let mut of_heads: Vec<_> = own.chunks_exact_mut(stride).map(|y| y.chunks_exact_mut(head_dim)).collect();
            for kv_head in 0..n_kv_heads {
                let mut queries = Vec::with_capacity(block.len() * group);
                for (r, (row, y)) in block.iter().zip(&mut of_heads).enumerate() {
                    for (i, y) in y.by_ref().take(group).enumerate() {
                        let (head, positions) = (kv_head * group + i, row.positions.clone());
                        let q_at = (at + r) * stride + head * head_dim;
                        let bias = biased.of(head, row.position, positions.clone());
                        queries.push(Query { q: &q[q_at..q_at + head_dim], positions, bias, y });
                    }
                }
                attention_of(head, &mut queries, &|position| run(block[0].sequence, kv_head, position));
            }
            (at, y) = (at + block.len(), rest);
        }
    });
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: Params = t.params();
    let (control, state, q) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let (keys, values) = (t.read::<u32>(4), t.read::<u32>(5));
    let (bias, mut y) = (t.read::<f32>(6), t.write::<f32>(7));
    let (kv_heads, head_dim, page) = (p.n_kv_heads as usize, t.constant("HEAD_DIM") as usize, p.page as usize);
    let format = KvFormat::ALL[t.constant("KV") as usize];
    let words = format.row_words(head_dim);
    let head = Head {
        keys: &keys,
        values: &values,
        format,
        stride: words,
        head_dim,
        scale: p.scale,
        soft_cap: (t.constant("SOFT_CAP") == 1).then_some(p.soft_cap),
    };
    let sight = |r: usize| {
        let row = Slot::row(&control, &state, r);
        let positions = seen(t, &p, &control, r, row.position);
        Sight { sequence: row.slot as usize, position: row.position, positions }
    };
    let rows: Vec<_> = (0..Slot::rows(&control)).map(sight).collect();
    let control = &control[..];
    answer(
        head,
        [p.n_heads as usize, kv_heads],
        (&q, &mut y, p.stride4 as usize * 4),
        &rows,
        &Biases { table: &bias, columns: p.bias_columns },
        |slot, kv_head, position| {
            let at = Slot::cache_position(control, slot as u32, position, p.page);
            cache_run(at, page, kv_heads, kv_head, words)
        },
    );
}
