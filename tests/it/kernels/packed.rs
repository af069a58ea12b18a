//! Products of bytes: x rounded to 8 bits times the codes of quantised weights, held to twins that round in the same way.

use super::bench::{Bench, Output, Setting, Tolerance, check};
use cresset::device::{MatmulShape, MatvecShape, Reduce, TileFormat};
use cresset::ops::{Activation, Epilogue, LogitEpilogue, Prologue, gated, linear, lm_head, matvec};
use cresset::quant::Format;

const TILES: [MatmulShape; 2] =
    [MatmulShape { tall: 4, numbers: TileFormat::Packed }, MatmulShape { tall: 8, numbers: TileFormat::Packed }];

/// Each way to reduce across lanes, where there are subgroups.
fn shapes(bench: &Bench) -> Vec<MatvecShape> {
    let shape = |lanes, outputs, reduce| MatvecShape { lanes, outputs, reduce, packed: true };
    let mut shapes = vec![shape(1, 4, Reduce::Alone), shape(16, 4, Reduce::Workgroup)];
    if bench.has("subgroups") {
        shapes.push(shape(8, 2, Reduce::Subgroup));
    }
    shapes
}

fn quantised() -> impl Iterator<Item = (usize, Format)> {
    Format::ALL.iter().copied().filter(|format| format.is_quantized()).enumerate()
}

#[test]
fn tiles() {
    let mut bench = Bench::open();
    let alone = shapes(&bench)[0];
    for (i, format) in quantised() {
        bench.tune(alone, TILES[i % 2]);
        // One block, an odd number of them, several super-blocks; around the tiles of 32 and 64 rows.
        for (t, n, k, pieces) in [(5, 1, 32, 1), (33, 65, 96, 2), (32, 63, 256, 1), (70, 130, 1280, 3)] {
            if format.row_bytes(k).is_none() {
                continue;
            }
            let what = format!("{} {t} × {n} × {k} in {:?}", format.name(), TILES[i % 2]);
            let tolerance = Tolerance::sum(k, 1.0).of_bytes(k, 1.0);
            check(&mut bench, &what, &Setting::rows(t, t - 1), tolerance, |case| {
                let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                let weight = case.weight(format, n, k, pieces);
                let values = case.randoms(n);
                let epilogue = Epilogue { bias: Some(case.floats(&values)), accumulate: t == 5, scale: -0.5 };
                linear(&mut case.pass, &x, &weight, epilogue, &y);
                vec![Output::Rows { tensor: y, used: t - 1 }]
            });
        }
    }
}

/// Projections of few rows that share their input and norm, in two formats.
#[test]
fn few_rows() {
    let mut bench = Bench::open();
    let shapes = shapes(&bench);
    let formats: Vec<Format> = quantised().map(|(_, format)| format).collect();
    for (i, format) in quantised() {
        let other = formats[(i + 4) % formats.len()];
        bench.tune(shapes[i % shapes.len()], TILES[0]);
        for (t, k, outputs) in [(1, 32, [5, 3]), (1, 288, [70, 9]), (3, 256, [33, 64]), (4, 768, [65, 1])] {
            if format.row_bytes(k).is_none() || other.row_bytes(k).is_none() {
                continue;
            }
            let norm = t != 3;
            let what = format!("{} and {} {t} × {outputs:?} × {k}", format.name(), other.name());
            let tolerance = Tolerance::sum(k, 4.0).of_bytes(k, 4.0);
            check(&mut bench, &what, &Setting::rows(t, t.max(2) - 1), tolerance, |case| {
                let n: usize = outputs.iter().sum();
                let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                let weights = [case.weight(format, outputs[0], k, 1), case.weight(other, outputs[1], k, 1)];
                let norms = case.randoms(k.next_multiple_of(4));
                let norm = norm.then(|| Prologue { weight: case.floats(&norms), epsilon: 1e-3 });
                matvec(&mut case.pass, &x, norm, &[&weights[0], &weights[1]], Epilogue::default(), &y);
                vec![Output::Rows { tensor: y, used: t.max(2) - 1 }]
            });
        }
    }
}

/// Gate and up in pairs of rows; and the vocabulary, whose best candidates come from the same sums.
#[test]
fn gates_and_logits() {
    let mut bench = Bench::open();
    let shapes = shapes(&bench);
    for format in [Format::Q8_0, Format::Q4_0, Format::Q4_K, Format::Q6_K] {
        for &shape in &shapes {
            bench.tune(shape, TILES[0]);
            let (t, k, n) = (2, 512, 70);
            // Two sums times each other.
            let tolerance = Tolerance::new(1e-4, 2e-5).of_bytes(k, 4.0);
            check(
                &mut bench,
                &format!("gated {}, {shape:?}", format.name()),
                &Setting::rows(t, t),
                tolerance,
                |case| {
                    let (x, y) = (case.tensor_of(t, k, 0.1), case.tensor(t, n));
                    let weights = case.weights_together(format, &[n, n], k);
                    gated(&mut case.pass, &x, None, [&weights[0], &weights[1]], None, Activation::Silu, &y);
                    vec![Output::Rows { tensor: y, used: t }]
                },
            );
            let setting = Setting::slots(&[3], &[1], 32, 16);
            let tolerance = Tolerance::sum(k, 4.0).of_bytes(k, 4.0);
            check(&mut bench, &format!("lm_head {}, {shape:?}", format.name()), &setting, tolerance, |case| {
                let (x, logits) = (case.tensor(1, k), case.tensor(1, 300));
                let weight = case.weight(format, 300, k, 2);
                let (norms, own) = (case.randoms(k), case.floats(&vec![0.0; 300]));
                let norm = Prologue { weight: case.floats(&norms), epsilon: 1e-3 };
                case.pass.logit_rows = true;
                let epilogue = LogitEpilogue { bias: None, scale: 1.0, cap: None };
                lm_head(&mut case.pass, &x, Some(norm), &weight, epilogue, own, &logits).expect("room");
                vec![Output::Rows { tensor: logits, used: 1 }]
            });
        }
    }
}
