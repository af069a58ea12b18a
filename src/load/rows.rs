//! Rows of a matrix: the parts of fused projections, and the order in which GGUF's converter writes them.

use super::{PerLayer, Shape};
use std::ops::Range;

/// Rows of a matrix, as runs that follow each other.
pub type RowRanges = Vec<Range<usize>>;

/// Rows that all follow each other.
pub fn one_run(run: Range<usize>) -> RowRanges {
    std::iter::once(run).collect()
}

/// How many rows there are.
pub fn count(rows: &RowRanges) -> usize {
    rows.iter().map(Range::len).sum()
}

/// `counts` rows after each other: how most files keep several projections as one.
pub fn consecutive<const N: usize>(counts: [usize; N]) -> [RowRanges; N] {
    let mut end = 0;
    counts.map(|n| {
        end += n;
        one_run(end - n..end)
    })
}

/// Queries, keys and values in turn for each of a layer's heads: how Hugging Face's GPT-NeoX keeps the three as one.
pub fn by_head(shape: &Shape, layer: usize) -> [RowRanges; 3] {
    let (n_heads, head_dim) = (shape.n_heads.at(layer), shape.head_dim);
    let rows = |part: usize| (0..n_heads).map(|h| (3 * h + part) * head_dim..(3 * h + part + 1) * head_dim).collect();
    [rows(0), rows(1), rows(2)]
}

/// In which order GGUF's converter writes the rows of projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// Hugging Face's.
    Same,
    /// The two halves of each head's queries and keys interleaved, so that neighbours turn together (llama's family).
    InterleavedHalves,
    /// Queries, keys and values one behind the other, which Hugging Face has in turn for each head (GPT-NeoX).
    QkvByHead,
}

impl RowOrder {
    /// For each of GGUF's rows of a layer's tensor of our name, Hugging Face's row; `None` where they are the same.
    pub fn rows(self, shape: &Shape, name: &str, layer: usize) -> Option<Vec<usize>> {
        let halves = |heads: &PerLayer| interleaved_halves(heads.at(layer), shape.head_dim);
        match (self, name) {
            (RowOrder::InterleavedHalves, "attn.q") => Some(halves(&shape.n_heads)),
            (RowOrder::InterleavedHalves, "attn.k") => Some(halves(&shape.n_kv_heads)),
            (RowOrder::QkvByHead, "attn.qkv") => Some(by_head(shape, layer).into_iter().flatten().flatten().collect()),
            _ => None,
        }
    }
}

fn interleaved_halves(heads: usize, head_dim: usize) -> Vec<usize> {
    let half = head_dim / 2;
    (0..heads * head_dim).map(|row| row / head_dim * head_dim + row % 2 * half + row % head_dim / 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head of eight shows which way round the permutation goes.
    #[test]
    fn halves_interleave() {
        assert_eq!(interleaved_halves(1, 8), [0, 4, 1, 5, 2, 6, 3, 7]);
    }
}
