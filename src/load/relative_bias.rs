//! T5's biases by distance (Raffel et al. 2020, section 2.1, <https://arxiv.org/abs/1910.10683>): a file has a number for each
//! bucket of distances and each head; kernels read one for each distance.

use super::loader::Loader;
use crate::error::Result;
use crate::ops::RelativeBias;

/// How distances fall into buckets.
#[derive(Debug, Clone, Copy)]
pub struct Buckets {
    /// How many there are.
    pub count: usize,
    /// Where distances begin to share the last one.
    pub most: usize,
    /// Half of them are for keys behind the query; otherwise those have the bucket of distance 0.
    pub both_sides: bool,
}

impl Buckets {
    /// The bucket of a key so far behind the query, or before it where the distance is negative: each of the nearest has its
    /// own, farther ones share them on a logarithmic scale.
    fn of(self, distance: isize) -> usize {
        let count = if self.both_sides { self.count / 2 } else { self.count };
        let first = if self.both_sides && distance > 0 { count } else { 0 };
        let far = if self.both_sides { distance.unsigned_abs() } else { (-distance).max(0) as usize };
        let own = count / 2;
        if far < own {
            return first + far;
        }
        let [far, own_f, most] = [far, own, self.most].map(|n| n as f32);
        let shared = (far / own_f).ln() / (most / own_f).ln() * (count - own) as f32;
        first + (own + shared as usize).min(count - 1)
    }
}

impl Loader<'_> {
    /// The tensor `name` [buckets, heads] as a table over all distances.
    ///
    /// # Errors
    /// Those of [`Loader`], and those of the file's source.
    pub async fn relative_bias(&mut self, name: &str, heads: usize, buckets: Buckets) -> Result<RelativeBias> {
        let numbers = self.values(name, 0, &[buckets.count, heads]).await?;
        let context = self.context;
        let of_buckets: Vec<usize> = (1 - context as isize..context as isize).map(|d| buckets.of(d)).collect();
        let row = |head: usize| of_buckets.iter().map(move |bucket| (*bucket, head));
        let table: Vec<f32> = (0..heads).flat_map(row).map(|(bucket, head)| numbers[bucket * heads + head]).collect();
        Ok(RelativeBias { table: self.computed_vector(name, &table)?, context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As transformers has them for 32 buckets up to 128.
    #[test]
    fn distances_fall_into_buckets() {
        let one_side = Buckets { count: 32, most: 128, both_sides: false };
        let both_sides = Buckets { both_sides: true, ..one_side };
        let before = [0, 1, 15, 16, 17, 31, 32, 64, 127, 128, 5000];
        assert_eq!(before.map(|d| one_side.of(-d)), [0, 1, 15, 16, 16, 21, 21, 26, 31, 31, 31]);
        assert_eq!(one_side.of(3), 0);
        assert_eq!(before.map(|d| both_sides.of(-d)), [0, 1, 9, 10, 10, 11, 12, 14, 15, 15, 15]);
        assert_eq!(before.map(|d| both_sides.of(d)), [0, 17, 25, 26, 26, 27, 28, 30, 31, 31, 31]);
    }
}
