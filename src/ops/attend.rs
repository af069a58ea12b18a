//! y [T, H, head_dim] = attention of rows of different slots, one row a slot: QK-norm, rotary positions, the write of
//! the row's own key and value and attention over the slot's cache, in one dispatch. What a decoded token needs between
//! its projections; `attention.rs` says what is computed.
//!
//! Where the keys are many, a pass may cut them into chunks (`Pass::key_chunks`): workgroups of their own, in which all
//! heads of a KV head share each key they read, and a second dispatch that merges (Flash-Decoding, Dao et al. 2023,
//! <https://pytorch.org/blog/flash-decoding/>).

use super::attend_merge::{TILE, attend_merge, keys_a_chunk};
use super::attention::{MOST_HEAD_DIM, Scores, WORTH_A_THREAD};
use super::kv_write::{KvCache, cache_row, cache_run, kv_piece, kv_store_piece};
use super::rope::Pairing;
use super::soft_cap::capped;
use crate::device::{BufferId, Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel, params};
use crate::error::Result;
use cresset_numerics::attention::{self, Head, Query, Softmax};
use cresset_numerics::in_parallel;
use cresset_numerics::rows::{dot, rms_scale, rotate, scaled};
use std::ops::Range;

pub static ATTEND: Kernel = kernel!(
    attend,
    [Uniform, Read, Read, Read, Read, Read, Write, Write, Write],
    shared: ["control", "rows", "chunks", "nan", "cache"]
)
.fast(fast);

params! {
    struct Params {
        n_heads: u32,
        n_kv_heads: u32,
        stride: u32,
        page: u32,
        scale: f32,
        soft_cap: f32,
        window: u32,
        rope_dims: u32,
        q_epsilon: f32,
        k_epsilon: f32,
        chunks: u32,
        unused: u32,
    }
}

/// Heads that share keys at most: each takes registers.
const MOST_SHARE: usize = 8;
/// WebGPU's default limit, less what the compiler may want itself.
const MOST_WORKGROUP_BYTES: usize = 15 << 10;

/// How many of the `group` heads of a KV head a workgroup can take at once: a divisor, as large as its memory allows.
fn share(group: usize, head_dim: usize) -> usize {
    // A head takes its query before and after RoPE, and a tile's scores; the key and partial sums of threads come once.
    let bytes =
        |heads: usize| 4 * (2 * heads * head_dim + 3 * head_dim + (heads + 1) * TILE as usize + 256 + 3 * heads);
    (1..=group.min(MOST_SHARE))
        .rev()
        .find(|&heads| group.is_multiple_of(heads) && bytes(heads) <= MOST_WORKGROUP_BYTES)
        .unwrap_or(1)
}

/// RMSNorm of queries and keys, over each head or over a row's heads together.
#[derive(Clone, Copy)]
pub struct HeadNorms {
    /// f32 weights of the queries' norm, then of the keys'.
    pub weights: BufferId,
    /// ε of the queries' norm, then of the keys'.
    pub epsilons: [f32; 2],
    /// One mean over all heads of a row, instead of one a head.
    pub whole_row: bool,
}

/// Rotary positions: the table of `rope`, the dimensions that turn, which turn together.
pub type Rotation = (BufferId, usize, Pairing);

/// Records attention of `qkv` [T, (H + 2 Hkv) × head_dim] over a layer's cache.
///
/// # Errors
/// `OUT_OF_MEMORY` where an activation finds no room.
#[allow(clippy::too_many_arguments, reason = "they are what attention is made of")]
pub fn attend(
    pass: &mut Pass,
    qkv: &Tensor,
    n_heads: usize,
    norms: Option<HeadNorms>,
    rotation: Option<Rotation>,
    cache: &KvCache,
    scores: Scores,
    y: &Tensor,
) -> Result<()> {
    let head_dim = cache.head_dim;
    assert_eq!(qkv.columns, (n_heads + 2 * cache.n_kv_heads) * head_dim, "attend: columns of qkv");
    assert_eq!((y.rows, y.columns), (qkv.rows, n_heads * head_dim), "attend: shape of y");
    assert!(head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM, "attend: head_dim");
    assert!(n_heads.is_multiple_of(cache.n_kv_heads), "attend: groups");
    assert!(scores.bias.is_none(), "attend: has no biases");
    let params = Params {
        n_heads: n_heads as u32,
        n_kv_heads: cache.n_kv_heads as u32,
        stride: qkv.stride() as u32,
        page: pass.layout.page as u32,
        scale: scores.scale,
        soft_cap: scores.soft_cap.unwrap_or(0.0),
        window: scores.window.unwrap_or(u32::MAX),
        rope_dims: rotation.map_or(0, |(_, dims, _)| dims as u32),
        q_epsilon: norms.map_or(0.0, |norms| norms.epsilons[0]),
        k_epsilon: norms.map_or(0.0, |norms| norms.epsilons[1]),
        chunks: pass.key_chunks as u32,
        unused: 0,
    };
    assert!(params.window > 0, "attend: window");
    let split = pass.key_chunks > 1;
    // Few keys are soon read; then it is more workgroups that count.
    let share = if split { share(n_heads / cache.n_kv_heads, head_dim) } else { 1 };
    let options = Options::default()
        .set("HEAD_DIM", head_dim as u32)
        .set("SHARE", share as u32)
        .set("SPLIT", split.into())
        .set("KV", cache.format as u32)
        .set("SOFT_CAP", scores.soft_cap.is_some().into())
        .set("QK_NORM", norms.map_or(0, |norms| if norms.whole_row { 2 } else { 1 }))
        .set("ROPE", rotation.map_or(0, |(_, _, pairing)| if pairing == Pairing::Adjacent { 1 } else { 2 }))
        .piece(kv_piece(cache.format))
        .piece(kv_store_piece(cache.format));
    // An absent table or norm still needs a binding, which the shader never reads: control.
    let table = rotation.map_or(pass.control, |(table, ..)| table);
    let norms = norms.map_or(pass.control, |norms| norms.weights);
    let parts = match split {
        true => Some(pass.tensor(qkv.rows, n_heads * pass.key_chunks * (head_dim + 4))?), // [T, H, chunks, head_dim + 4]
        false => None,
    };
    let to = parts.as_ref().unwrap_or(y).buffer;
    let bindings = [pass.control, pass.state, qkv.buffer, table, norms, cache.keys, cache.values, to];
    pass.record(
        &ATTEND,
        options,
        params,
        &bindings,
        [(n_heads / share) as u32, qkv.rows as u32, pass.key_chunks as u32],
    );
    if let Some(parts) = parts {
        attend_merge(pass, &parts, n_heads, head_dim, params.window, y); // [T, H × head_dim]
    }
    Ok(())
}

/// x / √(mean(x²) + ε) over `over`, of the head at `at`, times weights.
fn normed(qkv: &[f32], over: Range<usize>, at: usize, epsilon: f32, weights: &[f32]) -> Vec<f32> {
    let mut normed = vec![0f32; weights.len()];
    scaled(&qkv[at..], rms_scale(&qkv[over], epsilon), weights, false, &mut normed);
    normed
}

/// The heads of a row's query or key, ready for scores.
struct Heads<'a> {
    /// The options QK_NORM and ROPE.
    qk_norm: u32,
    rope: u32,
    rope_dims: usize,
    qkv: &'a [f32],
    norms: &'a [f32],
    table: &'a [f32],
    head_dim: usize,
}

impl Heads<'_> {
    /// Head `i` of `all`, of which the row at `at` has the first at `first`: normalised and turned.
    fn head(&self, at: usize, first: usize, all: usize, i: usize, epsilon: f32, position: u32) -> Vec<f32> {
        let Heads { qk_norm, rope, rope_dims, qkv, norms, table, head_dim } = *self;
        let head_at = at + (first + i) * head_dim;
        let mut x = match qk_norm {
            0 => qkv[head_at..head_at + head_dim].to_vec(),
            1 => {
                let weights = &norms[usize::from(first > 0) * head_dim..][..head_dim];
                normed(qkv, head_at..head_at + head_dim, head_at, epsilon, weights)
            }
            _ => {
                let row = at + first * head_dim..at + (first + all) * head_dim;
                normed(qkv, row, head_at, epsilon, &norms[(first + i) * head_dim..][..head_dim])
            }
        };
        if rope > 0 {
            let angles = &table[position as usize * rope_dims..][..rope_dims];
            rotate(&mut x[..rope_dims], angles, rope == 2);
        }
        x
    }
}

impl<'a> Heads<'a> {
    fn of(t: &Twin, rope_dims: u32, qkv: &'a [f32], norms: &'a [f32], table: &'a [f32]) -> Self {
        let [qk_norm, rope, head_dim] = ["QK_NORM", "ROPE", "HEAD_DIM"].map(|name| t.constant(name));
        Heads { qk_norm, rope, rope_dims: rope_dims as usize, qkv, norms, table, head_dim: head_dim as usize }
    }
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state, qkv) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let (table, norms) = (t.read::<f32>(4), t.read::<f32>(5));
    let mut y = t.write::<f32>(8);
    let (heads, kv_heads, head_dim) = (p.n_heads as usize, p.n_kv_heads as usize, t.constant("HEAD_DIM") as usize);
    let ready = Heads::of(t, p.rope_dims, &qkv, &norms, &table);
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        if row.position >= Slot::context(&control) {
            continue;
        }
        let at = r * p.stride as usize;
        let cache = |kv_head: usize, position: u32| {
            let at = Slot::cache_position(&control, row.slot, position, p.page);
            cache_row(at, p.page as usize, kv_heads, kv_head)
        };
        for kv_head in 0..kv_heads {
            let v_at = at + (heads + kv_heads + kv_head) * head_dim;
            let to = cache(kv_head, row.position);
            write(t, 6, to, &ready.head(at, heads, kv_heads, kv_head, p.k_epsilon, row.position));
            write(t, 7, to, &qkv[v_at..v_at + head_dim]);
        }
        for i in 0..heads {
            let q = ready.head(at, 0, heads, i, p.q_epsilon, row.position);
            let kv_head = i / (heads / kv_heads);
            let keys = (row.position + 1).saturating_sub(p.window)..row.position + 1;
            let index = r * heads + i;
            if t.constant("SPLIT") == 0 {
                let y = &mut y[index * head_dim..][..head_dim];
                let (_, sum) = gather(t, &p, &q, keys, |position| cache(kv_head, position), y);
                y.iter_mut().for_each(|y| *y /= sum);
                continue;
            }
            let length = keys_a_chunk(keys.len() as u32, p.chunks);
            for (chunk, begin) in keys.clone().step_by(length as usize).enumerate() {
                let part = &mut y[(index * p.chunks as usize + chunk) * (head_dim + 4)..][..head_dim + 4];
                let (gathered, rest) = part.split_at_mut(head_dim);
                let keys = begin..keys.end.min(begin + length);
                let (max, sum) = gather(t, &p, &q, keys, |position| cache(kv_head, position), gathered);
                rest.copy_from_slice(&[max, sum, 0.0, 0.0]);
            }
        }
    }
}

/// Keys that are gathered by one thread: there may be fewer KV heads than threads.
const KEYS_A_PART: u32 = 256;

/// The twin of a single chunk of keys, made for speed.
fn fast(t: &Twin) {
    if t.constant("SPLIT") == 1 {
        return twin(t); // no plan of this executor's has it
    }
    let p: Params = t.params();
    let (control, state, qkv) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let (table, norms) = (t.read::<f32>(4), t.read::<f32>(5));
    let mut y = t.write::<f32>(8);
    let (heads, kv_heads, head_dim) = (p.n_heads as usize, p.n_kv_heads as usize, t.constant("HEAD_DIM") as usize);
    let (group, width, words) = (heads / kv_heads, heads * head_dim, format_of(t).row_words(head_dim));
    let ready = Heads::of(t, p.rope_dims, &qkv, &norms, &table);
    for (r, y) in y.chunks_exact_mut(width).enumerate().take(Slot::rows(&control)) {
        let row = Slot::row(&control, &state, r);
        if row.position >= Slot::context(&control) {
            continue;
        }
        let at = r * p.stride as usize;
        let control = &control[..];
        let place = |position: u32| Slot::cache_position(control, row.slot, position, p.page);
        for kv_head in 0..kv_heads {
            let v_at = at + (heads + kv_heads + kv_head) * head_dim;
            let to = cache_row(place(row.position), p.page as usize, kv_heads, kv_head);
            write(t, 6, to, &ready.head(at, heads, kv_heads, kv_head, p.k_epsilon, row.position));
            write(t, 7, to, &qkv[v_at..v_at + head_dim]);
        }
        let q: Vec<Vec<f32>> = (0..heads).map(|i| ready.head(at, 0, heads, i, p.q_epsilon, row.position)).collect();
        let (keys, values) = (t.read::<u32>(6), t.read::<u32>(7));
        let head = Head {
            keys: &keys,
            values: &values,
            format: format_of(t),
            stride: words,
            head_dim,
            scale: p.scale,
            soft_cap: (t.constant("SOFT_CAP") == 1).then_some(p.soft_cap),
        };
        let positions = (row.position + 1).saturating_sub(p.window)..row.position + 1;
        let parts_a_head = positions.len().div_ceil(KEYS_A_PART as usize);
        let part_size = group * (head_dim + 2);
        let mut parts = vec![0f32; kv_heads * parts_a_head * part_size]; // [Hkv, parts, answers and softmaxes of a group]
        let least = WORTH_A_THREAD / (positions.len().div_ceil(parts_a_head) * group * head_dim);
        in_parallel(&mut parts, part_size, least.max(1), |first, parts| {
            for (i, part) in parts.chunks_exact_mut(part_size).enumerate() {
                let (kv_head, part_of_head) = ((first + i) / parts_a_head, (first + i) % parts_a_head);
                let begin = positions.start + part_of_head as u32 * KEYS_A_PART;
                let seen = begin..positions.end.min(begin + KEYS_A_PART);
                let (gathered, softmaxes) = part.split_at_mut(group * head_dim);
                let heads = q[kv_head * group..].iter().zip(gathered.chunks_exact_mut(head_dim));
                let mut queries: Vec<_> =
                    heads.map(|(q, y)| Query { q, positions: seen.clone(), bias: &[], y }).collect();
                let run = |position| cache_run(place(position), p.page as usize, kv_heads, kv_head, words);
                let sums = attention::gather(head, &mut queries, &run);
                for (to, Softmax { max, sum }) in softmaxes.chunks_exact_mut(2).zip(sums) {
                    to.copy_from_slice(&[max, sum]);
                }
            }
        });
        for (i, y) in y.chunks_exact_mut(head_dim).enumerate() {
            let of_head = parts.chunks_exact(part_size).skip(i / group * parts_a_head).take(parts_a_head);
            let parts = of_head.map(|part| {
                let (gathered, softmaxes) = part.split_at(group * head_dim);
                let [max, sum] = [0, 1].map(|at| softmaxes[i % group * 2 + at]);
                (&gathered[i % group * head_dim..][..head_dim], Softmax { max, sum })
            });
            attention::merge(parts, y);
        }
    }
}

fn format_of(t: &Twin) -> KvFormat {
    KvFormat::ALL[t.constant("KV") as usize]
}

/// Numbers of a head into a row of the cache.
fn write(t: &Twin, binding: usize, row: usize, x: &[f32]) {
    let words = format_of(t).row_words(x.len());
    format_of(t).write(x, &mut t.write::<u32>(binding)[row * words..][..words]);
}

/// y [head_dim] = Σ weight · value over the keys at `positions`, whose rows of the cache `row` names; gives the maximum of
/// the scores, which the weights are relative to, and the sum of the weights.
fn gather(
    t: &Twin,
    p: &Params,
    q: &[f32],
    positions: Range<u32>,
    row: impl Fn(u32) -> usize,
    y: &mut [f32],
) -> (f32, f32) {
    let read = |binding: usize, row: usize| -> Vec<f32> {
        let (format, mut numbers) = (format_of(t), vec![0f32; q.len()]);
        let words = format.row_words(q.len());
        format.read(&t.read::<u32>(binding)[row * words..][..words], &mut numbers);
        numbers
    };
    let score = |position| {
        let score = dot(q, &read(6, row(position))) * p.scale;
        if t.constant("SOFT_CAP") == 1 { capped(score, p.soft_cap) } else { score }
    };
    let scores: Vec<f32> = positions.clone().map(score).collect();
    let max = scores.iter().copied().fold(f32::MIN, f32::max);
    let weights: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
    y.fill(0.0);
    for (position, weight) in positions.zip(&weights) {
        y.iter_mut().zip(read(7, row(position))).for_each(|(y, v)| *y += weight * v);
    }
    (max, weights.iter().sum())
}
