//! Each row's key and value [T, Hkv × head_dim] go to their place in the layer's cache.
//!
//! The cache is [pages, Hkv, page positions, head_dim], as [`KvFormat`] has it: the keys of one head lie together.

use crate::device::{BufferId, Kernel, KvFormat, Options, Pass, Slot, Tensor, Twin, kernel, params, piece};
use cresset_numerics::attention::Run;

pub static KV_WRITE: Kernel =
    kernel!(kv_write, [Uniform, Read, Read, Read, Read, Write, Write], shared: ["control", "rows", "cache"]);

/// One layer's keys and values.
#[derive(Debug, Clone, Copy)]
pub struct KvCache {
    /// [pages, Hkv, page, head_dim]
    pub keys: BufferId,
    /// [pages, Hkv, page, head_dim]
    pub values: BufferId,
    /// How numbers are stored.
    pub format: KvFormat,
    /// Hkv.
    pub n_kv_heads: usize,
    /// Numbers of a head.
    pub head_dim: usize,
}

params! {
    struct Params {
        n_kv_heads: u32,
        stride4: u32,
        page: u32,
        unused: u32,
    }
}

/// Reads the cache.
pub(super) fn kv_piece(format: KvFormat) -> &'static str {
    match format {
        KvFormat::F16 => piece!("kv_f16"),
        KvFormat::F32 => piece!("kv_f32"),
        KvFormat::Q8 => piece!("kv_q8"),
    }
}

/// Writes it.
pub(super) fn kv_store_piece(format: KvFormat) -> &'static str {
    match format {
        KvFormat::F16 => piece!("kv_store_f16"),
        KvFormat::F32 => piece!("kv_store_f32"),
        KvFormat::Q8 => piece!("kv_store_q8"),
    }
}

/// Records the write of `k` and `v` [T, Hkv × head_dim] at their rows' positions.
pub fn kv_write(pass: &mut Pass, k: &Tensor, v: &Tensor, cache: &KvCache) {
    assert_eq!(k.columns, cache.n_kv_heads * cache.head_dim, "kv_write: columns");
    assert_eq!(k.columns, v.columns, "kv_write: keys and values");
    assert!(cache.head_dim.is_multiple_of(4), "kv_write: head_dim");
    let params = Params {
        n_kv_heads: cache.n_kv_heads as u32,
        stride4: (k.stride() / 4) as u32,
        page: pass.layout.page as u32,
        unused: 0,
    };
    let options = Options::default()
        .set("HEAD_DIM", cache.head_dim as u32)
        .set("KV", cache.format as u32)
        .piece(kv_piece(cache.format))
        .piece(kv_store_piece(cache.format));
    let blocks = cache.n_kv_heads * cache.head_dim.div_ceil(32);
    let bindings = [pass.control, pass.state, k.buffer, v.buffer, cache.keys, cache.values];
    pass.record(&KV_WRITE, options, params, &bindings, [blocks.div_ceil(64) as u32, k.rows as u32, 1]);
}

/// The head's row of the cache for the position that lies at `at`.
pub(super) fn cache_row(at: usize, page: usize, heads: usize, head: usize) -> usize {
    (at / page * heads + head) * page + at % page
}

/// The rows of a head from that of position `at` of a layer's cache to the end of its page, of so many words.
pub(super) fn cache_run(at: usize, page: usize, heads: usize, head: usize, words: usize) -> Run {
    Run { at: cache_row(at, page, heads, head) * words, rows: page - at % page }
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state) = (t.read::<u32>(1), t.read::<u32>(2));
    let (heads, head_dim, page) = (p.n_kv_heads as usize, t.constant("HEAD_DIM") as usize, p.page as usize);
    let format = KvFormat::ALL[t.constant("KV") as usize];
    let words = format.row_words(head_dim);
    for (input, output) in [(3, 5), (4, 6)] {
        let (x, mut cache) = (t.read::<f32>(input), t.write::<u32>(output));
        for r in 0..Slot::rows(&control) {
            let row = Slot::row(&control, &state, r);
            if row.position >= Slot::context(&control) {
                continue;
            }
            let at = Slot::cache_position(&control, row.slot, row.position, p.page);
            for head in 0..heads {
                let from = &x[r * p.stride4 as usize * 4 + head * head_dim..][..head_dim];
                format.write(from, &mut cache[words * cache_row(at, page, heads, head)..][..words]);
            }
        }
    }
}
