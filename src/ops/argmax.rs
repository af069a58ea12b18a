//! partial [L, chunks] = the best (key, id) of each chunk of logits [L, V] with the requests' edits: the first of the
//! sampler's two stages. Of equal logits the lowest id is best; NaN and +∞ have the key [`NOT_A_NUMBER`].

use crate::device::{BufferId, Edits, Kernel, Options, Pass, SamplingSlot, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::rows::{finite, first_broken};

pub static ARGMAX: Kernel = kernel!(argmax, [Uniform, Read, Read, Read, Write], shared: ["control", "sampling", "nan", "keys", "edits", "logits"]);

/// The key of a logit that is not a number: above those of all numbers. `shaders/shared/keys.wgsl` has the same.
pub(super) const NOT_A_NUMBER: u32 = u32::MAX;

/// Logits of one workgroup; `shaders/argmax.wgsl` has the same.
const CHUNK: usize = 1024;

params! {
    /// Shared with sample; `shaders/shared/logits.wgsl` has the same struct.
    pub(super) struct LogitParams {
        pub vocab: u32,
        pub stride: u32,
        pub partial_stride2: u32,
        pub chunks: u32,
    }
}

/// Columns of the tensor that holds a row's partial results: a (key, id) pair for each chunk of `vocab`.
pub fn partial_columns(vocab: usize) -> usize {
    2 * vocab.div_ceil(CHUNK)
}

pub(super) fn logit_params(logits: &Tensor, partial: &Tensor) -> LogitParams {
    assert_eq!(logits.rows, partial.rows, "argmax: rows");
    LogitParams {
        vocab: logits.columns as u32,
        stride: logits.stride() as u32,
        partial_stride2: (partial.stride() / 2) as u32,
        chunks: (partial.columns / 2) as u32,
    }
}

/// Records the chunks' maxima. `edits` holds the slots' [`Edits`](crate::device::EditsLayout).
pub fn argmax(pass: &mut Pass, logits: &Tensor, edits: BufferId, partial: &Tensor) {
    assert_eq!(partial.columns, partial_columns(logits.columns), "argmax: columns of partial");
    let params = logit_params(logits, partial);
    let bindings = [pass.control, logits.buffer, edits, partial.buffer];
    pass.record(&ARGMAX, Options::default(), params, &bindings, [params.chunks, logits.rows as u32, 1]);
}

/// A row's logits with the slot's edits, all of them finite.
pub(super) fn edited_logits(logits: &[f32], edits: &[u32], slot: u32, sampling: &SamplingSlot) -> Vec<f32> {
    let mut z: Vec<f32> = logits.iter().copied().map(finite).collect();
    Edits { words: edits, vocabulary: z.len() }.apply(&mut z, 0, slot, sampling.flags, finite);
    z
}

/// Orders as the numbers do. No number has key 0.
pub(super) fn key_of(z: f32) -> u32 {
    let bits = z.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

fn twin(t: &Twin) {
    let p: LogitParams = t.params();
    let (control, logits, edits) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u32>(3));
    let mut partial = t.write::<u32>(4);
    for i in 0..Slot::logit_rows(&control) {
        let slot = Slot::slot(&control, Slot::gathered(&control, i));
        let sampling = Slot::sampling(&control, slot);
        let logits = &logits[i * p.stride as usize..][..p.vocab as usize];
        let z = edited_logits(logits, &edits, slot, &sampling);
        let row = &mut partial[i * p.partial_stride2 as usize * 2..];
        let chunks = logits.chunks(CHUNK).zip(z.chunks(CHUNK));
        for (chunk, ((logits, z), pair)) in chunks.zip(row.chunks_exact_mut(2)).enumerate() {
            if let Some(id) = first_broken(logits) {
                pair.copy_from_slice(&[NOT_A_NUMBER, (chunk * CHUNK + id) as u32]);
                continue;
            }
            let mut best = [0, 0];
            for (id, z) in z.iter().enumerate() {
                if key_of(*z) > best[0] {
                    best = [key_of(*z), (chunk * CHUNK + id) as u32];
                }
            }
            pair.copy_from_slice(&best);
        }
    }
}
