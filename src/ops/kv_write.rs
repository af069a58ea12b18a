//! Each row's key and value [T, Hkv × head_dim] go to their place in the layer's cache.
//!
//! The cache is [pages, Hkv, page positions, head_dim], in f16 or f32: the keys of one head lie together.

use crate::device::{BufferId, Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel};
use bytemuck::{Pod, Zeroable};
use half::f16;

pub static KV_WRITE: Kernel =
    kernel!(kv_write, [Uniform, Read, Read, Read, Read, Write, Write], shared: ["control", "rows"]);

/// One layer's keys and values.
#[derive(Debug, Clone, Copy)]
pub struct KvCache {
    pub keys: BufferId,
    pub values: BufferId,
    pub format: KvFormat,
    pub n_kv_heads: usize,
    pub head_dim: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    n_kv_heads: u32,
    head_dim: u32,
    stride: u32,
    page: u32,
}

/// Records the write of `k` and `v` [T, Hkv × head_dim] at their rows' positions.
pub fn kv_write(pass: &mut Pass, k: &Tensor, v: &Tensor, cache: &KvCache) {
    assert_eq!(k.columns, cache.n_kv_heads * cache.head_dim, "kv_write: columns");
    assert_eq!(k.columns, v.columns, "kv_write: keys and values");
    assert!(cache.head_dim.is_multiple_of(4), "kv_write: head_dim");
    let params = Params {
        n_kv_heads: cache.n_kv_heads as u32,
        head_dim: cache.head_dim as u32,
        stride: k.stride() as u32,
        page: pass.layout.page as u32,
    };
    let options = Options::default().set("KV_F32", (cache.format == KvFormat::F32).into());
    let bindings = [pass.control, pass.state, k.buffer, v.buffer, cache.keys, cache.values];
    pass.record(&KV_WRITE, options, params, &bindings, [(k.columns / 4).div_ceil(64) as u32, k.rows as u32, 1]);
}

/// The element at which head `head` of `position` begins.
pub(super) fn cache_at(at: usize, page: usize, heads: usize, head: usize, head_dim: usize) -> usize {
    ((at / page * heads + head) * page + at % page) * head_dim
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state) = (t.read::<u32>(1), t.read::<u32>(2));
    let (heads, head_dim, page) = (p.n_kv_heads as usize, p.head_dim as usize, p.page as usize);
    for (input, output) in [(3, 5), (4, 6)] {
        let x = t.read::<f32>(input);
        for r in 0..Slot::rows(&control) {
            let row = Slot::row(&control, &state, r);
            if row.position >= Slot::context(&control) {
                continue;
            }
            let at = Slot::cache_position(&control, row.slot, row.position, p.page);
            for head in 0..heads {
                let from = &x[r * p.stride as usize + head * head_dim..][..head_dim];
                let to = cache_at(at, page, heads, head, head_dim);
                if t.constant("KV_F32") == 1 {
                    t.write::<f32>(output)[to..to + head_dim].copy_from_slice(from);
                } else {
                    for (to, from) in t.write::<u16>(output)[to..to + head_dim].iter_mut().zip(from) {
                        *to = f16::from_f32(*from).to_bits();
                    }
                }
            }
        }
    }
}
