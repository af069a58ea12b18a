//! A mixture of experts: the router's choice, and projections by the experts chosen.

use super::bench::{Bench, Case, Output, Setting, Tolerance, check};
use cresset::device::{MatmulShape, MatvecShape, Reduce, Tensor, TileFormat};
use cresset::ops::{Activation, expert_down, expert_gated, route};
use cresset::quant::Format;

#[test]
fn route_grid() {
    let mut bench = Bench::open();
    for (t, used) in [(1, 1), (5, 3), (64, 64)] {
        for (experts, top_k) in [(1, 1), (8, 2), (63, 3), (64, 8), (65, 65), (512, 32)] {
            for normalize in [false, true] {
                let what = format!("route {used} of {t}, {top_k} of {experts}, {normalize}");
                let ran = check(&mut bench, &what, &Setting::rows(t, used), Tolerance::EXACT, |case| {
                    // No two are near each other, so that every device chooses the same.
                    let rows: Vec<Vec<f32>> = (0..t)
                        .map(|r| (0..experts).map(|e| ((e * 37 + r * 11) % 521) as f32 * 0.03).collect())
                        .collect();
                    let (logits, routes) = (case.tensor_with(&rows), case.tensor(t, 2 * top_k));
                    route(&mut case.pass, &logits, top_k, normalize, &routes);
                    vec![Output::Routes { tensor: routes, used }]
                });
                for r in 0..used {
                    let weights = &ran.row(0, r)[top_k..];
                    assert!(weights.windows(2).all(|pair| pair[0] >= pair[1]), "{what}: the largest first");
                    let sum: f32 = weights.iter().sum();
                    assert!(!normalize && sum < 1.0 + 1e-5 || (sum - 1.0).abs() < 1e-5, "{what}: sum {sum}");
                }
            }
        }
    }
}

/// Of equals the lower number goes first.
#[test]
fn route_of_equals() {
    let ran = check(&mut Bench::open(), "equals", &Setting::rows(1, 1), Tolerance::EXACT, |case| {
        let (logits, routes) = (case.tensor_with(&[vec![0.5; 100]]), case.tensor(1, 10));
        route(&mut case.pass, &logits, 5, true, &routes);
        vec![Output::Routes { tensor: routes, used: 1 }]
    });
    let chosen: Vec<u32> = ran.row(0, 0)[..5].iter().map(|x| x.to_bits()).collect();
    assert_eq!(chosen, [0, 1, 2, 3, 4]);
}

/// Routes [T, 2K] that differ from row to row.
fn routes(case: &mut Case, t: usize, experts: usize, top_k: usize) -> Tensor {
    let row = |r: usize| {
        let ids = (0..top_k).map(|k| f32::from_bits(((r * 3 + k * 2) % experts) as u32));
        ids.chain((0..top_k).map(|k| 0.7 / (k + 1) as f32)).collect()
    };
    let rows: Vec<Vec<f32>> = (0..t).map(row).collect();
    case.tensor_with(&rows)
}

/// (rows, experts, experts a row, width, columns, pieces of the weights).
const SHAPES: [(usize, usize, usize, usize, usize, usize); 4] =
    [(1, 5, 2, 64, 256, 1), (3, 8, 3, 33, 512, 2), (17, 7, 1, 256, 256, 3), (5, 3, 2, 65, 33, 1)];

/// What is allowed for rounding x, beyond what products of numbers are.
type Rounding = fn(Tolerance, usize, f32) -> Tolerance;

fn each(run: impl Fn(&mut Bench, Format, (usize, usize, usize, usize, usize, usize), Rounding)) {
    let mut bench = Bench::open();
    let matmul = MatmulShape { tall: 4, numbers: TileFormat::F32 };
    for (i, matvec) in bench.matvec_shapes().into_iter().enumerate() {
        bench.tune(matvec, matmul);
        // Two ways for every format, the others for some.
        for &format in Format::ALL.iter().filter(|&&f| i % 3 == 0 || [Format::F32, Format::Q4_K].contains(&f)) {
            // Half of the shapes one way, half the next: most of the time goes into compiling.
            for shape in SHAPES.into_iter().skip(i / 3 % 2).step_by(2) {
                if format.row_bytes(shape.4).is_some() {
                    run(&mut bench, format, shape, |tolerance, _, _| tolerance);
                }
            }
        }
    }
    bench.tune(MatvecShape { lanes: 1, outputs: 4, reduce: Reduce::Alone, packed: true }, matmul);
    for shape in SHAPES.into_iter().filter(|shape| shape.4.is_multiple_of(256)) {
        run(&mut bench, Format::Q4_K, shape, Tolerance::of_bytes);
    }
}

#[test]
fn expert_gated_grid() {
    each(|bench, format, (t, experts, top_k, n, k, pieces), rounding| {
        let what = format!("expert_gated {} {t} × {top_k} of {experts} × {n} × {k}", format.name());
        let tolerance = Tolerance::new(2e-5 * (k as f32).sqrt(), 2e-5).rounded(&[format], k, 40.0);
        // Times another sum.
        let tolerance = rounding(tolerance, k, 4.0);
        check(bench, &what, &Setting::rows(t, t.max(2) - 1), tolerance, |case| {
            let (x, y) = (case.tensor_of(t, k, 0.3), case.tensor(t * top_k, n));
            let routes = routes(case, t, experts, top_k);
            let [gate, up] = std::array::from_fn(|_| case.experts(format, experts, n, k, pieces));
            expert_gated(&mut case.pass, &x, &routes, [&gate, &up], Activation::Silu, &y);
            vec![Output::Rows { tensor: y, used: (t.max(2) - 1) * top_k }]
        });
    });
}

#[test]
fn expert_down_grid() {
    each(|bench, format, (t, experts, top_k, n, k, pieces), rounding| {
        let what = format!("expert_down {} {t} × {top_k} of {experts} × {n} × {k}", format.name());
        let tolerance = Tolerance::sum(k * top_k, 1.0).rounded(&[format], k * top_k, 1.0);
        let tolerance = rounding(tolerance, k * top_k, 1.0);
        check(bench, &what, &Setting::rows(t, t.max(2) - 1), tolerance, |case| {
            let (x, y) = (case.tensor(t * top_k, k), case.tensor(t, n));
            let routes = routes(case, t, experts, top_k);
            let down = case.experts(format, experts, n, k, pieces);
            expert_down(&mut case.pass, &x, &routes, &down, &y);
            vec![Output::Rows { tensor: y, used: t.max(2) - 1 }]
        });
    });
}
