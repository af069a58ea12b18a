//! NaN and infinity that come of damaged weights stay what they are on every executor, where a maximum, a bound or a rounding
//! would make numbers of them: the answer's end is where they are noticed.

use super::bench::{Bench, Case, Output, Setting, run};
use cresset::device::{MatmulShape, MatvecShape, Reduce, Tensor, TileFormat};
use cresset::ops::{Activation, Epilogue, Pooling, activation, matmul, pool, route, soft_cap};
use cresset::quant::Format;

const ODD: [f32; 4] = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Runs a case on each executor. The second row has nothing odd, and nothing odd may come of it.
fn each(
    bench: &mut Bench,
    what: &str,
    setting: &Setting,
    record: impl Fn(&mut Case) -> Tensor,
    is_odd: fn(&[f32]) -> bool,
) {
    let devices = [Some(&mut bench.plain), Some(&mut bench.cpu), bench.gpu.as_mut()];
    for (i, device) in devices.into_iter().flatten().enumerate() {
        let ran = run(device, setting, |case| vec![Output::Rows { tensor: record(case), used: 2 }]);
        assert!(is_odd(ran.row(0, 0)), "{what}, device {i}: {:?}", ran.row(0, 0));
        assert!(!is_odd(ran.row(0, 1)), "{what}, device {i}, the other row: {:?}", ran.row(0, 1));
    }
}

fn any(row: &[f32]) -> bool {
    row.iter().any(|x| !x.is_finite())
}

/// Two rows of random numbers, `number` in the middle of the first.
fn rows(case: &mut Case, columns: usize, number: f32) -> Tensor {
    let mut rows = [case.randoms(columns), case.randoms(columns)];
    rows[0][columns / 2] = number;
    case.tensor_with(&rows)
}

#[test]
fn bounds_leave_them() {
    let mut bench = Bench::open();
    let setting = Setting::rows(2, 2);
    for number in ODD {
        each(
            &mut bench,
            &format!("soft_cap of {number}"),
            &setting,
            |case| {
                let x = rows(case, 9, number);
                soft_cap(&mut case.pass, &x, 5.0);
                x
            },
            any,
        );
        for kind in Activation::ALL {
            if kind == Activation::Relu && number == f32::NEG_INFINITY {
                continue; // of which it makes 0
            }
            each(
                &mut bench,
                &format!("{kind:?} of {number}"),
                &setting,
                |case| {
                    let (x, y) = (rows(case, 9, number), case.tensor(2, 9));
                    activation(&mut case.pass, &x, None, kind, &y);
                    y
                },
                any,
            );
        }
    }
}

#[test]
fn maxima_leave_them() {
    let mut bench = Bench::open();
    for number in ODD {
        // The odd number is the sequence's first, second and last; -∞ is a maximum of nothing.
        for at in (0..3).filter(|_| number != f32::NEG_INFINITY) {
            let setting = Setting::sequences(&[3, 1], 4);
            each(
                &mut bench,
                &format!("pool of {number}"),
                &setting,
                |case| {
                    let mut rows = [case.randoms(5), case.randoms(5), case.randoms(5), case.randoms(5)];
                    rows[at] = vec![number; 5];
                    let (x, y) = (case.tensor_with(&rows), case.tensor(3, 5));
                    pool(&mut case.pass, &x, Pooling::Max, false, &y);
                    y
                },
                any,
            );
        }
        for experts in [3, 64, 70] {
            each(
                &mut bench,
                &format!("route of {number}"),
                &Setting::rows(2, 2),
                |case| {
                    let (logits, routes) = (rows(case, experts, number), case.tensor(2, 4));
                    route(&mut case.pass, &logits, 2, true, &routes);
                    routes
                },
                |row| row[2..].iter().all(|weight| weight.is_nan()),
            );
        }
    }
}

/// Tiles of f16 numbers, whose range is small, and of bytes, which have none to spare.
#[test]
fn tiles_leave_them() {
    let mut bench = Bench::open();
    let matvec = MatvecShape { lanes: 1, outputs: 4, reduce: Reduce::Alone, packed: false };
    let packed = MatmulShape { tall: 4, numbers: TileFormat::Packed };
    for shape in bench.matmul_shapes().into_iter().chain([packed]) {
        bench.tune(matvec, shape);
        for number in ODD {
            each(
                &mut bench,
                &format!("{shape:?} of {number}"),
                &Setting::rows(2, 2),
                |case| {
                    let (x, y) = (rows(case, 64, number), case.tensor(2, 8));
                    let weight = case.weight(Format::Q8_0, 8, 64, 1);
                    matmul(&mut case.pass, &x, &weight, Epilogue::default(), &y);
                    y
                },
                any,
            );
        }
    }
}
