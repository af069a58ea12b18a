//! y [T, H, head_dim] = attention over all keys, from what `attend` gathered of each chunk of them.

use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static ATTEND_MERGE: Kernel =
    kernel!(attend_merge, [Uniform, Read, Read, Read, Write], shared: ["control", "rows", "chunks"]);

params! {
    struct Params {
        n_heads: u32,
        dims4: u32,
        chunks: u32,
        window: u32,
    }
}

/// Keys that are scored at once; a chunk is whole tiles of them.
pub(super) const TILE: u32 = 64;
/// Keys of a chunk, as `shaders/shared/chunks.wgsl` has it.
pub(super) fn keys_a_chunk(n_keys: u32, chunks: u32) -> u32 {
    n_keys.div_ceil(chunks).next_multiple_of(TILE)
}

/// Records the merge of `parts` [T, H, chunks, head_dim + 4].
pub(super) fn attend_merge(pass: &mut Pass, parts: &Tensor, n_heads: usize, head_dim: usize, window: u32, y: &Tensor) {
    let chunks = pass.key_chunks;
    assert_eq!(parts.columns, n_heads * chunks * (head_dim + 4), "attend_merge: columns of parts");
    assert_eq!((y.rows, y.columns), (parts.rows, n_heads * head_dim), "attend_merge: shape of y");
    let params = Params { n_heads: n_heads as u32, dims4: head_dim as u32 / 4, chunks: chunks as u32, window };
    let bindings = [pass.control, pass.state, parts.buffer, y.buffer];
    pass.record(&ATTEND_MERGE, Options::default(), params, &bindings, [n_heads as u32, parts.rows as u32, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state, parts) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let mut y = t.write::<f32>(4);
    let (heads, head_dim, stride) = (p.n_heads as usize, 4 * p.dims4 as usize, 4 * p.dims4 as usize + 4);
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        if row.position >= Slot::context(&control) {
            continue;
        }
        let n_keys = (row.position + 1).min(p.window);
        let chunks = n_keys.div_ceil(keys_a_chunk(n_keys, p.chunks)) as usize;
        for index in r * heads..(r + 1) * heads {
            let parts = &parts[index * p.chunks as usize * stride..][..chunks * stride];
            let max = parts.chunks_exact(stride).map(|part| part[head_dim]).fold(f32::MIN, f32::max);
            let y = &mut y[index * head_dim..][..head_dim];
            y.fill(0.0);
            let mut sum = 0.0;
            for part in parts.chunks_exact(stride) {
                let weight = (part[head_dim] - max).exp();
                y.iter_mut().zip(part).for_each(|(y, x)| *y += weight * x);
                sum += weight * part[head_dim + 1];
            }
            y.iter_mut().for_each(|y| *y /= sum);
        }
    }
}
