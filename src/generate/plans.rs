//! Recorded forward passes: which one runs a batch of rows, and how many rows of a prompt may run at once.

use super::adapters::AdapterId;
use crate::device::{Compiled, Compiling, Device, LIMIT, Plan, TARGET};
use crate::error::Result;
use std::collections::HashMap;

/// Rows of a prompt for which plans are recorded; a chunk runs in the smallest that holds it.
pub const CHUNKS: [usize; 3] = [16, 64, 256];
/// The most rows that a batch may have.
pub const MOST_ROWS: usize = CHUNKS[CHUNKS.len() - 1];
/// Row counts of plans for batches without rows of prompts, and counts of sampled rows.
const SINGLE_ROWS: [usize; 5] = [1, 4, 16, 64, 256];
/// Rows that get logits at once when all are asked for.
pub const LOGIT_ROWS: usize = 64;

/// Keys above which a single row's attention is cut into chunks, and how many keys a chunk has in a full context.
const SPLIT_ABOVE: usize = 256;
/// Chunks at most: a workgroup each for every KV head, and a merge over all.
const MOST_CHUNKS: usize = 32;

/// The result that a plan computes after the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// Nothing: the keys and values are what is wanted.
    None,
    /// Logits of the gathered rows, and a token from each; with penalties, the logits are changed before they are ranked.
    Sample {
        /// Whether logits are changed before they are ranked.
        penalties: bool,
    },
    /// Logits of the gathered rows.
    Logits,
    /// The weights of the observed heads of the cross-attention.
    Attention,
}

/// Everything that changes a plan's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanKey {
    /// The most rows that it runs.
    pub rows: usize,
    /// The most rows that get logits.
    pub logit_rows: usize,
    /// The result that is computed from them.
    pub output: Output,
    /// The adapter whose corrections it applies.
    pub adapter: Option<AdapterId>,
    /// Chunks of keys in the attention of a single row; 1 unless keys are many.
    pub key_chunks: usize,
    /// Some of its rows stand for pictures or sounds.
    pub media: bool,
}

/// The smallest of `sizes` that holds `n`.
fn smallest(sizes: &[usize], n: usize) -> usize {
    *sizes.iter().find(|&&most| most >= n).expect("no more than the largest")
}

/// Row count of the plan for `prompt` rows of prompts and `single` newest tokens of other sequences.
pub fn plan_rows(prompt: usize, single: usize) -> usize {
    match prompt + single {
        1 => 1,
        rows if prompt > 0 => smallest(&CHUNKS, rows),
        rows => smallest(&SINGLE_ROWS, rows),
    }
}

/// Logit rows of the plan in which `gathered` of `rows` rows get logits.
pub fn plan_logit_rows(output: Output, rows: usize, gathered: usize) -> usize {
    match output {
        Output::Logits => rows.min(LOGIT_ROWS),
        Output::None | Output::Attention => 1,
        Output::Sample { .. } => smallest(&SINGLE_ROWS, gathered.max(1)).min(LOGIT_ROWS),
    }
}

/// Into how many chunks attention cuts the keys in a plan for `rows` rows, the last of which attends to `keys` of `context`
/// positions.
pub fn key_chunks(device: &Device, rows: usize, keys: usize, context: usize) -> usize {
    // The CPU executor has no use for more workgroups.
    let split = rows == 1 && keys > SPLIT_ABOVE && !device.is_cpu();
    if split { context.div_ceil(SPLIT_ABOVE).min(MOST_CHUNKS) } else { 1 }
}

/// Plans, compiled and being compiled.
#[derive(Default)]
pub struct Plans {
    ready: HashMap<PlanKey, Compiled>,
    compiling: Vec<(PlanKey, Compiling)>,
    /// By rows, the plan that ran last for a chunk of a prompt.
    chunks: HashMap<usize, PlanKey>,
}

impl Plans {
    /// Whether the plan is compiled or being compiled.
    pub fn has(&self, key: PlanKey) -> bool {
        self.ready.contains_key(&key) || self.compiling.iter().any(|(other, _)| *other == key)
    }

    /// Begins to compile a plan.
    pub fn begin(&mut self, device: &Device, key: PlanKey, plan: Plan) {
        self.compiling.push((key, device.begin_compile(plan)));
    }

    /// Waits for a plan if it is being compiled.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn finish(&mut self, device: &Device, key: PlanKey) -> Result<()> {
        if let Some(at) = self.compiling.iter().position(|(other, _)| *other == key) {
            let (_, compiling) = self.compiling.swap_remove(at);
            self.ready.insert(key, device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    /// Waits for all plans that are being compiled.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn finish_all(&mut self, device: &Device) -> Result<()> {
        for (key, compiling) in std::mem::take(&mut self.compiling) {
            self.ready.insert(key, device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    /// A compiled plan. Panics if it is not compiled yet.
    pub fn get(&self, key: PlanKey) -> &Compiled {
        &self.ready[&key]
    }

    /// Drops all plans.
    pub fn clear(&mut self) {
        *self = Plans::default();
    }

    /// Drops the plans with an adapter.
    pub fn remove_adapter(&mut self, id: AdapterId) {
        self.ready.retain(|key, _| key.adapter != Some(id));
        self.compiling.retain(|(key, _)| key.adapter != Some(id));
    }

    /// Notes that a chunk of a prompt runs in this plan: the time it takes bounds the rows of the next chunk.
    pub fn note_chunk(&mut self, key: PlanKey) {
        self.chunks.insert(key.rows, key);
    }

    /// The most rows that the next chunk of a prompt may have, so that a layer's part of a run is no long submit. The first
    /// chunk after loading is a small one, and the time it takes bounds the next.
    pub fn chunk_rows(&self, device: &Device, layers: usize) -> usize {
        let [smallest, others @ ..] = CHUNKS;
        if device.is_cpu() {
            return MOST_ROWS;
        }
        let seconds = |rows| device.seconds(self.ready.get(self.chunks.get(&rows)?)?);
        let mut chosen = smallest;
        let Some(mut known) = seconds(chosen).map(|seconds| seconds / chosen as f64) else { return chosen };
        for rows in others {
            // Many rows take less time each than few do, so this is an upper bound; it is also newer than a time that was too
            // long, since then fewer rows have been run.
            let foreseen = known * rows as f64;
            let (run, most) = match seconds(rows) {
                Some(measured) => (foreseen.min(measured), 2.0 * TARGET), // a layer's longest dispatch is half of it
                None => (foreseen, LIMIT),
            };
            if run / layers as f64 > most {
                break;
            }
            chosen = rows;
            known = seconds(rows).map_or(known, |seconds| seconds / rows as f64);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_plan_that_holds_the_rows() {
        let of_prompts = [1, 2, 16, 17, 65, 256].map(|rows| plan_rows(rows, 0));
        assert_eq!(of_prompts, [1, 16, 16, 64, 256, 256]);
        assert_eq!([1, 2, 4, 5, 17].map(|rows| plan_rows(0, rows)), [1, 4, 4, 16, 64]);
        assert_eq!((plan_rows(1, 1), plan_rows(15, 2)), (16, 64));
        let sampled = Output::Sample { penalties: false };
        assert_eq!([1, 2, 5].map(|n| plan_logit_rows(sampled, 256, n)), [1, 4, 16]);
        assert_eq!([1, 16, 256].map(|rows| plan_logit_rows(Output::Logits, rows, 1)), [1, 16, 64]);
    }
}
