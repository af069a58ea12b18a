//! Dynamic time warping (Sakoe & Chiba 1978, <https://doi.org/10.1109/TASSP.1978.1163055>): the way through a matrix on which
//! neither rows nor columns go back, and whose sum is largest.

/// How the best way comes to a cell.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// From the row and the column before.
    Both,
    /// From the row before.
    Row,
    /// From the column before.
    Column,
}

/// The column at which the best way through `matrix` [rows, columns] enters each row. Both numbers are above 0.
pub fn entries(matrix: &[f32], columns: usize) -> Vec<usize> {
    let mut steps = Vec::with_capacity(matrix.len());
    // Sums to the cells of the row before, with one to the left of the first column.
    let mut before = vec![f32::NEG_INFINITY; columns + 1];
    before[0] = 0.0;
    for row in matrix.chunks_exact(columns) {
        let mut sums = vec![f32::NEG_INFINITY; columns + 1];
        for (j, value) in row.iter().enumerate() {
            let (both, up, left) = (before[j], before[j + 1], sums[j]);
            let (sum, step) = match () {
                () if both > up && both > left => (both, Step::Both),
                () if up > both && up > left => (up, Step::Row),
                () => (left, Step::Column),
            };
            sums[j + 1] = sum + value;
            steps.push(step);
        }
        before = sums;
    }
    let rows = matrix.len() / columns;
    let (mut i, mut j) = (rows - 1, columns - 1);
    let mut entered = vec![0; rows];
    loop {
        entered[i] = j;
        let step = match (i, j) {
            (0, 0) => return entered,
            (0, _) => Step::Column,
            (_, 0) => Step::Row,
            _ => steps[i * columns + j],
        };
        i -= usize::from(step != Step::Column);
        j -= usize::from(step != Step::Row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_follows_the_largest_numbers() {
        #[rustfmt::skip]
        let matrix = [
            5.0, 5.0, -1.0, -1.0, -1.0,
            -1.0, -1.0, 5.0, -1.0, -1.0,
            -1.0, -1.0, -1.0, 5.0, 5.0,
        ];
        assert_eq!(entries(&matrix, 5), [0, 2, 3]);
        assert_eq!(entries(&[1.0, -1.0, 4.0], 3), [0], "one row has all columns");
        assert_eq!(entries(&[1.0, -1.0, 4.0], 1), [0, 0, 0], "one column has all rows");
    }

    #[test]
    fn rows_share_a_column_where_there_are_more_of_them() {
        // 3 + 4 + 4 + 2 straight down and across beats the diagonals.
        #[rustfmt::skip]
        let matrix = [
            3.0, 0.0,
            4.0, -9.0,
            4.0, 2.0,
        ];
        assert_eq!(entries(&matrix, 2), [0, 0, 0]);
    }

    #[test]
    fn what_is_no_number_ends_too() {
        assert_eq!(entries(&[f32::NAN; 6], 3), [0, 0]);
        assert_eq!(entries(&[0.0; 6], 3).len(), 2, "ties");
    }
}
