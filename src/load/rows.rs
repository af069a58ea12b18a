//! Rows of a matrix: the parts of fused projections, and the order in which GGUF's converter writes them.

use super::Shape;
use std::ops::Range;

/// Rows of a matrix, as runs that follow each other.
pub type Rows = Vec<Range<usize>>;

/// How many rows there are.
pub fn count(rows: &Rows) -> usize {
    rows.iter().map(Range::len).sum()
}

/// `counts` rows after each other: how most files keep several projections as one.
pub fn consecutive<const N: usize>(counts: [usize; N]) -> [Rows; N] {
    let mut end = 0;
    counts.map(|n| {
        end += n;
        vec![end - n..end]
    })
}

/// For GGUF's rows of the projection of our name, Hugging Face's, in GGUF's order; `None` where they are the same.
pub type RowOrder = fn(&Shape, &str) -> Option<Vec<usize>>;

/// Llama's family: the converter interleaves the two halves of each head's queries and keys.
pub fn interleaved_halves(shape: &Shape, name: &str) -> Option<Vec<usize>> {
    let heads = match name {
        "attn.q" => shape.n_heads,
        "attn.k" => shape.n_kv_heads,
        _ => return None,
    };
    let (d, half) = (shape.head_dim, shape.head_dim / 2);
    Some((0..heads * d).map(|row| row / d * d + row % 2 * half + row % d / 2).collect())
}
