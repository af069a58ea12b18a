//! Kernels that read weights: matvec, matmul, embed; all formats.

use crate::bench::{Bench, Output, Setting, Tolerance, check};
use cresset::device::{FROM_STATE, Row};
use cresset::ops::{By, Epilogue, embed, linear};
use cresset::quant::Format;

/// (rows, outputs, columns, pieces of the weight): around 4 rows (matvec's most), 32 × 64 (matmul's tile), 64 threads.
const SHAPES: [(usize, usize, usize, usize); 18] = [
    (1, 1, 32, 1),
    (1, 63, 64, 1),
    (1, 65, 96, 2),
    (1, 257, 1056, 3),
    (2, 64, 288, 1),
    (3, 33, 32, 1),
    (4, 130, 544, 2),
    (5, 1, 32, 1),
    (5, 64, 64, 1),
    (31, 63, 96, 1),
    (32, 64, 128, 1),
    (33, 65, 160, 2),
    (70, 200, 256, 3),
    // Columns that are no whole number of device blocks; for formats that have none of their own.
    (1, 5, 1, 1),
    (2, 65, 33, 2),
    (4, 7, 31, 1),
    (5, 66, 7, 1),
    (33, 65, 100, 2),
];

fn linear_grid(format: Format, software: bool) {
    let mut bench = Bench::open();
    if let Some(gpu) = &mut bench.gpu {
        gpu.info_mut().software = software;
    }
    for (t, n, k, pieces) in SHAPES {
        if format.row_bytes(k).is_none() {
            continue;
        }
        for (bias, accumulate) in [(false, false), (true, false), (false, true), (true, true)] {
            for used in [t, t - 1] {
                let what = format!("{} {used} of {t} × {n} × {k}, {bias} {accumulate}", format.name());
                let setting = Setting::rows(t, used);
                check(&mut bench, &what, &setting, Tolerance::sum(k, 1.0), |case| {
                    let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                    let weight = case.weight(format, n, k, pieces);
                    let values = case.randoms(n);
                    let bias = bias.then(|| case.floats(&values));
                    let epilogue = Epilogue { bias, accumulate, scale: if used == t { 1.0 } else { -0.5 } };
                    linear(&mut case.pass, &x, &weight, epilogue, &y);
                    vec![Output::Rows { tensor: y, used }]
                });
            }
        }
    }
}

#[test]
fn linear_f32() {
    linear_grid(Format::F32, true);
}

#[test]
fn linear_f16() {
    linear_grid(Format::F16, true);
}

#[test]
fn linear_bf16() {
    linear_grid(Format::BF16, true);
}

#[test]
fn linear_blocks() {
    let whole = [Format::F32, Format::F16, Format::BF16];
    for format in Format::ALL.iter().filter(|f| !whole.contains(f)) {
        linear_grid(*format, true);
    }
}

/// As graphics cards run it: several threads share an output of the matvec.
#[test]
fn linear_lanes() {
    linear_grid(Format::F32, false);
    linear_grid(Format::Q4_0, false);
}

#[test]
fn linear_large() {
    let mut bench = Bench::open();
    for (t, n, k) in [(1, 1000, 4096), (64, 260, 1024)] {
        for &format in Format::ALL {
            let what = format!("{} {t} × {n} × {k}", format.name());
            check(&mut bench, &what, &Setting::rows(t, t), Tolerance::sum(k, 1.0), |case| {
                let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                let weight = case.weight(format, n, k, 1);
                linear(&mut case.pass, &x, &weight, Epilogue::default(), &y);
                vec![Output::Rows { tensor: y, used: t }]
            });
        }
    }
}

/// Logits are computed for the gathered rows only.
#[test]
fn linear_counts_logit_rows() {
    let mut bench = Bench::open();
    for (t, used) in [(3, 1), (9, 2)] {
        let mut setting = Setting::rows(t, t);
        setting.gather.truncate(used);
        check(&mut bench, "logit rows", &setting, Tolerance::sum(64, 1.0), |case| {
            let (x, y) = (case.tensor(t, 64), case.tensor(t, 70));
            let weight = case.weight(Format::F32, 70, 64, 1);
            case.pass.logit_rows = true;
            linear(&mut case.pass, &x, &weight, Epilogue::default(), &y);
            vec![Output::Rows { tensor: y, used }]
        });
    }
}

#[test]
fn embed_grid() {
    let mut bench = Bench::open();
    for &format in Format::ALL {
        for columns in [1, 7, 8, 9, 31, 32, 33, 64, 512, 544, 2080] {
            if format.row_bytes(columns).is_none() {
                continue;
            }
            for by in [By::Token, By::Position] {
                // The last row lies past the context: its token is looked up, its id goes nowhere.
                let mut setting = Setting::slots(&[0, 3, 9, 31, 32], &[5, 0, 39, 20, 7], 32, 16);
                setting.layout.rows += 1;
                let what = format!("embed {} {columns} {by:?}", format.name());
                // A product of two numbers at most, and a sum; multiply-add may round once or twice.
                check(&mut bench, &what, &setting, Tolerance::ROUNDING, |case| {
                    let table = case.weight(format, 40, columns, 3);
                    let x = case.tensor(6, columns);
                    embed(&mut case.pass, &table, by, 1.5, &x);
                    vec![Output::Rows { tensor: x, used: 5 }]
                });
            }
        }
    }
}

/// The embedding of tokens leaves them in the slots' histories, at their positions.
#[test]
fn embed_keeps_history() {
    let mut setting = Setting::rows(4, 3);
    setting.layout.slots = 2;
    setting.rows = vec![
        Row { slot: 1, position: 8, token: 3 },
        Row { slot: 1, position: 9, token: 1 },
        Row { slot: 0, position: 0, token: FROM_STATE },
    ];
    setting.state = vec![2, 5, 0, 0];
    let context = setting.layout.context;
    let ran = check(&mut Bench::open(), "history", &setting, Tolerance::EXACT, |case| {
        let table = case.weight(Format::F32, 4, 8, 1);
        let x = case.tensor(4, 8);
        embed(&mut case.pass, &table, By::Token, 1.0, &x);
        vec![Output::Rows { tensor: x, used: 3 }]
    });
    let mut want = vec![0; 2 * (4 + context)];
    want[..2].copy_from_slice(&[2, 5]);
    want[8 + 5] = 2;
    want[8 + context + 8..][..2].copy_from_slice(&[3, 1]);
    assert_eq!(ran.state[..want.len()], want);
}
