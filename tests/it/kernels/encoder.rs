//! Kernels that know whole sequences: bidirectional attention, pooling.

use super::bench::{Bench, Output, Setting, Tolerance, check};
use cresset::ops::{Pooling, bidirectional, pool};

/// Around the 64 keys of a tile; the plan has a few rows more than are in use.
const SEQUENCES: [&[usize]; 4] = [&[1], &[3, 1, 64], &[65, 2, 63], &[130]];

#[test]
fn bidirectional_grid() {
    let mut bench = Bench::open();
    for lengths in SEQUENCES {
        let used: usize = lengths.iter().sum();
        let setting = Setting::sequences(lengths, used + 3);
        for (n_heads, head_dim) in [(1, 4), (3, 20), (2, 64), (12, 32), (1, 256)] {
            for window in [None, Some(0), Some(1), Some(40), Some(64)] {
                let scale = 1.0 / (head_dim as f32).sqrt();
                let what = format!("bidirectional {lengths:?} {n_heads} × {head_dim}, {window:?}");
                check(&mut bench, &what, &setting, Tolerance::new(5e-6, 5e-6), |case| {
                    let [q, k, v, y] = std::array::from_fn(|_| case.tensor(used + 3, n_heads * head_dim));
                    bidirectional(&mut case.pass, [&q, &k, &v], n_heads, scale, window, &y);
                    vec![Output::Rows { tensor: y, used }]
                });
            }
        }
    }
}

/// More rows than a dispatch takes, and one in which none is in use.
#[test]
fn bidirectional_in_several_dispatches() {
    let mut bench = Bench::open();
    for (lengths, rows) in [(&[700, 600][..], 1303), (&[1024], 1025), (&[5], 3000)] {
        let used = lengths.iter().sum();
        let what = format!("bidirectional {lengths:?} of {rows}");
        check(&mut bench, &what, &Setting::sequences(lengths, rows), Tolerance::new(5e-6, 5e-6), |case| {
            let [q, k, v, y] = std::array::from_fn(|_| case.tensor(rows, 32));
            bidirectional(&mut case.pass, [&q, &k, &v], 1, 0.2, None, &y);
            vec![Output::Rows { tensor: y, used }]
        });
    }
}

#[test]
fn pool_grid() {
    let mut bench = Bench::open();
    for lengths in SEQUENCES {
        let rows = lengths.iter().sum::<usize>() + 3;
        for columns in [1, 3, 64, 65, 384] {
            for (pooling, normalize) in Pooling::ALL.into_iter().zip([true, false, true, false, false]) {
                let what = format!("pool {lengths:?} × {columns}, {pooling:?}");
                let setting = Setting::sequences(lengths, rows);
                check(&mut bench, &what, &setting, Tolerance::new(2e-6, 4e-6), |case| {
                    let (x, y) = (case.tensor(rows, columns), case.tensor(lengths.len() + 1, columns));
                    pool(&mut case.pass, &x, pooling, normalize, &y);
                    vec![Output::Rows { tensor: y, used: lengths.len() }]
                });
            }
        }
    }
}
