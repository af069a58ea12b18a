//! The patches of a picture, and the order in which an encoder gets them.

/// Patches of a prepared picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Pixels of a patch's edge.
    pub edge: usize,
    /// Rows of patches.
    pub rows: usize,
    /// Patches of a row.
    pub columns: usize,
    /// So many patches, in a square of this edge, become one token behind the encoder. They lie together: then that is no work
    /// (pixel shuffle, Shi et al. 2016, <https://arxiv.org/abs/1609.05158>).
    pub merge: usize,
}

impl Grid {
    /// Patches in all.
    pub fn patches(&self) -> usize {
        self.rows * self.columns
    }

    /// Row and column of the i-th patch: square by square, each row by row.
    pub fn place(&self, i: usize) -> [usize; 2] {
        let (square, within) = (i / (self.merge * self.merge), i % (self.merge * self.merge));
        let across = self.columns / self.merge;
        [square / across * self.merge + within / self.merge, square % across * self.merge + within % self.merge]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_lie_together() {
        let grid = |merge| Grid { edge: 1, rows: 2, columns: 4, merge };
        let places = |merge| (0..8).map(|i| grid(merge).place(i)).collect::<Vec<_>>();
        assert_eq!(places(1), [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [1, 2], [1, 3]]);
        assert_eq!(places(2), [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]);
    }
}
