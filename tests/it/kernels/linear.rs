//! Kernels that read weights: matvec, matmul, embed; all formats.

use super::bench::{Bench, Output, Setting, Tolerance, check, edits};
use crate::blocks::Blocks;
use cresset::device::{FROM_STATE, MatmulShape, Row, SamplingSlot, TileFormat, UnpackF16};
use cresset::ops::{Activation, By, Epilogue, LogitEpilogue, Prologue, embed, gated, linear, lm_head, matvec, sample};
use cresset::quant::Format;

/// (rows, outputs, columns, pieces of the weight): around 4 rows (matvec's most), 32 × 64 (matmul's tile), 64 threads.
const SHAPES: [(usize, usize, usize, usize); 21] = [
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
    // Several super-blocks of 256, for the formats that have them.
    (1, 65, 2304, 2),
    (3, 7, 768, 1),
    (9, 66, 1280, 2),
    // Columns that are no whole number of device blocks; for formats that have none of their own.
    (1, 5, 1, 1),
    (2, 65, 33, 2),
    (4, 7, 31, 1),
    (5, 66, 7, 1),
    (33, 65, 100, 2),
];

fn linear_grid(bench: &mut Bench, format: Format, shapes: &[(usize, usize, usize, usize)]) {
    for (i, &(t, n, k, pieces)) in shapes.iter().enumerate() {
        if format.row_bytes(k).is_none() {
            continue;
        }
        // Half of the epilogues with one shape, half with the next: most of the time goes into compiling.
        let epilogues = [(false, false), (true, false), (true, true), (false, true)];
        for (bias, accumulate) in epilogues.into_iter().skip(i % 2).step_by(2) {
            for used in [t, t - 1] {
                let what = format!("{} {used} of {t} × {n} × {k}, {bias} {accumulate}", format.name());
                let setting = Setting::rows(t, used);
                let tolerance = Tolerance::sum(k, 1.0).rounded(&[format], k, 1.0);
                check(bench, &what, &setting, tolerance, |case| {
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
    linear_grid(&mut Bench::open(), Format::F32, &SHAPES);
}

#[test]
fn linear_f16() {
    linear_grid(&mut Bench::open(), Format::F16, &SHAPES);
}

#[test]
fn linear_bf16() {
    linear_grid(&mut Bench::open(), Format::BF16, &SHAPES);
}

#[test]
fn linear_blocks() {
    for format in Format::ALL.iter().filter(|f| f.block_len() == 32) {
        linear_grid(&mut Bench::open(), *format, &SHAPES);
    }
}

#[test]
fn linear_super_blocks() {
    for format in Format::ALL.iter().filter(|f| f.block_len() == 256) {
        linear_grid(&mut Bench::open(), *format, &SHAPES);
    }
}

/// However products of few rows are shared out, they are the same.
#[test]
fn linear_shapes() {
    let mut bench = Bench::open();
    let few: Vec<_> = SHAPES.into_iter().filter(|(rows, ..)| *rows <= 4).collect();
    for (s, matvec) in bench.matvec_shapes().into_iter().enumerate() {
        bench.tune(matvec, MatmulShape { tall: 4, numbers: TileFormat::F32 });
        let few: Vec<_> = few.iter().enumerate().filter(|(j, _)| meets(*j, s)).map(|(_, shape)| *shape).collect();
        for format in [Format::F32, Format::Q4_0, Format::Q6_K] {
            linear_grid(&mut bench, format, &few);
        }
    }
    // What goes through tiles does so in higher ones too.
    let many: Vec<_> = SHAPES.into_iter().filter(|(rows, ..)| *rows > 4).collect();
    bench.tune(bench.matvec_shapes()[0], MatmulShape { tall: 8, numbers: TileFormat::F32 });
    for format in [Format::F32, Format::Q4_0, Format::Q6_K] {
        linear_grid(&mut bench, format, &many);
    }
}

/// Tiles of f16 numbers round what they multiply.
#[test]
fn linear_in_f16() {
    let mut bench = Bench::open();
    let matvec = bench.matvec_shapes()[0];
    for matmul in bench.matmul_shapes().into_iter().filter(|shape| shape.numbers == TileFormat::F16) {
        bench.tune(matvec, matmul);
        for &format in Format::ALL {
            for (t, n, k) in [(5, 66, 256), (33, 65, 1024), (70, 200, 768)] {
                let what = format!("{} {t} × {n} × {k} in {matmul:?}", format.name());
                let tolerance = Tolerance::new(1e-3 * (k as f32).sqrt(), 1e-3);
                check(&mut bench, &what, &Setting::rows(t, t - 1), tolerance, |case| {
                    let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                    let weight = case.weight(format, n, k, 1);
                    linear(&mut case.pass, &x, &weight, Epilogue::default(), &y);
                    vec![Output::Rows { tensor: y, used: t - 1 }]
                });
            }
        }
    }
}

#[test]
fn linear_large() {
    let mut bench = Bench::open();
    for (t, n, k) in [(1, 1000, 4096), (64, 260, 1024)] {
        for &format in Format::ALL {
            let what = format!("{} {t} × {n} × {k}", format.name());
            let tolerance = Tolerance::sum(k, 1.0).rounded(&[format], k, 1.0);
            check(&mut bench, &what, &Setting::rows(t, t), tolerance, |case| {
                let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                let weight = case.weight(format, n, k, 1);
                linear(&mut case.pass, &x, &weight, Epilogue::default(), &y);
                vec![Output::Rows { tensor: y, used: t }]
            });
        }
    }
}

/// An encoder's thousands of rows are several dispatches.
#[test]
fn linear_of_many_rows() {
    let mut bench = Bench::open();
    for (t, used) in [(1100, 1030), (2050, 1024), (3000, 7)] {
        check(&mut bench, &format!("{used} of {t} rows"), &Setting::rows(t, used), Tolerance::sum(64, 1.0), |case| {
            let (x, y) = (case.tensor(t, 64), case.tensor(t, 70));
            let weight = case.weight(Format::F32, 70, 64, 2);
            linear(&mut case.pass, &x, &weight, Epilogue::default(), &y);
            vec![Output::Rows { tensor: y, used }]
        });
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
        for columns in [1, 7, 8, 9, 31, 32, 33, 64, 256, 512, 544, 2080, 2304] {
            if format.row_bytes(columns).is_none() {
                continue;
            }
            for by in [By::Token, By::Position, By::First] {
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

/// The numbers that a GPU makes of blocks with unusual scales or floats are those of an independent reader: each block
/// as a row of its own, and all of them as one.
#[test]
fn embed_reads_every_block() {
    for unpack_f16 in [UnpackF16::Native, UnpackF16::Bits] {
        let mut bench = Bench::open();
        bench.unpack_f16(unpack_f16);
        reads_every_block(&mut bench);
    }
}

fn reads_every_block(bench: &mut Bench) {
    for &format in Format::ALL {
        let known = Blocks::of(format);
        let n = known.block_len();
        let blocks = [known.blocks, known.edges].concat();
        let mut rows: Vec<_> = blocks.iter().cloned().zip(known.values.chunks_exact(n)).collect();
        rows.push((blocks.concat(), &known.values));
        for (i, (row, want)) in rows.iter().enumerate() {
            let what = format!("{} row {i}", format.name());
            let largest = want.iter().fold(0f32, |m, x| m.max(x.abs()));
            let rounding = match format.is_quantized() {
                // The executors may round a product and a difference once or twice.
                true => Tolerance::new(3e-7 * largest, 0.0),
                // WGSL lets a GPU take what is below the normal range for zero. Such numbers have rows of their own.
                false if want.iter().any(|x| x.is_subnormal()) => Tolerance::new(f32::MIN_POSITIVE, 0.0),
                false => Tolerance::EXACT,
            };
            let setting = Setting::slots(&[0], &[0], 32, 16);
            let ran = check(bench, &what, &setting, rounding, |case| {
                let table = case.weight_of(format, row, 1, want.len(), 1);
                let x = case.tensor(1, want.len());
                embed(&mut case.pass, &table, By::Token, 1.0, &x);
                vec![Output::Rows { tensor: x, used: 1 }]
            });
            assert_eq!(ran.row(0, 0), *want, "{what}");
        }
    }
}

/// From their bits, all f16 numbers are what they are: subnormal ones and infinities too.
#[test]
fn every_f16_from_its_bits() {
    let mut bench = Bench::open();
    bench.unpack_f16(UnpackF16::Bits);
    let numbers = (0..=u16::MAX).filter(|bits| bits & 0x7fff <= 0x7c00 && *bits != 0x8000); // no NaN, no second zero
    let bytes: Vec<u8> = numbers.flat_map(u16::to_le_bytes).collect();
    let n = bytes.len() / 2;
    let ran = check(&mut bench, "every f16", &Setting::slots(&[0], &[0], 32, 16), Tolerance::EXACT, |case| {
        let table = case.weight_of(Format::F16, &bytes, 1, n, 1);
        let x = case.tensor(1, n);
        embed(&mut case.pass, &table, By::Token, 1.0, &x);
        vec![Output::Words { buffer: x.buffer, count: n }]
    });
    assert_eq!(f32::from_bits(ran.after[0][1]), 2f32.powi(-24));
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

/// (rows, columns, outputs of each weight).
const SHARED: [(usize, usize, [usize; 3]); 8] = [
    (1, 256, [64, 32, 32]),
    (1, 512, [1, 70, 3]),
    (2, 1280, [100, 20, 20]),
    (3, 256, [63, 0, 0]),
    (4, 768, [65, 64, 0]),
    (1, 33, [7, 5, 4]),
    (2, 100, [130, 9, 0]),
    (4, 288, [96, 48, 48]),
];

/// Which shapes a format is tried with: two or three for each, all for some.
fn tried(i: usize, format: Format) -> bool {
    i.is_multiple_of(3) || [Format::F32, Format::Q4_0, Format::Q6_K].contains(&format)
}

/// Whether a format in one shape is tried with a size: each third, the next ones in the next turn, so that three shapes
/// together meet all sizes.
fn meets(size: usize, turn: usize) -> bool {
    (size + turn).is_multiple_of(3)
}

/// What a case is tried with. Each shape and each size meets all there is, but not together: most of the time goes into
/// compiling.
fn turn<T: Copy>(all: &[T], turn: usize) -> T {
    all[turn % all.len()]
}

// A test each, which run side by side.

#[test]
fn matvec_of_numbers() {
    matvec_grid(1);
}

#[test]
fn matvec_of_blocks() {
    matvec_grid(32);
}

#[test]
fn matvec_of_super_blocks() {
    matvec_grid(256);
}

/// Projections that share their input and norm; formats by themselves and mixed, apart and one behind the other.
fn matvec_grid(block_len: usize) {
    let mut bench = Bench::open();
    let shapes = bench.matvec_shapes();
    for (i, &format) in Format::ALL.iter().enumerate().filter(|(_, format)| format.block_len() == block_len) {
        let other = Format::ALL[(i + 3) % Format::ALL.len()];
        for (s, &shape) in shapes.iter().enumerate().filter(|(s, _)| tried(*s, format)) {
            bench.tune(shape, MatmulShape { tall: 4, numbers: TileFormat::F32 });
            for (j, (t, k, outputs)) in SHARED.into_iter().enumerate().filter(|(j, _)| meets(*j, i + s / 3)) {
                let formats = [format, format, other];
                if formats.iter().any(|format| format.row_bytes(k).is_none()) {
                    continue;
                }
                let (norm, biased) = turn(&[(false, false), (true, false), (true, true)], i + i / 3 + s + j);
                let together = (s + j) % 2 == 0;
                let names = (format.name(), other.name());
                let what = format!("matvec {names:?} {t} × {outputs:?} × {k}, {norm}, {together}, {shape:?}");
                // Normalised columns are near 1, some a few times that.
                let tolerance = Tolerance::sum(k, 4.0).rounded(&formats, k, 4.0);
                check(&mut bench, &what, &Setting::rows(t, t.max(2) - 1), tolerance, |case| {
                    let n: usize = outputs.iter().sum();
                    let (x, y) = (case.tensor(t, k), case.tensor(t, n));
                    let mut weights = match together {
                        true => case.weights_together(format, &outputs[..2], k),
                        false => outputs[..2].iter().map(|&rows| case.weight(format, rows.max(1), k, 1)).collect(),
                    };
                    weights.push(case.weight(other, outputs[2].max(1), k, 1));
                    let weights: Vec<_> =
                        weights.iter().zip(outputs).filter(|(_, rows)| *rows > 0).map(|(w, _)| w).collect();
                    let (biases, norms) = (case.randoms(n), case.randoms(k.next_multiple_of(4)));
                    let bias = biased.then(|| case.floats(&biases));
                    let norm = norm.then(|| Prologue { weight: case.floats(&norms), epsilon: 1e-3 });
                    let epilogue =
                        Epilogue { bias, accumulate: biased && t == 1, scale: if biased { 0.5 } else { 1.0 } };
                    matvec(&mut case.pass, &x, norm, &weights, epilogue, &y);
                    vec![Output::Rows { tensor: y, used: t.max(2) - 1 }]
                });
            }
        }
    }
}

#[test]
fn gated_grid() {
    let mut bench = Bench::open();
    let shapes = bench.matvec_shapes();
    for (i, &format) in Format::ALL.iter().enumerate() {
        for (s, &shape) in shapes.iter().enumerate().filter(|(s, _)| tried(*s, format)) {
            bench.tune(shape, MatmulShape { tall: 4, numbers: TileFormat::F32 });
            for (j, (t, k, [n, ..])) in SHARED.into_iter().enumerate().filter(|(j, _)| meets(*j, i + s / 3)) {
                if format.row_bytes(k).is_none() {
                    continue;
                }
                let all = Activation::ALL;
                let activation = all[i % all.len()];
                let (norm, biased) = turn(&[(false, false), (true, true)], i + s / 3 + j);
                let what = format!("gated {} {t} × {n} × {k}, {activation:?}, {norm}, {shape:?}", format.name());
                // Two sums times each other, each up to tens.
                let tolerance = Tolerance::new(2e-5 * (k as f32).sqrt(), 2e-5).rounded(&[format], k, 40.0);
                check(&mut bench, &what, &Setting::rows(t, t), tolerance, |case| {
                    let (x, y) = (case.tensor_of(t, k, 0.2), case.tensor(t, n));
                    let weights = case.weights_together(format, &[n, n], k);
                    let (biases, norms) = (case.randoms(2 * n), case.randoms(k.next_multiple_of(4)));
                    let norms: Vec<f32> = norms.iter().map(|w| w * 0.2).collect();
                    let bias = biased.then(|| case.floats(&biases));
                    let norm = norm.then(|| Prologue { weight: case.floats(&norms), epsilon: 1e-3 });
                    gated(&mut case.pass, &x, norm, [&weights[0], &weights[1]], bias, activation, &y);
                    vec![Output::Rows { tensor: y, used: t }]
                });
            }
        }
    }
}

/// Logits and the best of each workgroup's: their largest is that of all.
#[test]
fn lm_head_grid() {
    let mut bench = Bench::open();
    let shapes = bench.matvec_shapes();
    for (i, &format) in Format::ALL.iter().enumerate() {
        for (s, &shape) in shapes.iter().enumerate().filter(|(s, _)| tried(*s, format)) {
            bench.tune(shape, MatmulShape { tall: 4, numbers: TileFormat::F32 });
            let sizes = [(1, 256, 1000, 1), (1, 33, 65, 2), (3, 768, 300, 2), (4, 512, 7, 1)];
            let sizes = sizes.into_iter().enumerate().filter(|(j, _)| meets(*j, i + s / 3));
            for (_, (t, k, vocab, pieces)) in sizes {
                if format.row_bytes(k).is_none() {
                    continue;
                }
                let what = format!("lm_head {} {t} × {vocab} × {k}, {shape:?}", format.name());
                let mut setting = Setting::slots(&vec![3; t], &vec![1; t], 32, 16);
                setting.gather.truncate(t.max(2) - 1);
                let used = setting.gather.len();
                let flags = [SamplingSlot::BIAS, 0, SamplingSlot::BIAS | SamplingSlot::MASK, SamplingSlot::MASK];
                let slots = (0..t).map(|slot| SamplingSlot { flags: flags[(slot + i) % 4], ..SamplingSlot::default() });
                setting.sampling = slots.collect();
                let tolerance = Tolerance::sum(k, 4.0).rounded(&[format], k, 4.0);
                let ran = check(&mut bench, &what, &setting, tolerance, |case| {
                    let (x, logits) = (case.tensor(t, k), case.tensor(t, vocab));
                    let weight = case.weight(format, vocab, k, pieces);
                    let (norms, biases) = (case.randoms(k.next_multiple_of(4)), case.randoms(vocab));
                    let own: Vec<_> = (0..t as u32)
                        .map(|slot| {
                            let biases = (0..vocab as u32).map(|id| (id, 5.0 * case.random())).collect();
                            ((0..vocab as u32).filter(|id| !(id + slot).is_multiple_of(3)).collect(), biases)
                        })
                        .collect();
                    let own = edits(case, vocab, &own);
                    let (norm, bias) = ((i + s) % 2 == 0, s % 2 == 0);
                    let norm = norm.then(|| Prologue { weight: case.floats(&norms), epsilon: 1e-3 });
                    let bias = bias.then(|| case.floats(&biases));
                    // So wide that no two logits saturate to one number: who is the best would be for rounding to say.
                    let cap = (s % 3 == 0).then_some(40.0);
                    let scale = if i % 3 == 0 { 0.5 } else { 1.0 };
                    case.pass.logit_rows = true;
                    let epilogue = LogitEpilogue { bias, scale, cap };
                    let ranked = lm_head(&mut case.pass, &x, norm, &weight, epilogue, own, &logits).expect("room");
                    sample(&mut case.pass, &logits, own, &ranked);
                    vec![Output::Rows { tensor: logits, used }]
                });
                assert_eq!(ran.state[1], 4, "{what}: the sampler has advanced");
            }
        }
    }
}
