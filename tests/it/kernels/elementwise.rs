//! Kernels that work row by row: norms, activations, add, gather.

use super::bench::{Bench, Case, Output, Setting, Tolerance, check, close};
use cresset::device::Tensor;
use cresset::ops::{
    Activation, Normalisation, activation, add, average, gather, layer_norm, media, multiply_add, rms_norm, soft_cap,
    stream,
};

/// Around the vec4 and the 64 threads of a workgroup.
const COLUMNS: [usize; 12] = [1, 2, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1027];

/// (rows of the plan, rows in use).
const ROWS: [(usize, usize); 5] = [(1, 1), (2, 1), (5, 3), (17, 17), (64, 63)];

/// Every shape, with rows in use counted as rows and as logit rows.
fn grid(what: &str, tolerance: Tolerance, record: impl Fn(&mut Case, usize, usize) -> Tensor) {
    let mut bench = Bench::open();
    for (rows, used) in ROWS {
        for columns in COLUMNS {
            for logit_rows in [false, true] {
                let mut setting = Setting::rows(rows, used);
                if logit_rows {
                    // As many rows are in use as there are, but only `used` get logits.
                    setting.rows = Setting::rows(rows, rows).rows;
                }
                let what = format!("{what} {used} of {rows} × {columns}, logit rows: {logit_rows}");
                check(&mut bench, &what, &setting, tolerance, |case| {
                    case.pass.logit_rows = logit_rows;
                    vec![Output::Rows { tensor: record(case, rows, columns), used }]
                });
            }
        }
    }
}

#[test]
fn rms_norm_grid() {
    // A mean of up to 1027 squares, a root, two products.
    grid("rms_norm", Tolerance::new(2e-6, 4e-6), |case, rows, columns| {
        let (x, y) = (case.tensor_of(rows, columns, 3.0), case.tensor(rows, columns));
        let weight = case.randoms(columns);
        let weight = case.floats(&weight);
        rms_norm(&mut case.pass, &x, weight, Normalisation::rows(1e-5), &y);
        y
    });
}

#[test]
fn layer_norm_grid() {
    // Two means of up to 1027 numbers; the deviations are small where a row is short, so ε keeps the scale moderate.
    grid("layer_norm", Tolerance::new(5e-6, 5e-6), |case, rows, columns| {
        let (x, y) = (case.tensor_of(rows, columns, 3.0), case.tensor(rows, columns));
        let (weight, bias) = (case.randoms(columns), case.randoms(columns));
        let (weight, bias) = (case.floats(&weight), case.floats(&bias));
        layer_norm(&mut case.pass, &x, weight, Some(bias), Normalisation::rows(1e-3), &y);
        y
    });
}

/// Heads by themselves, with weights in common or of their own, and sublayers that add their norm to the residual.
#[test]
fn grouped_norms() {
    for groups in [1, 3, 8] {
        for (weight_per_group, accumulate) in [(false, false), (true, false), (false, true), (true, true)] {
            let what = format!("norms of {groups} groups, own weights: {weight_per_group}, accumulate: {accumulate}");
            let tolerance = Tolerance::new(5e-6, 5e-6);
            for layer in [false, true] {
                grid(&what, tolerance, |case, rows, columns| {
                    let how = Normalisation { epsilon: 1e-3, groups, weight_per_group, accumulate };
                    let (x, y) = (case.tensor_of(rows, groups * columns, 3.0), case.tensor(rows, groups * columns));
                    let weight = case.randoms(columns * if weight_per_group { groups } else { 1 });
                    let weight = case.floats(&weight);
                    match layer {
                        true => layer_norm(&mut case.pass, &x, weight, None, how, &y),
                        false => rms_norm(&mut case.pass, &x, weight, how, &y),
                    }
                    y
                });
            }
        }
    }
}

#[test]
fn soft_cap_grid() {
    // WGSL allows tanh an error of a few units in the sixth digit.
    grid("soft_cap", Tolerance::new(3e-5, 1e-5), |case, rows, columns| {
        let x = case.tensor_of(rows, columns, 20.0);
        soft_cap(&mut case.pass, &x, 5.0);
        x
    });
}

#[test]
fn soft_cap_of_extremes() {
    let row = vec![0.0, 1e-3, 30.0, -30.0, 1e4, -1e4, 3e38, -3e38];
    let tolerance = Tolerance::new(1e-5, 1e-5);
    let ran = check(&mut Bench::open(), "soft_cap", &Setting::rows(1, 1), tolerance, |case| {
        let x = case.tensor_with(std::slice::from_ref(&row));
        soft_cap(&mut case.pass, &x, 30.0);
        vec![Output::Rows { tensor: x, used: 1 }]
    });
    let one = 30.0 * 1f32.tanh();
    close(ran.row(0, 0), &[0.0, 1e-3, one, -one, 30.0, -30.0, 30.0, -30.0], tolerance, "soft_cap");
}

#[test]
fn layer_norm_does_not_cancel() {
    // Mean 1000, deviation 1: mean(x²) − mean² would have lost three digits.
    let row: Vec<f32> = (0..256).map(|i| 1000.0 + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let ran = check(&mut Bench::open(), "large mean", &Setting::rows(1, 1), Tolerance::ROUNDING, |case| {
        let (x, y) = (case.tensor_with(std::slice::from_ref(&row)), case.tensor(1, 256));
        let (weight, bias) = (case.floats(&[1.0; 256]), case.floats(&[0.0; 256]));
        layer_norm(&mut case.pass, &x, weight, Some(bias), Normalisation::rows(0.0), &y);
        vec![Output::Rows { tensor: y, used: 1 }]
    });
    let want: Vec<f32> = row.iter().map(|x| x - 1000.0).collect();
    close(ran.row(0, 0), &want, Tolerance::ROUNDING, "large mean");
}

#[test]
fn activation_grid() {
    for kind in Activation::ALL {
        for gated in [false, true] {
            // WGSL allows exp and tanh an error of a few units in the sixth digit.
            let tolerance = Tolerance::new(1e-5, 1e-5);
            grid(&format!("{kind:?}, gated: {gated}"), tolerance, |case, rows, columns| {
                let (gate, up) = (case.tensor_of(rows, columns, 6.0), case.tensor(rows, columns));
                let y = case.tensor(rows, columns);
                activation(&mut case.pass, &gate, gated.then_some(&up), kind, &y);
                y
            });
        }
    }
}

#[test]
fn activations_of_extremes() {
    let row = vec![0.0, -0.0, 1e-30, 20.0, -20.0, 89.0, -89.0, 1e4, -1e4, 1e15, -1e15, 1e30, -1e30];
    let mut bench = Bench::open();
    for kind in Activation::ALL {
        let tolerance = Tolerance::new(1e-6, 1e-6);
        let ran = check(&mut bench, &format!("{kind:?}"), &Setting::rows(1, 1), tolerance, |case| {
            let (gate, y) = (case.tensor_with(std::slice::from_ref(&row)), case.tensor(1, row.len()));
            activation(&mut case.pass, &gate, None, kind, &y);
            vec![Output::Rows { tensor: y, used: 1 }]
        });
        // Far from zero all of them are max(x, 0).
        let want: Vec<f32> = row.iter().map(|x| x.max(0.0)).collect();
        close(ran.row(0, 0), &want, tolerance, &format!("{kind:?}"));
    }
}

#[test]
fn add_grid() {
    grid("add", Tolerance::EXACT, |case, rows, columns| {
        let (x, y) = (case.tensor(rows, columns), case.tensor(rows, columns));
        add(&mut case.pass, &x, &y);
        y
    });
}

#[test]
fn gather_grid() {
    let mut bench = Bench::open();
    for columns in COLUMNS {
        for gathered in [vec![0], vec![6], vec![6, 0, 3, 3]] {
            let mut setting = Setting::rows(7, 7);
            setting.gather = gathered.clone();
            let used = gathered.len();
            let ran = check(&mut bench, &format!("gather {columns}"), &setting, Tolerance::EXACT, |case| {
                let (x, y) = (case.tensor(7, columns), case.tensor(5, columns));
                gather(&mut case.pass, &x, &y);
                vec![Output::Rows { tensor: y, used }, Output::Rows { tensor: x, used: 7 }]
            });
            for (i, &from) in gathered.iter().enumerate() {
                assert_eq!(ran.row(0, i), ran.row(1, from as usize));
            }
        }
    }
}

#[test]
fn average_grid() {
    for n in [1, 2, 9, 16] {
        grid(&format!("average of {n}"), Tolerance::sum(n, 1.0), |case, rows, columns| {
            case.pass.logit_rows = true;
            let (x, y) = (case.tensor(rows * n, columns), case.tensor(rows, columns));
            average(&mut case.pass, &x, &y);
            y
        });
    }
}

/// Rows that stand for pictures come from elsewhere, all others stay.
#[test]
fn media_grid() {
    let mut bench = Bench::open();
    for columns in COLUMNS {
        for (used, from) in [(7, 2..5), (4, 0..4), (7, 3..3)] {
            let setting = Setting { media: from.clone(), ..Setting::rows(7, used) };
            let ran = check(&mut bench, &format!("media {columns}"), &setting, Tolerance::EXACT, |case| {
                let (x, y) = (case.tensor(7, columns), case.tensor(7, columns));
                media(&mut case.pass, y.buffer, &x);
                vec![Output::Rows { tensor: x, used }, Output::Rows { tensor: y, used: 7 }]
            });
            for i in 0..used {
                assert_eq!(ran.row(0, i) == ran.row(1, i), from.contains(&i), "row {i} of {columns}");
            }
        }
    }
}

/// The yardsticks: every word is read, once, and every chain has its length.
#[test]
fn yardsticks_grid() {
    let mut bench = Bench::open();
    for threads in [1, 63, 64, 65, 300] {
        for words4 in [1, 64, 299, 1000] {
            check(
                &mut bench,
                &format!("stream {words4} by {threads}"),
                &Setting::rows(1, 1),
                Tolerance::EXACT,
                |case| {
                    let x: Vec<u32> = case.randoms(4 * words4).iter().map(|x| x.to_bits()).collect();
                    let (x, y) = (case.buffer(bytemuck::cast_slice(&x)), case.floats(&vec![0.0; threads]));
                    stream(&mut case.pass, x, 16 * words4 as u64, threads, y);
                    vec![Output::Words { buffer: y, count: threads }]
                },
            );
        }
        for rounds in [0, 1, 7] {
            let what = format!("multiply_add {rounds} by {threads}");
            check(&mut bench, &what, &Setting::rows(1, 1), Tolerance::new(0.0, 1e-5), |case| {
                let y = case.tensor(1, threads);
                multiply_add(&mut case.pass, rounds, threads, y.buffer);
                vec![Output::Rows { tensor: y, used: 1 }]
            });
        }
    }
}
