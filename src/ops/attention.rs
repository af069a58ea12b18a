//! y [T, H, head_dim] = softmax(q kᵀ × scale) v over the slot's cached positions up to the row's own: causal,
//! grouped-query, online softmax (Milakov & Gimelshein 2018, <https://arxiv.org/abs/1805.02867>), never a T × T buffer.

use super::dot;
use super::kv_write::{KvCache, cache_at};
use crate::device::{Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel};
use bytemuck::{Pod, Zeroable};
use half::f16;

pub static ATTENTION: Kernel =
    kernel!(attention, [Uniform, Read, Read, Read, Read, Read, Write], shared: ["control", "rows"]);

/// The largest head a workgroup of 64 threads covers, four dimensions a thread.
pub const MOST_HEAD_DIM: usize = 256;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    n_heads: u32,
    n_kv_heads: u32,
    head_dim: u32,
    stride: u32,
    page: u32,
    scale: f32,
    unused: [u32; 2],
}

/// Records attention of `q` [T, n_heads × head_dim] over a layer's cache, which already holds the rows' own keys.
pub fn attention(pass: &mut Pass, q: &Tensor, n_heads: usize, cache: &KvCache, scale: f32, y: &Tensor) {
    let head_dim = cache.head_dim;
    assert_eq!(q.columns, n_heads * head_dim, "attention: columns");
    assert_eq!((q.rows, q.columns), (y.rows, y.columns), "attention: shapes");
    assert!(head_dim.is_multiple_of(4) && head_dim <= MOST_HEAD_DIM, "attention: head_dim");
    assert!(n_heads.is_multiple_of(cache.n_kv_heads), "attention: groups");
    let params = Params {
        n_heads: n_heads as u32,
        n_kv_heads: cache.n_kv_heads as u32,
        head_dim: head_dim as u32,
        stride: q.stride() as u32,
        page: pass.layout.page as u32,
        scale,
        unused: [0; 2],
    };
    let options = Options::default().set("KV_F32", (cache.format == KvFormat::F32).into());
    let bindings = [pass.control, pass.state, q.buffer, cache.keys, cache.values, y.buffer];
    pass.record(&ATTENTION, options, params, &bindings, [n_heads as u32, q.rows as u32, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state, q) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let mut y = t.write::<f32>(6);
    let (heads, kv_heads, head_dim) = (p.n_heads as usize, p.n_kv_heads as usize, p.head_dim as usize);
    let mut cell = vec![0f32; head_dim];
    let load = |binding: usize, at: usize, cell: &mut [f32]| {
        if t.constant("KV_F32") == 1 {
            cell.copy_from_slice(&t.read::<f32>(binding)[at..at + cell.len()]);
        } else {
            for (x, bits) in cell.iter_mut().zip(&t.read::<u16>(binding)[at..]) {
                *x = f16::from_bits(*bits).to_f32();
            }
        }
    };
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        let keys = (row.position + 1).min(Slot::context(&control));
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let at = r * p.stride as usize + head * head_dim;
            let cache = |position: u32| {
                let at = Slot::cache_position(&control, row.slot, position, p.page);
                cache_at(at, p.page as usize, kv_heads, kv_head, head_dim)
            };
            let mut scores = Vec::with_capacity(keys as usize);
            for position in 0..keys {
                load(4, cache(position), &mut cell);
                scores.push(dot(&q[at..at + head_dim], &cell) * p.scale);
            }
            let max = scores.iter().copied().fold(f32::MIN, f32::max);
            scores.iter_mut().for_each(|s| *s = (*s - max).exp());
            let sum: f32 = scores.iter().sum();
            let y = &mut y[at..at + head_dim];
            y.fill(0.0);
            for (position, score) in scores.iter().enumerate() {
                load(5, cache(position as u32), &mut cell);
                y.iter_mut().zip(&cell).for_each(|(y, v)| *y += score / sum * v);
            }
        }
    }
}
